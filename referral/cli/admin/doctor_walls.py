"""The facts of `referral doctor` about the walls: whom `trust.toml` names, what ends soon, how often the log is signed, and what the
database runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.ca import identity, periods
from referral.domain.local_time import moment
from referral.errors import Malformed, Rejected, Unproven
from referral.proof.entry import Kind
from referral.runtime import trust_file
from referral.runtime.postgres import stored_code
from referral.runtime.settings import Settings
from referral.wire import leaf

DEALT = timedelta(days=7)
"""Time for which a forged or unreadable record keeps `doctor` red (ours): whoever looks once a week sees it. The broker's time counts,
which no service sets. Records stay on their topic for ever, so later it is a warning, and `audit verify` still names each."""
LEAST_BEAT_S = 10
"""Seconds (ours). Two checkpoints that are nearer than this were not signed on a beat that hides anything: see docs/decisions/0044."""
LOOKED_BACK = timedelta(days=1)
"""Time over which the pauses between checkpoints are compared (ours): a day after a mended setting the warning ends."""
PAUSE = text(
    "SELECT min(at - before) FROM (SELECT at, lag(at) OVER (ORDER BY size) AS before FROM audit.checkpoint WHERE at > :since) AS pauses"
)
TORN = text("SELECT kind, leaf FROM audit.entry WHERE kind IN ('FORK', 'GAP')")
US = timedelta(microseconds=1)


class Walls(Struct, frozen=True, kw_only=True):
    """The facts. real: the database holds real cases.

    off: whom `trust.toml` puts off. ends: what ends → when, µs UTC. pause: seconds between the two nearest checkpoints of
    the last day; None where there are not two. code: what the database runs by itself that no migration made so.
    """

    real: bool = False
    code: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    ends: dict[str, int] = {}
    pause: float | None = None


async def walls(tx: AsyncConnection, found: Settings, now: int, real: bool) -> Walls:
    """Read the facts. now: µs UTC, the true time."""
    pause: int | None = (await tx.execute(PAUSE, {"since": now - LOOKED_BACK // US})).scalar_one()
    code = tuple(await stored_code.differences(tx))
    return Walls(real=real, off=_off(found), ends=_ends(found), pause=None if pause is None else pause / 1_000_000, code=code)


def _off(found: Settings) -> tuple[str, ...]:
    """Return whom `trust.toml` puts off; nothing for a file that is missing or malformed, which no service starts with."""
    try:
        known = trust_file.read(found)
    except Rejected:
        return ()
    writers = () if known.writers.keys else ("writers: a record needs no signature of its service (A3)",)
    approvers = () if known.erasers.approvers else ("approvers: intake alone erases (A1)",)
    operators = () if known.operators.keys else ("operators: one alone opens doors (0049)",)
    return writers + approvers + operators


def _ends(found: Settings) -> dict[str, int]:
    if found.tls is None:
        return {}
    try:
        own, lists = identity.read(found.tls).leaf, identity.lists_end(found.tls)
    except (Rejected, Malformed, Unproven):  # the broker refuses such an identity in words of its own
        return {}
    return {f"the certificate {own.name}": _us(own.not_after), "a list of revoked certificates": _us(lists)}


def _us(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // US


def ending(found: Walls, now: int) -> tuple[list[str], list[str]]:
    """Return what has ended, and what ends within the time in which an operator must act. now: µs UTC."""
    soon = min(periods.LEAF_WARNING, periods.LIST_WARNING) // US
    ended = [f"{what} has ended on {moment(at)}" for what, at in found.ends.items() if at <= now]
    return ended, [f"{what} ends on {moment(at)}" for what, at in found.ends.items() if now < at < now + soon]


def beats(found: Walls) -> Iterator[str]:
    """Yield what is wrong with the times at which a log of real cases is signed."""
    if found.real and found.pause is not None and found.pause < LEAST_BEAT_S:
        yield f"the log is signed as soon as anything is logged ({found.pause:.1f} s apart): whoever polls it sees a child come"


async def torn(tx: AsyncConnection, since: int) -> tuple[dict[str, int], int]:
    """Return the forks and gaps that audit logged of records which the broker took since then, by kind; and the number of older ones.

    since: µs UTC.
    """
    recent, older = dict[str, int](), 0
    for row in await tx.execute(TORN):
        if leaf.decode(row.leaf).kafka_time * 1000 < since:
            older += 1
        else:
            recent[row.kind] = recent.get(Kind(row.kind), 0) + 1
    return recent, older
