"""A line of two cases in one world of scarce places, with a directory that has random holes: what the properties are about."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis.stateful import RuleBasedStateMachine
from msgspec import Struct
from msgspec import structs as msgstructs

from referral.domain import events as e
from referral.domain.case import Case, Offer, holds, offers_of, open_offers, seats
from referral.domain.decide import decide, decided, facts_for
from referral.domain.evolve import fold
from referral.domain.inputs import Due, Input, Source, made_input
from referral.domain.policy import Policy
from tests.harness.two_cases.promises import kept, taken_back
from tests.stories.teller import START, bytes_of, policy

SHIPPED = policy()
CASES = tuple(str(uuid.UUID(int=0xC0 + n)) for n in range(2))


class Looked(dict[str, int]):
    """Free places that remember which were asked for."""

    def __init__(self, free: Mapping[str, int]) -> None:
        super().__init__(free)
        self.at: set[str] = set()

    def get(self, id: str, default: Any = None) -> Any:
        self.at.add(id)
        return super().get(id, default)


class Cases(RuleBasedStateMachine):
    """Cases, places and clock; every input is decided and its promises are looked at."""

    whole: Policy = SHIPPED
    """The policy that the world begins with."""

    def __init__(self) -> None:
        super().__init__()
        self.cases: dict[str, Case | None] = dict.fromkeys(CASES)
        self.log: list[tuple[str, Input, e.Facts, tuple[Struct, ...]]] = []
        self.now, self.count = START, 0
        self.policy = self.whole

    def hollow(self, gone: set[str], places: Mapping[str, int]) -> None:
        """Services that are not there, and places that are few."""
        kept = {id: replace(s, places=places.get(id, s.places)) for id, s in self.whole.services.items() if id not in gone}
        self.policy = replace(self.whole, services=kept)

    def put(self, case_id: str, body: Struct) -> None:
        self.count += 1
        case = self.cases[case_id]
        source = Source(topic="referral-intake", partition=0, offset=self.count)
        cause = made_input(case_id, body, case.seq if case else 0, id=str(uuid.UUID(int=self.count)), source=source)
        facts = facts_for(case, cause, self.policy, self.now, lambda wanted: {id: self.free(id) for id in wanted})
        decision = decided(case, cause, facts, self.policy)
        events, after = decision.events, decision.case
        looked = Looked(facts.free)
        again = decide(case, cause, msgstructs.replace(facts, free=looked), self.policy)
        assert looked.at <= set(facts.free), "a decision looked at a place that routing had not locked"
        assert bytes_of(again) == bytes_of(events), "the same input decides the same"
        if isinstance(body, Due) and case is not None:
            anew = decide(msgstructs.replace(case, bundle=0), cause, facts, self.policy)
            assert bytes_of(anew) == bytes_of(events), "an alarm finds no more where the policy is new, because it is not"
        assert after == kept(case, cause, facts, events, self.policy), "the case after a decision is that of its events"
        if any(isinstance(event, e.OfferReopened) for event in events):
            assert case is not None
            taken_back(events, [entry[3] for entry in self.log if entry[0] == case_id], case)
        self.cases[case_id] = after
        self.log.append((case_id, cause, facts, events))

    def free(self, id: str) -> int:
        return (self.policy.services[id].places or 0) - sum(holds(case).get(id, 0) for case in self.cases.values() if case)

    def an_offer(self, who: str, pick: int, *, ended: bool) -> Offer | None:
        case = self.cases[who]
        found = [] if case is None else list(open_offers(case))
        if ended and case is not None:
            found = [offer for _, _, _, seat in seats(case) for offer in seat.past] or found
        return found[pick % len(found)] if found else None

    def codes(self, who: str, offer_id: str) -> tuple[str, ...]:
        case = self.cases[who]
        assert case is not None
        for _, track, run, seat in seats(case):
            step = self.whole.pinned[track.digest].step(run.step)
            if any(o.offer_id == offer_id for o in (*offers_of(seat), *seat.past)) and step is not None and step.codes:
                return (*step.codes, "HIGH", "agree", "move")
        return ("HIGH",)

    def teardown(self) -> None:
        """The log alone gives the same events and the same cases."""
        again: dict[str, Case | None] = dict.fromkeys(CASES)
        for who, cause, facts, events in self.log:
            assert bytes_of(decide(again[who], cause, facts, self.policy)) == bytes_of(events)
            again[who] = fold(again[who], events, who)
        assert again == self.cases
        for case in again.values():
            assert case is None or msgspec.msgpack.decode(msgspec.msgpack.encode(case), type=Case) == case
