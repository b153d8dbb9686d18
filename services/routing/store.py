"""Store routing's rows: case states (sealed) and held places. One query and one write for many cases."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.case import Case
from referral.wire import case_state

LOAD = text(  # with the number of the bundle in force, which every batch needs too
    "SELECT p.number, s.case_id, s.state FROM (SELECT max(number) AS number FROM routing.policy WHERE confirmed IS NOT NULL) AS p"
    " LEFT JOIN routing.case_state AS s ON s.case_id = ANY(CAST(:ids AS text[]))"
)
SAVE = text(
    "INSERT INTO routing.case_state (case_id, state) SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:states AS bytea[]))"
    " ON CONFLICT (case_id) DO UPDATE SET state = excluded.state"
)
REMOVE = text("DELETE FROM routing.case_state WHERE case_id = ANY(:ids)")
LOCK = text("SELECT service_id, capacity - held AS free FROM routing.place WHERE service_id = ANY(:ids) ORDER BY service_id FOR UPDATE")
MOVE = text(
    "UPDATE routing.place AS p SET held = p.held + m.change"
    " FROM unnest(CAST(:ids AS text[]), CAST(:changes AS int[])) AS m(service_id, change) WHERE p.service_id = m.service_id"
)


async def load(tx: AsyncConnection, ids: Iterable[str], keys: Mapping[str, bytes]) -> tuple[int | None, dict[str, Case]]:
    """Return the number of the policy bundle in force, and the states of these cases: those that exist and have a key."""
    rows = (await tx.execute(LOAD, {"ids": list(ids)})).all()
    return rows[0].number, {
        row.case_id: case_state.unseal(keys[row.case_id], row.case_id, row.state) for row in rows if row.case_id in keys
    }


async def save(tx: AsyncConnection, cases: Iterable[Case], keys: Mapping[str, bytes]) -> None:
    """Write states; the caller holds the leases of their partitions."""
    states = list(cases)
    if states:
        sealed = [case_state.seal(keys[case.case_id], case, os.urandom(case_state.NONCE)) for case in states]
        await tx.execute(SAVE, {"ids": [case.case_id for case in states], "states": sealed})


async def remove(tx: AsyncConnection, ids: Sequence[str]) -> None:
    """Delete the states of erased cases."""
    if ids:
        await tx.execute(REMOVE, {"ids": list(ids)})


async def lock_places(tx: AsyncConnection, services: Iterable[str]) -> dict[str, int]:
    """Lock these rows in the order of their ids, so that two instances cannot deadlock. Return service id → free places."""
    ids = sorted(set(services))
    if not ids:
        return {}
    rows = await tx.execute(LOCK, {"ids": ids})
    return {row.service_id: row.free for row in rows}


async def move_places(tx: AsyncConnection, moved: Mapping[str, int]) -> None:
    """Add these changes to the held places."""
    changes = {service: change for service, change in sorted(moved.items()) if change}
    if changes:
        await tx.execute(MOVE, {"ids": list(changes), "changes": list(changes.values())})
