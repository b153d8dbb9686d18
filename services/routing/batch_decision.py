"""Decide one batch in memory: every input in order, on the case and the free places that the inputs before it left. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from referral.domain.case import Case
from referral.domain.decide import DECIDES, decided, facts_at, places_wanted
from referral.domain.events import CaseErased
from referral.domain.evolve import fold
from referral.domain.inputs import Input
from referral.runtime.service import Batch
from services.routing import engine_failure
from services.routing.capacity import FreePlaces
from services.routing.current_policy import Bundle


class BatchDecision(Struct, kw_only=True):
    """One batch while it is decided.

    cases: case id → state after the inputs so far. places: free places after the inputs so far.
    decided: each decided input and its events. erased: cases to forget. refused: erasures of open cases. failed: inputs for which the rules
    raised.
    """

    bundle: Bundle
    cases: dict[str, Case]
    places: FreePlaces
    decided: list[tuple[Input, tuple[Struct, ...]]] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    refused: list[Input] = field(default_factory=list)
    failed: list[tuple[Input, Exception]] = field(default_factory=list)

    def take(self, batch: Batch) -> None:
        """Decide every input that the rules handle. Skip inputs of erased cases: a case without a key was erased."""
        for cause in batch.inputs:
            if isinstance(cause.body, CaseErased):
                self.erase(cause)
            elif type(cause.body) in DECIDES and cause.case_id in batch.keys and cause.case_id not in self.erased:
                self.answer(cause, batch.now)

    def erase(self, cause: Input) -> None:
        """Forget a closed case. Keep an open one with its alarm, whoever signed: intake requests erasure for closed cases only."""
        case = self.cases.get(cause.case_id)
        if case is not None and not case.closed:
            self.refused.append(cause)
            return
        self.erased.add(cause.case_id)
        self.places.move(self.cases.pop(cause.case_id, None), None)

    def answer(self, cause: Input, now: int) -> None:
        """Decide one input, then update its case and the free places."""
        case = self.cases.get(cause.case_id)
        wanted = places_wanted(case, cause, self.bundle.policy)
        facts = facts_at(case, now, self.places.seen(wanted) if wanted else {}, self.bundle.number)
        try:
            decision = decided(case, cause, facts, self.bundle.policy)
            events, after = decision.events, decision.case
        except Exception as error:  # isolate the failing case: ask its desk, go on with the others
            self.failed.append((cause, error))
            events = engine_failure.events(case, cause, facts, self.bundle.policy)
            after = fold(case, events, cause.case_id)
        self.places.move(case, after)
        self.cases[cause.case_id] = after
        self.decided.append((cause, events))


def begin(bundle: Bundle, cases: Mapping[str, Case], free: Mapping[str, int], exercises: bool = True) -> BatchDecision:
    """Return a turn that the caller may discard: it works on copies of its arguments. exercises: as for `capacity.held`."""
    return BatchDecision(bundle=bundle, cases=dict(cases), places=FreePlaces(free=dict(free), exercises=exercises))
