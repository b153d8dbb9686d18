"""Leases: one row per (service, unit). Whoever raises the epoch owns it; an older epoch commits nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Fenced
from referral.runtime.loop.units import Place, Position, Unit, place, word
from referral.runtime.postgres.clock import FalseClock

SECONDS = 10  # a lease (in the statements below); renewed every RENEW by the heart and by every batch
RENEW = 3.0
LOCK_MS = 1000  # how long a taker waits for a locked row before it looks whether its holder is stopped

ALIVE_SQL = (  # asyncpg, on the heart's connection
    "INSERT INTO instance VALUES ($1, clock_timestamp() + interval '10 s')"
    " ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until"
)
_ALIVE = text(ALIVE_SQL.replace("$1", ":me"))
_GONE = text("DELETE FROM instance WHERE id = :me")
_DEAD = text("DELETE FROM instance WHERE alive_until < clock_timestamp() - interval '1 hour'")
_UNITS = text(  # ON CONFLICT alone would wait for a row that a stopped process has locked
    "INSERT INTO lease (unit) SELECT u FROM unnest(CAST(:units AS text[])) AS u"
    " WHERE NOT EXISTS (SELECT FROM lease WHERE unit = u) ON CONFLICT DO NOTHING"
)
_SURVEY = text(
    "SELECT (SELECT count(*) FROM instance WHERE alive_until > clock_timestamp()),"
    " ARRAY(SELECT unit FROM lease ORDER BY unit),"
    " ARRAY(SELECT unit FROM lease WHERE lease_until < clock_timestamp() ORDER BY md5(unit || :me))"
)
_TAKE = text(
    "UPDATE lease SET owner = :me, pid = pg_backend_pid(), lease_until = clock_timestamp() + interval '10 s',"
    " epoch = epoch + 1, clean = true, careful = NOT clean AND taken = positions AND epoch > 0, taken = positions"
    " WHERE unit = :unit AND lease_until < clock_timestamp() RETURNING epoch, positions::text,"
    " CASE WHEN careful THEN runtime.clock() END"
)
_STOPPED = text(
    "SELECT pg_terminate_backend(lease.pid) FROM lease JOIN pg_stat_activity AS a ON a.pid = lease.pid"
    " WHERE unit = :unit AND lease_until < clock_timestamp() AND a.usename = current_user"
    " AND a.xact_start < clock_timestamp() - interval '10 s'"
)
_FENCE = text(
    "UPDATE lease SET lease_until = clock_timestamp() + interval '10 s', clean = true FROM"
    " unnest(CAST(:units AS text[]), CAST(:epochs AS bigint[])) AS held(unit, epoch)"
    " WHERE lease.unit = held.unit AND lease.epoch = held.epoch RETURNING lease.unit, runtime.clock(), lease.positions::text,"
    " runtime.moved()"
)
_STANDING = text(
    "SELECT lease.unit, lease.positions::text FROM lease"
    " JOIN unnest(CAST(:units AS text[]), CAST(:epochs AS bigint[])) AS held(unit, epoch)"
    " ON lease.unit = held.unit AND lease.epoch = held.epoch"
)
_TRY = text(  # undone by the fence of that batch, so it stays only if the process dies of it
    "UPDATE lease SET clean = false FROM unnest(CAST(:units AS text[]), CAST(:epochs AS bigint[])) AS held(unit, epoch)"
    " WHERE lease.unit = held.unit AND lease.epoch = held.epoch"
)
_HELD = text("SELECT positions::text FROM lease WHERE unit = :unit AND owner = :me AND lease_until > clock_timestamp() FOR UPDATE")
_RELEASE = text(
    "UPDATE lease SET owner = NULL, lease_until = '-infinity', clean = true FROM"
    " unnest(CAST(:units AS text[]), CAST(:epochs AS bigint[])) AS held(unit, epoch)"
    " WHERE lease.unit = held.unit AND lease.epoch = held.epoch"
)
_FORGET = text("DELETE FROM lease WHERE unit = ANY(CAST(:units AS text[])) AND lease_until < clock_timestamp()")
_ANEW = text("UPDATE lease SET positions = '{}' WHERE unit = :unit AND lease_until < clock_timestamp()")
RENEW_SQL = (  # asyncpg, on the heart's own connection; a row that a batch has locked is renewed by that batch
    "UPDATE lease SET lease_until = clock_timestamp() + interval '10 s' WHERE unit IN"
    " (SELECT lease.unit FROM lease JOIN unnest($1::text[], $2::bigint[]) AS held(unit, epoch)"
    " ON lease.unit = held.unit AND lease.epoch = held.epoch FOR UPDATE OF lease SKIP LOCKED)"
)


@dataclass(frozen=True, slots=True)
class Survey:
    """alive: instances of this service. units: all of them. free: those whose lease is over."""

    alive: int
    units: tuple[str, ...]
    free: tuple[str, ...]

    @property
    def share(self) -> int:
        """Most that one instance should own."""
        return -(-len(self.units) // max(1, self.alive))


async def survey(tx: AsyncConnection, me: str, units: list[str]) -> Survey:
    """Say that we live, make rows for new units, and see what there is."""
    await tx.execute(_ALIVE, {"me": me})
    await tx.execute(_DEAD)
    await tx.execute(_UNITS, {"units": units})
    alive, every, free = (await tx.execute(_SURVEY, {"me": me})).one()
    return Survey(alive, tuple(every), tuple(free))


async def take(tx: AsyncConnection, me: str, unit: str) -> tuple[int, dict[Place, Position], int | None] | None:
    """Take over: (epoch, positions, the batch clock if the owner before died of its first batch here); None: another one was quicker.

    A row that stays locked past its lease belongs to a stopped process: its backend is terminated, and the next try gets the row.
    """
    try:
        await tx.execute(text(f"SET LOCAL lock_timeout = {LOCK_MS}"))
        row = (await tx.execute(_TAKE, {"me": me, "unit": unit})).one_or_none()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        await tx.rollback()
        await tx.execute(_STOPPED, {"unit": unit})
        return None
    return None if row is None else (row[0], _positions(row[1]), row[2])


async def fence(tx: AsyncConnection, units: list[Unit]) -> tuple[frozenset[str], int]:
    """Renew what is still ours inside the batch's transaction: (units, batch clock in µs). Fenced: the database was set back meanwhile.

    FalseClock: somebody moved its clock.
    """
    rows = (await tx.execute(_FENCE, _held(units))).all()
    _compare(units, [(r[0], r[2]) for r in rows])
    if rows and rows[0][3]:
        raise FalseClock
    return frozenset(r[0] for r in rows), (rows[0][1] if rows else 0)


async def held(tx: AsyncConnection, me: str, unit: str) -> dict[Place, Position] | None:
    """The positions of a unit that this instance owns; None: it does not. The row stays locked until the transaction ends.

    For what writes beside the loop: no batch of the unit commits meanwhile.
    """
    found = (await tx.execute(_HELD, {"me": me, "unit": unit})).scalar_one_or_none()
    return None if found is None else _positions(found)


async def standing(tx: AsyncConnection, units: list[Unit]) -> None:
    """Fenced: the database does not stand where these units left it. An older copy in its place may show the same owner and epoch."""
    if units:
        _compare(units, [(r[0], r[1]) for r in (await tx.execute(_STANDING, _held(units))).all()])


def _compare(units: list[Unit], rows: list[tuple[str, str]]) -> None:
    left = {unit.name: unit.left for unit in units}
    moved = [name for name, stored in rows if _positions(stored) != left[name]]
    if moved:
        raise Fenced(f"the database is not where this instance left it: {' '.join(sorted(moved))}; was it set back?")


async def try_first(tx: AsyncConnection, units: list[Unit]) -> None:
    """Committed before the first batch of a tenure: whoever dies of it leaves a mark, and the next owner is careful."""
    await tx.execute(_TRY, _held(units))


async def release(tx: AsyncConnection, units: list[Unit]) -> None:
    """Let go in order: the next owner need not wait for the lease to end."""
    await tx.execute(_RELEASE, _held(units))


async def leave(tx: AsyncConnection, me: str, units: list[Unit]) -> None:
    """Go in order: let everything go, and no longer count as alive."""
    await release(tx, units)
    await tx.execute(_GONE, {"me": me})


async def forget(tx: AsyncConnection, units: list[str]) -> None:
    """Units that nobody owns and that will not come back; should they, they begin at the first record."""
    await tx.execute(_FORGET, {"units": units})


async def anew(tx: AsyncConnection, unit: str) -> None:
    """A unit that nobody owns begins at the first record again."""
    await tx.execute(_ANEW, {"unit": unit})


def _held(units: list[Unit]) -> dict[str, Any]:
    return {"units": [u.name for u in units], "epochs": [u.epoch for u in units]}


def _positions(stored: str) -> dict[Place, Position]:
    return {place(name): (offset, digest) for name, (offset, digest) in json.loads(stored).items()}


def dumped(positions: dict[Place, Position]) -> str:
    return json.dumps({word(p): list(v) for p, v in positions.items()})
