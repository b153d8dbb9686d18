"""One turn of the log in a process of its own, so that it can be killed at any of its system calls: append, sign, keep, ask, publish.

`python -m tests.faults.log_turn` waits for lines of JSON and forks a child for each, which saves the second that loading takes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import httpx

from referral.local import keyfiles
from referral.runtime import observe
from referral.runtime.postgres import database
from referral.runtime.service import Batch
from referral.runtime.settings import Settings
from referral.tlog import witness_policy
from services.audit.handle import Audit
from services.audit.publisher import Publisher
from tests.harness.audit_records import record, value
from tests.harness.line.audit_stack import KEY, KEYS, OWNED


async def turn(settings: Settings, first: int, count: int, urls: list[str]) -> None:
    """The records from `first` on are logged (once, however often this runs) and published."""
    engine = database.engine(settings, "audit")
    inputs = tuple(record(value(n), n) for n in range(first, first + count))
    told = [(f"w{n}", key.verifier, url) for n, (key, url) in enumerate(zip(KEYS, urls, strict=False), 1)]
    policy = witness_policy.parse(keyfiles.policy(KEY.verifier, told))
    async with httpx.AsyncClient(verify=False) as client:
        audit = Audit(lambda _: None)
        async with engine.begin() as tx:
            await tx.execute(OWNED, {"me": "turn"})
            await audit.handle(tx, Batch(now=first, inputs=inputs, keys={}, owned=frozenset({"all"})))
        published = await Publisher(engine, KEY, policy, "turn", client, audit, 0).round()
    await engine.dispose()
    if not published:
        raise SystemExit(1)


def main() -> None:
    """Until the input ends. Each line: the settings, the first record, how many, the witnesses, and a pipe that says when to begin."""
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if child == 0:
            sys.stdin.close()
            with open(told["go"]) as go:
                go.read()
            sys.stderr = open(told["said"], "w")  # noqa: SIM115 - for the rest of this process
            observe.configure()
            asyncio.run(turn(Settings(**told["settings"]), told["first"], told["count"], told["urls"]))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
