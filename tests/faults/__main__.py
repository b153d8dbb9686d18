"""`make faults`: the long campaign, its seed, a table, and the verdict. Exit 1 when a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import secrets
import sys
import tempfile
from pathlib import Path

from referral.cli import console
from tests.faults import campaign

KILLS = 200
INJECTED = 5
"""One in so many at least by injection."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--minutes", type=float, default=campaign.LONGEST_MIN, help="longest time for the kills; the verdict comes after")
    parser.add_argument("--data", type=Path, help="folder to keep, with logs; by default a temporary one")
    asked = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own producer, whose broker we kill
    console.console.print(f"seed {asked.seed}: {asked.kills} kills")
    with contextlib.ExitStack() as held:
        data = asked.data or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True)))
        ran = asyncio.run(
            campaign.run(data, asked.seed, asked.kills, console.console.print, injected=asked.kills // INJECTED, minutes=asked.minutes)
        )
    console.table(
        ("killed", "how", "hits", "slowest back"), campaign.table(ran), title=f"{ran.hits} hits, {ran.injected} of them by injection"
    )
    console.table(("promise broken", "times"), ran.verdict.counts.items())
    console.table(("seen", ""), ran.verdict.facts.items())
    for note in ran.verdict.notes:
        console.console.print(note, markup=False)
    console.console.print(f"seed {ran.seed}: {'GOOD' if ran.verdict.good else 'BAD'} in {ran.seconds / 60:.1f} min")
    return 0 if ran.verdict.good and ran.hits >= asked.kills else 1


if __name__ == "__main__":
    sys.exit(main())
