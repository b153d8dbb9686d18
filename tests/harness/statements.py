"""The SQL statements of the services, read from their source: which role uses which table, and how.

A service runs what its `__main__` imports; of `referral` too. Strings are put together as the module would (its constants stand in
f-strings), so that only names which exist at run time stay open: UNDECIDED says what those are, and COMMANDS_ALONE what no service runs.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import grimp

from referral.runtime import bootstrap
from referral.runtime.postgres.bulk import Table
from referral.runtime.postgres.tokens import TokenTable
from referral.runtime.settings import CHECKOUT, LINE

Use = tuple[str, str]
"""(name as the statement has it, verb)."""
OPEN = "\0"
"""Stands in a statement for what only the running program knows."""
SERVICES = ("intake", "routing", "notifier", "audit", "oversight", "eraser", "watchman")
PROGRAMS = ("services.notifier.history", "services.notifier.spans", "services.notifier.gaps")
"""Programs that `referral duty` runs with the notifier's role."""
ERASED = (
    *("section", "draft", "exercise", "recorded", "happening", "answer", "offer", "task", "track", "exclusion", "referral", "casefile"),
    "link",
)
"""Tables of intake whose rows the eraser deletes with a case."""
_ENDED = ("contact", "rule", "weekly", "single", "absence", "given", "night")
_LOGGED = ("person", *_ENDED, "pause")
UNDECIDED: dict[str, set[Use]] = {
    "services.eraser.store": {(f"intake.{table}", verb) for table in ERASED for verb in ("SELECT", "DELETE")},
    "referral.roster.changes": {(f"notifier.{table}", verb) for table in _ENDED for verb in ("SELECT", "UPDATE")},
    "referral.roster.log": {(f"notifier.{table}", "SELECT") for table in _LOGGED},
    "services.notifier.history": {(f"notifier.{table}", "SELECT") for table in _LOGGED},
    "services.notifier.roster_door.changes": {(f"notifier.{table}", "SELECT") for table in _ENDED},
    "services.notifier.store": {(f"notifier.{table}", verb) for table in ("delivery", "asked", "barred") for verb in ("SELECT", "DELETE")},
    "services.routing.__main__": {("intake.waiting", "SELECT"), ("notifier.answered", "SELECT")},
    "referral.runtime.loop.timers": {("waiting", "SELECT")},
    "referral.runtime.loop.writer_mark": {("writer", "SELECT")},
}
"""Module → what its statements with a name that is known at run time only use."""
COMMANDS_ALONE: set[Use] = {
    ("runtime.clock", "UPDATE"),  # a drill passes time
    *((f"{table}", verb) for table in ("intake.agency_token", "audit.reader", "oversight.reader") for verb in ("INSERT", "UPDATE")),
    *(("keys.case_key", verb) for verb in ("SELECT", "DELETE")),
}
"""Statements in modules that a service imports too, which only the administrator's commands run."""
_WORDS = ["ON", "WHERE", "SET", "JOIN", "ORDER", "USING"]
_ITEM = (
    r"(?:LATERAL\s+)?(?:ONLY\s+)?([a-z_]+(?:\.[a-z_]+)?)(?![a-z_.]|\s*\()"  # a name, no function
    rf"(?:\s+(?:AS\s+)?(?!(?:{'|'.join(_WORDS)})\b)[a-z_]+)?"  # what the statement calls it
)
_FROM = re.compile(rf"\b(?:FROM|JOIN|USING)\s+({_ITEM}(?:\s*,\s*{_ITEM})*)")
_DELETE = re.compile(r"\bDELETE FROM ([a-z_.]+)")
_INSERT = re.compile(r"\bINSERT INTO ([a-z_.]+)")
_UPDATE = re.compile(r"(?<!DO )(?<!FOR )(?<!KEY )\bUPDATE ([a-z_]+(?:\.[a-z_]+)?)")
_LOCKED = re.compile(r"\bFOR (?:UPDATE|NO KEY UPDATE|SHARE|KEY SHARE)(?: OF ([a-z_]+))?")
_LOCK = re.compile(r"\bLOCK TABLE ([a-z_.]+)")
_CALLED = re.compile(r"\b(keys\.[a-z_]+|runtime\.(?:transaction|slots))\(")


