"""Serbian Latin into Cyrillic, letter by letter. Pure."""

from __future__ import annotations

import re

_TWO = {"lj": "љ", "nj": "њ", "dž": "џ"}
_ONE = dict(zip("abvgdđežzijklmnoprstćufhcčš", "абвгдђежзијклмнопрстћуфхцчш", strict=True))
_APART = re.compile(r"(?<=i)nj(?=ekc)|(?<=ko)nj(?=unk|ug)|(?<=na)dž(?=iv|njev)|(?<=po)dž(?=anr)", re.IGNORECASE)
"""Words in which the two letters belong to two syllables: injekcija, konjunktura, konjugacija, nadživeti, podžanr."""
_WORD = re.compile(r"\{[^{}]*\}|[^\W\d_]+")
_NOT_SERBIAN = re.compile(r"[qwxyë]", re.IGNORECASE)
_LETTER = re.compile(r"lj|nj|dž|[a-zđžćčš]", re.IGNORECASE)


def cyrillic(latin: str) -> str:
    """The same text in Cyrillic. Placeholders {…} and words with a letter that Serbian lacks (q, w, x, y, ë) stay as they are."""
    return _WORD.sub(lambda found: _word(found.group()), latin)


def _word(word: str) -> str:
    if word.startswith("{") or _NOT_SERBIAN.search(word):
        return word
    apart = _APART.sub(lambda pair: pair.group()[0] + "\u200b" + pair.group()[1], word)
    return _LETTER.sub(lambda letter: _letter(letter.group()), apart).replace("\u200b", "")


def _letter(letter: str) -> str:
    small = letter.lower()
    found = _TWO.get(small) or _ONE[small]
    return found if letter == small else found.upper()
