"""Store routing's rows: case states (sealed) and held places. One query and one write for many cases."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.case import Case
from referral.wire import case_state

LOAD = text(  # one statement: every batch needs the bundle in force, the free places and its cases' states
    "SELECT NULL::text AS case_id, NULL::bytea AS state, NULL::text AS service_id, max(number) AS number FROM routing.policy"
    " WHERE confirmed IS NOT NULL"
    " UNION ALL SELECT NULL, NULL, service_id, held FROM routing.place"
    " UNION ALL SELECT case_id, state, NULL, NULL FROM routing.case_state WHERE case_id = ANY(CAST(:ids AS text[]))"
)
SAVE = text(
    "INSERT INTO routing.case_state (case_id, state) SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:states AS bytea[]))"
    " ON CONFLICT (case_id) DO UPDATE SET state = excluded.state"
)
REMOVE = text("DELETE FROM routing.case_state WHERE case_id = ANY(:ids)")
LOCK = text("SELECT service_id, held FROM routing.place ORDER BY service_id FOR UPDATE")
MOVE = text(  # rows are locked in the order of their ids, so that two instances cannot deadlock
    "UPDATE routing.place AS p SET held = p.held + m.change FROM"
    " (SELECT service_id, change FROM routing.place JOIN unnest(CAST(:ids AS text[]), CAST(:changes AS int[])) AS c(service_id, change)"
    " USING (service_id) ORDER BY service_id FOR UPDATE OF place) AS m"
    " WHERE p.service_id = m.service_id RETURNING p.service_id, p.held"
)


async def load(tx: AsyncConnection, ids: Iterable[str], keys: Mapping[str, bytes]) -> tuple[int | None, dict[str, int], dict[str, Case]]:
    """Return the number of the policy bundle in force, service id → held places, and the states of these cases.

    Of the states those that exist and have a key. Nothing is locked: another instance may take a place meanwhile.
    """
    number, held, cases = None, dict[str, int](), dict[str, Case]()
    for case_id, state, service_id, count in await tx.execute(LOAD, {"ids": list(ids)}):
        if service_id is not None:
            held[service_id] = count
        elif case_id is None:
            number = count
        elif case_id in keys:
            cases[case_id] = case_state.unseal(keys[case_id], case_id, state)
    return number, held, cases


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


async def lock_places(tx: AsyncConnection) -> dict[str, int]:
    """Lock the row of every place until the transaction ends. Return service id → held places."""
    return {row.service_id: row.held for row in await tx.execute(LOCK)}


async def move_places(tx: AsyncConnection, moved: Mapping[str, int]) -> dict[str, int]:
    """Add these changes to the held places. Return service id → places that are held then, of whichever instance."""
    changes = {service: change for service, change in sorted(moved.items()) if change}
    if not changes:
        return {}
    rows = await tx.execute(MOVE, {"ids": list(changes), "changes": list(changes.values())})
    return {row.service_id: row.held for row in rows}
