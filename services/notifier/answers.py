"""Take what comes back later: receipts of providers, and answers of people by reply or page. One transaction each, durable before it is
confirmed to whoever reports it; a repeat changes nothing.

An answer only acknowledges, and only with the four digits of a message to that person, while its question is open and the person enabled.
What does not count is answered: a reply by one message for each knock, an answer of the page on the page.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.channels import Word
from referral.domain.durations import SECOND_US
from referral.domain.local_time import local
from referral.errors import Malformed, Unavailable
from referral.runtime import observe
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.postgres import clock, queue
from services.notifier import deliveries, guesses, providers, replies
from services.notifier.deliveries import Claimed
from services.notifier.delivery_results import answered, delivered, failed, in_vain, row, sent
from services.notifier.guesses import TRIES
from services.notifier.metrics import Figures
from services.notifier.notes import notes

AT_ONCE = 2
"""Transactions at once (ours), of the six connections of a notifier: when a provider delivers a thousand receipts together, they wait for
one another, and the sender goes on."""
PAGES_AT_ONCE = 1
"""Further transactions at once for answers from the page (ours): anybody may send such answers, and they take no turn of a provider's."""
PAGES_WAITING = 20
"""Answers from the page that wait for their turn (ours): each takes milliseconds. Further ones are refused, to be sent again."""
DIGITS = re.compile(r"\d{4}", re.ASCII)
"""Digits that the page asks for."""
UNDELIVERED = "undelivered"
"""Word of knock-reason: the provider reports that the message did not arrive."""

_BY_REFERENCE = "d.reference = :reference"
_BY_PERSON = "d.channel = :channel AND d.person = ANY(:people) AND (a.state = 'OPEN' OR d.ended_at > runtime.clock() - :late)"
LATE_US = 24 * 60 * 60 * SECOND_US
"""µs for which the digits of a message whose question has been answered are known as such (ours): they are late, and no guess."""
_FIND = (
    "SELECT d.id, d.asked, d.case_id, d.task, d.rung, d.again, d.person, d.channel, NULL AS language, d.drill, d.reference, d.attempt,"
    " d.planned_at, false AS lapsed, d.thrown, d.reason, NULL AS address, NULL AS former, d.state, d.delivered_at, d.ended_at,"
    " d.provider, d.tries, d.word,"
    " a.state AS asked_state,"
    " EXISTS (SELECT FROM person p WHERE p.account = d.person AND p.ended_at IS NULL AND NOT p.disabled) AS able"
    " FROM delivery d JOIN asked a ON a.id = d.asked WHERE {which} ORDER BY d.id"
)
_ADDRESSES = text(
    "SELECT account, address FROM contact WHERE channel = :channel AND ended_at IS NULL AND address IS NOT NULL"
    " UNION ALL SELECT account, former FROM contact WHERE channel = :channel AND ended_at IS NULL AND former IS NOT NULL"
    " AND until > runtime.clock()"
)
_ARRIVED = text(
    "UPDATE delivery SET delivered_at = :now, state = 'SENT', lease_until = NULL, reason = NULL, ended_at = coalesce(ended_at, :now)"
    " WHERE id = ANY(:ids)"
)
_FAIL = text("UPDATE delivery SET state = 'FAILED', lease_until = NULL, ended_at = :now, reason = :reason WHERE id = ANY(:ids)")
_CANNOT = text(
    "UPDATE delivery SET state = 'FAILED', reason = 'cannot' WHERE asked = :asked AND rung = :rung AND person = :person AND state = 'SENT'"
)
_WORD = text("UPDATE delivery SET word = :word WHERE id = ANY(:ids)")
_TRY = text("UPDATE delivery SET tries = tries + 1 WHERE reference = :reference")
_EXPLAIN = text("UPDATE delivery SET explained = true WHERE reference = :reference AND NOT explained RETURNING id")
Told = tuple[Claimed, str, Struct]
"""An event about a delivery, with the name from which its id is derived."""
CLAIMED = tuple(Claimed.__dataclass_fields__)


class Outcome(Enum):
    """The result of an answer on the page.

    COUNTED: it counts. WRONG: other digits. LOCKED: too many wrong ones; the page of this message takes none any more.
    OVER: nothing waits for an answer to this message. EMPTY: no four digits, as a scanner of links sends; it costs no try.
    """

    COUNTED = 1
    WRONG = 2
    LOCKED = 3
    OVER = 4
    EMPTY = 5


@dataclass(frozen=True, slots=True)
class Answered:
    """left: tries that are left, of WRONG."""

    outcome: Outcome
    left: int = 0


