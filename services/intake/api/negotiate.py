"""Choose the media type of an answer from the Accept header, by RFC 9110 §12.5.1. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_RANGE = re.compile(rf"({_WORD})/({_WORD})")
_PARAMETER = re.compile(rf'({_WORD})=({_WORD}|"[^"\\]*")')
_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
R4 = "4.0"
"""The fhirVersion that we support (FHIR R4 §3.1.0.1.11); any other is a form that we do not have."""
LIMIT = 4096
"""Characters of the header that are read (ours): a few hundred hold all the forms that any client names."""


def choose(accept: str, forms: Sequence[str]) -> str | None:
    """Return the form with the highest weight, the earlier one of two equals; None when the caller wants none of them.

    forms: media types, the usual one first. A header that is missing or cannot be parsed leaves the choice to us.
    """
    ranges = [media_range for part in accept[:LIMIT].split(",") if (media_range := _range(part.strip()))]
    if not ranges:
        return forms[0]
    best = max(forms, key=lambda form: _weight(form, ranges))  # max keeps the first of equals
    return best if _weight(best, ranges) > 0 else None


def _range(part: str) -> tuple[str, str, float] | None:
    """Return (type, subtype, weight) of one member of the header; None when it cannot be parsed."""
    media, *parameters = (piece.strip() for piece in part.split(";"))
    match = _RANGE.fullmatch(media)
    if match is None or (match[1] == "*" and match[2] != "*"):
        return None
    weight = 1.0
    for text in parameters:
        pair = _PARAMETER.fullmatch(text)
        if pair is None:
            return None
        name, value = pair[1].lower(), pair[2].strip('"')
        if name == "q" and not _WEIGHT.fullmatch(value):
            return None
        if name == "q":
            weight = min(weight, float(value))
        elif name == "fhirversion" and value != R4:
            weight = 0.0
    return match[1].lower(), match[2].lower(), weight


def _weight(form: str, ranges: Sequence[tuple[str, str, float]]) -> float:
    """Return the weight from the most specific range that covers a form; 0 when none does."""
    kind, _, sub = form.partition(";")[0].partition("/")
    covering = [((r[0] != "*") + (r[1] != "*"), r[2]) for r in ranges if r[0] in (kind, "*") and r[1] in (sub, "*")]
    return max(covering, default=(0, 0.0))[1]
