"""Name the codes of figures in the reader's language: months, procedures, measures, groups, durations. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from referral.domain.events import FigureReleased, Unit
from referral.domain.local_time import local
from referral.domain.policy import Policy
from referral.runtime.i18n import Words
from services.oversight.pages.measures import Measure

PARTS = {"late": "agency", "declined": "reason"}
"""Code list of the word after the dot, for measures with several parts."""
HOUR_MIN, DAY_MIN = 60, 60 * 24


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

    def value(self, figure: FigureReleased) -> str:
        """Return a shown value, with its unit unless that is children."""
        if figure.value is None:
            return ""
        return self.length(figure.value) if figure.unit is Unit.MINUTES else self.say.number(figure.value)

    def length(self, minutes: int) -> str:
        """Return a duration in its two largest units: "45 min", "2 h 30 min", "3 d 4 h"."""
        days, hours, rest = minutes // DAY_MIN, minutes // HOUR_MIN % 24, minutes % HOUR_MIN
        parts = [("days", days), ("hours", hours)] if days else [("hours", hours), ("minutes", rest)]
        shown = [self.say(f"short.{unit}", n=number) for unit, number in parts if number]
        return " ".join(shown) or self.say("short.minutes", n=0)

    def day(self, micros: int) -> str:
        """Return the day in Kosovo of a time, µs UTC."""
        at = local(micros)
        return self.say("date", day=f"{at:%d}", month=f"{at:%m}", year=f"{at:%Y}")

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