def code(keys: Keys, reference: str) -> str:
    """Return the four digits of a message. They stand in the message alone; nobody can compute them from its reference."""
    return f"{int.from_bytes(keys.hmac('knock-code', reference.encode())[:8], 'big') % 10_000:04}"


class Answers:
    """The one door for what comes back."""

    def __init__(self, engine: AsyncEngine, keys: Keys, figures: Figures) -> None:
        self._engine, self._keys, self._figures = engine, keys, figures
        self._contacts = keys.box(CONTACT_BOX)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._page_turns, self._pages = asyncio.Semaphore(PAGES_AT_ONCE), 0

    async def receipt(self, reference: str, arrived: bool, *, refused: bool = False) -> None:
        """Take a provider's receipt. Arrived counts more than not arrived, whichever comes first; an unknown reference changes nothing.

        refused: it did not arrive because the provider's network takes it from nobody, or not from us: that counts against the provider.
        """
        async with self._turns, self._engine.begin() as tx:
            found = await _locked(tx, _BY_REFERENCE, reference=reference)
            now = await clock.now(tx)
            if arrived:
                await self._tell(tx, await _arrive(tx, found, now))
                await _measured(tx, found, now)
                return
            lost = [r for r in found if r.delivered_at is None and _left(r) and r.state != "FAILED"]
            await tx.execute(_FAIL, {"ids": [r.id for r in lost], "now": now, "reason": UNDELIVERED})
            told: list[Told] = []
            for claimed in map(_claimed, lost):
                told.append((claimed, UNDELIVERED, failed(claimed, now, UNDELIVERED)))
                told += [(claimed, name, event) for name, event in await in_vain(tx, claimed, now)]
            await self._tell(tx, told)
            for channel, provider in sorted({(r.channel, r.provider) for r in lost if refused and r.provider}):
                await providers.refused(tx, channel, provider)

    async def page(self, reference: str, digits: str, word: Word) -> Answered:
        """Take an answer from the page of one message. Unavailable: so many others wait that this one must be sent again.

        Whoever has a link has the page alone: wrong digits there cost neither replies nor calls anything.
        """
        if not DIGITS.fullmatch(digits):
            return Answered(Outcome.EMPTY)
        async with self._page_turn(), self._engine.begin() as tx:
            rows = await _locked(tx, _BY_REFERENCE, reference=reference)
            tries = max((r.tries for r in rows), default=0)
            if not rows or tries >= TRIES:
                return Answered(Outcome.LOCKED if rows else Outcome.OVER)
            named = self._named(rows, digits)
            if not named:
                await tx.execute(_TRY, {"reference": reference})
                observe.log().info("answer not taken", channel=rows[0].channel)
                left = TRIES - tries - 1
                return Answered(Outcome.WRONG if left else Outcome.LOCKED, left)
            right = _waiting(rows)
            if right:
                await self._answer(tx, right, word)
            repeated = any(r.word == word.value for r in named)  # the page was sent twice
            return Answered(Outcome.COUNTED if right or repeated else Outcome.OVER)

    @asynccontextmanager
    async def _page_turn(self) -> AsyncIterator[None]:
        """Wait for the turn of an answer from the page. Unavailable: PAGES_WAITING others wait."""
        if self._pages >= PAGES_AT_ONCE + PAGES_WAITING:
            raise Unavailable("the way to answer")
        self._pages += 1
        try:
            async with self._page_turns:
                yield
        finally:
            self._pages -= 1

    async def reply(self, channel: str, address: str, words: str) -> bool:
        """Take a reply. It counts for the message to this address that has these digits. False: it counts for none.

        address: of the sender, as the channel writes it; compared with the sealed ones, and not stored.
        Whoever has an open message and writes what does not count is told how to answer: once for each message.
        """
        said = replies.read(words)
        async with self._turns, self._engine.begin() as tx:
            contacts = await tx.execute(_ADDRESSES, {"channel": channel})
            people = [c.account for c in contacts if self._is(c, channel, address)]
            theirs = await _locked(tx, _BY_PERSON, channel=channel, people=people, late=LATE_US) if people else ()
            if not (waiting := _waiting(theirs)):
                return False
            if (blocked := await guesses.until(tx, people, channel)) is not None:
                observe.log().info("answer not taken", channel=channel)
                await self._say(tx, waiting[-1], "blocked", _clock(blocked))
                return False
            named = self._named(theirs, said.digits) if said.digits else []
            right = [r for r in waiting if r in named][-1:]  # two messages may have the same digits: it answers the newer one
            if right and said.word is not None:
                await self._answer(tx, [r for r in waiting if r.reference == right[0].reference], said.word)
                return True
            if said.digits and not named:
                await guesses.count(tx, people, channel, await clock.now(tx))
            if right or not named:  # else it is late, or a gateway's repeat
                await self._explain(tx, (right or waiting)[-1])
            observe.log().info("answer not taken", channel=channel)
            return False

    async def _explain(self, tx: AsyncConnection, row: Any) -> None:
        """Write back how to answer a message, once: unless whoever forges replies has made us write too often already."""
        if (await tx.execute(_EXPLAIN, {"reference": row.reference})).all():
            await self._say(tx, row, "unclear", code(self._keys, row.reference))

    async def _say(self, tx: AsyncConnection, row: Any, words: str, what: str) -> None:
        if await notes.may_send(tx, row.person, words, await clock.now(tx)):
            await notes.plan(tx, row.person, row.channel, "code", code=notes.seal(self._keys, what), words=words)

    def _named(self, rows: Sequence[Any], digits: str) -> list[Any]:
        """Return the rows of the messages that have these digits."""
        return [r for r in rows if hmac.compare_digest(code(self._keys, r.reference), digits)]

    async def _answer(self, tx: AsyncConnection, right: Sequence[Any], word: Word) -> None:
        """Take an answer to one message, which may stand for several questions. It proves that the message arrived."""
        now = await clock.now(tx)
        told = await _arrive(tx, right, now)
        await tx.execute(_WORD, {"ids": [r.id for r in right], "word": word.value})
        for r in right if word is Word.CANNOT else ():
            await tx.execute(_CANNOT, {"asked": r.asked, "rung": r.rung, "person": r.person})
        await self._tell(tx, [*told, *((_claimed(r), f"answered-{word}", answered(_claimed(r), word, now)) for r in right)])
        self._figures.answered(right[0].channel, word)

    def _is(self, contact: Any, channel: str, address: str) -> bool:
        try:
            known = self._contacts.open(contact.address, contact_context(contact.account, channel))
        except Malformed:
            return False
        return hmac.compare_digest(known, address.encode())

    async def _tell(self, tx: AsyncConnection, told: Sequence[Told]) -> None:
        """Queue the events; those of an erased case are dropped. One message may stand for several questions: each has its own id."""
        keys = await self._keys.load(tx, {c.case_id for c, _, _ in told}) if told else {}
        rows = [row(c, f"{name}/{c.asked}", event, keys) for c, name, event in told]
        await queue.put_all(tx, [made for made in rows if made is not None])


