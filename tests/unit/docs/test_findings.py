"""Every word that a verification can print stands in the page for auditors, and an office finds what to do about it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from referral.proof.verify.known import NEVER
from referral.proof.verify.report import LAYER, LAYERS

CODE = r"[A-Z]{2,}(?:_[A-Z]+)*"
NO_CODES = {"POST"}
"""A method of HTTP."""
SUFFIXES = {"WRONG", "KEY_UNKNOWN", "KEY_LATER", "KEY_REVOKED", "KEY_NEW", "REUSED", "EARLY", "MISSING"}
"""Ends of the words about signatures, where `report` puts them together."""


def codes() -> set[str]:
    """Return every code that a verification prints."""
    found = set[str]()
    for module in (*Path("referral/proof/verify").glob("*.py"), Path("referral/proof/scan.py"), Path("referral/proof/audit/judge.py")):
        words = (node.value for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Constant))
        found |= {word for word in words if isinstance(word, str) and re.fullmatch(CODE, word)}
    return found - NO_CODES - SUFFIXES | {code for layer in LAYERS.values() for code in layer}


def test_every_finding_is_explained() -> None:
    named = set(re.findall(f"`({CODE})`", Path("docs/auditors.md").read_text("utf-8")))
    assert len(codes()) > 60 and codes() - named == set()


def test_an_office_finds_a_row_for_every_finding_and_none_that_cannot_be_acknowledged_says_when() -> None:
    """The row says in five cells: the finding, its meaning, who must answer, what to do, when it may be acknowledged."""
    rows = [line.strip("| ").split(" | ") for line in Path("docs/findings.md").read_text("utf-8").splitlines() if line.startswith("| `")]
    assert {len(row) for row in rows} == {5} and all(all(row) for row in rows)
    told = {code: row for row in rows for code in re.findall(f"`({CODE})`", row[0])}
    assert told.keys() == codes(), f"docs/findings.md: missing {codes() - told.keys()}, unknown {told.keys() - codes()}"
    never = {code for code in told if LAYER.get(code) in NEVER and not told[code][1].startswith("note: ")}
    assert never | {"PAYLOAD"} == {code for code, row in told.items() if row[4] == "never"}
