"""Give a case the short number that people say on the telephone. Pure: it follows from the case's id, so every program shows the same.

`DABO-KILU-REMAT`: six syllables, which are read alike in Albanian, Serbian and English, and a check letter. The case's id is random, so the
number says nothing about order or time, and nobody finds the id from it.
"""

from __future__ import annotations

import re
from hashlib import sha256

CONSONANTS = "BDFGKLMNPRSTV"
"""Thirteen letters (ours), none of which is another sound in one of the languages: no C, J, Q, X or Y. A prime number of them, so that the
check letter finds every wrong letter and every exchange of two letters."""
VOWELS = "AEIOU"
SYLLABLES = 6
"""65 to the sixth is 75 thousand million: among 20,000 cases, twenty years of Kosovo's, two are alike with a chance of 1 in 370."""
UNSAID = re.compile(
    "DAGO|DUP[AE]|FAGO|GUDA|KAKA|KAR[EI]|KIKE|KIT[AE]|KURA|MUDA|MUT[AI]|NIGA|NUDE|PEDO|PID[EI]|POPO|PUTA|RAPE|SIDA|SIS[AE]|TITI|VAGINA"
)
"""Words that no number holds: insults or parts of the body in one of the languages (ours). Such a number is drawn anew."""
_FORM = re.compile(rf"(?:[{CONSONANTS}][{VOWELS}]){{{SYLLABLES}}}[{CONSONANTS}]")
_BETWEEN = re.compile(r"[\s\-‐-―_.·]+")


def case_number(case_id: str) -> str:
    """Return the number of a case. case_id: its id."""
    for attempt in range(256):
        letters = _letters(int.from_bytes(sha256(f"case number {attempt} {case_id}".encode()).digest()))
        if not UNSAID.search(letters):
            break
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def read(said: str) -> str | None:
    """Return the number that somebody has typed, in its one form; None if it is none, or if a letter is wrong.

    Small letters, and spaces or other signs between the groups, are taken.
    """
    letters = _BETWEEN.sub("", said).upper()
    if not _FORM.fullmatch(letters) or _check(letters[:-1]) != letters[-1]:
        return None
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def _letters(drawn: int) -> str:
    letters = ""
    for _ in range(SYLLABLES):
        drawn, consonant = divmod(drawn, len(CONSONANTS))
        drawn, vowel = divmod(drawn, len(VOWELS))
        letters += CONSONANTS[consonant] + VOWELS[vowel]
    return letters + _check(letters)


def _check(letters: str) -> str:
    """Return the check letter: the weighted sum of all letters, modulo 13, as ISBN-10 does it modulo 11.

    Weights of consonants are 1 to 6, of vowels 7 to 12: no two letters that could be exchanged have the same.
    """
    values = (VOWELS.index(letter) if place % 2 else CONSONANTS.index(letter) for place, letter in enumerate(letters))
    total = sum(value * (1 + place // 2 + SYLLABLES * (place % 2)) for place, value in enumerate(values))
    return CONSONANTS[total % len(CONSONANTS)]
