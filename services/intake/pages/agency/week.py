"""Cut an agency's roster into what a page displays: who is on duty, a week by rung, one person's shifts. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from referral.domain.local_time import LOCAL, local
from referral.runtime.i18n import Words
from referral.wire.roster import Row, Span
from services.intake.pages import relative_time

EPOCH = date(1970, 1, 1)
DAYS = 7


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the week at one rung. parts: some hours in words, "08:00–20:00", and the accounts on duty; none is a hole."""

    day: date
    holiday: bool
    today: bool
    parts: tuple[tuple[str, tuple[str, ...]], ...]


def midnight(day: date) -> int:
    """Return the instant at which a day begins in Belgrade, µs UTC."""
    return round(datetime(day.year, day.month, day.day, tzinfo=LOCAL).timestamp()) * 1_000_000


def monday(at: int) -> date:
    """Return the Monday of the week of an instant."""
    day = local(at).date()
    return day - timedelta(days=day.weekday())


def chosen(written: str, now: int) -> date:
    """Return the Monday of the week that a link names (2026-11-30), else of this week. Only two years around now are displayed."""
    try:
        day = date.fromisoformat(written)
    except ValueError:
        return monday(now)
    near = abs((day - local(now).date()).days) <= 730
    return day - timedelta(days=day.weekday()) if near else monday(now)


def week(spans: Iterable[Span], rung: str, first: date, now: int, holidays: frozenset[int]) -> list[Day]:
    """Return the seven days from a Monday at one rung. holidays: days since 1970."""
    ours, days = [span for span in spans if span.rung == rung], []
    for day in (first + timedelta(days=n) for n in range(DAYS)):
        begins, ends = midnight(day), midnight(day + timedelta(days=1))
        parts = tuple(
            (hours(max(span.begins, begins), min(span.ends, ends), ends), span.people)
            for span in ours
            if span.begins < ends and begins < span.ends
        )
        days.append(Day(day, (day - EPOCH).days in holidays, day == local(now).date(), parts))
    return days


def hours(begins: int, ends: int, midnight: int) -> str:
    """Return the hours of a day: "20:00–24:00". midnight: the end of the day."""
    return f"{local(begins):%H:%M}–{'24:00' if ends == midnight else f'{local(ends):%H:%M}'}"


def on_duty(spans: Iterable[Span], rung: str, at: int) -> tuple[str, ...]:
    """Return the accounts on duty at a rung at an instant."""
    return next((span.people for span in spans if span.rung == rung and span.begins <= at < span.ends), ())


def mine(spans: Iterable[Span], account: str) -> list[tuple[str, int, int]]:
    """Return (rung, begin, end) of one person's hours, by time; hours that touch at one rung are one."""
    found: list[tuple[str, int, int]] = []
    for span in sorted((s for s in spans if account in s.people), key=lambda s: (s.rung, s.begins)):
        if found and found[-1][0] == span.rung and found[-1][2] == span.begins:
            found[-1] = (span.rung, found[-1][1], span.ends)
        else:
            found.append((span.rung, span.begins, span.ends))
    return sorted(found, key=lambda one: (one[1], one[0]))


def by_shift(rows: Iterable[Row], spans: Iterable[Span], account: str) -> list[tuple[str, int, int]]:
    """Return (rung, begin, end) of one person's hours, cut at the ends of shifts and days, so that a single night can be given away."""
    cut = []
    for rung, begins, ends in mine(spans, account):
        at = begins
        while at < ends:
            stop = min(ends, _cut(at, ends, rows, account, rung))
            cut.append((rung, at, stop))
            at = stop
    return sorted(cut, key=lambda one: (one[1], one[0]))


def _cut(at: int, ends: int, rows: Iterable[Row], account: str, rung: str) -> int:
    """Return where the shift that covers an instant ends, by the person's rows; without one, the next midnight."""
    stops = []
    for row in rows:
        if (row.account, row.rung) != (account, rung):
            continue
        if row.part == "single" and row.starts <= at < row.ends:
            stops.append(row.ends)
        if row.part == "weekly":
            day = local(at).date()
            first = day - timedelta(days=(day.weekday() - row.weekday) % 7)
            for begins in (first, first - timedelta(days=7)):
                start, stop = _wall(begins, row.start), _wall(begins, row.end)
                if start <= at < stop:
                    stops.append(stop)
    after = midnight(local(at).date() + timedelta(days=1))
    return min((stop for stop in stops if stop > at), default=after)


def _wall(day: date, minute: int) -> int:
    then = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - wall clock
    return round(then.replace(tzinfo=LOCAL).astimezone(UTC).timestamp()) * 1_000_000


def wall_clock(minute: int) -> str:
    """Return a minute of a day: "20:00"; of the next one "08:00 (+1)", and its midnight "24:00"."""
    days, within = divmod(minute, 24 * 60)
    if days == 1 and within == 0:
        return "24:00"
    return f"{within // 60:02}:{within % 60:02}" + (f" (+{days})" if days else "")


def worded(say: Words, row: Row) -> str:
    """Return when a shift, an absence or given hours are: weekly ones with their days, single ones with their moments."""
    if row.part != "weekly":
        return relative_time.between(say, row.starts, row.ends)
    time = say("weekly", day=say.weekdays[row.weekday], time=f"{wall_clock(row.start)}–{wall_clock(row.end)}")
    days = [
        say(f"weekly.{key}", day=f"{date.fromisoformat(day):%d.%m.%Y}") for key, day in (("since", row.since), ("until", row.until)) if day
    ]
    return " ".join((time, *days))
