"""Plan the inputs of many made-up cases to routing, without servers: offer ids are derived, so every answer is predictable."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct, structs

from referral.domain.case import Case, Offer, Run, seats
from referral.domain.decide import decided, facts_for
from referral.domain.events import Door, Facts, ReferralSubmitted, ResponseSubmitted, StepKind, Via, Word
from referral.domain.inputs import Input, Source, derived
from referral.domain.policy import Policy, compile
from referral.wire import policy_digest, topics
from tests.harness.made_child import CHILD

FAMILY = "0b9f1d52-4f3a-5c1e-8a77-3f6f0c2e1d90"  # any fixed id: case ids are derived from it
PLENTY = 1_000_000  # free places of every shelter: scarcity would end at a desk, which costs less than a decision
LENGTH = 14  # inputs of one case: until shelter, guardian and risk are settled
BLOCK = 500  # concurrent cases: a batch of 1000 contains each of them about twice
DECLINES = 0.1
NEXT = {"OFFERED": Word.ACCEPT, "ACKNOWLEDGED": Word.ACCEPT, "ACCEPTED": Word.ARRIVE, "ARRIVED": Word.COMPLETE}


@dataclass
class Plan:
    """A planned load.

    inputs: (cause of the event, the event) in the order of arrival, as a door would queue them. asked: the arguments of `decide` for each.
    types: event id → type, of every decided event.
    """

    cases: list[str] = field(default_factory=list)
    inputs: list[tuple[Input, Struct]] = field(default_factory=list)
    asked: list[tuple[Case | None, Input, Facts]] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)


def policy(folder: Path) -> Policy:
    """Return the compiled policy of the checkout."""
    return compile(policy_digest.read(folder))


def plan(rules: Policy, count: int, now: int, seed: int, length: int = LENGTH) -> Plan:
    """Plan so many cases of `length` inputs each, in blocks of concurrent cases. now: µs UTC; decisions depend on the hour of the day."""
    out, dice = Plan(), random.Random(seed)
    for start in range(0, count, BLOCK):
        block = [derived(FAMILY, f"{seed}:{n}") for n in range(start, min(count, start + BLOCK))]
        out.cases += block
        running = [_walk(rules, case_id, now, random.Random(dice.random()), out, length) for case_id in block]
        while running:
            running = [walk for walk in running if next(walk, None)]
    return out


def _walk(rules: Policy, case_id: str, now: int, dice: random.Random, out: Plan, length: int) -> Iterator[bool]:
    case: Case | None = None
    for number in range(length):
        body = _referral(dice, case_id, now) if case is None else _answer(rules, case, number, dice, now)
        if body is None:
            return
        queued = Input(id=derived(case_id, f"in:{number}"), case_id=case_id, body=body, source=Source(topic="queue"), at=now)
        place = Source(topic="referral-intake", partition=topics.partition(case_id), offset=len(out.inputs))
        cause = Input(id=derived(queued.id, 0), case_id=case_id, body=body, source=place, seq=number + 1, at=now)
        facts = facts_for(case, cause, rules, now, lambda wanted: dict.fromkeys(wanted, PLENTY), bundle=1)
        out.inputs.append((queued, body))
        out.asked.append((case, cause, facts))
        decision = decided(case, cause, facts, rules)
        events, case = decision.events, decision.case
        for index, event in enumerate(events):
            out.types[derived(cause.id, index)] = event.TYPE  # type: ignore[attr-defined]
        yield True


def _referral(dice: random.Random, case_id: str, now: int) -> ReferralSubmitted:
    found_in = dice.choice(("prishtine", "prizren", "novoberde"))
    return ReferralSubmitted(
        referral_id=derived(case_id, "referral"),
        agency="school-drita",
        door=Door.HTTP,
        opens=True,
        traits=structs.replace(CHILD, found_in=found_in, home=found_in),
        sections=("identity", "narrative"),
        received_at=now,
    )


def _answer(rules: Policy, case: Case, number: int, dice: random.Random, now: int) -> ResponseSubmitted | None:
    """Return an answer, mostly one that moves the case on; None: no offer is open."""
    waiting = [(track, run, seat.offer) for _, track, run, seat in seats(case) if seat.offer is not None and not seat.offer.how]
    waiting = [(track, run, offer) for track, run, offer in waiting if _moves(run, offer)]
    if not waiting:
        return None
    track, run, offer = dice.choice(waiting)
    word, code = NEXT.get(offer.state, Word.COMPLETE), ""
    if run.kind is StepKind.DECIDE:
        step = rules.pinned[track.digest].step(run.step)
        word, code = Word.DECIDE, dice.choice(step.codes if step else ())
    elif offer.state == "OFFERED" and dice.random() < DECLINES:
        word = Word.DECLINE
    return ResponseSubmitted(
        response_id=derived(case.case_id, f"answer:{number}"),
        offer_id=offer.offer_id,
        agency=offer.agency,
        word=word,
        reason="OUT_OF_AREA" if word is Word.DECLINE else "",
        code=code,
        recorded=("reason", "child-view") if word is Word.DECIDE else (),
        via=Via.SYSTEM,
        received_at=now,
    )


def _moves(run: Run, offer: Offer) -> bool:
    """Return whether an answer to this offer still moves the case."""
    idle = {("police", "ACCEPTED"), ("support", "ARRIVED"), ("shelter", "ARRIVED"), ("iom", "ACCEPTED")}
    return (run.step, offer.state) not in idle and run.step != "coordinator"
