"""What audit does with a batch: keep every record, exactly as it was, as the next leaves of the tree, and say what should not be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Malformed
from referral.proof.entry import Entry, leaf
from referral.runtime.service import Batch, Outcome
from services.audit import store
from services.audit.ingest import Says, ingest
from services.audit.tree import grow


@dataclass(frozen=True, slots=True)
class Audit:
    """alarm: told of forks and gaps. says: what audit itself has to say, once. against: what speaks against being ready."""

    alarm: Callable[[Sequence[Entry]], None]
    says: Sequence[Says] = ()
    against: dict[str, str] = field(default_factory=dict)

    async def handle(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        try:
            head = await store.head(tx)
            known = await store.known(tx, batch.inputs)
            known.size, known.now = head.edge.size, max(batch.now, head.at)  # a clock that was set back does not set the log back
            read = ingest(batch.inputs, known, self.says)
            if read.entries:
                leaves = [leaf(entry) for entry in read.entries]
                grown = grow(head, leaves, known.now)
                await store.append(tx, read.entries, leaves)
                await store.grow(tx, grown)
        except Malformed as error:
            self.against["tree"] = f"{error}: nothing is appended to it; find out who changed it with `referral audit verify`"
            raise
        self.against.pop("tree", None)
        await store.count(tx, read)
        if read.alarms:
            self.alarm(read.alarms)
        return Outcome()
