"""Every word that a verification can print stands in the page for auditors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CODE = r"[A-Z]{2,}(?:_[A-Z]+)*"
NO_CODES = {"POST"}
"""A method of HTTP."""
SUFFIXES = {"WRONG", "KEY_UNKNOWN", "KEY_LATER", "KEY_REVOKED", "KEY_NEW", "REUSED", "EARLY", "MISSING"}
"""Ends of the words about signatures, where `report` puts them together."""


def test_every_finding_is_explained() -> None:
    codes = set[str]()
    for module in (*Path("referral/proof/verify").glob("*.py"), Path("referral/proof/scan.py"), Path("referral/cli/audit/judge.py")):
        words = (node.value for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Constant))
        codes |= {word for word in words if isinstance(word, str) and re.fullmatch(CODE, word)}
    named = set(re.findall(f"`({CODE})`", Path("docs/auditors.md").read_text("utf-8")))
    assert len(codes) > 60 and codes - named - NO_CODES - SUFFIXES == set()
