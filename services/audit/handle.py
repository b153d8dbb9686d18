"""Handle a batch of audit: append every record, exactly as it was, as the next leaves of the tree, and report forks and gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import Input
from referral.errors import Malformed
from referral.proof.entry import Entry, leaf
from referral.runtime.service import Batch, Outcome
from services.audit import store
from services.audit.ingest import Ingested, Says, ingest
from services.audit.tree import grow


@dataclass(frozen=True, slots=True)
class Audit:
    """The handler of audit.

    alarm: called with forks and gaps. says: audit's own entries, appended once. not_ready: reasons why audit is not ready.
    """

    alarm: Callable[[Sequence[Entry]], None]
    says: Sequence[Says] = ()
    not_ready: dict[str, str] = field(default_factory=dict)
    fallback: ClassVar[None] = None
    """Every record is logged in its order, so that the loop retries one for ever."""

    async def handle(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        """Append the batch to the log, count repeats, and report forks and gaps."""
        read = await self.append(tx, batch.now, batch.inputs)
        await store.count(tx, read)
        if read.alarms:
            self.alarm(read.alarms)
        return Outcome()

    async def append(self, tx: AsyncConnection, now: int, inputs: Sequence[Input], more: Sequence[Says] = ()) -> Ingested:
        """Append the next leaves: audit's own entries that are not logged yet, then `more`, then these records.

        The caller holds the log's lease in this transaction. now: µs UTC. Malformed: the tree is damaged.
        """
        try:
            head = await store.head(tx)
            known = await store.known(tx, inputs)
            known.size, known.now = head.edge.size, max(now, head.at)  # logged_at never decreases, even if the clock was set back
            read = ingest(inputs, known, (*self.says, *more))
            if read.entries:
                leaves = [leaf(entry) for entry in read.entries]
                grown = grow(head, leaves, known.now)
                await store.append(tx, read.entries, leaves)
                await store.grow(tx, grown)
        except Malformed as error:
            self.not_ready["tree"] = f"{error}: nothing is appended to it; find out who changed it with `referral audit verify`"
            raise
        self.not_ready.pop("tree", None)
        return read
