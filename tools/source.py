"""Read a tree of files, of the checkout or of a commit, and parse the Python of it. Everything below `read` is pure.

Paths are POSIX, from the root of the tree. Files that people did not write are found by their mark, never by a list of names: a generated
module begins with `GENERATED`, a migration has a `down_revision`, and a frozen engine is an archive, of which no line is read.
"""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("referral/", "services/")
WIDTH = 100
"""Columns at which lines are counted, whatever the tree's own width is (issue 37)."""
RUFF = ("ruff", "format", "--isolated", "--quiet", f"--line-length={WIDTH}", "--target-version=py311")
NORMAL = ("--config", "format.skip-magic-trailing-comma=true")
"""A trailing comma would keep one item a line: without it, equal programs have equal lines."""
GENERATED = re.compile(r'\A"""GENERATED\b')
MIGRATION = re.compile(r"^down_revision\b", re.MULTILINE)

Tree = Mapping[str, str]
"""Path → text of each file that is UTF-8."""


def read(commit: str | None) -> dict[str, str]:
    """Return the files of a commit, or of the checkout as it is, Python formatted at WIDTH columns. Changes nothing of the checkout."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        if commit is None:
            copy_checkout(copy)
        else:
            packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(copy, filter="data")
        subprocess.run([ROOT / ".venv/bin" / RUFF[0], *RUFF[1:], *NORMAL, "."], cwd=copy, check=True)
        return texts(copy)


def copy_checkout(copy: Path) -> None:
    """Copy every file of the checkout that git knows or would add."""
    listed = subprocess.run(["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():  # it is not where it was deleted and that is not committed
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)


def texts(folder: Path) -> dict[str, str]:
    """Return the texts below a folder, hidden folders left out."""
    return dict(sorted(_texts(folder)))


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for file in (Path(parent, name) for name in files):
            try:
                yield file.relative_to(folder).as_posix(), file.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def product(tree: Tree) -> dict[str, str]:
    """Return the modules of the product that people write: no generated ones, no migrations, no empty `__init__`."""
    return {path: text for path, text in tree.items() if path.startswith(PRODUCT) and written(path, text)}


def written(path: str, text: str) -> bool:
    """Return whether people wrote this module and will change it."""
    return path.endswith(".py") and bool(text.strip()) and not GENERATED.search(text) and not MIGRATION.search(text)


def parsed(tree: Tree) -> dict[str, ast.Module]:
    """Return path → syntax tree."""
    return {path: ast.parse(text, path) for path, text in tree.items()}


def module(path: str) -> str:
    """Return the name by which a file is imported."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """Return module → the modules of these that it imports, anywhere in its text. A package counts only where it is named itself."""
    known = {module(path): path for path in trees}
    return {
        name: {found for node in ast.walk(trees[path]) for found in _imported(node, name, path, known)} - {name}
        for name, path in known.items()
    }


def _imported(node: ast.AST, name: str, path: str, known: Mapping[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in known)
    elif isinstance(node, ast.ImportFrom):
        of = node.module or ""
        if node.level:
            package = name.split(".") if path.endswith("/__init__.py") else name.split(".")[:-1]
            of = ".".join(filter(None, [*package[: len(package) - node.level + 1], of]))
        for alias in node.names:
            yield from [inner] if (inner := f"{of}.{alias.name}") in known else [of] if of in known else []


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import one another, directly or by others (strongly connected components of two or more)."""
    reach = {name: reachable(graph, name) for name in graph}
    groups = {tuple(sorted(other for other in reach[name] if name in reach[other])) for name in graph if name in reach[name]}
    return [list(group) for group in sorted(groups)]


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """Return what a module imports, directly or by others; itself too only where a circle leads back."""
    found, waiting = set[str](), [*graph.get(start, ())]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph.get(name, ()))
    return found


def doc(node: ast.AST) -> ast.Expr | None:
    """Return the statement that is the docstring of a module, class or function."""
    body = getattr(node, "body", None)
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not body:
        return None
    first = body[0]
    return first if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str) else None
