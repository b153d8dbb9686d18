"""rights.yaml gives each role what the statements in the code need, and nothing that none of them needs."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

import pytest
import yaml

from referral.runtime.keys.service_keys import readers
from referral.runtime.postgres import bounds, locks, rights
from referral.runtime.postgres.rights import Right
from referral.runtime.settings import CHECKOUT, LINE, SERVICES
from tests.harness import statements

LOOP = tuple(yaml.safe_load(rights.FILE.read_text("utf-8"))["loop"])
APPENDED = ("audit.entry", "audit.checkpoint", "audit.tile", "oversight.release", "oversight.cut")
"""Tables of which nothing is ever taken away."""
EVENTS = (("audit.security", "INSERT"), ("audit.honey", "SELECT"))
"""What a door may do outside of its schema: add to the security events, and look whether a refused token is honey."""

EVERY_VERB = ("SELECT", "INSERT", "UPDATE", "DELETE")
BEFORE = {(f"{role}.{use[0]}", use[1]) for role in LINE for use in (("outbox", "DELETE"), *product(("attempt",), EVERY_VERB))}
"""Rights that only the release before needs, which runs beside this one while it is deployed: it deletes what it has published, and counts
attempts in another table."""


@cache
def needed(role: str) -> frozenset[tuple[str, str]]:
    """What the statements of a role use, with the schema of each table."""
    found = statements.used(role)
    named = {(f"{role}.{name}" if "." not in name else name, verb) for name, verb in found}
    return frozenset(use for use in named if use[0].partition(".")[2] not in LOOP or role in LINE or use[0].partition(".")[0] != role)


def given(role: str) -> set[tuple[str, str]]:
    return {(right.name, right.verb) for right in rights.wanted() if right.role == role and "." in right.name}


def own(role: str, name: str, module: str) -> bool:
    """Whether a statement is this role's to run: of shared code, only what is about its own schema, and the clock."""
    return module.startswith(f"services.{role}.") or name.partition(".")[0] in ((role, "runtime") if role in SERVICES else (role,))


@pytest.mark.parametrize("role", rights.ROLES)
def test_every_statement_has_its_right(role: str) -> None:
    mine = {(name if "." in name else f"{role}.{name}", verb): module for (name, verb), module in statements.used(role).items()}
    asked = {use for use, module in mine.items() if own(role, use[0], module)} & needed(role) - statements.COMMANDS_ALONE
    assert asked <= given(role), sorted(asked - given(role))


@pytest.mark.parametrize("role", rights.ROLES)
def test_every_right_has_its_statement(role: str) -> None:
    spare = given(role) - needed(role) - BEFORE
    assert not spare, sorted(spare)


def test_the_file_names_no_table_that_is_not_made() -> None:
    named = {right.name for right in rights.wanted() if "." in right.name and right.verb != "EXECUTE"}
    assert named <= statements.tables(), sorted(named - statements.tables())


def test_what_is_appended_is_never_taken_away() -> None:
    there = [right for right in rights.wanted() if right.name in APPENDED]
    assert {right.verb for right in there} == {"SELECT", "INSERT", "UPDATE"}
    assert {(right.name, right.column) for right in there if right.verb == "UPDATE"} == {
        ("audit.tile", "data"),
        ("audit.checkpoint", "collected"),
        ("audit.checkpoint", "cosigned"),
        ("oversight.release", "published_at"),
    }
    assert not [
        right for right in rights.wanted() if right.verb not in ("SELECT", "INSERT", "UPDATE", "DELETE", "EXECUTE", "USAGE", "CONNECT")
    ]


def test_nobody_reads_the_keys_and_intake_alone_makes_them_and_the_eraser_alone_destroys_them() -> None:
    keys = {(right.role, right.name, right.verb) for right in rights.wanted() if right.name.startswith("keys.")}
    assert {each for each in keys if each[1] != "keys.wrapped"} == {
        ("intake", "keys.forms", "EXECUTE"),
        ("intake", "keys.case_key", "INSERT"),
        *(("eraser", f"keys.{step}", "EXECUTE") for step in ("retire", "erase", "uncopied", "copied")),
        *((role, "keys.retirement", "SELECT") for role in ("eraser", "audit")),
    }
    assert {role for role, name, _ in keys if name == "keys.wrapped"} == set(readers())


