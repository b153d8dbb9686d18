"""What became of an attempt, written down with what is said about it: one transaction for all that ended at the same moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.events import KnockFailed, KnockSent, RungFailed
from referral.domain.inputs import derived
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock, queue
from services.notifier import deliveries, grouping
from services.notifier.blame import SECOND, next_try
from services.notifier.deliveries import Claimed
from services.notifier.metrics import Figures

INTERRUPTED = "interrupted"
"""Word of knock-reason: its sender died with it under way, so it may have left, and by now nobody waits for it."""
THROWN = "thrown-away"
"""Word of knock-reason: an operator threw away what waited (`referral duty resume --drop`)."""


class Kind(Enum):
    """SENT: a server took it. FAILED: trying again will not help. LATER: it may. HELD: nothing was tried. UNWANTED: nobody waits for it.

    LEFT: its reader is not on duty any more, or may not be told: whoever is must be looked for. THROWN: an operator threw it away.
    """

    SENT = 1
    FAILED = 2
    LATER = 3
    HELD = 4
    UNWANTED = 5
    LEFT = 6
    THROWN = 7


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt. reason: a word of knock-reason."""

    claimed: Claimed
    kind: Kind
    reason: str = ""


class Results:
    """Writes them. A result of a claim that is not the newest changes nothing and says nothing."""

    def __init__(self, engine: AsyncEngine, keys: Keys, figures: Figures) -> None:
        self._engine, self._keys, self._figures = engine, keys, figures

    async def write(self, results: Sequence[Result]) -> list[None]:
        """All of them, or none."""
        async with self._engine.begin() as tx:
            now = await clock.now(tx)
            keys = await self._keys.load(tx, {r.claimed.case_id for r in results})
            # Before any delivery, as the handler does: so nobody waits in a circle.
            await deliveries.lock(tx, {r.claimed.asked for r in results if r.kind not in (Kind.SENT, Kind.HELD)})
            done = await deliveries.sent(tx, [r.claimed for r in results if r.kind is Kind.SENT], now)
            said = [_row(r.claimed, "sent", sent(r.claimed, now), keys) for r in results if r.claimed.id in done]
            carried = [one for r in results if r.claimed.id in done for one in await grouping.ride(tx, r.claimed, now)]
            keys |= await self._keys.load(tx, {one.claimed.case_id for one in carried} - set(keys)) if carried else {}
            said += [_row(one.claimed, "sent", sent(one.claimed, now), keys, one.own) for one in carried]
            for result in results:
                said += [_row(result.claimed, name, event, keys) for name, event in await self._other(tx, result, now)]
            await queue.put_all(tx, [row for row in said if row is not None])
        self._figures.grouped(len(carried))
        for result in results:
            if result.claimed.id in done:
                self._figures.sent(result.claimed.channel, (now - result.claimed.planned_at) / SECOND)
            elif result.kind is Kind.FAILED:
                self._figures.failed(result.claimed.channel, result.reason)
            elif result.kind is Kind.LATER:
                self._figures.put_off(result.claimed.channel, result.reason)
        return [None] * len(results)

    async def _other(self, tx: AsyncConnection, result: Result, now: int) -> list[tuple[str, Struct]]:
        """Every end but the good one."""
        claimed = result.claimed
        match result.kind:
            case Kind.HELD:
                await deliveries.release(tx, claimed)
            case Kind.LATER if (gap := next_try(result.reason, claimed.attempt, claimed.reference)) is not None:
                if not await deliveries.again(tx, claimed, now, now + gap, result.reason):
                    return [("failed", failed(claimed, now, result.reason))]
            case Kind.LATER | Kind.FAILED:
                if await deliveries.end(tx, claimed, "FAILED", now, result.reason):
                    return [("failed", failed(claimed, now, result.reason)), *await _rung(tx, claimed, now)]
            case Kind.UNWANTED | Kind.LEFT:
                if await deliveries.end(tx, claimed, "DROPPED", now, claimed.reason):
                    if result.kind is Kind.LEFT:
                        await deliveries.look_again(tx, claimed, now)
                    return _tried(claimed, now)
            case Kind.THROWN:
                before = replace(claimed, attempt=claimed.attempt - 1)
                if await deliveries.end(tx, claimed, "DROPPED", now, THROWN):
                    return [("failed", failed(before, now, THROWN)), *await _rung(tx, claimed, now)]
        return []


def _tried(claimed: Claimed, now: int) -> list[tuple[str, Struct]]:
    """What the attempts before this one came to, if there were any: this one has tried nothing."""
    before = replace(claimed, attempt=claimed.attempt - 1)
    reason = INTERRUPTED if claimed.lapsed else claimed.reason
    return [("failed", failed(before, now, reason))] if before.attempt and reason else []


async def _rung(tx: AsyncConnection, claimed: Claimed, now: int) -> list[tuple[str, Struct]]:
    if not await deliveries.exhausted(tx, claimed):
        return []
    return [("rung-failed", RungFailed(offer_id=claimed.asked, rung=claimed.rung, reason="all-channels-failed", at=now))]


def _row(claimed: Claimed, name: str, event: Struct, keys: Mapping[str, bytes], own: str = "") -> dict[str, Any] | None:
    """A row of our queue; None when the case was erased: nothing can be said about it any more. own: of a knock that another carried."""
    key = keys.get(claimed.case_id)
    return None if key is None else queue.row(claimed.case_id, event, derived(own or claimed.reference, name), key, claimed.drill)


def sent(claimed: Claimed, now: int) -> KnockSent:
    """What the log says of a message that left."""
    offer, task = (None, claimed.asked) if claimed.task else (claimed.asked, None)
    return KnockSent(
        offer_id=offer,
        task_id=task,
        rung=claimed.rung,
        person=claimed.person,
        channel=claimed.channel,
        again=claimed.again,
        at=now,
        reference=claimed.reference,
    )


def failed(claimed: Claimed, now: int, reason: str) -> KnockFailed:
    """What the log says of a channel that could not reach a person."""
    offer, task = (None, claimed.asked) if claimed.task else (claimed.asked, None)
    return KnockFailed(
        offer_id=offer,
        task_id=task,
        rung=claimed.rung,
        person=claimed.person,
        channel=claimed.channel,
        again=claimed.again,
        at=now,
        reason=reason,
        attempts=claimed.attempt,
    )
