"""Texts of the auditor's pages: all there in four languages, in one script each, and none without a page."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from referral.proof.history import words as history
from referral.proof.reading import How
from referral.runtime import i18n
from referral.web import frame
from services.audit import pages

HERE = Path(pages.__file__).parent
PAGES, HISTORY = i18n.load(HERE / "words.yaml"), i18n.load(history.FILE)
SAME = {"date", "event.closed", "reason.DUPLICATE", "code.channel.sms"}
"""Texts that only arrange values, and words that the languages share."""
LATIN = re.compile("[A-Za-zđžćčš]")


@pytest.mark.parametrize("texts", [PAGES, HISTORY], ids=["pages", "history"])
def test_no_text_is_left_in_another_language_or_script(texts: dict[str, i18n.Words]) -> None:
    same = {key for key in texts["en"].texts if len({texts[language].texts[key] for language in ("en", "sq", "sr-Latn")}) < 3}
    assert same <= SAME, "these read the same in two languages: translated?"
    for key, text in texts["sr-Cyrl"].texts.items():
        assert not LATIN.search("".join(part for part, *_ in string.Formatter().parse(text))), key


def test_every_text_has_a_page_and_every_page_its_texts() -> None:
    code = "".join(
        path.read_text("utf-8") for path in (*HERE.glob("templates/*.html"), *frame.HERE.glob("templates/*.html"), HERE / "pages.py")
    )
    named = set(re.findall(r'["(]([a-z]+(?:\.[a-z]+)*)"', code))
    built = {f"mark.{mark}" for mark in ("logged", "said", "unverified", "erased", "sealed", "bad")} | {
        "unreadable.erased",
        "unreadable.sealed",
    }
    built |= {f"opened.{how}" for how in How}
    assert set(PAGES["en"].texts) - named - built == set()
    said = set(re.findall(r'say\("([^"]+)"[,)]', code))
    assert len(said) > 40 and sorted(said - set(PAGES["en"].texts)) == []


def test_numbers_are_grouped_as_each_language_does() -> None:
    assert [PAGES[language].count("entry", 12345) for language in ("en", "sq", "sr-Latn")] == [
        "12,345 entries",
        "12.345 shënime",
        "12.345 zapisa",
    ]
    assert PAGES["sr-Cyrl"].count("case", 21) == "21 случај"
