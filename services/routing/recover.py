"""Rebuild routing's tables from the topics after a database restore: cases, alarms, places, policy, answered inputs.

`python -m services.routing.recover`, called by `referral recover`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.case import Case, next_due
from referral.domain.events import Head
from referral.domain.evolve import evolve
from referral.runtime import policy_feed
from referral.runtime.recovery import recover
from referral.runtime.recovery.topic_snapshot import Tape, Taped
from referral.runtime.settings import Settings
from referral.wire import codec, seal, topics
from services.routing import capacity, policy_publisher, store

ROUTING = "referral-routing"
ALARM = text(
    "INSERT INTO routing.alarm (case_id, partition, at) SELECT * FROM unnest(CAST(:cases AS text[]), CAST(:parts AS int[]),"
    " CAST(:times AS bigint[])) ON CONFLICT (case_id) DO UPDATE SET at = excluded.at"
)
NO_ALARM = text("DELETE FROM routing.alarm WHERE case_id = ANY(CAST(:cases AS text[]))")
HELD = text("UPDATE routing.place SET held = coalesce((CAST(:held AS jsonb) ->> service_id)::int, 0)")
POLICY = text(
    "INSERT INTO routing.policy (number, digest, files, activated, valid_from, before, signatures)"
    " VALUES (:number, :digest, :files, :at, :valid_from, :before, :signatures)"
    " ON CONFLICT (number) DO UPDATE SET digest = excluded.digest, files = excluded.files, activated = excluded.activated,"
    " valid_from = excluded.valid_from, before = excluded.before, signatures = excluded.signatures"
)


async def hook(tx: AsyncConnection, settings: Settings, tapes: AsyncIterator[Tape]) -> dict[str, int]:
    """Fold every case from referral-routing alone; the heads of its events name the answered inputs. Return counts for the report."""
    counts, held = Counter[str](), Counter[str]()
    bundles = await _policy(tx, settings)
    async for tape in tapes:
        cases, answered = _folded(tape)
        await recover.seen(tx, "routing", answered.values())
        await store.save(tx, cases.values(), tape.keys)
        await store.remove(tx, sorted(tape.erased))
        await _alarms(tx, cases, tape.erased)
        for case in cases.values():
            held.update(capacity.held(case, settings.drill_clock))
        unread = {t.meta.case_id for t in tape.records[ROUTING]} - tape.keys.keys() - tape.erased
        counts.update({"cases": len(cases), "inputs answered": len(answered), "cases without a key": len(unread)})
    await tx.execute(HELD, {"held": msgspec.json.encode(held).decode()})
    return {**counts, "places held": sum(held.values()), "bundles": bundles}


def _folded(tape: Tape) -> tuple[dict[str, Case], dict[tuple[str, str], Taped]]:
    """Return the cases, without those that were erased, and the last answered input of each case and topic."""
    by_place = {(t.place, t.offset): t for topic in tape.records if topic != ROUTING for t in tape.records[topic]}
    cases: dict[str, Case] = {}
    answered: dict[tuple[str, str], Taped] = {}
    for taped in tape.records[ROUTING]:
        key = tape.keys.get(taped.meta.case_id)
        if key is None:
            continue
        body = codec.decode(taped.meta.type, taped.meta.fingerprint, seal.unseal(key, ROUTING, seal.open(taped.value)))
        cases[taped.meta.case_id] = evolve(cases.get(taped.meta.case_id), body, taped.meta.case_id)
        head: Head | None = getattr(body, "head", None)
        asked = by_place.get(((head.topic, head.partition), head.offset)) if head else None
        if asked is not None and asked.meta.case_id == taped.meta.case_id:
            answered[asked.place[0], asked.meta.case_id] = asked
    for case_id in tape.erased:
        cases.pop(case_id, None)
    return cases, answered


async def _alarms(tx: AsyncConnection, cases: dict[str, Case], erased: set[str]) -> None:
    times = {case_id: at for case_id, case in cases.items() if (at := next_due(case)) is not None}
    await tx.execute(NO_ALARM, {"cases": sorted((cases.keys() | erased) - times.keys())})
    parts = [topics.partition(case_id) for case_id in times]
    await tx.execute(ALARM, {"cases": list(times), "parts": parts, "times": list(times.values())})


async def _policy(tx: AsyncConnection, settings: Settings) -> int:
    """Restore every bundle that was ever in force. Of the stored ones, those that differ from the topic's never were."""
    chain = await policy_publisher.topic(settings)
    for number, body in chain.bodies.items():
        await tx.execute(POLICY, policy_feed.columns(body))
        await policy_publisher.confirm(tx, number)
    return len(chain.known)


if __name__ == "__main__":
    recover.run("routing", hook)
