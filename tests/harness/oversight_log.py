"""Records as the three case topics carry them, from told stories and from simulated years."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from referral.analysis.simulation import world as simulate
from referral.analysis.simulation.caseload import Caseload
from referral.domain import events as e
from referral.domain.durations import MINUTE_US
from referral.domain.inputs import derived
from services.oversight.counting.model import Course
from services.oversight.counting.projection import TOPICS, Courses
from tests.stories import teller
from tests.stories.saved import read

Record = tuple[str, e.Meta, Any]
WHOLE = teller.policy()
AGO, NEVER = 0, 1 << 60
CHILD = "trafficking-child"
CALM = ("refer", "wait 10 min", "police: ACKNOWLEDGE", "wait 5 min", "police: ACCEPT", "support: ACCEPT", "csw: ACCEPT")
"""A referral that is taken up at once, as lines of a story."""


class Log:
    """Numbers and dates bodies as their writers do."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._seqs: dict[tuple[str, str], int] = defaultdict(int)

    def put(self, case_id: str, body: Any, at: int, *, drill: bool = False) -> None:
        """body: of one of the three topics; anything else (an alarm) leaves no record."""
        topic = getattr(body, "TOPIC", "")
        if topic not in TOPICS:
            return
        self._seqs[case_id, topic] += 1
        seq = self._seqs[case_id, topic]
        id = derived(str(uuid.UUID(int=0)), len(self.records))
        meta = e.Meta(
            event_id=id,
            case_id=case_id,
            case_seq=seq,
            type=body.TYPE,
            fingerprint=0,
            cause_id=id,
            recorded_at=at,
            source="made",
            drill=drill,
        )
        self.records.append((topic, meta, body))


def story(name: str) -> list[Record]:
    """The records of a told story, in order of time."""
    story = read(name)
    world = teller.world(story, Path(teller.__file__).parent / "told", WHOLE)
    return _told(world, [item["do"] for item in story["told"]])


def told(*lines: str) -> list[Record]:
    """The records of a story made of these lines."""
    return _told(teller.World(WHOLE), lines)


def _told(world: teller.World, lines: Iterable[str]) -> list[Record]:
    log = Log()
    for line in lines:
        world.tell(line)
    for _, cause, facts, events in world.log:
        if not isinstance(cause.body, e.CaseRaised):  # of the case that raised it
            log.put(world.case_id, cause.body, facts.now)
        for event in events:
            log.put(world.case_id, event, facts.now)
    return log.records


@lru_cache(8)
def year(cases: int, seed: int = 1) -> tuple[Record, ...]:
    """The records of a simulated year."""
    world, log = simulate.World(Caseload(policy=WHOLE, seed=seed, world=0, cases=cases, year=2026), WHOLE), Log()
    ids: dict[str, str] = {}
    while world.next_at is not None:
        if (done := world.step()) is not None:
            id = ids.setdefault(done.live.id, done.body.new_case_id if isinstance(done.body, e.CaseRaised) else done.live.id)
            if not isinstance(done.body, e.CaseRaised):
                log.put(id, done.body, done.at)
            for event in done.events:
                log.put(id, event, done.at)
    return tuple(log.records)


def folded(records: Iterable[Record]) -> Courses:
    courses = Courses()
    for topic, meta, body in records:
        courses.note(topic, meta, body)
    return courses


def everybody(courses: Courses) -> Mapping[str, tuple[Course, ...]]:
    """All children by procedure."""
    return {pathway: courses.of(pathway, AGO, NEVER) for pathway in courses.pathways()}


def interleaved(records: Iterable[Record], seed: int) -> list[Record]:
    """In another order that keeps that of each case within each topic."""
    lanes: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        lanes[record[0], record[1].case_id].append(record)
    dice = random.Random(seed)
    turns = [lane for lane, held in lanes.items() for _ in held]
    dice.shuffle(turns)
    heads = {lane: iter(held) for lane, held in lanes.items()}
    return [next(heads[lane]) for lane in turns]


def since(records: list[Record], pathway: str = CHILD) -> dict[str, int]:
    """Minutes after its beginning, by fact, of the one child."""
    (course,) = folded(records).of(pathway, AGO, NEVER)
    return {fact: (at - course.began_at) // MINUTE_US for fact, at in course.first.items()}
