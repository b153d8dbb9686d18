"""When the rules themselves fail for one case: its desk is asked, by a path that does not run them."""

from __future__ import annotations

from collections import deque

from msgspec import Struct, field

from referral.domain.case import Case
from referral.domain.events import Facts, NeedsPerson, Why
from referral.domain.policy import Policy
from referral.domain.record import Input, derived, head_of

ENGINE_FAILED = "ENGINE_FAILED"
MINUTE = 60_000_000
# DESIGN §5: four in ten minutes are more than one odd case; readiness turns red, and nothing stops.
LIMIT = 4
WINDOW = 10 * MINUTE
# As often as a desk is asked again (DESIGN §11).
REPEAT = 15 * MINUTE


def events(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> tuple[NeedsPerson, ...]:
    """What is said of an input that could not be decided."""
    why = Why(rule=ENGINE_FAILED, procedure="", directory=policy.directory[:16], engine=facts.engine, passed=())
    return (
        NeedsPerson(
            head=head_of(cause, facts),
            why=why,
            task_id=derived(cause.id, "task"),
            desk=desk(case, cause, policy),
            about=ENGINE_FAILED,
            step="",
            seat=-1,
            rung=0,
            due=facts.now + REPEAT,
        ),
    )


def desk(case: Case | None, cause: Input, policy: Policy) -> str:
    """The desk of the municipality where the person is, else the country's."""
    traits = getattr(cause.body, "traits", None) or (case.traits if case else None)
    town = policy.municipalities.get(traits.found_in) if traits else None
    return town.desk if town and town.desk else policy.country_desk


class Breaker(Struct, kw_only=True):
    """Counts failures of the rules, by the batch clock."""

    times: deque[int] = field(default_factory=lambda: deque(maxlen=LIMIT))

    def note(self, now: int) -> None:
        """One more at this time (µs)."""
        self.times.append(now)

    def red(self, now: int) -> bool:
        """Have there been too many of late?"""
        return len(self.times) == LIMIT and self.times[0] > now - WINDOW
