"""The public holidays that hold exercises back are those of the policy in force; a calendar that cannot be read changes nothing."""

from __future__ import annotations

from datetime import date

from referral.domain.policy import compile
from referral.domain.policy.reading.directory import CALENDAR, EPOCH
from referral.runtime import policy_feed
from services.notifier.holidays import Holidays
from tests.harness.policies import TRUSTED
from tests.unit.intake.test_in_force import FILES, SETTINGS, record

NEW_YEAR, OTHER = ((date(2027, *day) - EPOCH).days for day in ((1, 1), (1, 13)))


def test_the_holidays_are_those_of_the_bundle_in_force() -> None:
    followed = policy_feed.Bundles(SETTINGS, TRUSTED)
    holidays = Holidays(followed)
    assert not holidays.days(), "before a policy is read, no working day is a holiday"
    more = FILES[CALENDAR].replace(b"holidays:\n", b'holidays:\n  - {day: "2027-01-13", name: made up}\n')
    earlier = None
    for number, files in enumerate((FILES, FILES | {CALENDAR: more}, FILES | {CALENDAR: b"x: ["}, {}), 1):
        assert followed._chain.take(record(number, files, earlier)) == ""
        earlier = files
        days = holidays.days()
        assert NEW_YEAR in days and (OTHER in days) == (number > 1)
        if number == 1:
            assert days == compile(FILES).calendar.holidays
