"""What audit does with a batch: keep every record, exactly as it was, as the next leaves of the tree, and say what should not be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import Input
from referral.errors import Malformed
from referral.proof.entry import Entry, leaf
from referral.runtime.service import Batch, Outcome
from services.audit import store
from services.audit.ingest import Read, Says, ingest
from services.audit.tree import grow


@dataclass(frozen=True, slots=True)
class Audit:
    """alarm: told of forks and gaps. says: what audit itself has to say, once. against: what speaks against being ready."""

    alarm: Callable[[Sequence[Entry]], None]
    says: Sequence[Says] = ()
    against: dict[str, str] = field(default_factory=dict)

    async def handle(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        read = await self.append(tx, batch.now, batch.inputs)
        await store.count(tx, read)
        if read.alarms:
            self.alarm(read.alarms)
        return Outcome()

    async def append(self, tx: AsyncConnection, now: int, inputs: Sequence[Input], more: Sequence[Says] = ()) -> Read:
        """The next leaves: what audit has to say and has not yet, `more` of it, and these records. Malformed: the tree is damaged.

        The caller holds the log's lease in this transaction. now: µs UTC.
        """
        try:
            head = await store.head(tx)
            known = await store.known(tx, inputs)
            known.size, known.now = head.edge.size, max(now, head.at)  # a clock that was set back does not set the log back
            read = ingest(inputs, known, (*self.says, *more))
            if read.entries:
                leaves = [leaf(entry) for entry in read.entries]
                grown = grow(head, leaves, known.now)
                await store.append(tx, read.entries, leaves)
                await store.grow(tx, grown)
        except Malformed as error:
            self.against["tree"] = f"{error}: nothing is appended to it; find out who changed it with `referral audit verify`"
            raise
        self.against.pop("tree", None)
        return read
