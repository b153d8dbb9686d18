"""Holidays and clock changes, a snapshot in a file: a decision must come out the same on every machine, for ever."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from referral.domain.deadline import MINUTE, Calendar
from referral.domain.language import Node

EPOCH = date(1970, 1, 1)


def read_calendar(root: Node) -> Calendar:
    """It ends with the year of its last holiday."""
    fields = root.fields(("calendar", "zone", "source", "clock_changes", "holidays"))
    days = [_day(node.fields(("day", "name"))["day"]) for node in fields["holidays"].each()]
    changes = []
    for node in fields["clock_changes"].each():
        item = node.fields(("at", "offset"))
        changes.append((_instant(item["at"]), item["offset"].number(0, 840) * MINUTE))
    if not changes or changes != sorted(changes):
        fields["clock_changes"].error("clock changes are needed, in order of time")
        changes = [(0, 0)]
    last = date.fromordinal(EPOCH.toordinal() + max(days, default=0))
    return Calendar(
        id=fields["calendar"].word(),
        holidays=frozenset(days),
        changes=tuple(at for at, _ in changes),
        offsets=tuple(offset for _, offset in changes),
        ends=(date(min(last.year, 9998) + 1, 1, 1) - EPOCH).days,
    )


def _day(node: Node) -> int:
    try:
        return (date.fromisoformat(node.word()) - EPOCH).days
    except ValueError:
        node.error("a day is written 2026-02-17")
        return 0


def _instant(node: Node) -> int:
    try:
        moment = datetime.fromisoformat(node.word())
        return (moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(microseconds=1)
    except (ValueError, TypeError, OverflowError):
        node.error("an instant is written 2026-03-29T01:00:00+00:00")
        return 0
