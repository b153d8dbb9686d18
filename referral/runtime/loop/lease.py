"""Leases: one database row per service and unit, which one instance owns at a time.

A take-over raises the row's epoch; the fence of an instance with an older epoch finds no row, so that instance commits nothing.
A lease ends after ten seconds without a renewal, or as soon as the connection on which its owner took it is gone: nothing can be committed
under it any more, whether the process is dead, was started again, or has connected anew.
"""

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

SECONDS = 10  # duration of a lease (written out in the statements below)
RENEW = 3.0  # seconds between two renewals by the heartbeat; each batch renews the leases too
LOCK_MS = 1000  # wait of a take-over for a locked row, before it checks whether the process that holds the lock is stopped

_ALIVE = text(  # on the loop's connection, which the row names
    "INSERT INTO instance (id, alive_until, pid, bounded) VALUES (:me, clock_timestamp() + interval '10 s', pg_backend_pid(), true)"
    " ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until, pid = excluded.pid, bounded = true"
)
_TELL = text("UPDATE instance SET stopped = :stopped WHERE id = :me")
_GONE = text("DELETE FROM instance WHERE id = :me")
_DEAD = text("DELETE FROM instance WHERE alive_until < clock_timestamp() - interval '1 hour'")
_UNITS = text(  # ON CONFLICT alone would wait for a row that a stopped process has locked
    "INSERT INTO lease (unit) SELECT u FROM unnest(CAST(:units AS text[])) AS u"
    " WHERE NOT EXISTS (SELECT FROM lease WHERE unit = u) ON CONFLICT DO NOTHING"
)
_LOST = (  # asked first: the own connection, so that an instance alone does not list all sessions every second
    "(pid <> pg_backend_pid() AND pid NOT IN (SELECT c.pid FROM runtime.connections() AS c))"
)
_SURVEY = text(
    "SELECT EXISTS (SELECT FROM instance WHERE id = :me AND pid = pg_backend_pid() AND alive_until > clock_timestamp() + interval '5 s'),"
    " (SELECT count(*) FROM instance WHERE alive_until > clock_timestamp() AND LOST IS NOT TRUE),"
    " ARRAY(SELECT unit FROM lease ORDER BY unit),"
    " ARRAY(SELECT jsonb_build_array(lease.unit, lease.positions::text)::text FROM lease JOIN unnest(CAST(:units AS text[]),"
    " CAST(:epochs AS bigint[])) AS held(unit, epoch) ON lease.unit = held.unit AND lease.epoch = held.epoch),"
    " ARRAY(SELECT unit FROM lease WHERE lease_until < clock_timestamp() OR LOST ORDER BY md5(unit || :me))".replace("LOST", _LOST)
)
_TAKE = text(
    "UPDATE lease SET owner = :me, pid = pg_backend_pid(), lease_until = clock_timestamp() + interval '10 s',"
    " epoch = epoch + 1, clean = true, taken = positions,"
    " careful = (NOT clean AND taken = positions AND epoch > 0) OR EXISTS (SELECT FROM suspect WHERE unit = :unit)"
    " WHERE unit = :unit AND (lease_until < clock_timestamp() OR LOST) RETURNING epoch, positions::text,"
    " CASE WHEN careful THEN runtime.clock() END, EXISTS (SELECT FROM suspect WHERE unit = :unit)".replace("LOST", _LOST)
)
_STOPPED = text(
    # The owner's loop, and whoever has locked the row beside it (xmax): an erasure, or audit's heartbeat, readings and checkpoints. Such a
    # one may be at work for long, so it is only taken for stopped if the server has waited for it for ten seconds.
    "SELECT pg_terminate_backend(a.pid) FROM lease JOIN runtime.connections() AS a ON a.pid = lease.pid OR a.backend_xid = lease.xmax"
    " WHERE unit = :unit AND lease_until < clock_timestamp()"
    " AND a.xact_start < clock_timestamp() - interval '10 s'"
    " AND (a.pid = lease.pid OR (a.wait_event_type = 'Client' AND a.state_change < clock_timestamp() - interval '10 s'))"
)
_FENCE = text(
    "UPDATE lease SET lease_until = clock_timestamp() + interval '10 s', pid = pg_backend_pid(), clean = true FROM"
    " unnest(CAST(:units AS text[]), CAST(:epochs AS bigint[])) AS held(unit, epoch)"
    " WHERE lease.unit = held.unit AND lease.epoch = held.epoch RETURNING lease.unit, (SELECT runtime.clock()), lease.positions::text,"
    " (SELECT runtime.moved())"  # as subqueries: once, and not for each unit
)
_MARK = text(  # the fence of that batch sets clean again, so false remains only if the process dies in it
    "UPDATE lease SET clean = false FROM unnest(CAST(:units AS text[]), CAST(:epochs AS bigint[])) AS held(unit, epoch)"
    " WHERE lease.unit = held.unit AND lease.epoch = held.epoch"
)
_HELD = text("SELECT positions::text FROM lease WHERE unit = :unit AND owner = :me AND lease_until > clock_timestamp() FOR UPDATE")
_RELEASE = text(  # whoever can say goodbye has not died of an input: its attempts do not count
    "WITH let AS (UPDATE lease SET owner = NULL, lease_until = '-infinity', clean = true FROM"
    " unnest(CAST(:units AS text[]), CAST(:epochs AS bigint[])) AS held(unit, epoch)"
    " WHERE lease.unit = held.unit AND lease.epoch = held.epoch RETURNING lease.unit)"
    " DELETE FROM suspect USING let WHERE suspect.unit = let.unit"
)
_FORGET = text(
    "WITH gone AS (DELETE FROM lease WHERE unit = ANY(CAST(:units AS text[])) AND lease_until < clock_timestamp() RETURNING unit)"
    " DELETE FROM suspect USING gone WHERE suspect.unit = gone.unit"
)
_RESET = text(
    "WITH anew AS (UPDATE lease SET positions = '{}' WHERE unit = :unit AND lease_until < clock_timestamp() RETURNING unit)"
    " DELETE FROM suspect USING anew WHERE suspect.unit = anew.unit"
)
RENEW_SQL = (  # asyncpg, on the heartbeat's connection; a batch that has locked a row renews it itself
    "WITH alive AS (INSERT INTO instance VALUES ($1, clock_timestamp() + interval '10 s')"
    " ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until)"
    " UPDATE lease SET lease_until = clock_timestamp() + interval '10 s' WHERE unit IN"
    " (SELECT lease.unit FROM lease JOIN unnest($2::text[], $3::bigint[]) AS held(unit, epoch)"
    " ON lease.unit = held.unit AND lease.epoch = held.epoch FOR UPDATE OF lease SKIP LOCKED)"
)


