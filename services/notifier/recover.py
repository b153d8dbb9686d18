"""Notifier after the database went back: every knock that left is written down again, so that reading on sends none of them twice.

`python -m services.notifier.recover`, called by `referral recover`.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import KnockFailed, KnockSent
from referral.domain.inputs import ROSTER_BOOK
from referral.runtime.keys import case_keys as keys_
from referral.runtime.recovery import recover
from referral.runtime.recovery.topic_snapshot import Tape
from referral.runtime.settings import Settings, load
from referral.wire import codec, seal
from services.notifier import store

TOPIC = "referral-notification"
KNOCKS = (KnockSent.TYPE, KnockFailed.TYPE)


async def hook(tx: AsyncConnection, settings: Settings, tape: Tape, keys: dict[str, bytes]) -> dict[str, int]:
    """Say to the table of deliveries what our own topic says. The roster's key comes back too, which is on no topic."""
    await keys_.read(settings.master_key_file).book(tx, ROSTER_BOOK)
    said: list[tuple[str, KnockSent | KnockFailed]] = []
    for taped in tape.records[TOPIC]:
        meta = taped.meta
        if meta.type in KNOCKS and meta.case_id in keys:
            body = codec.decode(meta.type, meta.fingerprint, seal.unseal(keys[meta.case_id], TOPIC, seal.open(taped.value)))
            assert isinstance(body, KnockSent | KnockFailed)
            said.append((meta.case_id, body))
    await store.said(tx, said)
    return {"knocks written down": len(said)}


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(recover.recover(load(), "notifier", hook))))
