"""Run what needs containers, clusters or root, and print one table: what, how long, verdict.

python -m tests.deploy [FILE ...]; exit code 1 when a test failed, and where CI is set also when one was skipped. A test adds what it
measured with `record_property("figure", "broker 1: 3.2 s without an answer")`; the line below its verdict displays it.
"""

from __future__ import annotations

import os
import sys
import time

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

PLACES = ("tests/deploy", "tests/faults/test_servers_ha.py", "tests/faults/test_site_lost.py")
"""Where such tests stand; those of tests/faults that kill servers come with their files."""
WIDTH = 160
"""Columns (ours): a terminal scrolls, a file keeps it."""


class Verdicts:
    """What each test came to. Rows: name, seconds, verdict, what it measured or why it did not run."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, str, list[str]]] = []
        self._seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a row when a test has ended, or when it failed or was skipped before it began."""
        seconds = self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        name = report.nodeid.removeprefix("tests/")
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.rows.append((name, seconds, "skipped", [reason.removeprefix("Skipped: ")]))
        elif report.failed:
            self.rows.append((name, seconds, "FAILED", [report.longreprtext.splitlines()[-1]] if report.longreprtext else []))
        elif report.when == "call":
            self.rows.append((name, seconds, "good", [str(value) for key, value in report.user_properties if key == "figure"]))


def main(arguments: list[str]) -> int:
    verdicts, began = Verdicts(), time.monotonic()
    code = pytest.main(["-v", "-m", "long or not long", "-p", "no:cacheprovider", *(arguments or PLACES)], plugins=[verdicts])
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what", "seconds", "verdict"):
        table.add_column(name, no_wrap=True, justify="right" if name == "seconds" else "left")
    for name, seconds, verdict, notes in verdicts.rows:
        table.add_row(escape(name), f"{seconds:.0f}", verdict)
        for note in notes:
            table.add_row(escape(f"    {note}"), "", "")
    console = Console(width=WIDTH)
    console.print(table)
    skipped = sum(verdict == "skipped" for _, _, verdict, _ in verdicts.rows)
    console.print(f"{len(verdicts.rows)} tests in {time.monotonic() - began:.0f} s, {skipped} skipped")
    if skipped and os.environ.get("CI"):
        console.print("CI is set: a skipped test is a failure; install what it names")
        return 1
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
