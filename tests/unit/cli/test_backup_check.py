"""`doctor` says when a lost database would be lost back to an old backup, or an archive or a standby is behind."""

from __future__ import annotations

import math

import pytest

from referral.cli.admin.doctor.installation import backup
from referral.cli.admin.doctor.result import Result
from referral.runtime.postgres.backups import Backups

HOUR = 3600.0
YOUNG = Backups(age_s=3 * HOUR, waiting={"archive": 0.0, "standby1": 1e6})


@pytest.mark.parametrize(
    ("found", "exercises", "result", "said"),
    [
        (YOUNG, False, Result.GOOD, "3 hours old; 2 receive the log"),
        (Backups(), True, Result.GOOD, "none, for exercises"),
        (Backups(), False, Result.WARN, "no backup was ever taken; nothing receives the log"),
        (Backups(age_s=HOUR), False, Result.WARN, "nothing receives the log"),
        (Backups(age_s=27 * HOUR, waiting={"archive": 0.0}), False, Result.BAD, "the last good backup is 27 hours old"),
        (Backups(age_s=HOUR, waiting={"archive": 0.0, "standby1": 99e6}), True, Result.BAD, "standby1 lacks 99 MB of the log"),
        (Backups(age_s=HOUR, waiting={"archive": math.inf}), False, Result.BAD, "archive lacks a part of the log that the server"),
    ],
)
def test_age_and_lag(found: Backups, exercises: bool, result: Result, said: str) -> None:
    check = backup(found, not exercises)
    assert (check.result, check.said[: len(said)], bool(check.do)) == (result, said, result is not Result.GOOD)
