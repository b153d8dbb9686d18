"""Restore the notifier's deliveries after a database restore: write back every knock, with what came back for it, so that reading on sends
none twice and knocks nobody who has answered.

`python -m services.notifier.recover`, called by `referral recover`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import KnockAnswered, KnockDelivered, KnockFailed, KnockSent
from referral.domain.inputs import ROSTER_BOOK
from referral.runtime.keys import case_keys as keys_
from referral.runtime.recovery import recover
from referral.runtime.recovery.topic_snapshot import Tape
from referral.runtime.settings import Settings
from referral.wire import codec, seal
from services.notifier import store

TOPIC = "referral-notification"
KNOCKS = (KnockSent.TYPE, KnockFailed.TYPE, KnockDelivered.TYPE, KnockAnswered.TYPE)


async def hook(tx: AsyncConnection, settings: Settings, tapes: AsyncIterator[Tape]) -> dict[str, int]:
    """Write the knocks of our own topic into the table of deliveries, and restore the roster's key, which is on no topic."""
    await keys_.read(settings).book(tx, ROSTER_BOOK)
    count = 0
    async for tape in tapes:
        knocks = list(_knocks(tape))
        await store.said(tx, knocks)
        count += len(knocks)
    return {"knocks written down": count}


def _knocks(tape: Tape) -> Iterator[tuple[str, store.Spoken]]:
    """Yield case and knock of each record about one, in order."""
    for taped in tape.records[TOPIC]:
        meta = taped.meta
        if meta.type in KNOCKS and meta.case_id in tape.keys:
            body = codec.decode(meta.type, meta.fingerprint, seal.unseal(tape.keys[meta.case_id], TOPIC, seal.open(taped.value)))
            assert isinstance(body, store.Spoken)
            yield meta.case_id, body


if __name__ == "__main__":
    recover.run("notifier", hook)
