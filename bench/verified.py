"""Measure `audit verify` of a log that lived: all procedures, all checks, processor time and memory; and `--since` after one more day.

The log is generated (tests/harness/caseload_log.py), each command runs in a process of its own with one job, and processor time is
compared with that of the walk over the tree and the payloads alone, in the same run: figures of two machines agree in the ratio only.

    python -m bench.verified                some 100,000 entries
    python -m bench.verified --days 110     a million
    python -m bench.verified --days 226     20,000 cases
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.rows import Row, at_most, show
from referral.cli.audit.source import Folder
from referral.domain.durations import DAY_US
from referral.proof import archive
from referral.proof.scan import walk
from referral.proof.verify.report import Report
from referral.runtime.settings import CHECKOUT
from tests.harness.audit_archive import auditor_key
from tests.harness.caseload_log import Lived

DAYS = 11
"""Days of arrivals of the log that `make bench` measures."""
ROUNDS = 2
MILLION = 1_000_000
MEMORY_MB, RATIO = 200, 13
"""Promised for a million entries; and times the walk alone (ours: 11.0 was measured for 967,492 entries, so a check that costs a fifth more
is seen). A small log spends a larger part of both on its start."""


class Spent(Struct, frozen=True):
    """The cost of a command. said: its answer."""

    seconds: float
    megabytes: float
    said: dict[str, Any]


def run(*words: str | Path, good: bool = True) -> Spent:
    """Run a command in a process of its own."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([sys.executable, *map(str, words)], stdout=out, cwd=CHECKOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = json.loads(out.read() or b"{}")
    if good and process.returncode:
        raise RuntimeError(f"{words}: exit {process.returncode}: {said.get('findings')}")
    return Spent(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)


def verify(folder: Path, key: Path, *more: str | Path) -> Spent:
    """Verify an export on one core. It must be GOOD."""
    return run("-m", "referral.cli", "audit", "verify", folder, "--key", key, "--trust-log-names", "--jobs", "1", "--json", *more)


def rows(days: int = DAYS, kept_in: Path | None = None) -> Iterator[Row]:
    """Generate a log, and measure. kept_in: a folder for the log, which another run uses again."""
    with tempfile.TemporaryDirectory(prefix="bench-verified-") as temporary:
        place = kept_in or Path(temporary)
        place.mkdir(exist_ok=True)
        folder, key, mine = place / "log", auditor_key(place), place / "mine"
        if not (place / "cut.json").exists():
            run("-m", "bench.verified", "--write", folder, "--days", str(days))
        before = json.loads((folder.with_name("cut.json")).read_text())
        kept = verify(folder.with_name("cut"), key, "--keep", mine)
        yield from compared(folder, key, mine, before["cases"], kept)


def compared(folder: Path, key: Path, mine: Path, cases: int, kept: Spent) -> Iterator[Row]:
    """Measure the commands in turn. kept: the verification of the day before, which kept its state."""
    walks, wholes, sinces = list[Spent](), list[Spent](), list[Spent]()
    for _ in range(ROUNDS):
        walks.append(run("-m", "bench.verified", "--walk", folder))
        wholes.append(verify(folder, key))
        sinces.append(verify(folder, key, "--since", mine))
    spent = [min(each, key=lambda one: one.seconds) for each in (walks, wholes, sinces)]
    alone, whole, since = spent
    assert since.said["state"] == "used" and since.said["counts"] == whole.said["counts"]
    size, new = whole.said["entries"], whole.said["entries"] - kept.said["entries"]
    name = f"verify, all checks, {size:,} entries of {cases:,} cases"
    yield Row(
        name=f"{name}, a million",
        value=whole.seconds * MILLION / size,
        unit="s of processor",
        reference=alone.seconds * MILLION / size,
        against="the walk over tree and payloads alone",
        wanted=f"<= {RATIO:g} times",
        reached=whole.seconds <= RATIO * alone.seconds,
    )
    yield at_most(f"{name}, memory", max(one.megabytes for one in wholes), "MB", MEMORY_MB)
    yield Row(
        name=f"verify --since, {new:,} new of {size:,} entries",
        value=since.seconds,
        unit="s of processor",
        reference=whole.seconds,
        against="the whole",
    )
    yield at_most("verify --since, memory", max(one.megabytes for one in sinces), "MB", MEMORY_MB)
    yield Row(name="the state beside the checkpoint", value=mine.with_name("mine.state").stat().st_size / 1e6, unit="MB")


def write(folder: Path, days: int) -> None:
    """Write the export of all but the last day, then that of the whole beside it; both share their files."""
    world = Lived(folder, days)
    world.live(world.until - DAY_US)
    cut = folder.with_name("cut")
    cut.mkdir()
    for name in (archive.CHECKPOINT, archive.POLICY, archive.KEYS):
        (cut / name).write_bytes((folder / name).read_bytes())
    for name in ("tile", "payload"):
        (cut / name).symlink_to(folder / name)
    world.live()
    folder.with_name("cut.json").write_text(json.dumps({"cases": len(world.keys)}))


def walked(folder: Path) -> None:
    """Walk over an export."""
    there = Folder(folder)
    size, root = archive.head(there, archive.trusted(there, None))
    for _ in walk(there, size, root, Report()):
        pass


async def figures() -> AsyncIterator[Row]:
    """Measure the promises about a log that lived."""
    for row in rows():
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.verified", description=__doc__)
    parser.add_argument("--days", type=int, default=DAYS, help="of arrivals, in a year of 20,000 cases")
    parser.add_argument("--folder", type=Path, help="keep the generated log there, or take the one that is there")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--walk", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        write(asked.write, asked.days)
    elif asked.walk:
        walked(asked.walk)
    else:
        show(rows(asked.days, asked.folder))


if __name__ == "__main__":
    main()
