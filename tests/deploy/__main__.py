"""Run what needs containers, clusters or root, and print one table: what, how long, verdict.

python -m tests.deploy [FILE ...]; exit code 1 when a test failed, and where CI is set also when one was skipped. A test adds what it
measured with `record_property("figure", "broker 1: 3.2 s without an answer")`; the line below its verdict displays it. Two run at a
time, for most of it is waiting; name a file to run it alone, for a figure of a quiet machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.markup import escape
from rich.table import Table

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TOGETHER = (
    ("tests/deploy/test_operator_night.py",),
    ("tests/faults/test_servers_ha.py::test_every_server_dies_and_nothing_is_lost",),
    ("tests/deploy/test_upgrade.py",),
    ("tests/deploy/test_kubernetes.py",),  # the first time, it builds Kubernetes
    ("tests/deploy/test_compose.py", "tests/deploy/test_image.py", "tests/deploy/test_sbom.py", "tests/deploy/test_testcontainers.py"),
    ("tests/faults/test_servers_ha.py::test_an_asynchronous_standby_without_the_tail_is_promoted",),
    ("tests/faults/test_site_lost.py",),
)
"""Rows of files that run one after another in one program, which shares a Docker engine; the longest row first. All other files follow."""
LANES = 2
"""Programs at a time (ours): each waits for servers that start or are away during most of its time."""
WIDTH = 160
"""Columns (ours): a terminal scrolls, a file keeps it."""


@dataclass(frozen=True)
class Row:
    """One test. notes: what it measured, or why it did not run."""

    name: str
    seconds: float
    verdict: str
    notes: Sequence[str] = ()


def jobs(named: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what each program runs: what is named, or everything."""
    if named:
        return [tuple(named)]
    known = {place for row in TOGETHER for place in row}
    others = sorted(f"tests/deploy/{path.name}" for path in HERE.glob("test_*.py"))
    return [*TOGETHER, *((place,) for place in others if place not in known)]


def run(job: Sequence[str], console: Console) -> list[Row]:
    """Run one program of tests, and print what it says when it has failed."""
    console.print(f"begins: {' '.join(job)}", highlight=False)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = [
            sys.executable,
            "-m",
            "pytest",
            "-v",
            "-m",
            "long or not long",
            "-p",
            "no:cacheprovider",
            "-o",
            "junit_family=xunit1",
            f"--junitxml={report}",
        ]
        done = subprocess.run([*words, *job], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        rows = read(report.read_text("utf-8")) if report.exists() else []
    if done.returncode and not any(row.verdict == "FAILED" for row in rows):
        rows.append(Row(" ".join(job), time.monotonic() - began, "FAILED", (f"pytest ended with {done.returncode}",)))
    if done.returncode:
        console.print(done.stdout, markup=False, highlight=False)
    for row in rows:
        console.print(f"{row.verdict:>8}  {row.seconds:4.0f} s  {row.name}", markup=False, highlight=False)
    return rows


def read(report: str) -> list[Row]:
    """Return the rows of a report in JUnit's format."""
    rows = []
    for case in ElementTree.fromstring(report).iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}".removeprefix("tests/")
        skipped, failed = case.find("skipped"), [case.find(word) for word in ("failure", "error")]
        broken = next((each for each in failed if each is not None), None)
        if skipped is not None:
            verdict, notes = "skipped", [skipped.get("message", "")]
        elif broken is not None:
            verdict, notes = "FAILED", [broken.get("message", "").partition("\n")[0]]
        else:
            verdict, notes = "good", [each.get("value", "") for each in case.iter("property") if each.get("name") == "figure"]
        rows.append(Row(name, float(case.get("time", "0")), verdict, notes))
    return rows


def main(arguments: list[str]) -> int:
    console, began = Console(width=WIDTH), time.monotonic()
    with ThreadPoolExecutor(LANES) as lanes:
        rows = [row for rows in lanes.map(lambda job: run(job, console), jobs(arguments)) for row in rows]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what", "seconds", "verdict"):
        table.add_column(name, no_wrap=True, justify="right" if name == "seconds" else "left")
    for row in rows:
        table.add_row(escape(row.name), f"{row.seconds:.0f}", row.verdict)
        for note in row.notes:
            table.add_row(escape(f"    {note}"), "", "")
    console.print(table)
    verdicts = [row.verdict for row in rows]
    console.print(f"{len(rows)} tests in {time.monotonic() - began:.0f} s, {verdicts.count('skipped')} skipped")
    if "skipped" in verdicts and os.environ.get("CI"):
        console.print("CI is set: a skipped test is a failure; install what it names")
        return 1
    return 1 if "FAILED" in verdicts or not rows else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