async def _locked(tx: AsyncConnection, which: str, **values: object) -> Sequence[Any]:
    """Return the deliveries with their questions, questions locked first, as everywhere."""
    find = text(_FIND.format(which=which))
    await deliveries.lock(tx, {r.asked for r in await tx.execute(find, values)})
    return (await tx.execute(find, values)).all()


async def _arrive(tx: AsyncConnection, rows: Sequence[Any], now: int) -> list[Told]:
    """Mark those of these messages that may have arrived. Return the events: first that a message was sent, if nobody could say so yet."""
    fresh = [r for r in rows if r.delivered_at is None and _left(r)]
    await tx.execute(_ARRIVED, {"ids": [r.id for r in fresh], "now": now})
    told: list[Told] = [(_claimed(r), "sent", sent(_claimed(r), now)) for r in fresh if r.state == "WAITING"]
    return [*told, *((_claimed(r), "delivered", delivered(_claimed(r), now)) for r in fresh)]


async def _measured(tx: AsyncConnection, rows: Sequence[Any], now: int) -> None:
    """Let the breaker know how long the provider of a message took. Last in its transaction: many receipts wait for this row."""
    for r in rows:
        if r.provider and r.delivered_at is None and r.state == "SENT":
            await providers.receipt(tx, r.channel, r.provider, (now - r.ended_at) / SECOND_US)


def _waiting(rows: Sequence[Any]) -> list[Any]:
    """Return those of these messages that take an answer, the newest last."""
    return [r for r in rows if r.able and r.asked_state == "OPEN" and _left(r)]


def _clock(at: int) -> str:
    """Return a time of day. at: µs UTC."""
    return f"{local(at):%H:%M}"


def _left(r: Any) -> bool:
    """Return whether a message may be under way: handed over, in an attempt or after an unclear one, or reported as not arrived."""
    return bool(r.state == "SENT" or (r.state == "WAITING" and r.attempt) or (r.state == "FAILED" and r.reason == UNDELIVERED))


def _claimed(r: Any) -> Claimed:
    return Claimed(**{name: getattr(r, name) for name in CLAIMED})
