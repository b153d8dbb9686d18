"""Say what a filled form points to, by the policy's own table. Pure; no answer has a weight, and nothing is added up and kept.

A table is a list of lines, the gravest first, and the first that holds counts. Each line says how much must be there at least, so a further
"yes", or a further item that nobody knows or asked, never makes the level lighter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

YES, NO, NOT_KNOWN, NOT_ASKED = "yes", "no", "unknown", ""
ANSWERS = (NOT_ASKED, NO, NOT_KNOWN, YES)
"""The answers, the gravest last: where two agencies differ, the graver one counts. Who has not asked says nothing about who has."""
Answers = Mapping[str, str]
"""Item → answer. An item that is missing was not asked."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table. It holds if one of `yes` is answered yes (where it names some), and at least so many red and other items are
    answered yes, or are open: not known, or not asked.

    until_asked: the level holds until the open items were asked.
    """

    level: str
    yes: frozenset[str] = frozenset()
    red_yes: int = 0
    other_yes: int = 0
    red_open: int = 0
    other_open: int = 0
    until_asked: bool = False

    @property
    def is_last(self) -> bool:
        """Return True if it always holds."""
        return not (self.yes or self.red_yes or self.other_yes or self.red_open or self.other_open)


@dataclass(frozen=True, slots=True)
class Table:
    """What a form points to. items: in the order of the form; red: those of which nothing may stay open at the lightest level.

    levels: codes of the decision, the lightest first. yes_at: item → the age bands at which it is yes by itself.
    """

    levels: tuple[str, ...]
    items: tuple[str, ...]
    red: frozenset[str]
    lines: tuple[Line, ...]
    yes_at: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def points_to(self, sheets: Iterable[Answers], age_band: str) -> Line:
        """Return the line that counts for what all agencies have answered. sheets: of each agency its newest form."""
        answers = graver(self.items, [*sheets, self.by_age(age_band)])
        red = [answers[item] for item in self.items if item in self.red]
        other = [answers[item] for item in self.items if item not in self.red]
        said = frozenset(item for item in self.items if answers[item] == YES)
        return next(line for line in self.lines if _holds(line, said, red, other))

    def because(self, sheets: Iterable[Answers], age_band: str) -> dict[str, str]:
        """Return the items that make the counting line hold, each with its answer, in the order of the form; none for the last line."""
        sheets = tuple(sheets)
        line, answers = self.points_to(sheets, age_band), graver(self.items, [*sheets, self.by_age(age_band)])
        return {item: answers[item] for item in self.items if _weighs(line, item, answers[item], item in self.red)}

    def among(self, level: str, codes: Sequence[str]) -> str:
        """Return the level, or the next graver one, of those that a step can decide. codes: of the step, the gravest level among them."""
        return next(one for one in self.levels[self.levels.index(level) :] if one in codes)

    def by_age(self, age_band: str) -> Answers:
        """Return the items that the age alone answers."""
        return {item: YES for item, bands in self.yes_at.items() if age_band in bands}

    def is_below(self, code: str, pointed: str | None) -> bool:
        """Return True if a code is lighter than the level that a form pointed to. Not known is never low: it is the gravest."""
        if code not in self.levels:
            return False
        return self.levels.index(code) < (self.levels.index(pointed) if pointed in self.levels else len(self.levels) - 1)

    def open_items(self, sheets: Iterable[Answers], age_band: str) -> tuple[str, ...]:
        """Return the red items that are not known or were not asked."""
        answers = graver(self.items, [*sheets, self.by_age(age_band)])
        return tuple(item for item in self.items if item in self.red and answers[item] in (NOT_ASKED, NOT_KNOWN))


def graver(items: Sequence[str], sheets: Iterable[Answers]) -> dict[str, str]:
    """Return item → the gravest answer of all sheets."""
    found = dict.fromkeys(items, NOT_ASKED)
    for sheet in sheets:
        for item in items:
            found[item] = max(found[item], sheet.get(item, NOT_ASKED), key=ANSWERS.index)
    return found


def _weighs(line: Line, item: str, answer: str, is_red: bool) -> bool:
    """Return True if this answer is one of those that a line asks for."""
    if answer == YES:
        return item in line.yes or bool(line.red_yes if is_red else line.other_yes)
    return answer != NO and bool(line.red_open if is_red else line.other_open)


def _holds(line: Line, said: frozenset[str], red: Sequence[str], other: Sequence[str]) -> bool:
    if line.yes and line.yes.isdisjoint(said):
        return False
    counts = (
        (line.red_yes, red.count(YES)),
        (line.other_yes, other.count(YES)),
        (line.red_open, red.count(NOT_KNOWN) + red.count(NOT_ASKED)),
        (line.other_open, other.count(NOT_KNOWN) + other.count(NOT_ASKED)),
    )
    return all(found >= least for least, found in counts)
