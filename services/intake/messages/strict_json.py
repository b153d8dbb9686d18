"""Parse a JSON body strictly: refuse every body that two parsers could read differently. Pure; an error never repeats a value that was
sent."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

import msgspec

from referral.errors import Rejected

T = TypeVar("T")
NEAR = 0.7
"""Likeness of an unknown name to one of ours from which it is taken for a slip (ours): `agee` is `age`, and a person's name is nothing."""
DEPTH = 12
"""Deepest nesting of a body (ours); a referral needs four levels."""
_UNSOUND = re.compile("[\x00\ud800-\udfff]")
_MISSING = re.compile(r"missing required field `([^`]*)`")
_PLACE = re.compile(r" - at `(?P<place>(?:key in )?[^`]*)`$")
_EXPECTED = re.compile(r"^Expected `([^`]*)`(?:, got `([^`]*)`)?")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")


WORDS = {
    "bool": "true or false",
    "str": "a text in quotes",
    "int": "a whole number",
    "float": "a number",
    "array": "a list in brackets",
    "object": "an object in braces",
    "datetime": "a time with its offset, such as 2026-12-01T10:00:00+01:00",
}
"""The decoder's type names → words that describe the JSON."""


class _Twice(Exception):
    """One object contains a name twice."""


def parse(data: bytes, kind: type[T], where: str = "$") -> T:
    """Return the struct in a body.

    Rejected: not-json, not-utf-8, duplicate-key, not-a-number, too-deep, bad-text, wrong-type, missing-field or unknown-field.
    """
    return shape(read(data, where), kind, where)


def read(data: bytes, where: str = "$") -> Any:
    """Return the plain value of a JSON text; refuse every ambiguity. A byte order mark before the text is ignored (RFC 8259 §8.1)."""
    try:
        value = _DECODER.decode(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Rejected("not-utf-8", where, "send the body as UTF-8", status=400) from None
    except _Twice:
        raise Rejected("duplicate-key", where, "a name stands twice in one object; send it once", status=400) from None
    except json.JSONDecodeError as error:
        hint = f"the body is not JSON: see line {error.lineno}, column {error.colno}"
        raise Rejected("not-json", where, hint, status=400) from None
    except RecursionError:
        raise Rejected("too-deep", where, f"nest at most {DEPTH} levels", status=400) from None
    except ValueError:
        raise Rejected("not-a-number", where, "a number is too long, or too large", status=400) from None
    _sound(value, where, DEPTH)
    return value


def shape(value: Any, kind: type[T], where: str = "$") -> T:
    """Convert a plain value to a struct. Rejected names the field and the allowed values."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        _refuse(str(error), kind, where)


def canonical(value: Any) -> bytes:
    """Return the same bytes for all ways to write the same JSON value."""
    return msgspec.json.encode(value, order="deterministic")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Twice
    return fields


def _constant(word: str) -> NoReturn:
    raise Rejected("not-a-number", "$", f"{word} is not JSON; leave the field out", status=400)


def _sound(value: Any, where: str, depth: int) -> None:
    if depth < 0:
        raise Rejected("too-deep", where, f"nest at most {DEPTH} levels", status=400)
    if isinstance(value, str):
        if _UNSOUND.search(value):
            raise Rejected("bad-text", where, "a text holds a character that is none (U+0000 or half of a pair)", status=400)
    elif isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            raise Rejected("not-a-number", where, "a number is too large", status=400)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _sound(name, where, depth)
            _sound(inner, where, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _sound(inner, where, depth - 1)


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_constant)


def _refuse(message: str, kind: type[Any], where: str) -> NoReturn:
    """Raise msgspec's message in our words, without unknown names: they may be about a person."""
    located = _PLACE.search(message)
    place = located["place"].removeprefix("key in ") if located else "$"
    place = place.replace("$", where, 1)
    if missing := _MISSING.search(message):
        raise Rejected("missing-field", f"{place}.{missing[1]}", "this field is needed")
    if unknown := _UNKNOWN.search(message):
        allowed = _allowed(kind, place, where)
        near = get_close_matches(unknown[1], allowed, 1, NEAR)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise Rejected("unknown-field", place, f"an unknown field{meant}; allowed: {', '.join(allowed) or 'none'}")
    if "matching regex" in message:  # an id is the one text that has a form
        raise Rejected("wrong-type", place, "send an id that this service gave, in lower case")
    if expected := _EXPECTED.match(message):
        got = f", not {WORDS.get(expected[2], expected[2])}" if expected[2] else ""
        raise Rejected("wrong-type", place, f"send {WORDS.get(expected[1], expected[1])}{got}")
    if "RFC3339" in message:
        raise Rejected("wrong-type", place, f"send {WORDS['datetime']}")
    raise Rejected("wrong-type", place, "this value does not have the required form (see /openapi.json)")


def _allowed(kind: Any, place: str, where: str) -> tuple[str, ...]:
    """Return the field names of the struct at a place such as $.traits."""
    for name in place.removeprefix(where).strip(".").split("."):
        if name:
            kind = next((field.type for field in msgspec.structs.fields(kind) if field.encode_name == name), kind)
            kind = next((option for option in getattr(kind, "__args__", ()) if hasattr(option, "__struct_fields__")), kind)
    return tuple(field.encode_name for field in msgspec.structs.fields(kind)) if hasattr(kind, "__struct_fields__") else ()