@dataclass(frozen=True, slots=True)
class Survey:
    """The leases of a service at one moment.

    alive: number of live instances. units: all units. free: units whose lease has ended. arrived: this instance is alive since this survey.
    """

    alive: int
    units: tuple[str, ...]
    free: tuple[str, ...]
    arrived: bool

    @property
    def share(self) -> int:
        """Return the largest number of units that one instance should own."""
        return -(-len(self.units) // max(1, self.alive))


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease as it was taken over.

    suspect_until: the batch clock, µs, if the previous owner died in its first batch with these positions, or of an input that it
        counted; else None.
    counted: it died of an input that it counted.
    """

    epoch: int
    positions: dict[Place, Position]
    suspect_until: int | None
    counted: bool


async def survey(tx: AsyncConnection, me: str, held: list[Unit], units: list[str]) -> Survey:
    """Return the survey, in which this instance is alive and every unit has a row. me: the instance's id. held: what it owns.

    It writes only what is missing. The heartbeat renews the instance's row, so a survey is one look, and no flush of the log each second.
    Fenced: the stored positions are not the ones that these units committed last. A restored older copy of the database may show the same
    owner and epoch, so positions are compared too.
    """
    values = {"me": me, **_held(held)}
    is_shown, alive, every, stored, free = (await tx.execute(_SURVEY, values)).one()
    _compare(held, [tuple(json.loads(one)) for one in stored])
    if not is_shown or not set(units).issubset(every):
        await tx.execute(_ALIVE, {"me": me})
        await tx.execute(_DEAD)
        await tx.execute(_UNITS, {"units": units})
        _, alive, every, _, free = (await tx.execute(_SURVEY, values)).one()
    return Survey(alive, tuple(every), tuple(free), arrived=not is_shown)


async def tell(tx: AsyncConnection, me: str, stopped: str) -> None:
    """Say in this instance's row which of its units do not go on. stopped: cause and units, in words; empty: all go on."""
    await tx.execute(_TELL, {"me": me, "stopped": stopped})


async def take(tx: AsyncConnection, me: str, unit: str) -> Claim | None:
    """Take over a lease that has ended. None: another instance was quicker.

    A row that stays locked past its lease belongs to a stopped process: its backend is terminated, and the retry gets the row.
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
    return None if row is None else Claim(row[0], _positions(row[1]), row[2], row[3])


async def fence(tx: AsyncConnection, units: list[Unit]) -> tuple[frozenset[str], int]:
    """Renew the leases that are still ours, inside the batch's transaction. Return (their units, batch clock in µs).

    Fenced: the database was set back meanwhile. FalseClock: somebody moved the database's clock.
    """
    rows = (await tx.execute(_FENCE, _held(units))).all()
    _compare(units, [(r[0], r[2]) for r in rows])
    if rows and rows[0][3]:
        raise FalseClock
    return frozenset(r[0] for r in rows), (rows[0][1] if rows else 0)


async def held(tx: AsyncConnection, me: str, unit: str) -> dict[Place, Position] | None:
    """Return the positions of a unit that this instance owns; None: it owns it not. The row stays locked until the transaction ends.

    For code that writes outside the loop: while the row is locked, no batch of the unit commits.
    """
    stored = (await tx.execute(_HELD, {"me": me, "unit": unit})).scalar_one_or_none()
    return None if stored is None else _positions(stored)


def _compare(units: list[Unit], rows: list[tuple[str, str]]) -> None:
    """Fenced: stored positions differ from those that the units committed."""
    committed = {unit.name: unit.committed for unit in units}
    moved = [name for name, stored in rows if _positions(stored) != committed[name]]
    if moved:
        raise Fenced(f"the database has other positions than this instance committed: {' '.join(sorted(moved))}; was an old copy restored?")


async def mark_first_batch(tx: AsyncConnection, units: list[Unit]) -> None:
    """Mark units before their first batch of a tenure. If the process dies in it, the mark remains, and the next owner is careful.

    The caller commits.
    """
    await tx.execute(_MARK, _held(units))


async def release(tx: AsyncConnection, units: list[Unit]) -> None:
    """Release leases in an orderly way, so that the next owner need not wait until they expire."""
    await tx.execute(_RELEASE, _held(units))


async def leave(tx: AsyncConnection, me: str, units: list[Unit]) -> None:
    """Leave in an orderly way: release every lease and delete this instance's row."""
    await release(tx, units)
    await tx.execute(_GONE, {"me": me})


async def forget(tx: AsyncConnection, units: list[str]) -> None:
    """Delete the rows of unowned units that will not come back. A unit that does come back begins at the first record."""
    await tx.execute(_FORGET, {"units": units})


async def reset(tx: AsyncConnection, unit: str) -> None:
    """Reset an unowned unit to the first record."""
    await tx.execute(_RESET, {"unit": unit})


def _held(units: list[Unit]) -> dict[str, Any]:
    return {"units": [u.name for u in units], "epochs": [u.epoch for u in units]}


def _positions(stored: str) -> dict[Place, Position]:
    return {place(name): (offset, digest) for name, (offset, digest) in json.loads(stored).items()}


def dumped(positions: dict[Place, Position]) -> str:
    """Return positions as the JSON of the column lease.positions."""
    return json.dumps({word(p): list(v) for p, v in positions.items()})
