"""Load the texts of pages in four languages, and turn Serbian Latin into Cyrillic letter by letter.

Wiring loads the texts once. Loading fails when one language lacks a text. Apart from reading the file, pure.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

DEFAULT = "sq"
WRITTEN = ("en", "sq", "sr")
"""Languages as the file words.yaml holds them."""
ENDONYMS: Mapping[str, str] = {"sq": "Shqip", "sr-Latn": "Srpski", "sr-Cyrl": "Српски", "en": "English"}
"""Languages of the pages (BCP 47), each in its own name."""
Name = Callable[[str, str], str]
"""(kind, code) → its name in the reader's language: `Policy.names` with the language filled in."""

_PLURAL: Mapping[str, Callable[[int], int]] = {
    "en": lambda n: 0 if n == 1 else 1,
    "sq": lambda n: 0 if n == 1 else 1,
    # CLDR: one (1, 21 …), few (2–4, 22–24 …), other
    "sr": lambda n: 0 if n % 10 == 1 and n % 100 != 11 else 1 if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else 2,
}


@dataclass(frozen=True, slots=True, repr=False)
class Words:
    """The texts of one language. `words("key", name=value)` returns a text; `words.count("minute", 5)` a number with its noun."""

    language: str
    texts: Mapping[str, str]
    nouns: Mapping[str, tuple[str, ...]]
    weekdays: tuple[str, ...]

    def __call__(self, key: str, **values: object) -> str:
        return self.texts[key].format(**values)

    def has(self, key: str) -> bool:
        """Return whether there is such a text."""
        return key in self.texts

    def voiced(self, voice: str) -> Words:
        """Return the texts as they are said to one kind of reader: each text for which there is a `KEY.VOICE` is replaced by that one."""
        end = f".{voice}"
        own = {key.removesuffix(end): text for key, text in self.texts.items() if key.endswith(end)} if voice else {}
        return replace(self, texts={**self.texts, **own}) if own else self

    def first(self, *keys: str) -> str:
        """Return the first of these texts that exists."""
        return next(self.texts[key] for key in keys if key in self.texts)

    def scripted(self, text: str) -> str:
        """Return a text of another file in the script of the reader's language: Serbian is written in Latin."""
        return cyrillic(text) if self.language == "sr-Cyrl" else text

    def count(self, noun: str, number: int) -> str:
        """Return a number with its noun in the right plural: "1 minute", "5 minuta"."""
        return f"{self.number(number)} {self.nouns[noun][_PLURAL[self.language[:2]](number)]}"

    def number(self, number: int) -> str:
        """Return a whole number with its thousands apart: "1,234", and "1.234" in Albanian and Serbian."""
        return f"{number:,}" if self.language == "en" else f"{number:,}".replace(",", ".")


def spoken(chosen: str, accepted: str) -> str:
    """Return the language of a page: the one chosen before, else the browser's (its Accept-Language), else Albanian."""
    if chosen in ENDONYMS:
        return chosen
    for wish in accepted.lower().split(","):
        tag = wish.partition(";")[0].strip()
        if tag.startswith("sr"):
            return "sr-Latn" if "latn" in tag else "sr-Cyrl"
        if tag[:2] in ("sq", "en"):
            return tag[:2]
    return DEFAULT


def load(path: Path, *more: Path) -> dict[str, Words]:
    """Load all four languages. more: files with further texts. ValueError: a text lacks a language or has other placeholders, or stands in
    two files; it names the text."""
    whole = dict(_file(path))
    for added in more:
        for language, words in _file(added).items():
            texts = whole[language].texts
            if both := texts.keys() & words.texts.keys():
                raise ValueError(f"{added.name}: {min(both)}: {path.name} or another file has this text already")
            whole[language] = replace(whole[language], texts={**texts, **words.texts})
    return whole


@cache  # several parts of a program have texts in common, and a file does not change while it runs
def _file(path: Path) -> Mapping[str, Words]:
    return compiled(msgspec.yaml.decode(path.read_bytes()))


def compiled(file: Mapping[str, Any]) -> dict[str, Words]:
    """Return the words of each language of ENDONYMS from the file's content. ValueError: as `load`."""
    for key, forms in file["texts"].items():
        _complete(key, forms)
        if len({frozenset(_placeholders(forms[tongue])) for tongue in WRITTEN}) > 1:
            raise ValueError(f"words.yaml: {key}: the languages have different placeholders")
    for key, forms in file.get("count", {}).items():
        _complete(key, forms)
    return {language: _words(language, file) for language in ENDONYMS}


def _words(language: str, file: Mapping[str, Any]) -> Words:
    tongue = language[:2]
    script: Callable[[str], str] = cyrillic if language == "sr-Cyrl" else str
    return Words(
        language=language,
        texts={key: script(forms[tongue]) for key, forms in file["texts"].items()},
        nouns={key: tuple(map(script, forms[tongue])) for key, forms in file.get("count", {}).items()},
        weekdays=tuple(map(script, file.get("weekdays", {}).get(tongue, ()))),
    )


def _complete(key: str, forms: Mapping[str, Any]) -> None:
    missing = [tongue for tongue in WRITTEN if not forms.get(tongue)]
    if missing or set(forms) - set(WRITTEN):
        raise ValueError(f"words.yaml: {key}: needs exactly {', '.join(WRITTEN)}; missing: {', '.join(missing) or 'none'}")


def _placeholders(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


_TWO = {"lj": "љ", "nj": "њ", "dž": "џ"}
_ONE = dict(zip("abvgdđežzijklmnoprstćufhcčš", "абвгдђежзијклмнопрстћуфхцчш", strict=True))
_APART = re.compile(r"(?<=i)nj(?=ekc)|(?<=ko)nj(?=unk|ug)|(?<=na)dž(?=iv|njev)|(?<=po)dž(?=anr)", re.IGNORECASE)
"""Letter pairs that belong to two syllables, so that they stay two letters: injekcija, konjunktura, konjugacija, nadživeti, podžanr."""
_WORD = re.compile(r"\{[^{}]*\}|[^\W\d_]+")
_NOT_SERBIAN = re.compile(r"[qwxyë]", re.IGNORECASE)
_LETTER = re.compile(r"lj|nj|dž|[a-zđžćčš]", re.IGNORECASE)


def cyrillic(latin: str) -> str:
    """Return a text in Cyrillic. Placeholders {…} and words with a letter that Serbian lacks (q, w, x, y, ë) stay as they are."""
    return _WORD.sub(lambda match: _word(match.group()), latin)


def _word(word: str) -> str:
    if word.startswith("{") or _NOT_SERBIAN.search(word):
        return word
    apart = _APART.sub(lambda pair: pair.group()[0] + "\u200b" + pair.group()[1], word)
    return _LETTER.sub(lambda letter: _letter(letter.group()), apart).replace("\u200b", "")


def _letter(letter: str) -> str:
    small = letter.lower()
    cyrillic_letter = _TWO.get(small) or _ONE[small]
    return cyrillic_letter if letter == small else cyrillic_letter.upper()
