"""Write the result of each attempt and the event that reports it, in one transaction for all attempts that ended together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.channels import Word
from referral.domain.durations import SECOND_US
from referral.domain.events import KnockAnswered, KnockDelivered, KnockFailed, KnockSent, RungFailed
from referral.domain.inputs import derived
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock, queue
from services.notifier import caps, deliveries, grouping
from services.notifier.blame import next_try
from services.notifier.deliveries import Claimed
from services.notifier.metrics import Figures

INTERRUPTED = "interrupted"
"""Word of knock-reason: the sender died during the attempt, so the message may have been sent; its question is no longer open."""
THROWN = "thrown-away"
"""Word of knock-reason: an operator discarded the waiting message (`referral duty resume --drop`)."""


class Kind(Enum):
    """Result of an attempt.

    SENT: a server, or a person, took it. FAILED: a retry will not help. LATER: a retry may help. UNSURE: it may have left; retry later.
    HELD: nothing was tried. EARLY: nothing was tried; it would wake somebody now for what can wait.
    UNWANTED: its question is no longer open. LEFT: its recipient is no longer on duty or may not be knocked; the handler must look for
    another.
    THROWN: an operator discarded it.
    """

    SENT = 1
    FAILED = 2
    LATER = 3
    HELD = 4
    UNWANTED = 5
    LEFT = 6
    THROWN = 7
    UNSURE = 8
    EARLY = 9


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one attempt. reason: a word of knock-reason. word: what the person answered at once. provider: which one took it.

    leaves: when it may leave, µs, of EARLY. carried: what it said that it stands for besides, by id; None: it said no number.
    """

    claimed: Claimed
    kind: Kind
    reason: str = ""
    word: Word | None = None
    provider: str = ""
    leaves: int = 0
    carried: tuple[int, ...] | None = None


class Results:
    """Writer of results. A result whose claim is not the newest changes nothing and emits nothing. most: caps of the day, by channel."""

    def __init__(self, engine: AsyncEngine, keys: Keys, figures: Figures, most: Mapping[str, int]) -> None:
        self._engine, self._keys, self._figures, self._caps = engine, keys, figures, most

    async def write(self, results: Sequence[Result]) -> list[None]:
        """Write all results, or none."""
        async with self._engine.begin() as tx:
            now = await clock.now(tx)
            keys = await self._keys.load(tx, {r.claimed.case_id for r in results})
            # Before any delivery, in the handler's order: so no deadlock.
            await deliveries.lock(tx, {r.claimed.asked for r in results if r.kind not in (Kind.SENT, Kind.HELD)})
            done = await deliveries.sent(tx, {r.claimed: r.provider for r in results if r.kind is Kind.SENT}, now)
            rows = [row(r.claimed, "sent", sent(r.claimed, now), keys) for r in results if r.claimed.id in done]
            carried = [c for r in results if r.claimed.id in done for c in await grouping.ride(tx, r.claimed, now, r.carried)]
            keys |= await self._keys.load(tx, {c.claimed.case_id for c in carried} - set(keys)) if carried else {}
            rows += [row(c.claimed, "sent", sent(c.claimed, now), keys, c.own) for c in carried]
            words = {r.claimed.reference: r.word for r in results if r.claimed.id in done and r.word is not None}
            told = [(r.claimed, "") for r in results if r.claimed.id in done] + [(c.claimed, c.own) for c in carried]
            await deliveries.answered(tx, [(c.id, w.value) for c, _ in told if (w := words.get(c.reference))])
            rows += [row(c, f"answered-{w}", answered(c, w, now), keys, own) for c, own in told if (w := words.get(c.reference))]
            for result in results:
                rows += [row(result.claimed, name, event, keys) for name, event in await self._other(tx, result, now)]
            await queue.put_all(tx, [made for made in rows if made is not None])
            await caps.count(tx, Counter(r.claimed.channel for r in results if _charged(r, done)), self._caps, now)
        self._figures.grouped(len(carried))
        for result in results:
            if result.claimed.id in done:
                if result.word is not None:
                    self._figures.answered(result.claimed.channel, result.word.value)
                self._figures.sent(result.claimed.channel, (now - result.claimed.planned_at) / SECOND_US)
            elif result.kind is Kind.FAILED:
                self._figures.failed(result.claimed.channel, result.reason)
            elif result.kind in (Kind.LATER, Kind.UNSURE):
                self._figures.put_off(result.claimed.channel, result.reason)
        return [None] * len(results)

    async def _other(self, tx: AsyncConnection, result: Result, now: int) -> list[tuple[str, Struct]]:
        """Write a result that is not SENT. Return the events to emit, each with the name from which its id is derived."""
        claimed = result.claimed
        match result.kind:
            case Kind.HELD:
                await deliveries.release(tx, claimed)
            case Kind.EARLY:
                if not await deliveries.put_off(tx, claimed, now, result.leaves):
                    return _tried(claimed, now)
            case Kind.LATER | Kind.UNSURE if (gap := _gap(result)) is not None:
                if not await deliveries.again(tx, claimed, now, now + gap, result.reason):
                    return [("failed", failed(claimed, now, result.reason))]
            case Kind.LATER | Kind.UNSURE | Kind.FAILED:
                if await deliveries.end(tx, claimed, "FAILED", now, result.reason):
                    return [("failed", failed(claimed, now, result.reason)), *await in_vain(tx, claimed, now)]
            case Kind.UNWANTED | Kind.LEFT:
                if await deliveries.end(tx, claimed, "DROPPED", now, claimed.reason):
                    if result.kind is Kind.LEFT:
                        await deliveries.look_again(tx, claimed, now)
                    return _tried(claimed, now)
            case Kind.THROWN:
                before = replace(claimed, attempt=claimed.attempt - 1)
                if await deliveries.end(tx, claimed, "DROPPED", now, THROWN):
                    return [("failed", failed(before, now, THROWN)), *await in_vain(tx, claimed, now)]
        return []


