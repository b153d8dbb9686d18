"""Turn an agency's roster into what a page displays: who is on duty, a week by rung, holes in words. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from referral.domain.local_time import LOCAL, local
from referral.runtime.i18n import Words
from referral.wire.roster import Hole, Row, Span

EPOCH = date(1970, 1, 1)
DAYS = 7
Login = Callable[[str], str]
"""Account → the name that colleagues know; for one that is gone, the first digits of its id."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some hours of a day. time: "08:00–20:00". who: logins; none is a hole."""

    time: str
    who: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the week at one rung. name: "Mon 30.11."."""

    name: str
    holiday: bool
    today: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A shift, an absence or given hours in words."""

    part: str
    number: int
    who: str
    rung: str
    time: str


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


def week(spans: Iterable[Span], rung: str, first: date, now: int, say: Words, login: Login, holidays: frozenset[int]) -> list[Day]:
    """Return the seven days from a Monday at one rung. holidays: days since 1970."""
    mine = [span for span in spans if span.rung == rung]
    days = []
    for day in (first + timedelta(days=n) for n in range(DAYS)):
        begins, ends = midnight(day), midnight(day + timedelta(days=1))
        parts = tuple(
            Part(hours(max(span.begins, begins), min(span.ends, ends), ends), tuple(map(login, span.people)))
            for span in mine
            if span.begins < ends and begins < span.ends
        )
        name = f"{say.weekdays[day.weekday()]} {day:%d.%m.}"
        days.append(Day(name, (day - EPOCH).days in holidays, day == local(now).date(), parts))
    return days


def hours(begins: int, ends: int, midnight: int) -> str:
    """Return the hours of a day: "20:00–24:00". midnight: the end of the day."""
    return f"{local(begins):%H:%M}–{'24:00' if ends == midnight else f'{local(ends):%H:%M}'}"


def hole(one: Hole, say: Words, rung: str) -> str:
    """Return a hole in words: "Mon 30.11. 02:00–06:00: nobody at Duty officer"."""
    key = "hole.nobody" if one.kind == "nobody" else "hole.mail"
    return say(key, time=between(one.begins, one.ends, say), rung=rung)


def between(begins: int, ends: int, say: Words) -> str:
    """Return two instants in words; the second with its day only if that is another."""
    if local(begins).date() == local(ends - 1).date():
        clock = "24:00" if local(ends).date() != local(begins).date() else f"{local(ends):%H:%M}"
        return f"{moment(begins, say)}–{clock}"
    return f"{moment(begins, say)} – {moment(ends, say)}"


def moment(at: int, say: Words) -> str:
    """Return an instant in words: "Mon 30.11. 02:00"."""
    then = local(at)
    return f"{say.weekdays[then.weekday()]} {then:%d.%m. %H:%M}"


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


def lines(rows: Iterable[Row], say: Words, login: Login, rung: Callable[[str], str]) -> list[Line]:
    """Return the shifts, absences and given hours in words: weekly ones with their days, single ones with their moments."""
    found = []
    for row in rows:
        if row.part == "weekly":
            time = say("weekly", day=say.weekdays[row.weekday], time=f"{_clock(row.start)}–{_clock(row.end)}")
            if row.since:
                time += " " + say("weekly.since", day=_date(row.since))
            if row.until:
                time += " " + say("weekly.until", day=_date(row.until))
        else:
            time = between(row.starts, row.ends, say)
        found.append(Line(row.part, row.number, login(row.account), rung(row.rung) if row.rung else "", time))
    return found


def _clock(minute: int) -> str:
    days, within = divmod(minute, 24 * 60)
    if days == 1 and within == 0:
        return "24:00"
    return f"{within // 60:02}:{within % 60:02}" + (f" (+{days})" if days else "")


def _date(written: str) -> str:
    return f"{date.fromisoformat(written):%d.%m.%Y}"


def logins(names: Mapping[str, str]) -> Login:
    """Return the function from account to login."""
    return lambda account: names.get(account, account[:8])
