"""Load the definitions of all measures, in four languages. Wiring loads them once; a text that one language lacks is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from referral.domain.events import Unit
from referral.runtime.i18n import ENDONYMS, WRITTEN, cyrillic
from services.oversight.calendar import FOLLOW_UP

FILE = Path(__file__).with_name("measures.yaml")


class Term(Struct, frozen=True):
    """A term of the figures. name, definition: by language."""

    name: Mapping[str, str]
    definition: Mapping[str, str]


class Measure(Struct, frozen=True):
    """A measure without the part after its dot, e.g. `late`. query: the command with which an auditor recomputes it."""

    name: Mapping[str, str]
    definition: Mapping[str, str]
    unit: Unit
    source: str
    query: str


class Measures(Struct, frozen=True):
    """All definitions. measures, terms: by id, in the order of the file."""

    measures: Mapping[str, Measure]
    terms: Mapping[str, Term]


def load(k: int, path: Path = FILE) -> Measures:
    """Load all definitions. k: no figure reveals fewer children. Raises ValueError naming what is missing."""
    return compiled(msgspec.yaml.decode(path.read_bytes()), k)


def compiled(file: Mapping[str, Any], k: int) -> Measures:
    """Return the definitions in the content of the file."""
    measures = {id: _measure(id, one, k) for id, one in file["measures"].items()}
    return Measures(measures, {id: Term(**_texts(id, one, k)) for id, one in file["terms"].items()})


def _measure(id: str, one: Mapping[str, Any], k: int) -> Measure:
    missing = [field for field in ("unit", "source", "query") if not one.get(field)]
    if missing:
        raise ValueError(f"measures.yaml: {id}: missing: {', '.join(missing)}")
    return Measure(unit=Unit(one["unit"]), source=one["source"], query=one["query"], **_texts(id, one, k))


def _texts(id: str, one: Mapping[str, Any], k: int) -> dict[str, Mapping[str, str]]:
    """Return name and definition in every language, with the numbers filled in."""
    texts: dict[str, Mapping[str, str]] = {}
    for field in ("name", "definition"):
        written = one.get(field) or {}
        missing = [tongue for tongue in WRITTEN if not written.get(tongue)]
        if missing or set(written) - set(WRITTEN):
            raise ValueError(f"measures.yaml: {id}: {field}: needs exactly {', '.join(WRITTEN)}; missing: {', '.join(missing) or 'none'}")
        texts[field] = {language: _text(language, written[language[:2]], k) for language in ENDONYMS}
    return texts


def _text(language: str, written: str, k: int) -> str:
    script: Callable[[str], str] = cyrillic if language == "sr-Cyrl" else str
    return script(written).format(k=k, days=FOLLOW_UP.days)
