"""One word for one thing: every text that people read keeps to docs/glossary.md, in every language; a slip is named with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from referral.channels import message, prompts
from referral.runtime.i18n import cyrillic
from referral.runtime.settings import CHECKOUT
from services.watchman import caller as watchman

PAGE = CHECKOUT / "docs" / "glossary.md"
TONGUES = {"en": "en", "sq": "sq", "sr": "sr", "sr-Latn": "sr"}
UNREAD = "Unread by a native reader"
MAY_BE_MISSING = frozenset({"safe place", "duty officer", "procedure ends"})
SPOKEN = {message.__file__: message.WORDINGS, prompts.__file__: prompts.SPEECHES, watchman.__file__: watchman.WORDS}
"""Texts that stand in a program, by its file."""


@dataclass(frozen=True)
class Text:
    """A text that people read. tongue: en, sq or sr (Latin)."""

    file: Path
    line: int
    tongue: str
    said: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(CHECKOUT)}:{self.line}"


@dataclass(frozen=True)
class Never:
    """A row of the table *Never*. pattern: finds the word. but: phrases in which it is right."""

    tongue: str
    word: str
    say: str
    because: str
    but: tuple[str, ...]

    def found(self, said: str) -> bool:
        low = re.sub(r"\{[^}]*\}", " ", said.lower())  # the name of a value is no word
        for phrase in self.but:
            low = low.replace(phrase.lower(), " ")
        stem = self.word.removesuffix("…").lower()
        end = r"" if self.word.endswith("…") else r"(?!\w)"
        return re.search(rf"(?<!\w){re.escape(stem)}{end}", low) is not None


def rows(heading: str) -> Iterator[list[str]]:
    section = PAGE.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def parts(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("·") if part.strip())


NEVER = [Never(tongue, word, say, because, parts(but)) for tongue, words, say, because, but in rows("Never") for word in parts(words)]


def of_yaml(file: Path) -> Iterator[Text]:
    """Every mapping from languages to texts, wherever it stands in a file."""
    waiting = [yaml.compose(file.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                waiting.append(value)
                tongue = TONGUES.get(str(key.value), "")
                if not tongue or len(node.value) < 3:
                    continue
                texts = value.value if isinstance(value, yaml.SequenceNode) else [value]
                yield from (Text(file, one.start_mark.line + 1, tongue, one.value) for one in texts if isinstance(one, yaml.ScalarNode))


def of_program(file: str, spoken: object) -> Iterator[Text]:
    """Every text of a table by language; the line is the first that holds its beginning."""
    path, lines = Path(file), Path(file).read_text("utf-8").splitlines()
    assert isinstance(spoken, dict)
    for language, one in spoken.items():
        if tongue := TONGUES.get(language, ""):
            for said in said_by(one):
                first = re.split(r"\n", said)[0][:40]
                yield Text(path, next((n for n, line in enumerate(lines, 1) if first in line), 1), tongue, said)


def said_by(one: object) -> Iterable[str]:
    if isinstance(one, str):
        return [one]
    assert is_dataclass(one)
    return [str(getattr(one, field.name)) for field in fields(one) if field.name != "voice"]


def of_guidance(file: Path) -> Iterator[Text]:
    tongue = TONGUES.get(file.suffixes[0].removeprefix("."), "")
    if tongue:
        yield from (Text(file, n, tongue, line) for n, line in enumerate(file.read_text("utf-8").splitlines(), 1))


def files() -> list[Path]:
    """The files with texts in YAML."""
    words = [*(CHECKOUT / "services").rglob("*.yaml"), *(CHECKOUT / "referral").rglob("*.yaml")]
    return sorted([*words, *(CHECKOUT / "policy").rglob("*.yaml")])


@cache
def texts() -> list[Text]:
    found = [text for file in files() for text in of_yaml(file)]
    found += [text for file, spoken in SPOKEN.items() for text in of_program(file, spoken)]
    return found + [text for file in sorted((CHECKOUT / "policy").glob("guidance/*.*.md")) for text in of_guidance(file)]


def slips(said: Iterable[Text]) -> list[str]:
    return [
        f"{text}: {text.tongue}: “{never.word}” — say “{never.say}”: {never.because or 'see docs/glossary.md'}"
        for text in said
        for never in NEVER
        if never.tongue == text.tongue and never.found(text.said)
    ]


def test_the_texts_of_pages_messages_prompts_and_policy_are_walked() -> None:
    walked = {str(text.file.relative_to(CHECKOUT)) for text in texts()}
    assert walked >= {
        "policy/codes.yaml",
        "policy/directory/desk-prizren.yaml",
        "referral/channels/message.py",
        "referral/channels/prompts.py",
        "referral/proof/history/words.yaml",
        "services/audit/words.yaml",
        "services/intake/pages/words/inbox.yaml",
        "services/notifier/page/words.yaml",
        "services/oversight/pages/measures.yaml",
        "services/oversight/pages/words.yaml",
        "services/watchman/caller.py",
    }
    assert len(texts()) > 3000 and {text.tongue for text in texts()} == {"en", "sq", "sr"}


def test_no_text_uses_a_word_that_the_glossary_refuses() -> None:
    assert not (found := slips(texts())), "\n".join(["", *found])


@pytest.mark.parametrize("never", NEVER, ids=lambda never: f"{never.tongue} {never.word}")
def test_each_refused_word_is_found_where_it_is_put_in_and_named_with_file_and_line(never: Never) -> None:
    word = never.word.replace("…", "x")
    (found,) = {
        line.partition(" ")[0]
        for line in slips([Text(PAGE, 7, never.tongue, f"Aaa {word.capitalize()}, bbb {{time}}.")])
        if never.word in line
    }
    assert found == "docs/glossary.md:7:"
    assert not any(never.found(phrase) for phrase in (*never.but, *parts(never.say))), "what is right is not refused"
    assert not never.found(f"{{{word}}}"), "the name of a value"


@pytest.mark.parametrize(("english", "albanian", "serbian"), [tuple(row[:3]) for row in rows("Terms")])
def test_each_term_is_one_and_is_in_use(english: str, albanian: str, serbian: str) -> None:
    for tongue, term in (("en", english), ("sq", albanian), ("sr", serbian)):
        assert not slips([Text(PAGE, 1, tongue, term)]), f"{term} is refused by the table Never"
        stem = re.sub(r"(.)[aeiouyë]$", r"\1", term.lower())
        used = any(stem in text.said.lower() for text in texts() if text.tongue == tongue)
        assert used or english in MAY_BE_MISSING, f"no {tongue} text says {term}: is it still the word?"


def test_the_cyrillic_of_a_name_is_its_latin_letter_by_letter() -> None:
    for file in sorted((CHECKOUT / "policy").rglob("*.yaml")):
        for latin, other in re.findall(r'sr-Latn: "([^"]*)", sr-Cyrl: "([^"]*)"', file.read_text("utf-8")):
            assert cyrillic(latin) == other, f"{file.name}: {latin}"


def test_every_file_with_texts_says_whether_a_native_has_read_them() -> None:
    policy = CHECKOUT / "policy"
    codes = CHECKOUT / "services/intake/htcds/htcds.yaml"  # languages of a record, and no text
    of_policy = {policy / name for name in ("codes.yaml", "casefile.yaml", "municipalities.yaml")}
    written = [file for file in files() if (not file.is_relative_to(policy) or file in of_policy) and file != codes and any(of_yaml(file))]
    written += [Path(file) for file in SPOKEN]
    silent = [str(file.relative_to(CHECKOUT)) for file in written if not re.search(f"{UNREAD}|Read by a native", file.read_text("utf-8"))]
    assert len(written) >= 10 and not silent


def test_no_page_says_a_word_of_its_own() -> None:
    """Every word of a page comes from its words.yaml, so that it is there in four languages. Commands and file names are code."""
    for file in sorted((CHECKOUT / "services").rglob("*.html")):
        bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", file.read_text("utf-8"), flags=re.DOTALL)
        bare = re.sub(r"<(code|pre)\b.*?</\1>|<[^>]*>", " ", bare, flags=re.DOTALL)
        assert not set(re.findall(r"[^\W\d_]{2,}", bare)) - {"CSV", "JSON"}, file.name