def uses(statement: str) -> Iterator[Use]:
    """Every table or function that a statement names, with each right that PostgreSQL asks for."""
    for found in _CALLED.finditer(statement):
        yield found[1], "EXECUTE"
    for found in _LOCK.finditer(statement):
        yield found[1], "DELETE"  # or UPDATE: either lets a role lock a table
    for found in _DELETE.finditer(statement):
        yield found[1], "DELETE"
        yield found[1], "SELECT"
    for found in _UPDATE.finditer(statement):
        yield found[1], "UPDATE"
        yield found[1], "SELECT"
    for found in _INSERT.finditer(statement):
        yield found[1], "INSERT"
        after = statement[found.end() :].partition("INSERT INTO")[0]
        if "DO UPDATE" in after:
            yield found[1], "UPDATE"
        if "RETURNING" in after or re.search(r"ON CONFLICT\s*\(", after):
            yield found[1], "SELECT"
    for table in _read(statement).values():
        yield table, "SELECT"
    for found in _LOCKED.finditer(statement):
        named = _read(_around(statement, found.start()))
        for table in [named.get(found[1], found[1])] if found[1] else named.values():
            yield table, "UPDATE"


def _read(statement: str) -> dict[str, str]:
    """The tables after FROM, JOIN and USING, by the name that the statement calls each."""
    items = [item.split() for found in _FROM.finditer(statement) for item in re.split(r"\s*,\s*", found[1])]
    return {words[-1].rpartition(".")[2]: next(word for word in words if word not in ("LATERAL", "ONLY")) for words in items}


def _around(statement: str, at: int) -> str:
    """The query that a place belongs to, up to there, without the queries inside it."""
    text, depth = "", 0
    for letter in reversed(statement[:at]):
        depth += {")": 1, "(": -1}.get(letter, 0)
        if depth < 0:
            break
        text = (letter if depth == 0 else " ") + text
    return text


def strings(module: ModuleType) -> Iterator[str]:
    """Every string of a module, as it is put together; OPEN where a part is known at run time only."""
    assert module.__file__ is not None
    seen: set[ast.AST] = set()
    for node in ast.walk(ast.parse(Path(module.__file__).read_text("utf-8"))):
        if node in seen:
            continue
        if isinstance(node, ast.BinOp | ast.JoinedStr):
            seen.update(ast.walk(node))
        if isinstance(node, ast.BinOp | ast.JoinedStr | ast.Constant) and (whole := _text(node, vars(module))):
            yield whole
    for value in vars(module).values():
        if isinstance(value, Table):
            yield value.sql
        if isinstance(value, TokenTable):
            yield from (str(statement) for statement in vars(value).values())


def _text(node: ast.AST, known: dict[str, object]) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, known) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, known) + _text(node.right, known)
    if isinstance(node, ast.FormattedValue):
        try:
            return str(eval(compile(ast.Expression(node.value), "part", "eval"), known))
        except Exception:
            return OPEN
    return OPEN if isinstance(node, ast.expr) else ""


@cache
def modules(service: str) -> list[ModuleType]:
    """The modules whose statements a service's role runs."""
    graph = grimp.build_graph("referral", "services")
    heads = [f"services.{service}.__main__", *(name for name in PROGRAMS if name.startswith(f"services.{service}."))]
    names = {name for head in heads for name in (head, *graph.find_upstream_modules(head))}
    return [importlib.import_module(name) for name in sorted(names)]


@cache
def tables() -> set[str]:
    """Every table and view that the migrations make, and those of their versions, with the schema; those of the loop without one."""
    made = {"runtime_version", *(f"{service}.version" for service in SERVICES if service != "watchman")}
    for path in [*CHECKOUT.glob("services/*/migrations/versions/*"), *CHECKOUT.glob("referral/runtime/migrations/versions/*.py")]:
        if path.suffix in (".sql", ".py"):
            made |= set(
                re.findall(
                    r"(?:CREATE (?:OR REPLACE |UNLOGGED )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?|RENAME TO )([a-z_.]+)", path.read_text("utf-8")
                )
            )
    loop = {f"{service}.{name}" for service in LINE for name in made if "." not in name}
    return made | loop | set(re.findall(r"CREATE TABLE IF NOT EXISTS ([a-z_.]+)", bootstrap.SHARED))


@cache
def used(service: str) -> dict[Use, str]:
    """Every (table or function, verb) that a service's statements use, with one module that does; tables of the loop without a schema."""
    known = tables()
    found: dict[Use, str] = {}
    for module in modules(service):
        asked = set(UNDECIDED.get(module.__name__, ()))
        for statement in strings(module):
            asked |= set(uses(statement.replace(f"{OPEN}.", f"{service}.")))
        for name, verb in asked:
            for whole in (name, f"{service}.{name}"):
                if whole in known or verb == "EXECUTE":
                    found.setdefault((whole, verb), module.__name__)
                    break
    return found
