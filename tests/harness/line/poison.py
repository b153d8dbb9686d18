"""A tiny service in a process of its own, which one case kills, or a batch that nobody can decode.

`python -m tests.harness.line.poison CASE [gentle]`, or `python -m tests.harness.line.poison undecodable`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime import observe
from referral.runtime.kafka.fetched import REASONS
from referral.runtime.keys import case_keys
from referral.runtime.loop import quarantine
from referral.runtime.loop.consumer import Loop
from referral.runtime.postgres import database
from referral.runtime.service import Batch, Outcome, Service
from referral.runtime.settings import load
from tests.harness.handlers import Functions
from tests.harness.line.runtime_stack import IN, OUT, counting, said

KILLED = 9
"""Exit code of the process that the case killed, as suddenly as by the out-of-memory killer: nothing is let go, nothing flushed."""

UNDECODABLE = "undecodable"


def _die_of_undecodable() -> None:
    """The process dies while such a batch is put into the quarantine."""
    write = quarantine.write

    async def dying(*more: Any) -> None:
        if any(item.reason in REASONS for item in more[-1]):
            os._exit(KILLED)
        await write(*more)

    quarantine.write = dying  # type: ignore[assignment]


async def main(poison: str, gentle: bool) -> None:
    """gentle: it has a fallback, which the case does not kill."""

    async def handle(tx: AsyncConnection, batch: Batch) -> Outcome:
        if any(i.case_id == poison for i in batch.inputs):
            os._exit(KILLED)
        return await counting(tx, batch)

    async def fallback(tx: AsyncConnection, batch: Batch) -> Outcome:
        outcome = Outcome()
        outcome.emit(batch.inputs[0], said("fallback"))
        return outcome

    if poison == UNDECODABLE:
        _die_of_undecodable()
    settings = load()
    service = Service(name="routing", reads=(IN,), writes=OUT, handler=Functions(handle, fallback if gentle else None))
    loop = Loop(service, settings, database.engine(settings, "routing"), case_keys.read(settings), observe.Health())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, loop.end)
    await loop.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "gentle" in sys.argv[2:]))
