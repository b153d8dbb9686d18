"""Run tests at five times at which programs err, by libfaketime: `python -m tests.harness.clocks [NAME...] [-- PYTEST WORDS...]`.

The clock is Kosovo's, and begins two minutes before a change where there is one. SIGINT is ignored, as in a program that a shell began in
the background. The monotonic clock stays real: waiting takes as long as it takes. Every program that a test starts inherits all this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

ZONE = "Europe/Belgrade"
HOURS = ("tests/integration/notifier", "tests/integration/intake")
"""The tests of what knows hours and days. The line's own clock is the database's: it begins at the false one, and they move it on."""
TESTS = ("-n", "2", "--dist", "loadgroup", "-m", "not long", "tests/unit", "tests/stories", "tests/web", *HOURS)
"""The words for pytest where none are given."""

REAL = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}
"""Leave the monotonic clock alone, and waits by it: else Java and Chromium wait for ever, and neither Kafka nor a browser starts."""


def moments(now: datetime) -> dict[str, datetime]:
    """Return name → the next such time after now."""
    zone = ZoneInfo(ZONE)

    def sunday(year: int, month: int, hour: int) -> datetime:
        """Return two minutes before an hour of the last Sunday of a month of 31 days."""
        last = datetime(year, month, 31, tzinfo=zone)
        return (last - timedelta(days=last.isoweekday() % 7)).replace(hour=hour - 1, minute=58)

    def weekday(day: int, hour: int, minute: int) -> datetime:
        """Return a time of the next such day of the week; tomorrow at the earliest. day: 1 is Monday."""
        ahead = (day - now.astimezone(zone).isoweekday() - 1) % 7 + 1
        return (now.astimezone(zone) + timedelta(days=ahead)).replace(hour=hour, minute=minute, second=0, microsecond=0)

    def coming(year: int) -> dict[str, datetime]:
        return {"new-year": datetime(year, 12, 31, 23, 58, tzinfo=zone), "spring": sunday(year, 3, 2), "autumn": sunday(year, 10, 3)}

    this = {name: at for name, at in coming(now.year).items() if at > now}
    return {"monday": weekday(1, 10, 0), "saturday": weekday(6, 23, 30)} | coming(now.year + 1) | this


def variables(offset_s: int) -> dict[str, str]:
    """Return the environment of programs whose clock is ahead of this machine's. SystemExit: there is no libfaketime."""
    library = next(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        raise SystemExit("no libfaketime: run `make tools` as root, or install faketime")
    path = os.pathsep.join(filter(None, (str(Path(__file__).with_name("faked")), os.environ.get("PYTHONPATH"))))
    faked = {"FAKETIME": f"+{offset_s}", "LD_PRELOAD": str(library), **REAL}
    return {**os.environ, **faked, "PYTHONPATH": path, "TZ": ZONE}


def main(words: list[str]) -> int:
    """Run pytest once for each clock, and display what each found. Return 0 if all passed."""
    names, tests = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    known = moments(datetime.fromtimestamp(time.time(), UTC))
    if unknown := set(names) - set(known):
        raise SystemExit(f"no clock {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    outcomes = {}
    for name in names or known:
        print(f"{name}: {known[name]:%A %d %B %Y %H:%M %Z}", flush=True)
        outcomes[name] = run(int(known[name].timestamp() - time.time()), tests or TESTS)
    print(*(f"{name}: {known[name]:%a %d %B %Y %H:%M}: {outcome}" for name, (outcome, _) in outcomes.items()), sep="\n")
    return int(any(code for _, code in outcomes.values()))


def run(offset_s: int, tests: Sequence[str]) -> tuple[str, int]:
    """Run pytest by a clock that is so far ahead. Return what it found in words, and its exit code."""
    before, began = signal.signal(signal.SIGINT, signal.SIG_IGN), time.monotonic()  # a child inherits that it is ignored
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-rs", f"--junitxml={report}", *tests]
        with subprocess.Popen(command, env=variables(offset_s)) as running:
            signal.signal(signal.SIGINT, before)
            code = running.wait()
        found = report.read_text("utf-8") if report.exists() else ""
    return f"{(time.monotonic() - began) / 60:.0f} min, pytest ended with {code}, {counted(found)}", code


def counted(report: str) -> str:
    """Return the counts of a JUnit report in words, and each test that did not pass. report: empty where pytest wrote none."""
    if not report:
        return "no report"
    [suite] = ElementTree.fromstring(report).iter("testsuite")
    tests, failures, errors, skipped = (int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped"))
    red = [case for case in suite.iter("testcase") if any(one.tag in ("failure", "error") for one in case)]
    said = f"{tests - failures - errors - skipped} passed, {skipped} skipped, {failures + errors} failed"
    return said + "".join(f"\n  {case.get('classname')}::{case.get('name')}" for case in red)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
