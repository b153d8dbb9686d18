"""Name what figures are about in four languages: measures with their definitions, months, procedures, groups, durations.

Wiring loads the definitions once; a text that one language lacks is an error. Apart from reading the file, pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from referral.domain.events import FigureReleased, Mark, Unit
from referral.domain.policy import Policy
from referral.runtime.i18n import ENDONYMS, WRITTEN, Words, cyrillic
from services.oversight.calendar import FOLLOW_UP

FILE = Path(__file__).with_name("measures.yaml")
PARTS = {"late": "agency", "declined": "reason"}
"""Code list of the word after the dot, for measures with several parts."""
HOUR_MIN, DAY_MIN = 60, 60 * 24


class Term(Struct, frozen=True, kw_only=True):
    """A term of the figures. name, definition: by language."""

    name: Mapping[str, str]
    definition: Mapping[str, str]


class Measure(Term, frozen=True, kw_only=True):
    """A measure without the part after its dot, e.g. `late`. query: the command with which an auditor recomputes it."""

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


@dataclass(frozen=True, slots=True)
class Naming:
    """The names in one reader's language. policy: source of names; None if none is in force yet, and then codes are displayed."""

    say: Words
    policy: Policy | None
    measures: Mapping[str, Measure]

    def code(self, kind: str, code: str) -> str:
        """Return the policy's name; for a code without one the code itself, its hyphens as spaces."""
        name = self.policy.names(kind, code, self.say.language) if self.policy else code
        return name if name != code or code[:1].isdigit() else code.replace("-", " ").replace("_", " ")

    def pathway(self, pathway: str) -> str:
        """Return the name of a procedure."""
        return self.code("pathway", pathway)

    def measure(self, measure: str) -> str:
        """Return the measure's name, without the part after the dot."""
        known = self.measures.get(stem(measure))
        return known.name[self.say.language] if known else stem(measure)

    def definition(self, measure: str) -> str:
        """Return the definition of a measure; empty if it has none."""
        known = self.measures.get(stem(measure))
        return known.definition[self.say.language] if known else ""

    def part(self, measure: str) -> str:
        """Return the name of the part after the dot: an agency, a reason, the event that was waited for."""
        start, _, code = measure.partition(".")
        if start == "wait":
            return self._text(f"wait.{code}", code)
        return self.code(PARTS.get(start, start), code)

    def group(self, measure: str, group: str) -> str:
        """Return the name of a part of a table, e.g. a municipality, its region, girls of an age."""
        if group in ("all", "unknown", "yes", "no", "half", "most"):
            return self.say(f"group.{group}")
        match stem(measure):
            case "municipality":
                kind, _, region = group.partition(":")
                return self.say("group.region", name=self.code("municipality", region)) if region else self.code("municipality", kind)
            case "sex-age":
                return ", ".join(self._person(code) for code in group.split("/"))
            case "full":
                return self.code("role", group)
            case start:
                return self._text(f"{start}.{group}", group)

    def value(self, figure: FigureReleased | None) -> str:
        """Return a shown value, with its unit unless that is children; empty where it is hidden."""
        if figure is None or figure.mark is not Mark.SHOWN or figure.value is None:
            return ""
        return self.length(figure.value) if figure.unit is Unit.MINUTES else self.say.number(figure.value)

    def length(self, minutes: int) -> str:
        """Return a duration in its two largest units: "45 min", "2 h 30 min", "3 d 4 h"."""
        days, hours, rest = minutes // DAY_MIN, minutes // HOUR_MIN % 24, minutes % HOUR_MIN
        parts = [("days", days), ("hours", hours)] if days else [("hours", hours), ("minutes", rest)]
        shown = [self.say(f"short.{unit}", n=number) for unit, number in parts if number]
        return " ".join(shown) or self.say("short.minutes", n=0)

    def month(self, month: str) -> str:
        """Return a month, e.g. Jan 2027."""
        year, _, number = month.partition("-")
        return f"{self.say(f'month.{int(number)}')} {year}"

    def period(self, first: str, last: str) -> str:
        """Return a period: Jan 2027, Jan-Mar 2027, Nov 2026 - Feb 2027."""
        if first == last:
            return self.month(first)
        if first[:4] == last[:4]:
            return f"{self.say(f'month.{int(first[5:])}')}–{self.month(last)}"
        return f"{self.month(first)} – {self.month(last)}"

    def counted(self, what: str) -> str:
        """Return the name of a kind of records that a release excluded or doubted."""
        return self._text(f"counted.{what}", what)

    def _person(self, code: str) -> str:
        """Return the name of a code of sex or age; `sex:unknown` and `age:unknown` name the list because both lists have that code."""
        kind, _, both = code.partition(":")
        if both:
            return self._text(f"group.{kind}.{both}", both)
        return self.code("age-band" if code[:1].isdigit() else "sex", code)

    def _text(self, key: str, code: str) -> str:
        return self.say(key) if self.say.has(key) else code.replace("-", " ")


def stem(measure: str) -> str:
    """Return the measure before the dot: `late` for `late.csw-prizren`."""
    return measure.partition(".")[0]
