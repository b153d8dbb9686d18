"""When an agency works: what is urgent is not put to a closed door."""

from __future__ import annotations

from collections.abc import Iterable

from referral.domain.deadline import DAY, Calendar
from referral.domain.directory import Hours
from referral.domain.events import Passed
from referral.domain.policy import Policy

DAYS = 62
"""How far ahead an opening is looked for: longer than any run of holidays."""


def is_open(hours: Hours | None, now: int, calendar: Calendar) -> bool:
    """Whether it works at this instant."""
    if hours is None:
        return True
    local = now + calendar.offset(now)
    day, since = local // DAY, local % DAY
    return _works(hours, day, calendar) and hours.opens <= since < hours.closes


def next_opening(hours: Hours | None, now: int, calendar: Calendar) -> int | None:
    """When it opens next after this instant; None when that is out of sight."""
    if hours is None:
        return None
    today = (now + calendar.offset(now)) // DAY
    for day in range(today, today + DAYS):
        local = day * DAY + hours.opens
        at = local - calendar.offset(local - calendar.offset(local))
        if at > now and _works(hours, day, calendar):
            return at
    return None


def first_opening(policy: Policy, passed: Iterable[Passed], now: int) -> int | None:
    """When the first of those opens that were passed over because they are closed; None where there is none."""
    closed = [policy.agencies[policy.services[p.service].agency] for p in passed if p.reason == "CLOSED"]
    times = [next_opening(agency.hours, now, policy.calendar) for agency in closed]
    return min((at for at in times if at is not None), default=None)


def _works(hours: Hours, day: int, calendar: Calendar) -> bool:
    """day: since 1970-01-01, a Thursday."""
    return (day + 3) % 7 in hours.days and day not in calendar.holidays
