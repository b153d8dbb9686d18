"""Handle a case for which the rules themselves raise: ask its desk, by a path that runs no rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct, field
from prometheus_client import Counter

from referral.domain.case import Case
from referral.domain.durations import MINUTE_US
from referral.domain.events import Facts, NeedsPerson, Why
from referral.domain.inputs import Input, derived, head_of
from referral.domain.policy import Policy
from referral.runtime.observe import log, where

ENGINE_FAILED = "engine-failed"
"""Name of the rule and of the task in the code lists."""
ENGINE_FAILURES = Counter("referral_engine_failures", "Inputs for which the rules raised an exception; their desk was asked.")
"""Worry at the first: a rule is wrong. At four in ten minutes routing becomes not ready."""
ERASURES_REFUSED = Counter("referral_erasures_refused", "Erasures of cases that are open; each such case goes on.")
"""Worry at the first, at once: somebody has intake's key, or intake has a fault. `referral audit verify` names the entry."""
# DESIGN §5: four failures in ten minutes are more than one odd case. Routing becomes not ready, and goes on working.
LIMIT = 4
WINDOW = 10 * MINUTE_US
# µs until the desk is asked again (DESIGN §11).
REPEAT = 15 * MINUTE_US


def events(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> tuple[NeedsPerson, ...]:
    """Return the one event for an input that the rules could not decide: a task for the desk."""
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
    """Return the desk of the municipality where the person is, else the country's."""
    traits = getattr(cause.body, "traits", None) or (case.traits if case else None)
    town = policy.municipalities.get(traits.found_in) if traits else None
    return town.desk if town and town.desk else policy.country_desk


def erasure_refused(cause: Input) -> None:
    """Count and log a request to erase an open case."""
    ERASURES_REFUSED.inc()
    hint = "the case is open and goes on; find out who has intake's key, and compare the accounts that the entry names"
    log().error("erasure refused", service="routing", case_id=cause.case_id, event_id=cause.id, hint=hint)


class Breaker(Struct, kw_only=True):
    """Counter of rule failures, by the batch clock. times: µs of the last LIMIT failures. now: µs of the last batch."""

    times: deque[int] = field(default_factory=lambda: deque(maxlen=LIMIT))
    now: int = 0

    def note(self, now: int, failed: Sequence[tuple[Input, Exception | None]]) -> None:
        """Record one batch. now: its time, µs. failed: the inputs for which the rules failed, with their errors."""
        self.now = now
        for cause, error in failed:
            self.times.append(now)
            ENGINE_FAILURES.inc()
            log().error(
                "engine failed", service="routing", case_id=cause.case_id, cause_id=cause.id, where=where(error), kind=type(error).__name__
            )

    def not_ready(self) -> dict[str, str]:
        """Return why routing is not ready: LIMIT failures within WINDOW. Empty otherwise."""
        if len(self.times) < LIMIT or self.times[0] <= self.now - WINDOW:
            return {}
        return {"engine": f"the rules failed {LIMIT} times in ten minutes; the desks were asked. Check the last deploy and policy"}
