"""Put the content of the case file in words: labels for field names, names for codes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from referral.domain.policy.directory import Field, Section
from referral.runtime.i18n import Name, Words
from services.intake.casefile import fields
from services.intake.casefile.fields import UNKNOWN, YES_NO, Codes
from services.intake.messages.timestamps import micros
from services.intake.pages import relative_time

DERIVED = ("age-band", "sex", "language")
"""Sections that are derived from a case's traits: their codes belong to the list of the same name."""


def content(section: Section | None, stored: Any, name: Name, say: Words, codes: Codes) -> Any:
    """Return the content of a section for the page, and below its fields what a form cannot hold, as it was sent. Codes derived from the
    case's traits become names; other content without a form stays as it was written."""
    if section is not None and section.fields and isinstance(stored, Mapping):
        texts = fields.entries(section, stored, codes)
        known = {label(one.names, say): shown(one, texts[one.id], name, say) for one in section.fields if texts[one.id]}
        further = fields.further(section, stored, codes)
        return known | ({say("write.further"): further} if further else {})
    if section is None or section.id not in DERIVED or not isinstance(stored, Mapping):
        return stored
    values = [code for value in stored.values() for code in (value if isinstance(value, list) else [value])]
    return ", ".join(name(section.id, str(code)) for code in values)


def recorded(stored: Mapping[str, Any] | None, name: Name, say: Words, now: int) -> dict[str, Any]:
    """Return texts that were recorded with decisions under the step and the time of each. stored: as `sections.recorded` keeps them."""
    found: dict[str, Any] = {}
    for key, text in (stored or {}).items():
        at, _, step = key.partition(" ")
        head = f"{name('step', step)} · {relative_time.clock(say, micros(datetime.fromisoformat(at)), now)}"
        while head in found:  # decided twice in one minute
            head += " ·"
        found[head] = text
    return found


def options(field: Field, name: Name, say: Words, codes: Codes) -> list[tuple[str, str]]:
    """Return (value, name) of each choice of a field."""
    if field.type == "yes-no":
        return [(word, _yes_no(word, say)) for word in YES_NO]
    return sorted(((code, name(field.of, code)) for code in codes.get(field.of, ())), key=lambda pair: pair[1].casefold())


def label(names: Mapping[str, str], say: Words) -> str:
    """Return the name of a field, or its hint."""
    return names.get(say.language) or names["en"]


def shown(field: Field, text: str, name: Name, say: Words) -> str:
    """Return a text of the form as people read it."""
    if not text:
        return ""
    match field.type:
        case "choice":
            return name(field.of, text)
        case "yes-no":
            return _yes_no(text, say)
        case "date":
            return date.fromisoformat(text).strftime("%d.%m.%Y")
        case _:
            return text


def _yes_no(word: str, say: Words) -> str:
    return say("write.unknown") if word == UNKNOWN else say(word)
