"""Turn the content of a section into the entries of its form and back, and bring two versions together. Pure.

A section's content is JSON. The fields of `casefile.yaml` describe the form; whatever else a system sent is kept and shown as it came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec import Struct

from referral.domain.policy.directory import Field, Section

UNKNOWN = "unknown"
"""The entry of a yes-no field, in the form and in JSON, where the answer is not known. An empty entry says nothing at all."""
YES_NO: Mapping[str, Any] = {"yes": True, "no": False, UNKNOWN: UNKNOWN}
LARGEST = 1_000_000
"""The largest number of a number field (ours): more than anybody counts about one person."""
_TELEPHONE = re.compile(r"[0-9+()/ .-]*[0-9][0-9+()/ .-]*")
_NUMBER = re.compile(r"[0-9]{1,7}")
Codes = Mapping[str, tuple[str, ...]]
"""Code lists by name, of which a choice field names one."""


class Parsed(Struct, frozen=True, kw_only=True):
    """Form that was read. entries: field → JSON value; empty ones are left out. errors: field → why it cannot be stored: long, date,
    choice, telephone, number."""

    entries: dict[str, Any]
    errors: dict[str, str]

    def __repr__(self) -> str:
        return f"Parsed({len(self.entries)}, {', '.join(self.errors)})"


class Merged(Struct, frozen=True, kw_only=True):
    """Two versions brought together. entries: field → text for the form. clashes: field → the other's text, where both sides changed it.
    taken: fields that only the other side changed."""

    entries: dict[str, str]
    clashes: dict[str, str]
    taken: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Merged({', '.join(self.clashes)})"


def parse(section: Section, entered: Mapping[str, str], codes: Codes) -> Parsed:
    """Return the JSON values of the entered texts."""
    entries: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in section.fields:
        text = entered.get(field.id, "").strip()
        if not text:
            continue
        value, wrong = _value(field, text, codes)
        if wrong:
            errors[field.id] = wrong
        else:
            entries[field.id] = value
    return Parsed(entries=entries, errors=errors)


def entries(section: Section, content: Mapping[str, Any], codes: Codes) -> dict[str, str]:
    """Return field → text for the form, for every field; empty where nothing that the form can hold is stored."""
    return {field.id: _text(field, content.get(field.id), codes) or "" for field in section.fields}


def further(section: Section, content: Mapping[str, Any], codes: Codes) -> dict[str, Any]:
    """Return what the form cannot hold: fields that the section does not have, and values of another shape, as they were sent."""
    known = {field.id: field for field in section.fields}
    return {name: value for name, value in content.items() if name not in known or _text(known[name], value, codes) is None}


def revised(section: Section, content: Mapping[str, Any], said: Mapping[str, Any], codes: Codes) -> dict[str, Any]:
    """Return the content after a form: its entries, and what the form cannot hold. said: as in `Parsed.entries`."""
    return {**further(section, content, codes), **said}


def merge(base: Mapping[str, str], theirs: Mapping[str, str], mine: Mapping[str, str]) -> Merged:
    """Bring two changes of one version together, field by field: a change of one side is taken; where both changed a field differently,
    mine stays in the form and theirs is shown beside it."""
    merged, clashes, taken = {}, {}, []
    for name in mine:
        old, other, own = base.get(name, ""), theirs.get(name, ""), mine[name]
        merged[name] = own
        if other not in (own, old) and own == old:
            merged[name] = other
            taken.append(name)
        elif other not in (own, old):
            clashes[name] = other
    return Merged(entries=merged, clashes=clashes, taken=tuple(taken))


def _value(field: Field, text: str, codes: Codes) -> tuple[Any, str]:
    """Return the JSON value of a text, and the error; one of them is empty."""
    match field.type:
        case "line" if "\n" in text:
            return _value(field, " ".join(text.split()), codes)
        case "date":
            return (text, "") if _is_date(text) else (None, "date")
        case "choice":
            return (text, "") if text in codes.get(field.of, ()) else (None, "choice")
        case "yes-no":
            return (YES_NO[text], "") if text in YES_NO else (None, "choice")
        case "number":
            return (int(text), "") if _NUMBER.fullmatch(text) and int(text) <= LARGEST else (None, "number")
        case "telephone" if not _TELEPHONE.fullmatch(text):
            return None, "telephone"
        case _:
            return (text, "") if len(text) <= field.most else (None, "long")


def _text(field: Field, value: Any, codes: Codes) -> str | None:
    """Return the form's text of a stored value; None for a value of another shape. An absent value is the empty text."""
    if value is None:
        return ""
    match field.type:
        case "yes-no":
            return next((text for text, known in YES_NO.items() if value is known or value == known == UNKNOWN), None)
        case "number":
            return str(value) if type(value) is int and 0 <= value <= LARGEST else None
        case "date":
            return value if isinstance(value, str) and _is_date(value) else None
        case "choice":
            return value if isinstance(value, str) and value in codes.get(field.of, ()) else None
        case "line" if isinstance(value, str) and "\n" in value:
            return None
        case "telephone" if isinstance(value, str) and not _TELEPHONE.fullmatch(value):
            return None
        case _:
            return value if isinstance(value, str) and len(value) <= field.most else None


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
