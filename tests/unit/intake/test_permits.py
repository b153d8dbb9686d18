"""Every function of intake whose SQL names a table of cases takes a permit, or asks for one itself; the few that cannot stand here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import services.intake
from tests.harness import statements

HERE = Path(services.intake.__file__).parent
TABLES = (
    *("answer", "casefile", "draft", "erasure", "exclusion", "exercise", "happening", "hold", "link", "offer"),
    *("recorded", "referral", "section", "task", "track"),
)
"""Tables with rows of cases. `submission` is none: an agency's receipts, under a key of its own."""
MAKERS = {"permitted", "without_case", "own", "by_receipt", "_leave", "_involved"}
"""Functions that return a permit, or raise the refusal of the table."""
BEFORE = {
    "casefile/access.py": {
        "hold": "the lock, before the permit",
        "take": "the lock, before the permit",
        "known": "the state of a case that the batch has locked",
        "involvement": "the relations of which a permit is made",
    },
    "unanswered.py": {"turn": "a number, for an alarm"},
}
"""File → function without a permit → the reason."""
NAMED = re.compile(rf"\bintake\.({'|'.join(TABLES)})\b")
FILES = {path: ast.parse(path.read_text("utf-8")) for path in sorted(HERE.rglob("*.py")) if "migrations" not in path.parts}
Function = ast.AsyncFunctionDef | ast.FunctionDef


def texts(node: ast.AST) -> str:
    """Return every string in a node, also the parts of formatted ones."""
    return " ".join(one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))


def module(path: Path) -> str:
    return ".".join(("services", "intake", *path.relative_to(HERE).with_suffix("").parts))


@cache
def imports(path: Path) -> dict[str, str]:
    """Return the names that a file imports → their whole names."""
    every = [one for one in FILES[path].body if isinstance(one, ast.ImportFrom)]
    return {alias.asname or alias.name: f"{one.module}.{alias.name}" for one in every for alias in one.names}


def names(path: Path, node: ast.AST) -> set[str]:
    """Return the whole name of everything of intake that a node uses, of its own file or of one that the file imports."""
    own, found = imports(path), set[str]()
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            found.add(own.get(one.id, f"{module(path)}.{one.id}"))
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name):
            found.add(f"{own.get(one.value.id, '')}.{one.attr}")
    return found


def constants() -> set[str]:
    """Return the whole names of the constants in whose statements a table of cases stands."""
    found: set[str] = set()
    for _ in range(3):  # a statement is put together of others
        for path, tree in FILES.items():
            for one in tree.body:
                if not isinstance(one, ast.Assign | ast.AnnAssign) or one.value is None:
                    continue
                if NAMED.search(texts(one.value)) or names(path, one.value) & found:
                    targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                    found |= {f"{module(path)}.{target.id}" for target in targets if isinstance(target, ast.Name)}
    return found


def touching(path: Path, stated: set[str]) -> Iterator[Function]:
    """Yield the functions of a file whose statements name a table of cases."""
    for one in ast.walk(FILES[path]):
        if isinstance(one, Function):
            told = ast.get_docstring(one, clean=False) or ""
            if NAMED.search(texts(one).replace(told, "")) or names(path, one) & stated:
                yield one


def permitted(function: ast.AsyncFunctionDef | ast.FunctionDef) -> bool:
    """Return True if a function takes a permit, or asks for one."""
    takes = {ast.unparse(one.annotation) for one in (*function.args.args, *function.args.kwonlyargs) if one.annotation}
    calls = {getattr(one.func, "attr", getattr(one.func, "id", "")) for one in ast.walk(function) if isinstance(one, ast.Call)}
    return "Permit" in takes or bool(calls & MAKERS)


def test_whatever_touches_a_case_has_a_permit() -> None:
    stated = constants()
    found = [(str(path.relative_to(HERE)), one) for path in FILES for one in touching(path, stated)]
    without: dict[str, set[str]] = {}
    for path, one in found:
        if not permitted(one):
            without.setdefault(path, set()).add(one.name)
    assert without == {path: set(listed) for path, listed in BEFORE.items()}
    assert len(found) >= 90


def test_no_other_service_names_a_table_of_cases() -> None:
    """Rights keep intake's tables from the others; the notifier reads columns of its accounts alone."""
    for role in ("routing", "notifier", "audit", "oversight"):
        assert not {name for name, _ in statements.used(role) if name in {f"intake.{table}" for table in TABLES}}, role


def test_the_tables_are_all_of_those_with_a_case() -> None:
    scripts = [path for path in (HERE / "migrations").rglob("*.*") if path.suffix in (".py", ".sql")]
    made = " ".join(texts(ast.parse(one.read_text("utf-8"))) if one.suffix == ".py" else one.read_text("utf-8") for one in scripts)
    with_case = {table.partition(" ")[0] for table in made.split("CREATE TABLE intake.")[1:] if re.search(r"\bcase_id text", table)}
    assert with_case - {"submission"} == set(TABLES)
