"""An exercise calls and texts nobody at hours that nobody has agreed to; a real child does, and e-mail never waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from referral.domain.local_time import LOCAL
from referral.exercise.rules import EPOCH
from services.notifier.duty import Night, Person, Roster
from services.notifier.hush import Hush
from services.notifier.plan import plan
from tests.unit.notifier.test_plan import MINUTE, known, opened


def at(written: str) -> int:
    return round(datetime.fromisoformat(written).replace(tzinfo=LOCAL).timestamp()) * 1_000_000


EVENING, MORNING = at("2026-11-24T22:00"), at("2026-11-25T08:00")
STAFF = Roster((Person("officer", "police", ("duty",), ("email", "sms", "voice")),))
NIGHT = Night("police", EVENING - 1, EVENING + 60 * MINUTE)


HOLIDAY = (date(2026, 11, 25) - EPOCH).days


def knocks(now: int, *nights: Night, drill: bool = True, rule: Hush = Hush()) -> dict[str, int]:  # noqa: B008 - a frozen value
    """Channel → minutes after now at which it is used."""
    asked = replace(known(opened(due=now + 15 * MINUTE), at=now), drill=drill)
    return {knock.channel: (knock.at - now) // MINUTE for knock in rule.hold(plan(asked, STAFF, now), nights).knocks}


def test_at_night_only_e_mail_leaves_and_the_telephone_waits_for_the_morning() -> None:
    assert knocks(EVENING) == {"email": 0, "sms": 600, "voice": 600}
    assert knocks(EVENING, drill=False) == {"email": 0, "sms": 0, "voice": 2}, "a real child is not held back"
    assert knocks(MORNING) == {"email": 0, "sms": 0, "voice": 2}, "nor an exercise by day"


def test_leave_of_the_agencys_own_head_is_needed() -> None:
    assert knocks(EVENING, NIGHT) == {"email": 0, "sms": 0, "voice": 2}
    assert knocks(EVENING, replace(NIGHT, agency="csw")) == {"email": 0, "sms": 600, "voice": 600}
    assert knocks(EVENING - 10 * MINUTE, NIGHT)["sms"] == 9, "what waits leaves when the leave begins"


def test_an_exercise_that_may_wake_nobody_has_no_hole() -> None:
    asked = replace(known(opened(due=EVENING + 15 * MINUTE), at=EVENING), drill=True)
    rule = Hush()
    assert rule.hushes(asked, (), EVENING) and not rule.hushes(asked, (NIGHT,), EVENING) and not rule.hushes(asked, (), MORNING)
    assert not rule.hushes(replace(asked, drill=False), (), EVENING)
    assert Hush(lambda: [HOLIDAY]).hushes(asked, (), MORNING)


def test_a_public_holiday_is_as_a_night() -> None:
    holiday = Hush(lambda: [HOLIDAY])
    assert knocks(EVENING, rule=holiday) == {"email": 0, "sms": 600 + 24 * 60, "voice": 600 + 24 * 60}
    assert knocks(MORNING, drill=False, rule=holiday) == {"email": 0, "sms": 0, "voice": 2}, "a real child knows no holidays"
