"""Section 5 of the page for auditors in Albanian and Serbian: whatever the English text names by a code, the others name too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path("docs")
LEFT_OUT = re.compile(r"^```.*?^```$|^!\[[^\n]*$", re.M | re.S)
"""Blocks of code, and pictures."""


def section() -> str:
    whole = LEFT_OUT.sub("", (DOCS / "auditors.md").read_text("utf-8"))
    return re.split(r"\n## ", whole.partition("\n## 5 ")[2])[0]


@pytest.mark.parametrize("language", ["sq", "sr-Latn"])
def test_a_translation_names_each_code_of_the_section_and_has_each_part(language: str) -> None:
    told = (DOCS / f"auditors.{language}.md").read_text("utf-8")
    words = set(re.findall(r"`([^`\n]+)`", section()))
    assert len(words) > 60
    assert sorted(word for word in words if word not in told and word not in ("--at ENTRY", "--at TIME")) == []
    assert len(re.findall(r"^## ", told, re.M)) == len(re.findall(r"^### ", section(), re.M)) + 2, "the words, and the course of a case"
