"""Two programs that share no code compute the figures of oversight from one definition (docs/decisions/0018-measures.md): the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from msgspec import Struct

from referral.domain import events as e
from referral.domain.caseload import Caseload
from referral.domain.deadline import DAY
from referral.domain.policy import compile
from referral.domain.record import derived
from referral.domain.simulate import World
from referral.proof import figures as plain
from referral.proof.figures import Said
from referral.wire import bundle
from services.oversight import figures as folded
from services.oversight.course import Course
from services.oversight.courses import Courses
from tests.erased import PLAIN
from tests.stories.teller import POLICY

RULES = compile(bundle.read(POLICY))
FEW = {id: replace(one, places=None if one.places is None else one.places % 2) for id, one in RULES.services.items()}
NARROW = replace(RULES, services=FEW)
"""With hardly any place."""
INTAKE, ROUTING = "referral-intake", "referral-routing"
MONTHS = [f"2027-{n:02}" for n in range(1, 13)]
FAMILY = "2d9a8c1e-0000-4000-8000-000000000018"


class Record(Struct, frozen=True):
    topic: str
    meta: e.Meta
    body: Any


def year(seed: int, cases: int = 150) -> Iterator[Record]:
    """A year of simulated cases as their records; some are exercises, some are joined, some are taken back, some are erased."""
    chance, seqs = random.Random(seed), Counter[tuple[str, str]]()
    world = World(Caseload(policy=RULES, seed=seed, world=0, cases=cases, year=2027), RULES)
    ids, drills, last = dict[str, str](), set[str](), dict[str, int]()
    raised = Counter[str]()

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
            recorded_at=at,
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


def both(seed: int) -> tuple[Courses, list[Said], list[plain.Child], frozenset[str]]:
    one, said, erased = Courses(), list[Said](), set[str]()
    for record in year(seed):
        one.note(record.topic, record.meta, record.body)
        if isinstance(record.body, e.CaseErased):
            erased.add(record.meta.case_id)
        elif not record.meta.drill:
            said.append(Said(record.meta.case_id, record.topic, record.meta.case_seq, record.meta.recorded_at, record.body))
    random.Random(seed).shuffle(said)
    return one, said, plain.children(said, frozenset(erased)), frozenset(erased)


def test_every_table_of_every_procedure_over_any_months_is_the_same() -> None:
    courses, said, children, erased = both(seed=1)
    assert erased and set(courses.pathways()) >= {child.pathway for child in children}
    seen = Counter[str]()
    for pathway in courses.pathways():
        for first, last in [*((month, month) for month in MONTHS[::3]), ("2027-01", "2027-04"), ("2027-03", "2027-12")]:
            begins, ends = (plain.close_of(month) - 30 * DAY for month in (_before(first), last))
            there, held = plain.during(children, pathway, first, last), courses.of(pathway, begins, ends)
            assert len(held) == len(there)
            for moment in (begins + DAY, ends, plain.close_of(last)):
                seen.update(alike(there, held, moment))
    reached = ("begun", "acknowledged", "accepted", "arrived", "completed", "ended", "1", "2", "unanswered", "duplicate", "withdrawn")
    for what in (*reached, "wait.bed", "wait.interview", "wait.plan", "declined.NO_CAPACITY", "late.csw-prishtine"):
        assert seen[what], f"nobody is counted as {what}: the comparison proves nothing about it"
    full = Counter[str]()
    for month in MONTHS:
        days = plain.full(said, erased, NARROW, month)
        ours = {one.group: one.days for one in courses.fulls(month, NARROW, plain.close_of(month))}
        assert ours == {role: days[role] for role in ours}
        full.update(ours)
    assert full.total(), "no place was ever full"


def alike(there: Sequence[plain.Child], held: Sequence[Course], moment: int) -> Counter[str]:
    """Both programs about the same children as of a moment; how many are counted where."""
    seen, ours = Counter[str](), plain.tables(there, RULES, moment)
    for table in folded.tables(held, moment, folded.known(RULES)):
        told = dict(table.atoms) | {group: sum(table.atoms[atom] for atom in of) for group, of in table.groups.items()}
        expected = {group: value for (measure, group), value in ours.items() if measure == table.measure and group != "all"}
        assert {group: value for group, value in told.items() if group != "all"} == expected, table.measure
        seen.update(expected)
        seen[table.measure] += expected.get("yes", 0)
    for spread in folded.spreads(held, moment):
        assert spread.count == ours[spread.measure, "count"]
        if spread.count:
            assert (spread.half, spread.most) == (ours[spread.measure, "half"], ours[spread.measure, "most"]), spread.measure
        seen[spread.measure] += spread.count
    return seen


def _before(month: str) -> str:
    number = int(month[5:]) - 1
    return f"{month[:5]}{number:02}" if number else f"{int(month[:4]) - 1}-12"
