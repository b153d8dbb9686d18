"""A server that is away for a real hour: `python -m tests.faults.away --service kafka --minutes 60`.

The line runs by the real clock. What `audit verify` says is asked each ten minutes while the server is away, and once all that waited is
decided; agencies answer nobody meanwhile. Exit 1 when a verdict accuses somebody: the log of an honest line has no bad finding.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection, console
from referral.local.config import StackConfig
from referral.proof.verify.log import verify
from referral.proof.verify.report import Report
from referral.runtime.settings import Settings
from tests.faults.line import Line, running
from tests.harness.waiting import until

AGENCY, STEP = "police-prishtine", "police"
LOOKS_MIN = 10.0
"""Minutes between two verdicts (ours)."""
Row = tuple[str, str, str]


async def verdict(line: Line) -> Report:
    """Return what `audit verify` says of the whole log now."""

    async def read(tx: AsyncConnection, found: Settings) -> Report:
        return verify([x async for x in connection.entries(tx)], await connection.case_keys(tx, found))

    return await asyncio.to_thread(connection.ask, read, line.stack.settings)


def row(minute: float, report: Report) -> Row:
    """Return (minute, entries, what was found)."""
    found = Counter(f"{found.weight.name} {found.code}" for found in report.findings)
    return (
        f"{minute:.0f}",
        str(report.counts["entries"]),
        ", ".join(f"{count} {what}" for what, count in sorted(found.items())) or "nothing",
    )


async def away(folder: Path, service: str, minutes: float) -> bool:
    """Return whether no verdict accused anybody."""
    async with running(StackConfig(data=folder / "data")) as line:
        reports: list[tuple[float, Report]] = []
        start = time.monotonic()

        async def look() -> None:
            reports.append(((time.monotonic() - start) / 60, await verdict(line)))
            console.console.print(*row(*reports[-1]), markup=False)

        before = (await line.refer("before"))["case_id"]
        await line.offer(AGENCY, before, STEP)
        await look()
        console.console.print(f"{service} goes away", markup=False)
        for process in [line.stack["kafka"]] if service == "kafka" else line.stack.of(service):
            await process.hold()
        waiting = [] if service == "intake" else [(await line.refer(f"away-{number}"))["case_id"] for number in range(3)]
        while (left := minutes * 60 - (time.monotonic() - start)) > 0:
            await asyncio.sleep(min(left, LOOKS_MIN * 60))
            await look()
        await line.ready()
        await until(lambda: all_asked(line, waiting), 120, what="whoever waited is asked")
        await look()
        await asyncio.sleep(LOOKS_MIN * 6)
        await look()
    console.table(("minute", "entries", "found"), [row(*each) for each in reports], title=f"{service} away for {minutes:.0f} minutes")
    return all(report.first_bad() is None for _, report in reports)


async def all_asked(line: Line, cases: list[str]) -> bool:
    for case_id in cases:
        await line.offer(AGENCY, case_id, STEP)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.away", description=__doc__)
    parser.add_argument("--service", choices=["routing", "notifier", "audit", "intake", "kafka"], default="kafka")
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="away-", ignore_cleanup_errors=True) as folder:
        return 0 if asyncio.run(away(Path(folder), asked.service, asked.minutes)) else 1


if __name__ == "__main__":
    sys.exit(main())
