"""Take what comes back later: receipts of providers, and answers of people by reply or page. One transaction each, durable before it is
confirmed to whoever reports it; a repeat changes nothing.

An answer only acknowledges, and only with the four digits of a message to that person, while its question is open.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.channels import KEYS, Word
from referral.errors import Malformed
from referral.runtime import observe
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.postgres import clock, queue
from services.notifier import deliveries
from services.notifier.deliveries import Claimed
from services.notifier.delivery_results import answered, delivered, failed, in_vain, row, sent

TRIES = 5
"""Wrong digits after which a message takes no answer any more (brief): one guess in two thousand is right."""
REPLY = re.compile(r"\s*(\S+)\D+(\d{4})\s*[.!]?\s*")
"""A reply: a word and the digits."""
SAYS = {
    **KEYS,
    **dict.fromkeys(("PO", "DA", "YES", "ДА"), Word.LOOKS),
    **dict.fromkeys(("JO", "NE", "NO", "НЕ"), Word.CANNOT),
}
"""First words of a reply. The digits are what the message names; the words are what people write."""
UNDELIVERED = "undelivered"
"""Word of knock-reason: the provider reports that the message did not arrive."""

_BY_REFERENCE = "d.reference = :reference"
_BY_CHANNEL = "d.channel = :channel AND d.state = 'SENT' AND a.state = 'OPEN'"
_FIND = (
    "SELECT d.id, d.asked, d.case_id, d.task, d.rung, d.again, d.person, d.channel, NULL AS language, d.drill, d.reference, d.attempt,"
    " d.planned_at, false AS lapsed, d.thrown, d.reason, c.address, d.state, d.delivered_at, d.tries, a.state AS asked_state"
    " FROM delivery d JOIN asked a ON a.id = d.asked"
    " LEFT JOIN contact c ON (c.account, c.channel) = (d.person, d.channel) AND c.ended_at IS NULL WHERE {which} ORDER BY d.id"
)
_MARK = text(
    "UPDATE delivery SET delivered_at = :now, state = 'SENT', lease_until = NULL, ended_at = coalesce(ended_at, :now) WHERE id = ANY(:ids)"
)
_FAIL = text("UPDATE delivery SET state = 'FAILED', lease_until = NULL, ended_at = :now, reason = :reason WHERE id = :id")
_CANNOT = text(
    "UPDATE delivery SET state = 'FAILED', reason = 'cannot' WHERE asked = :asked AND rung = :rung AND person = :person AND state = 'SENT'"
)
_TRY = text("UPDATE delivery SET tries = tries + 1 WHERE reference = ANY(:references)")
CLAIMED = tuple(Claimed.__dataclass_fields__)


def code(keys: Keys, reference: str) -> str:
    """Return the four digits of a message. They stand in the message alone; nobody can compute them from its reference."""
    return f"{int.from_bytes(keys.hmac('knock-code', reference.encode())[:8], 'big') % 10_000:04}"


class Answers:
    """The one door for what comes back."""

    def __init__(self, engine: AsyncEngine, keys: Keys) -> None:
        self._engine, self._keys = engine, keys

    async def receipt(self, reference: str, arrived: bool) -> None:
        """Take a provider's receipt. A later one never takes back that a message has arrived; an unknown reference changes nothing."""
        async with self._engine.begin() as tx:
            found = await _locked(tx, _BY_REFERENCE, reference=reference)
            now = await clock.now(tx)
            told: list[tuple[Claimed, str, Struct]] = []
            fresh = [r for r in found if r.delivered_at is None and r.state in ("SENT", "WAITING")]
            if arrived and fresh:
                await tx.execute(_MARK, {"ids": [r.id for r in fresh], "now": now})
                told += [(_claimed(r), "sent", sent(_claimed(r), now)) for r in fresh if r.state == "WAITING"]
                told += [(_claimed(r), "delivered", delivered(_claimed(r), now)) for r in fresh]
            for r in () if arrived else fresh:
                await tx.execute(_FAIL, {"id": r.id, "now": now, "reason": UNDELIVERED})
                told.append((_claimed(r), "undelivered", failed(_claimed(r), now, UNDELIVERED)))
                told += [(_claimed(r), name, event) for name, event in await in_vain(tx, _claimed(r), now)]
            await self._tell(tx, told)

    async def page(self, reference: str, digits: str, word: Word) -> bool:
        """Take an answer from the page of one message. False: wrong digits, too many tries, or nothing waits for an answer."""
        async with self._engine.begin() as tx:
            return await self._answer(tx, await _locked(tx, _BY_REFERENCE, reference=reference), digits, word)

    async def reply(self, channel: str, address: str, words: str) -> bool:
        """Take a reply. It counts for the newest message to this address that has these digits. False: it counts for none.

        address: of the sender, as the channel writes it; compared with the sealed ones, and not stored.
        """
        parsed = REPLY.fullmatch(words)
        word = SAYS.get(parsed[1].upper()) if parsed else None
        if parsed is None or word is None:
            return False
        async with self._engine.begin() as tx:
            everybody = await _locked(tx, _BY_CHANNEL, channel=channel)
            theirs = [r for r in everybody if self._is(r, address)]
            right = [r for r in theirs if hmac.compare_digest(code(self._keys, r.reference), parsed[2])]
            newest = right[-1].reference if right else ""
            return await self._answer(tx, [r for r in right if r.reference == newest] or theirs, parsed[2], word)

    async def _answer(self, tx: AsyncConnection, rows: Sequence[Any], digits: str, word: Word) -> bool:
        """Take an answer to the messages in these rows if the digits are theirs; count a wrong try."""
        waiting = [r for r in rows if r.asked_state == "OPEN" and r.state in ("SENT", "WAITING") and r.attempt and r.tries < TRIES]
        right = [r for r in waiting if hmac.compare_digest(code(self._keys, r.reference), digits)]
        if not right:
            await tx.execute(_TRY, {"references": [r.reference for r in waiting]})
            observe.log().info("answer not taken", channel=rows[0].channel if rows else "")
            return False
        now = await clock.now(tx)
        for r in right if word is Word.CANNOT else ():
            await tx.execute(_CANNOT, {"asked": r.asked, "rung": r.rung, "person": r.person})
        await self._tell(tx, [(_claimed(r), f"answered-{word}", answered(_claimed(r), word, now)) for r in right])
        return True

    def _is(self, r: Any, address: str) -> bool:
        try:
            known = self._keys.box(CONTACT_BOX).open(r.address or b"", contact_context(r.person, r.channel))
        except Malformed:
            return False
        return hmac.compare_digest(known, address.encode())

    async def _tell(self, tx: AsyncConnection, told: Sequence[tuple[Claimed, str, Struct]]) -> None:
        """Queue the events; those of an erased case are dropped. One message may stand for several questions: each has its own id."""
        keys = await self._keys.load(tx, {c.case_id for c, _, _ in told}) if told else {}
        rows = [row(c, f"{name}/{c.asked}", event, keys) for c, name, event in told]
        await queue.put_all(tx, [made for made in rows if made is not None])


async def _locked(tx: AsyncConnection, which: str, **values: str) -> Sequence[Any]:
    """Return the deliveries with their questions, questions locked first, as everywhere."""
    find = text(_FIND.format(which=which))
    await deliveries.lock(tx, {r.asked for r in await tx.execute(find, values)})
    return (await tx.execute(find, values)).all()


def _claimed(r: Any) -> Claimed:
    return Claimed(**{name: getattr(r, name) for name in CLAIMED})
