"""Read topics and case states for `referral doctor`, so that memory does not grow with their number. Read-only.

The default is the week in which a fault is red (`DEALT`): what is older was red for a week, and stands in the log. `--all` reads all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct, field, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli.admin.doctor.records import Judged, Lane, Line
from referral.domain.case import holds
from referral.domain.events import CaseKey
from referral.errors import Malformed
from referral.proof.entry import CASE_TOPICS, ROUTING
from referral.proof.verify.facts import closes, ends
from referral.runtime.kafka import scan
from referral.runtime.keys import key_topic
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop.units import Place
from referral.runtime.postgres import clock
from referral.runtime.recovery import topic_snapshot
from referral.runtime.recovery.recover import WRITES
from referral.runtime.settings import Settings
from referral.wire import case_state, seal
from referral.wire.topics import partition

MARGIN = timedelta(hours=1)
"""Time before the week from which records are read (ours): clocks of brokers differ, and an answer is younger than its question."""
CHUNK = 1000
"""Cases whose states are opened together (ours): some megabytes."""
MS = timedelta(milliseconds=1)
_STATES = text(
    "SELECT case_id, state, at FROM routing.case_state LEFT JOIN routing.alarm USING (case_id)"
    " WHERE case_id > :after ORDER BY case_id LIMIT :limit"
)
_KEYED = text("SELECT DISTINCT case_id FROM keys.case_key WHERE case_id = ANY(CAST(:ids AS text[]))")
_WRITTEN = "SELECT case_id, seq FROM {s}.seen WHERE topic = :topic AND case_id = ANY(CAST(:ids AS text[]))"
_BACK = {
    "key": _KEYED,
    "case file": text("SELECT case_id FROM intake.casefile WHERE case_id = ANY(CAST(:ids AS text[]))"),
    "state": text("SELECT case_id FROM routing.case_state WHERE case_id = ANY(CAST(:ids AS text[]))"),
}


class States(Struct, kw_only=True):
    """Findings about routing's case states.

    open: number of open cases. stuck: those without an alarm and without a desk task. held: service → places that cases hold.
    sealed: cases whose state does not open. wrong: the reason that keys cannot be unwrapped; empty where they can.
    """

    open: int = 0
    stuck: list[str] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    sealed: set[str] = field(default_factory=set)
    wrong: str = ""


async def states(tx: AsyncConnection, keys: Keys | None) -> States:
    """Open the state of every case, some at a time. keys: the operator's; None: there are none, and nothing opens."""
    found, after, exercises = States(), "", await clock.drills(tx)
    while rows := (await tx.execute(_STATES, {"after": after, "limit": CHUNK})).all():
        after, opened = rows[-1].case_id, dict[str, bytes]()
        try:
            opened = await keys.load(tx, [row.case_id for row in rows]) if keys else {}
        except Exception as error:  # any error of a key is a finding, not a failure
            found.wrong = str(error)
        for row in rows:
            try:
                case = case_state.unseal(opened[row.case_id], row.case_id, row.state)
            except Exception:  # whatever the cause, the state does not open
                found.sealed.add(row.case_id)
                continue
            found.open += not case.closed
            if not case.closed and row.at is None and not case.tasks:
                found.stuck.append(row.case_id)
            if exercises or not case.drill:
                found.held.update(holds(case))
    return found


async def judged(tx: AsyncConnection, found: Settings, line: Line, written: Collection[str]) -> Judged:
    """Judge the records of the case topics.

    line: but for what this function reads: start and began. written: services whose own count is compared with their topic.
    """
    done = Judged()
    async with scan.opened(found, CASE_TOPICS) as reader:
        start = {} if line.whole else await reader.since((line.since - MARGIN // timedelta(microseconds=1)) // 1000)
        began = await topic_snapshot.began(reader, line.secrets, {place: _before(start, place) for place in reader.places})
        line = structs.replace(line, start=start, began=began)
        for number in sorted({n for _, n in reader.places}):
            lane = Lane(line, done)
            for topic in CASE_TOPICS:
                async for record in reader.records((topic, number), _before(start, (topic, number))):
                    lane.take((topic, number), record)
            keys = set((await tx.execute(_KEYED, {"ids": sorted(lane.known)})).scalars())
            lane.end(number, keys, [one async for one in _written(tx, written, lane.cases)])
    return done


def _before(start: Mapping[Place, int], place: Place) -> int:
    """Return the offset of the record before a place: its mark shows that marks existed."""
    return max(start.get(place, 0) - 1, 0)


async def _written(tx: AsyncConnection, services: Iterable[str], cases: list[str]) -> Any:
    for service in services:
        topic = WRITES[service]
        for row in await tx.execute(text(_WRITTEN.format(s=service)), {"topic": topic, "ids": cases}):
            yield service, topic, row.case_id, row.seq


async def back(tx: AsyncConnection, erased: Collection[str]) -> list[tuple[str, str]]:
    """Return what of erased cases is still there, or there again: (what, case)."""
    ids, found = {"ids": sorted(erased)}, list[tuple[str, str]]()
    for what, statement in _BACK.items():
        found += [(what, case_id) for case_id in (await tx.execute(statement, ids)).scalars()]
    return sorted(found)


async def ended(found: Settings, cases: Collection[str]) -> set[str]:
    """Return which of these cases their topic shows as closed, whatever the database holds."""
    last = dict[str, tuple[int, str]]()
    if not cases:
        return set()
    async with scan.opened(found, [ROUTING]) as reader:
        for number in sorted({partition(case_id) for case_id in cases}):
            async for record in reader.records((ROUTING, number)):
                try:
                    meta = seal.open(record.value or b"").meta
                except Malformed:
                    continue
                if meta.case_id in cases and ends(meta.type):
                    last[meta.case_id] = max(last.get(meta.case_id, (0, "")), (meta.case_seq, meta.type))
    return {case_id for case_id, (_, type_) in last.items() if closes(type_)}


async def keys_left(found: Settings, destroyed: Collection[str], since: int, whole: bool) -> set[str]:
    """Return the destroyed cases whose wrapped key is on referral-keys. since: µs UTC."""
    if not destroyed:
        return set()
    async with scan.opened(found, [CaseKey.TOPIC]) as reader:
        start = {} if whole else await reader.since(since // 1000)
    return await key_topic.copied(found, destroyed, start)


async def quarantine(found: Settings, since: int) -> tuple[int, int]:
    """Return the number of records in quarantine from before a time, µs UTC, and since. Their offsets say it: none is read."""
    async with scan.opened(found, ["referral-quarantine"]) as reader:
        return await reader.lengths(await reader.since(since // 1000))
