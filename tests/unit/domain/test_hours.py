"""An agency that is closed now is not asked for what is urgent; when it opens, it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from referral.domain.case import next_due
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from referral.domain.policy import Policy
from referral.domain.policy.directory import Hours
from referral.domain.policy.limits import Limit
from referral.domain.rules.candidates import is_open, next_opening
from tests.harness.made_up import SHIPPED, pathway, step, told, with_pathways
from tests.stories.teller import START, World

OFFICE = Hours(days=(0, 1, 2, 3, 4), opens=8 * HOUR_US, closes=16 * HOUR_US)
HERE = ZoneInfo("Europe/Belgrade")


def local(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1e6, UTC).astimezone(HERE)


@given(st.integers(0, 700 * 24 * 60))
def test_it_opens_at_eight_on_the_next_working_day_whatever_the_clock_changes(minutes: int) -> None:
    at = START + minutes * MINUTE_US
    opens = next_opening(OFFICE, at, SHIPPED.calendar)
    assert (
        opens is not None and opens > at and is_open(OFFICE, opens, SHIPPED.calendar) and not is_open(OFFICE, opens - 1, SHIPPED.calendar)
    )
    assert (local(opens).hour, local(opens).minute) == (8, 0) and local(opens).weekday() < 5
    if is_open(OFFICE, at, SHIPPED.calendar):
        assert local(at).weekday() < 5 and 8 <= local(at).hour < 16
    else:
        assert not any(is_open(OFFICE, t, SHIPPED.calendar) for t in range(at, opens, 30 * MINUTE_US))


def test_no_hours_is_day_and_night_and_no_days_is_never() -> None:
    assert is_open(None, START, SHIPPED.calendar) and next_opening(None, START, SHIPPED.calendar) is None
    assert next_opening(replace(OFFICE, days=()), START, SHIPPED.calendar) is None


def policy(*closed: str, limit: str = "h") -> Policy:
    made = with_pathways(pathway(step("health", limits={"accept": Limit(2, limit), "complete": Limit(5, "days")})))
    services = {
        id: s
        for id, s in made.services.items()
        if not {"health-house", "hospital"} & s.roles
        or id in ("health-prishtine.check", "hospital-prishtine.check", "hospital-prishtine.ward")
    }
    return replace(made, services=services, agencies={**made.agencies, **{id: replace(made.agencies[id], hours=OFFICE) for id in closed}})


def at_night(policy: Policy) -> World:
    world = World(policy)
    world.now = START + 15 * HOUR_US
    return world


def test_who_is_closed_is_passed_over_for_what_is_urgent() -> None:
    said = told(at_night(policy("health-prishtine")), "refer")
    assert any(line.startswith("offer health to hospital-prishtine") and "health-prishtine.check CLOSED" in line for line in said)


def test_what_has_days_waits_for_the_office() -> None:
    said = told(at_night(policy("health-prishtine", limit="working days")), "refer")
    assert any(line.startswith("offer health to health-prishtine.check") for line in said)


def test_where_everybody_is_closed_a_desk_knows_and_the_first_that_opens_is_asked_then() -> None:
    world = at_night(policy("health-prishtine", "hospital-prishtine"))
    said = told(world, "refer")
    assert any("no-candidate" in line for line in said) and not any(line.startswith("offer") for line in said)
    while ((world.case and next_due(world.case)) or 0) < START + DAY_US - 2 * HOUR_US:
        assert not any(line.startswith("offer") for line in told(world, "alarm"))
    assert world.case is not None and next_due(world.case) == START + 22 * HOUR_US, "the alarm goes off when it opens, at eight"
    assert any(line.startswith("offer health to health-prishtine.check") for line in told(world, "alarm")) and not world.case.tasks


def test_at_a_time_between_two_reminders_the_alarm_is_at_the_opening() -> None:
    world = at_night(policy("health-prishtine", "hospital-prishtine"))
    world.now = START + 22 * HOUR_US - 7 * MINUTE_US
    told(world, "refer")
    assert world.case is not None and next_due(world.case) == START + 22 * HOUR_US