def test_no_role_reaches_into_another_schema_but_where_the_file_says_why() -> None:
    across = {
        (r.role, r.name, r.verb) for r in rights.wanted() if "." in r.name and r.name.partition(".")[0] not in (r.role, "runtime", "keys")
    }
    assert across == {
        *((role, "audit.logged", "SELECT") for role in ("intake", "routing", "notifier")),
        ("routing", "intake.waiting", "SELECT"),
        ("routing", "notifier.answered", "SELECT"),
        ("notifier", "intake.account", "SELECT"),
        ("watchman", "notifier.watch", "SELECT"),
        *((door, table, verb) for door in ("intake", "oversight") for table, verb in EVENTS),
        *(("eraser", f"intake.{table}", verb) for table in statements.ERASED for verb in ("SELECT", "DELETE")),
        *(("eraser", f"intake.{table}", verb) for table in ("erasure", "queue", "submission") for verb in ("SELECT", "UPDATE")),
    }


def test_every_role_has_a_share_of_the_connections_that_its_processes_need_and_some_are_left() -> None:
    shares = yaml.safe_load(rights.FILE.read_text("utf-8"))["bounds"]["connections"]
    assert shares.keys() == set(rights.ROLES) and sum(shares.values()) <= 88
    opened = {"intake": 12, "routing": 6, "notifier": 10, "audit": 15, "oversight": 8, "watchman": 1}  # the sizes of each process's pools
    for role, size in opened.items():
        assert bounds.connections(role, 200) >= size * (2 if role in ("audit", "oversight") else 4), role
        assert bounds.connections(role, 100) >= size, role


def test_a_superuser_s_file_and_the_cluster_of_kubernetes_say_the_same_as_the_program() -> None:
    file = (CHECKOUT / "deploy" / "postgres" / "bounds.sql").read_text("utf-8")
    written = "".join(line for line in file.splitlines(keepends=True) if not line.startswith("--"))
    assert written == "".join(f"{statement};\n" for statement in bounds.once("keeper"))
    cluster = next(yaml.safe_load_all((CHECKOUT / "deploy" / "kubernetes" / "postgres" / "cluster.yaml").read_text("utf-8")))
    _, *said = cluster["spec"]["bootstrap"]["initdb"]["postInitApplicationSQL"]
    assert said[: len(bounds.once("keeper"))] == bounds.once("keeper")


def test_what_is_closed_takes_nothing_that_the_services_call() -> None:
    closed = re.compile(bounds.pattern("closed", "shown"))
    ours = {"pg_notify", "pg_backend_pid", "pg_terminate_backend", "pg_sleep", "pg_advisory_unlock_all", "set_config", "sha256"}
    assert not [name for name in ours if closed.match(name)]
    called = [
        (name, module)
        for role in rights.ROLES
        for module in statements.modules(role)
        for statement in statements.strings(module)
        for name in re.findall(r"\b(?:pg_catalog\.)?([a-z_0-9]+)\(", statement)
        if closed.match(name) and module is not locks and module is not bounds
    ]
    assert called == []


def test_a_verb_with_columns_is_a_right_for_each_of_them() -> None:
    found = rights.parse("loop: {}\nroles:\n  audit:\n    audit.tile: SELECT UPDATE(data, level)\n")
    assert found == {
        Right("audit", "database", "CONNECT"),
        Right("audit", "audit", "USAGE"),
        Right("audit", "audit.tile", "SELECT"),
        Right("audit", "audit.tile", "UPDATE", "data"),
        Right("audit", "audit.tile", "UPDATE", "level"),
    }


@pytest.mark.parametrize(
    ("statement", "asked"),
    [
        ("SELECT a FROM x.t WHERE b", {("x.t", "SELECT")}),
        ("SELECT 1 FROM x.t JOIN y.u ON true FOR UPDATE OF u", {("x.t", "SELECT"), ("y.u", "SELECT"), ("y.u", "UPDATE")}),
        ("SELECT 1 FROM x.t WHERE a IN (SELECT b FROM y.u FOR UPDATE)", {("x.t", "SELECT"), ("y.u", "SELECT"), ("y.u", "UPDATE")}),
        ("INSERT INTO x.t VALUES (1) ON CONFLICT DO NOTHING", {("x.t", "INSERT")}),
        ("INSERT INTO x.t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 1", {("x.t", verb) for verb in ("INSERT", "UPDATE", "SELECT")}),
        ("DELETE FROM x.t USING y.u WHERE a = b", {("x.t", "DELETE"), ("x.t", "SELECT"), ("y.u", "SELECT")}),
        ("SELECT case_id FROM keys.wrapped(ids)", {("keys.wrapped", "EXECUTE")}),
    ],
)
def test_a_statement_asks_for_what_postgresql_asks(statement: str, asked: set[tuple[str, str]]) -> None:
    assert set(statements.uses(statement)) == asked


def test_beside_the_release_before_intake_keeps_what_that_one_needs_and_nothing_else_changes() -> None:
    more = rights.beside_older() - rights.wanted()
    assert Right("intake", "keys.erase", "EXECUTE") in more and rights.wanted() < rights.beside_older()
    assert {right.role for right in more} == {"intake"} and len(more) == 13
