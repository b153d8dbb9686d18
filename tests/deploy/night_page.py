"""The steps of docs/operators.md as a test follows them: the commands of a numbered step, with the operator's own words filled in."""

from __future__ import annotations

import re

from referral.runtime.settings import CHECKOUT

PAGE = (CHECKOUT / "docs" / "operators.md").read_text("utf-8")
COMMAND = re.compile(r"`((?:referral|df|SELECT|ALTER SYSTEM) [^`]+)`")
OPEN = re.compile(r"\b[A-Z]{3,}\b")
"""A word that the operator fills in, as AGENCY: SQL has such words too."""
SQL = ("SELECT", "ALTER SYSTEM")
TIMER = re.compile(r"referral doctor --textfile \S+(?=`)")


def step(heading: str, number: int, **places: str) -> list[str]:
    """Return the commands of a step. places: the page's word → what stands there tonight. AssertionError: the page has none, or no step."""
    section = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##)", PAGE, re.M | re.S)
    assert section, f"docs/operators.md has no section {heading}"
    told = dict(re.findall(r"^(\d+)\. (.+)$", section[1], re.M))
    found = COMMAND.findall(told.get(str(number), ""))
    assert found, f"docs/operators.md, {heading}: step {number} has no command"
    return [filled(command, places) for command in found]


def timer() -> str:
    """Return the command of the timer that runs `doctor` for Prometheus, without its file."""
    found = TIMER.search(PAGE)
    assert found, "docs/operators.md has no timer of `referral doctor`"
    return found[0].rpartition(" ")[0]


def filled(command: str, places: dict[str, str]) -> str:
    """Return a command with the words filled in. AssertionError: it asks for one that the test does not have."""
    left = {*OPEN.findall(command)} - places.keys() if not command.startswith(SQL) else set()
    assert not left, f"{command}: the page asks for {', '.join(left)}"
    return re.sub(r"\w+", lambda word: places.get(word[0], word[0]), command)
