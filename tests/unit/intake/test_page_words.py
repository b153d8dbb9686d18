"""Texts of all pages of intake, file by file: translated, and in one script each."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import yaml

from referral.domain.policy import Policy
from referral.runtime.i18n import Words
from services.intake.pages import render
from services.intake.pages.agency import routes as agency
from services.intake.pages.exercise import routes as exercise
from services.intake.public import pages

FOLDERS = (agency.HERE, exercise.HERE, pages.HERE)
FILES = (render.WORDS, *render.MORE, *(folder / "words.yaml" for folder in FOLDERS))
LATIN = {agency.HERE: ("SMS",)}
"""Words that stay in Latin letters, by the folder whose texts have them."""
SAME = {render.WORDS: {"today"}}
"""Texts that read the same in two languages on purpose, by their file."""


def nobody() -> Policy:
    raise AssertionError("no text needs the policy")


@cache
def loaded() -> Mapping[str, Words]:
    return render.load(nobody, *FOLDERS).words


def texts(file: Path, language: str) -> dict[str, str]:
    """The texts of one file in a language, as the pages load them."""
    return {key: loaded()[language].texts[key] for key in yaml.safe_load(file.read_text("utf-8"))["texts"]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_no_text_is_left_in_another_language(file: Path) -> None:
    written = [texts(file, language) for language in ("en", "sq", "sr-Latn")]
    same = {key for key in written[0] if len({one[key] for one in written}) < 3}
    assert same == SAME.get(file, set()), "these read the same in two languages: translated?"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_cyrillic_has_no_latin_letter_but_in_placeholders(file: Path) -> None:
    for key, text in texts(file, "sr-Cyrl").items():
        bare = "".join(part for part, *_ in string.Formatter().parse(text))
        for word in LATIN.get(file.parent, ()):
            bare = bare.replace(word, "")
        assert not re.search("[A-Za-zđžćčš]", bare), (key, text)


NAMED = re.compile(r"""["']([A-Za-z][\w.-]*)["']""")
BEGUN = re.compile(r"""["']([a-z][\w.-]*\.)(?:["']|\{)|\btext\(say, "(\w+)""")
"""The beginning of a key whose end follows from a value: `f"task.{word}"`, `"task." + word`, `text(say, "kind", …)`."""


def test_no_text_is_left_that_no_page_shows() -> None:
    """A text whose beginning is named counts as shown: this finds what is forgotten, not every word that no value takes. A text for a child
    stands in for the one of the same name (`Words.voiced`)."""
    service = render.WORDS.parents[1]
    code = "\n".join(path.read_text("utf-8") for end in ("py", "html") for path in sorted(service.rglob(f"*.{end}")))
    named, begun = set(NAMED.findall(code)), tuple({whole or f"{start}." for whole, start in BEGUN.findall(code)})
    left = [key for key in loaded()["en"].texts if key not in named and not key.startswith(begun)]
    assert [key for key in left if not (key.removesuffix(".child") in named or key.removesuffix(".child").startswith(begun))] == []
