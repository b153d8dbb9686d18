"""What audit does with a batch: keep every record, exactly as it was, and say aloud what should not be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.proof.entry import Entry
from referral.runtime.service import Batch, Outcome
from services.audit import store
from services.audit.ingest import ingest


@dataclass(frozen=True, slots=True)
class Audit:
    """alarm: told of forks and gaps after they were written."""

    alarm: Callable[[Sequence[Entry]], None]

    async def handle(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        read = ingest(batch.inputs, await store.known(tx, batch.inputs))
        await store.append(tx, read)
        if read.alarms:
            self.alarm(read.alarms)
        return Outcome()
