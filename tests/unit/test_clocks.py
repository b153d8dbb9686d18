"""The five clocks of `make clocks`: each is ahead of now, and that of a change is still before it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.harness.clocks import main, moments, variables

NEEDED = pytest.mark.skipif(
    not [*Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1")], reason="no libfaketime: apt-get install faketime"
)


@pytest.mark.parametrize("year", range(2026, 2032))
@pytest.mark.parametrize("now", ["01-01T00:00", "03-28T00:58", "06-30T12:00", "10-31T23:59", "12-31T22:59"])
def test_each_clock_is_within_a_year_ahead_of_now(year: int, now: str) -> None:
    begins = datetime.fromisoformat(f"{year}-{now}").replace(tzinfo=UTC)
    known = moments(begins)
    assert all(begins < at <= begins + timedelta(days=372) for at in known.values()), known
    said = {name: f"{at:%a %d %b %H:%M}" for name, at in known.items()}
    assert (said["monday"][:3], said["monday"][-5:], said["saturday"][:3], said["saturday"][-5:]) == ("Mon", "10:00", "Sat", "23:30")
    assert said["new-year"][4:] == "31 Dec 23:58"


@pytest.mark.parametrize(("name", "before", "after"), [("spring", 1, 2), ("autumn", 2, 1)])
def test_the_clock_changes_two_minutes_later(name: str, before: int, after: int) -> None:
    at = moments(datetime(2026, 12, 1, tzinfo=UTC))[name]
    later = (at.astimezone(UTC) + timedelta(minutes=2)).astimezone(at.tzinfo)
    assert [one.utcoffset() for one in (at, later)] == [timedelta(hours=before), timedelta(hours=after)]


@NEEDED
def test_a_program_and_what_it_starts_see_the_other_time_and_can_sleep() -> None:
    """Without our `sleep`, libfaketime 0.9.10 makes Python's an `OSError: Invalid argument`."""
    program = "import subprocess, sys, time; time.sleep(0.01); print(int(time.time()), flush=True); subprocess.run(['date', '+%s %Z'])"
    real = subprocess.run(["date", "+%s"], env={**os.environ, "LD_PRELOAD": ""}, capture_output=True, text=True, check=True).stdout
    done = subprocess.run([sys.executable, "-c", program], env=variables(10**7), capture_output=True, text=True, timeout=60, check=True)
    own, inside, zone = done.stdout.split()
    assert 0 <= int(own) - int(real) - 10**7 < 60 and 0 <= int(inside) - int(own) < 60 and zone in ("CET", "CEST"), done.stdout


@NEEDED
def test_a_run_says_at_its_end_what_passed_what_was_skipped_and_which_test_failed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tests = tmp_path / "test_made_up.py"
    tests.write_text("import pytest\ndef test_good(): pass\ndef test_bad(): assert 0\n@pytest.mark.skip\ndef test_none(): pass\n")
    assert main(["autumn", "--", str(tests), "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]) == 1
    last, failed = capfd.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(r"autumn: Sun .* 02:58: \d+ min, pytest ended with 1, 1 passed, 1 skipped, 1 failed", last), last
    assert failed == "  test_made_up::test_bad"
