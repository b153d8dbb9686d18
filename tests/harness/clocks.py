"""Run tests at five times at which programs err, by libfaketime: `python -m tests.harness.clocks [NAME...] [-- PYTEST WORDS...]`.

The clock is Kosovo's, and begins two minutes before a change where there is one. SIGINT is ignored, as in a program that a shell began in
the background. The monotonic clock stays real: waiting takes as long as it takes. Every program that a test starts inherits all this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ZONE = "Europe/Belgrade"
TESTS = ("-n", "2", "--dist", "loadgroup", "-m", "not long", "tests/unit", "tests/stories", "tests/web")
"""The words for pytest where none are given. The line's own tests move the line's own clock."""


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
    faked = {"FAKETIME": f"+{offset_s}", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "LD_PRELOAD": str(library)}
    return {**os.environ, **faked, "PYTHONPATH": path, "TZ": ZONE}


def main(words: list[str]) -> int:
    """Run pytest once for each clock, and display the outcomes. Return 0 if all passed."""
    names, tests = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    outcomes: dict[str, int] = {}
    known = moments(datetime.fromtimestamp(time.time(), UTC))
    if unknown := set(names) - set(known):
        raise SystemExit(f"no clock {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    for name in names or known:
        print(f"{name}: {known[name]:%A %d %B %Y %H:%M %Z}", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", *(tests or TESTS)]
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a child inherits that it is ignored
        with subprocess.Popen(command, env=variables(int(known[name].timestamp() - time.time()))) as running:
            signal.signal(signal.SIGINT, before)
            outcomes[name] = running.wait()
    print(*(f"{name}: {'passed' if code == 0 else f'pytest ended with {code}'}" for name, code in outcomes.items()), sep="\n")
    return int(any(outcomes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
