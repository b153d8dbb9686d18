"""Texts of the staff inbox: all there in four languages, in one script each, and times a tired person can trust."""

from __future__ import annotations

import re

import pytest
import yaml
from jinja2 import Environment

from referral.runtime import i18n
from referral.runtime.i18n import cyrillic
from referral.runtime.settings import CHECKOUT
from services.intake.pages import relative_time, render
from services.intake.pages.session import Visit
from tests.harness import shipped

ALL = i18n.load(render.WORDS, *render.MORE)
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
NIGHT = 1_764_036_000_000_000
"""2025-11-25 03:00 in Belgrade."""


def test_every_text_exists_in_four_languages() -> None:
    assert set(ALL) == {"sq", "sr-Latn", "sr-Cyrl", "en"}
    assert len({frozenset(one.texts) for one in ALL.values()}) == 1
    assert not [(language, key) for language, one in ALL.items() for key, text in one.texts.items() if not text.strip()]


def test_a_missing_language_or_placeholder_refuses_to_load() -> None:
    file = yaml.safe_load(render.WORDS.read_text("utf-8"))
    with pytest.raises(ValueError, match=r"left: .*missing: sq"):
        i18n.compiled(file | {"texts": {"left": {"en": "{time}", "sr": "{time}"}}})
    with pytest.raises(ValueError, match="placeholders"):
        i18n.compiled(file | {"texts": {"left": {"en": "{time}", "sq": "{koha}", "sr": "{time}"}}})


@pytest.mark.parametrize(
    ("latin", "expected"),
    [
        ("Ljiljana, NJEGOŠ i džep", "Љиљана, ЊЕГОШ и џеп"),
        ("đak, Đakovica, šuma, ćup, čaj, žaba", "ђак, Ђаковица, шума, ћуп, чај, жаба"),
        ("injekcija, konjunktura, nadživeti", "инјекција, конјунктура, надживети"),
        ("Preostalo: {time} do 03:24", "Преостало: {time} до 03:24"),
        ("Windows, Fushë", "Windows, Fushë"),
    ],
)
def test_transliteration(latin: str, expected: str) -> None:
    assert cyrillic(latin) == expected


@pytest.mark.parametrize(
    ("language", "length", "expected"),
    [
        ("en", 1 * MINUTE, "1 minute"),
        ("en", 59 * MINUTE + 59_000_000, "59 minutes"),
        ("en", HOUR + 5 * MINUTE, "1 hour 5 minutes"),
        ("en", 2 * DAY, "2 days"),
        ("sq", 2 * HOUR, "2 orë"),
        ("sr-Latn", 21 * MINUTE, "21 minut"),
        ("sr-Latn", 22 * HOUR + 11 * MINUTE, "22 sata 11 minuta"),
        ("sr-Cyrl", 5 * DAY + 1 * HOUR, "5 дана 1 сат"),
    ],
)
def test_a_length_is_rounded_down_and_its_noun_agrees(language: str, length: int, expected: str) -> None:
    assert relative_time.span(ALL[language], length) == expected


def test_time_left() -> None:
    say = ALL["en"]
    assert relative_time.left(say, NIGHT + 12 * MINUTE, NIGHT) == "12 minutes left"
    assert relative_time.left(say, NIGHT + 59_000_000, NIGHT) == "Less than a minute left"
    assert relative_time.left(say, NIGHT, NIGHT) == "The deadline has just passed"
    assert relative_time.left(say, NIGHT - 4 * MINUTE, NIGHT) == "Late by 4 minutes"
    assert relative_time.left(say, None, NIGHT) == "No deadline"
    assert relative_time.limit(say, NIGHT + 12 * MINUTE, NIGHT) == "until 03:12"


def test_the_clock_is_belgrades_and_names_the_day() -> None:
    assert relative_time.clock(ALL["en"], NIGHT, NIGHT) == "03:00"
    assert relative_time.clock(ALL["en"], NIGHT + DAY, NIGHT) == "tomorrow 03:00"
    assert relative_time.clock(ALL["sq"], NIGHT - 4 * HOUR, NIGHT) == "dje 23:00"
    assert relative_time.clock(ALL["sr-Cyrl"], NIGHT + 3 * DAY, NIGHT) == "пет. 28.11. у 03:00"
    summer = NIGHT - 150 * DAY
    assert relative_time.clock(ALL["en"], summer, summer) == "04:00"


POLICY = shipped.compiled()
LOCKED = {"sq": "mbyllur", "sr-Latn": "zatvorenog tipa", "sr-Cyrl": "затвореног типа", "en": "locked"}
"""What a guardian must read where a child would be locked up."""


@pytest.mark.parametrize("language", i18n.ENDONYMS)
def test_every_name_of_the_policy_is_shown_as_it_is(language: str) -> None:
    name = render.Renderer(lambda: POLICY, ALL, Environment()).name(Visit("t", None, b"", language, NIGHT))
    wrong = [(kind, code) for kind, codes in POLICY.labels.items() for code, said in codes.items() if name(kind, code) != said[language]]
    assert not wrong, "the age band 12-14 is not 12 14"


@pytest.mark.parametrize(("language", "word"), LOCKED.items())
def test_a_locked_facility_is_never_called_a_safe_place(language: str, word: str) -> None:
    for kind, code in (("role", "state-secure-facility"), ("step", "secure")):
        assert word in POLICY.names(kind, code, language), (kind, code)


def test_a_desk_is_no_piece_of_furniture() -> None:
    files = [*(CHECKOUT / "policy").rglob("*.yaml"), *(CHECKOUT / "services").rglob("*.yaml")]
    assert not [path.name for path in files if re.search(r"[Tt]avolin|dežurn\w+ st[oa]\b|дежурн\w+ ст[оа]\b", path.read_text("utf-8"))]
