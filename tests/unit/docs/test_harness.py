"""What tests share is no test: whoever reads a helper need not run, or know, the tests of something else."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
SHARED = ("tests/harness", "bench")


def test_nothing_that_is_shared_imports_a_test() -> None:
    files = [file for folder in SHARED for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 50
    found = {file.relative_to(ROOT).as_posix(): named for file in files if (named := sorted(filter(is_test, imported(file))))}
    assert found == {}, "move what they need to tests/harness"


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
