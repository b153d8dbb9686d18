"""A year of simulated cases as the records that the line would have made of them, for those who count."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from referral.analysis.simulation.caseload import Caseload
from referral.analysis.simulation.world import World
from referral.domain import events as e
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from referral.domain.inputs import derived
from referral.proof.figures import recompute as plain
from referral.proof.figures.recompute import CaseEvent
from services.oversight.counting.projection import Courses
from tests.harness.erased import PLAIN
from tests.stories import teller

RULES = teller.policy()
INTAKE, ROUTING = "referral-intake", "referral-routing"
FAMILY = "2d9a8c1e-0000-4000-8000-000000000018"
FIRST = 1_798_675_200_000_000
"""When the first policy came into force, µs UTC: shortly before the year began."""
AGES = 24 * 365 * DAY_US


class Record(Struct, frozen=True):
    topic: str
    meta: e.Meta
    body: Any


def year(seed: int, cases: int = 150) -> Iterator[Record]:
    """A year of simulated cases as their records; some are exercises, some are joined, some are taken back, some are erased.

    The clock of some records was set back, of a few by ages; some cases began while it still stood there.
    """
    chance, clock, seqs = random.Random(seed), random.Random(-seed), Counter[tuple[str, str]]()
    world = World(Caseload(policy=RULES, seed=seed, world=0, cases=cases, year=2027), RULES)
    ids, drills, last = dict[str, str](), set[str](), dict[str, int]()
    raised, asleep = Counter[str](), set[str]()

    def dated(topic: str, case_id: str, at: int) -> int:
        if seqs[topic, case_id] == 1 and topic == ROUTING and clock.random() < 0.05:
            asleep.add(case_id)
        if topic == ROUTING and seqs[topic, case_id] > 6:
            asleep.discard(case_id)
        back = clock.choice((MINUTE_US, HOUR_US, 3 * DAY_US, AGES, at - 1)) if clock.random() < 0.03 else 0
        return at - (AGES if case_id in asleep else back)

    def record(topic: str, case_id: str, at: int, body: Any) -> Record:
        seqs[topic, case_id] += 1
        number = seqs[topic, case_id]
        meta = e.Meta(
            event_id=derived(case_id, f"{topic}{number}"),
            case_id=case_id,
            case_seq=number,
            type=body.TYPE,
            fingerprint=0,
            cause_id=FAMILY,
            recorded_at=dated(topic, case_id, at),
            source="test",
            drill=case_id in drills,
        )
        return Record(topic, meta, body)

    while world.next_at is not None:
        done = world.step()
        if done is None:
            continue
        own = done.live.id
        if own not in ids:
            ids[own] = own
            drills |= {own} if chance.random() < 0.05 else set()
        case_id, at = ids[own], done.at
        if getattr(type(done.body), "TOPIC", "") == INTAKE:
            yield record(INTAKE, case_id, at, done.body)
        for event in done.events:
            if isinstance(event, e.CaseRaised):
                raised[own] += 1
                ids[f"{own[:9]}{raised[own]:04x}{own[13:]}"] = event.new_case_id  # as World names it
                drills |= {event.new_case_id} & drills if case_id not in drills else {event.new_case_id}
            yield record(ROUTING, case_id, at, event)
        if chance.random() < 0.004:
            how = chance.choice(("same-person", "sibling"))
            yield record(ROUTING, case_id, at, e.CaseLinked(why=done.events[0].why, other=FAMILY, how=how))  # type: ignore[attr-defined]
        if chance.random() < 0.004:
            yield record(INTAKE, case_id, at, e.ReferralWithdrawn(referral_id=FAMILY, agency="x", reason="other", received_at=at))
        last[case_id] = at
    for case_id, at in last.items():
        if chance.random() < 0.03:
            yield record(INTAKE, case_id, at + 1, PLAIN)


def both(seed: int, cases: int = 150) -> tuple[Courses, list[CaseEvent], list[plain.Child], frozenset[str]]:
    one, said, erased = Courses(), list[CaseEvent](), set[str]()
    for record in year(seed, cases):
        one.note(record.topic, record.meta, record.body)
        if isinstance(record.body, e.CaseErased):
            erased.add(record.meta.case_id)
        elif not record.meta.drill:
            said.append(CaseEvent(record.meta.case_id, record.topic, record.meta.case_seq, record.meta.recorded_at, record.body))
    random.Random(seed).shuffle(said)
    return one, said, plain.children(said, frozenset(erased), FIRST), frozenset(erased)
