"""Read the list `number` of codes.yaml, word → telephone number of this country, and fill it in where a text says `{police}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from referral.domain.policy.reading.code_lists import CODE
from referral.domain.policy.reading.reader import Node, allowed

LIST, SHOWN = "number", "number-to-call"
Numbers = Mapping[str, str]
_NUMBER = re.compile(r"\+?[0-9]+( [0-9]+)*")
_WORD = re.compile(r"\{([^{}]*)\}")


def read_numbers(codes: Node) -> Numbers:
    """Return word → number as people write it, with spaces; empty for a bundle from before there were such words."""
    found: dict[str, str] = {}
    lists = dict(codes.items())
    for word, value in lists[LIST].items() if LIST in lists else ():
        found[word] = value.word(what="number")
        if not CODE.fullmatch(word):
            value.key_error(f"{word} is no word for a number; allowed: small letters, digits and - as in victims-line")
        if not _NUMBER.fullmatch(found[word]):
            value.error('a number is written "0800 1111 2": digits, with spaces where people pause')
    for code, value in lists[SHOWN].items() if SHOWN in lists else ():
        if code not in found and not _NUMBER.fullmatch(code.replace("-", " ")):  # people would be shown a word to dial
            value.key_error(f"{code} is no number; {allowed(code, found)}; add it to {LIST}")
    return found


def filled(text: str, numbers: Numbers, error: Callable[[str], None]) -> str:
    """Return a text with its numbers. error: called with what is wrong with a word that is none. A policy without numbers fills
    nothing in."""

    def number(match: re.Match[str]) -> str:
        if match[1] not in numbers:
            error(f"{match[0]} is no number; {allowed(match[1], numbers)}; add it to {LIST} in codes.yaml")
        return numbers.get(match[1], match[0])

    return _WORD.sub(number, text) if numbers else text
