"""Texts of an agency's own pages and of notes: every one that is named exists, and an SMS fits into one part."""

from __future__ import annotations

import re

import pytest

from referral.channels.message import PART
from services.intake.pages import render
from services.notifier.notes.sender import WORDS, worded

HERE = render.HERE / "agency"
ALL = render.load(lambda: None).words  # type: ignore[arg-type,return-value]
KINDS = sorted({key.partition(".")[2] for key in WORDS["en"].texts if key.partition(".")[0] in ("mail", "sms")})
"""Kinds of notes, by their words."""


def test_every_refusal_of_the_notifier_has_its_words() -> None:
    folder = render.HERE.parents[1] / "notifier" / "roster_door"
    codes = {
        code for path in folder.glob("*.py") for code in re.findall(r'(?:Rejected|Refused)\((?:code=)?"([a-z-]+)"', path.read_text("utf-8"))
    }
    assert len(codes) > 12
    assert sorted(code for code in codes - {"forbidden"} if f"error.{code}" not in ALL["en"].texts) == []


def test_every_note_that_code_plans_has_its_words() -> None:
    folder = render.HERE.parents[1] / "notifier"
    planned = {
        kind
        for path in folder.rglob("*.py")
        for kind in re.findall(r'(?:notes\.(?:tell|plan)|self\._say)\([^"]*"([a-z]+)"', path.read_text("utf-8"))
    }
    assert sorted(planned) == KINDS


@pytest.mark.parametrize("language", ["sq", "sr-Latn", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_sms_is_one_part_of_plain_letters(language: str, kind: str) -> None:
    said = worded(WORDS[language], kind, "sms", "123456", "https://inbox.example")
    assert len(said) <= PART and said.isascii()


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_says_where_the_inbox_is(kind: str) -> None:
    for language in WORDS:
        assert "https://inbox.example" in worded(WORDS[language], kind, "email", "123456", "https://inbox.example")