def _tried(claimed: Claimed, now: int) -> list[tuple[str, Struct]]:
    """Report the failed attempts before this one, if there were any; this one tried nothing."""
    before = replace(claimed, attempt=claimed.attempt - 1)
    reason = INTERRUPTED if claimed.lapsed else claimed.reason
    return [("failed", failed(before, now, reason))] if before.attempt and reason else []


def _charged(result: Result, done: Collection[int]) -> bool:
    """Return whether a bill will name this attempt: it left, may have left, or a call was answered, if only by a machine."""
    return result.claimed.id in done or result.kind is Kind.UNSURE or result.reason == "no-key"


def _gap(result: Result) -> int | None:
    """Return the wait before the next attempt, µs; None if there is none."""
    return next_try(result.reason, result.claimed.attempt, result.claimed.reference, result.kind is Kind.UNSURE)


async def in_vain(tx: AsyncConnection, claimed: Claimed, now: int) -> list[tuple[str, Struct]]:
    """Go on after a delivery that reached nobody: with the person's next channel, or else report that the rung has failed."""
    await deliveries.next_channel(tx, claimed, now)
    if not await deliveries.exhausted(tx, claimed):
        return []
    return [("rung-failed", RungFailed(offer_id=claimed.asked, rung=claimed.rung, reason="all-channels-failed", at=now))]


def row(claimed: Claimed, name: str, event: Struct, keys: Mapping[str, bytes], own: str = "") -> dict[str, Any] | None:
    """Return a row of our queue; None if the case was erased, because nothing can be emitted about it.

    own: reference of a knock that another message carried.
    """
    key = keys.get(claimed.case_id)
    return None if key is None else queue.row(claimed.case_id, event, derived(own or claimed.reference, name), key, claimed.drill)


def sent(claimed: Claimed, now: int) -> KnockSent:
    """Return the event for a message that was sent."""
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


def delivered(claimed: Claimed, now: int) -> KnockDelivered:
    """Return the event for a message that has arrived on the handset."""
    told = sent(claimed, now)
    return KnockDelivered(**{name: getattr(told, name) for name in KnockDelivered.__struct_fields__})


def answered(claimed: Claimed, word: Word, now: int) -> KnockAnswered:
    """Return the event for an answer to a message."""
    told = sent(claimed, now)
    shared = {name: getattr(told, name) for name in KnockAnswered.__struct_fields__ if name != "word"}
    return KnockAnswered(**shared, word=word.value)


def failed(claimed: Claimed, now: int, reason: str) -> KnockFailed:
    """Return the event for a channel that could not reach a person."""
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
