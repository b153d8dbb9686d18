"""Hold back the calls and SMS of an exercise at hours at which nobody has agreed to be woken by one (docs/decisions/0037).

E-mail leaves at once: it wakes nobody. Whoever sends the exercise, by whichever door, its loud messages wait for the next working day, or
for the time that the head of the asked agency has agreed to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from referral.exercise.rules import is_loud, loud_from
from services.notifier.duty import Night
from services.notifier.plan import Plan, Question
from services.notifier.steps import WAKES


@dataclass(frozen=True, slots=True)
class Hush:
    """The rule that an exercise wakes nobody at other hours. holidays: returns the public holidays, days since 1970."""

    holidays: Callable[[], Collection[int]] = frozenset

    def hold(self, planned: Plan, nights: Iterable[Night]) -> Plan:
        """Return the plan, and of an exercise its loud knocks at a time at which they may be loud. nights: leave of any agency's head."""
        known = tuple(nights)
        knocks = (replace(knock, at=self.leaves(planned.asked, knock.channel, known, knock.at)) for knock in planned.knocks)
        return replace(planned, knocks=tuple(knocks))

    def leaves(self, asked: Question, channel: str, nights: Iterable[Night], at: int) -> int:
        """Return when a message may leave that would leave at this instant."""
        return loud_from(at, _agreed(asked, nights), self.holidays()) if asked.drill and channel in WAKES else at

    def hushes(self, asked: Question, nights: Iterable[Night], now: int) -> bool:
        """Return whether a question belongs to an exercise that may wake nobody of its agency now."""
        return asked.drill and not is_loud(now, _agreed(asked, nights), self.holidays())


def _agreed(asked: Question, nights: Iterable[Night]) -> list[tuple[int, int]]:
    return [(night.starts, night.ends) for night in nights if night.agency == asked.agency]
