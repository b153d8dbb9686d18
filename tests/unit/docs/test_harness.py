"""Imports among the tests: what they share is no test, and every name that one takes from another is there.

The second is asked here because the quick tests collect `tests/unit` alone: a name that was moved would be missed for long.
"""

from __future__ import annotations

import ast
import symtable
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
    """Return whether this is a folder or file of the tests, or a name at the top of one."""
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists() or path.name in given(path.parent)


@cache
def given(module: Path) -> frozenset[str]:
    """Return the names that a module of the tests has at its top, which are those that another module can import."""
    file = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    if not file.exists():
        return frozenset()
    symbols = symtable.symtable(file.read_text("utf-8"), str(file), "exec").get_symbols()
    return frozenset(symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported())


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
