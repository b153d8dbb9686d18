"""What tests share is no test, and every name that a test takes from another file of the tests is there.

The second is asked here because the quick tests collect `tests/unit` alone: a name that was moved would be missed for long."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
SHARED = ("tests/harness", "bench")


def test_nothing_that_is_shared_imports_a_test() -> None:
    files = [file for folder in SHARED for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 50
    found = {file.relative_to(ROOT).as_posix(): named for file in files if (named := sorted(filter(is_test, imported(file))))}
    assert found == {}, "move what they need to tests/harness"


def test_every_name_that_a_test_imports_from_the_tests_is_there() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    assert len(files) > 400
    taken = [(file, name) for file in files for name in sorted(imported(file)) if name.startswith("tests.")]
    assert len(taken) > 500
    assert [f"{file.relative_to(ROOT).as_posix()}: {name}" for file, name in taken if not is_there(name)] == []


def is_there(name: str) -> bool:
    """Whether a file of the tests with this name exists, or one that gives the last part of it a meaning."""
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists() or path.name in given(path.parent)


@cache
def given(module: Path) -> frozenset[str]:
    """The names that a module of the tests has at its top."""
    file = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    if not file.exists():
        return frozenset()
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    assigned = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    taken = {alias.asname or alias.name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
    return frozenset(defined | assigned | taken)


def imported(file: Path) -> set[str]:
    """Every module that a file imports, and every name that it takes from one, with dots."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names = {f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    return modules | names


def is_test(name: str) -> bool:
    """Whether this is a test, or the fixtures of some."""
    parts = name.split(".")
    return parts[0] == "tests" and any(part == "conftest" or part.startswith("test_") for part in parts)
