"""Read a reply as people write it: four digits anywhere, and a word, which is 1 or 2 or what the message itself proposes. Pure.

Everything else in it is passed over: thanks, a quotation of the message, the signature of a telephone. What says both, or neither, has no
word, and whoever wrote it is told how to answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from referral.channels import KEYS, Word
from referral.channels.message import WORDINGS

LONGEST = 1000
"""Letters of a reply that are read (ours): more than six parts of an SMS. Whoever answers says so at the beginning."""
_DIGITS = re.compile(r"(?<!\d)([12]?)(\d{4})(?!\d)", re.ASCII)
"""The digits, with or without a space after the key ("1 4711", "14711"). The first ones alone: a reply is one guess."""
_KEY = r"(?:(?<![\w])([12])\W*{0}(?!\d)|(?<![\d])([12]){0}(?!\d)|(?<!\d){0}\W+([12])(?!\w))"
"""A key beside the digits."""
_FIRST = re.compile(r"\W*([12])(?!\w)")
"""A key at the beginning."""


def _plain(text: str) -> str:
    """Return the words of a text in small letters, without marks, a space between two: "Pogledaću!" → "pogledacu"."""
    apart = unicodedata.normalize("NFKD", text.casefold()).replace("’", "'")
    kept = re.findall(r"[\w']+", "".join(letter for letter in apart if not unicodedata.combining(letter)))
    return f" {' '.join(kept)} "


def _phrases(of: str, *more: str) -> tuple[str, ...]:
    """Return what the messages of all languages propose as an answer, and more."""
    return tuple(sorted({_plain(phrase) for phrase in (*(getattr(words, of) for words in WORDINGS.values()), *more)}))


PHRASES = {
    Word.LOOKS: _phrases("looks", "gledam", "po e shoh", "do ta shikoj", "гледам", "погледаћу"),
    Word.CANNOT: _phrases("cannot", "nuk mund", "s'mundem", "can not", "can't", "не могу"),
}
"""Phrases of a reply: those of the SMS, and the same in other words or letters. They stand anywhere."""
WORDS = {
    **dict.fromkeys(("po", "da", "yes", "да"), Word.LOOKS),
    **dict.fromkeys(("jo", "nuk", "ne", "no", "not", "не"), Word.CANNOT),
}
"""Words that decide where there is neither a key nor a phrase; the first one counts."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply says. digits: the first four that stand alone; None: there are none. word: None: it says neither, or both."""

    digits: str | None
    word: Word | None


def read(words: str) -> Reply:
    """Return what a reply says."""
    text = words[:LONGEST]
    found = _DIGITS.search(text)
    digits = found[2] if found else None
    keys = _keys(text, digits)
    said = {word for word, phrases in PHRASES.items() if any(phrase in _plain(text) for phrase in phrases)}
    if keys or said:
        return Reply(digits, _only(keys | said))
    return Reply(digits, next((WORDS[word] for word in _plain(text).split() if word in WORDS), None))


def _keys(text: str, digits: str | None) -> set[Word]:
    """Return the keys that stand beside the digits, or at the beginning. Another 1 or 2 is a house number, or a floor."""
    if digits is None:
        return set()
    beside = {key for found in re.finditer(_KEY.format(digits), text, re.ASCII) for key in found.groups() if key}
    if not beside and (first := _FIRST.match(text)):
        beside = {first[1]}
    return {KEYS[key] for key in beside}


def _only(words: Iterable[Word]) -> Word | None:
    """Return the one word; None: they contradict."""
    found = [*words]
    return found[0] if len(found) == 1 else None
