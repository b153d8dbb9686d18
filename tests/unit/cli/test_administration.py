"""No command changes a stack without an act: each is in one list, and none but `administration` writes to the database."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import referral.cli
from referral.wire.act_table import BY_TWO, ELSEWHERE, IN_DATABASE, MAY_END
from tests.unit.cli.test_commands import LISTED

ENTRIES_OF_THEIR_OWN = {
    **dict.fromkeys(
        (
            "submit",
            "respond",
            "agency exclude",
            "case erase",
            "case erase-refused",
            "case hold",
            "case instruct",
            "case lift",
            "drill run",
            "drill end",
        ),
        "intake's door takes it, and writes its event",
    ),
    **dict.fromkeys(
        ("audit export", "audit figures", "audit receipt", "audit replay", "case show", "drill report"), "what opens a case is a reading"
    ),
}
HERE_ALONE = {
    **dict.fromkeys(("demo", "tour", "handset", "drill pass"), "a stack of exercises, whose clock and people are made up"),
    **dict.fromkeys(
        (
            "agency key",
            "audit key",
            "audit reader",
            "audit acknowledge",
            "audit trust import",
            "audit witness",
            "audit writer",
            "ca install",
            "case key",
            "init",
            "operator key",
            "operator word",
            "ca request",
            "policy calendar refresh",
            "policy directory export",
            "policy directory import",
            "policy endorse",
            "policy key",
            "policy propose",
            "policy sign",
            "prompts make",
            "prompts call",
        ),
        "files of whoever types it: nothing of a stack changes before somebody else takes them",
    ),
}
READ_ONLY = {
    *("doctor", "channels", "offers", "submission", "receipt", "case erasures", "ca list", "desk sheet", "drill list", "staff list"),
    *("duty gaps", "duty history", "duty sheet", "duty show", "oversight reader list", "oversight releases", "oversight show"),
    *(
        "audit diff",
        "audit guidance",
        "audit monitor",
        "audit prove",
        "audit trust compare",
        "audit trust show",
        "audit verify",
        "security events",
    ),
    *("policy check", "policy pins", "policy review", "policy schema", "policy show", "policy simulate"),
}
WRITERS = {
    "administration": {"connection.write"},
    "admin/prepare": {"connection.write"},  # within the act of `recover`
    "audit/live_log": {"database.admin"},  # asks audit for an entry
    "connection": {"database.admin"},
    "policy/activate": {"connection.opened"},  # its act is in the same transaction
    "stack/cast": {"connection.opened"},  # likewise
    "stack/drill": {"connection.write"},  # the clock of a drill
    "stack/stage": {"connection.write"},  # likewise
    "stack/up": {"connection.opened"},  # reads
}
"""Module of the command line → the calls by which it may write, and why."""


def calls(wanted: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    folder = Path(referral.cli.__file__).parent
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in wanted:
                yield file.relative_to(folder).with_suffix("").as_posix(), name


def test_every_command_says_how_its_change_gets_into_the_log() -> None:
    lists = (IN_DATABASE, ELSEWHERE, ENTRIES_OF_THEIR_OWN, HERE_ALONE, READ_ONLY)
    assert sorted(command for one in lists for command in one) == sorted(LISTED), "each stands in one of the lists"


def test_no_command_writes_to_the_database_past_the_acts() -> None:
    found: dict[str, set[str]] = {}
    for module, call in calls(("connection.write", "connection.opened", "database.admin")):
        found.setdefault(module, set()).add(call)
    assert found == WRITERS
    for file in Path(referral.cli.__file__).parent.rglob("*.py"):
        assert "connection import write" not in file.read_text("utf-8"), f"{file} may not write under another name"


def test_each_changing_command_names_itself_where_it_changes_something() -> None:
    folder, named = Path(referral.cli.__file__).parent, set[str]()
    recording = ("administration.change", "administration.recorded", "administration.begun", "recorded", "_change", "_switched", "begun")
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in recording:
                named |= {one.value for one in node.args if isinstance(one, ast.Constant) and one.value in IN_DATABASE | ELSEWHERE}
    assert named == IN_DATABASE | ELSEWHERE


def test_the_decision_says_of_each_changing_command_whether_it_takes_two_operators() -> None:
    page = (Path(referral.cli.__file__).parents[2] / "docs" / "decisions" / "0049-two-operators.md").read_text("utf-8")
    table = page.partition("| command | persons | why |")[2].partition("\n\n")[0]
    told = dict[str, set[str]]()
    for commands, persons in re.findall(r"^\| (`.*?) \| (one|two) \|", table, re.M):
        for command, option in re.findall(r"`([a-z -]+?)( --[a-z]+)?`", commands):
            told.setdefault(command, set()).add(f"{persons}, to end" if option else persons)
    assert told.keys() == IN_DATABASE | ELSEWHERE
    assert {command for command, persons in told.items() if "two" in persons} == BY_TWO
    both = {command: persons for command, persons in told.items() if len(persons) > 1}
    assert all((persons == {"two", "one, to end"}) is (name in MAY_END) for name, persons in both.items()) and both.keys() >= MAY_END
    for command in BY_TWO:
        assert any("--word" in option.opts for option in LISTED[command].load().params), command
