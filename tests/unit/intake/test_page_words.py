"""Texts of all pages of intake, file by file: translated, and in one script each."""

from __future__ import annotations

import ast
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
from services.intake.pages.agency.account import CHANNELS
from services.intake.pages.agency.rota_forms import PARTS
from services.intake.pages.exercise import report
from services.intake.public import pages

FILES = (render.WORDS, *render.MORE, pages.HERE / "words.yaml")
LATIN = {"agency.yaml": ("SMS",)}
"""Words that stay in Latin letters, by the file whose texts have them."""
SAME = {render.WORDS: {"today"}}
"""Texts that read the same in two languages on purpose, by their file."""


def nobody() -> Policy:
    raise AssertionError("no text needs the policy")


@cache
def loaded() -> Mapping[str, Words]:
    return render.load(nobody, pages.HERE).words


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
        for word in LATIN.get(file.name, ()):
            bare = bare.replace(word, "")
        assert not re.search("[A-Za-zđžćčš]", bare), (key, text)


def test_every_text_that_code_and_templates_name_exists() -> None:
    named = {f"{start}.{channel}" for channel in CHANNELS for start in ("channel", "address.hint")}
    named |= {f"{start}.{part}" for part in PARTS for start in ("part", "end.means")}
    named |= {f"error.{reason}" for reason in ("night", "running", "here", "anywhere")}
    named |= {f"report.limit.{state}" for state in ("late", "met", "missed", "runs")}
    named |= {f"count.{word}" for word in report.counts((), report.Blame(()))}
    for path in render.FOLDER.glob("*.html"):
        named |= set(re.findall(r'say\("([^"]+)"[,)]', path.read_text("utf-8")))
    for path in render.HERE.rglob("*.py"):
        source = path.read_text("utf-8")
        named |= set(re.findall(r'"(error\.[a-z-]+)"', source))
        named |= {f"done.{word}" for word in re.findall(r'roster\.(?:sent|make)\(.*"([a-z-]+)"(?:, seen=False)?\)', source)}
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and "say" in (getattr(node.func, "id", ""), getattr(node.func, "attr", "")):
                named |= {str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    assert len(named) > 300
    assert sorted(named - set(loaded()["en"].texts)) == []


NAMED = re.compile(r"""["']([A-Za-z][\w.-]*)["']""")
BEGUN = re.compile(r"""["']([a-z][\w.-]*\.)(?:["']|\{)|\btext\(say, "(\w+)""")
"""The beginning of a key whose end follows from a value: `f"task.{word}"`, `"task." + word`, `text(say, "kind", …)`."""


def test_no_text_is_left_that_no_page_shows() -> None:
    """A text whose beginning is named counts as shown: this finds what is forgotten, not every word that no value takes. A text for a child
    stands in for the one of the same name (`Words.voiced`)."""
    service = render.HERE.parent
    code = "\n".join(path.read_text("utf-8") for end in ("py", "html") for path in sorted(service.rglob(f"*.{end}")))
    named, begun = set(NAMED.findall(code)), tuple({whole or f"{start}." for whole, start in BEGUN.findall(code)})
    left = [key for key in loaded()["en"].texts if key not in named and not key.startswith(begun)]
    plain = [key.removesuffix(".child").removesuffix(".adult") for key in left]
    assert [key for key in plain if not (key in named or key.startswith(begun))] == []
