"""Compute the people on duty for one rung of one agency at an instant. Pure: the roster and the instant are arguments.

Rota times are wall clock in Europe/Belgrade, the time of every agency of the directory; instants are µs UTC; every interval is half-open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from referral.domain.durations import SECOND_US
from referral.domain.local_time import LOCAL
from referral.domain.rota import Single, Weekly


class Loudness(StrEnum):
    """URGENT: at most two hours are left. NORMAL: at most a day, or no limit runs. QUIET: more than a day, or nothing is awaited."""

    URGENT = "urgent"
    NORMAL = "normal"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Rule:
    """One step of a person's own: at this loudness, use this channel after so many seconds."""

    loudness: Loudness
    channel: str
    after: int


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff who can be knocked. account: id of the inbox account. channels: those with an address, confirmed or not.

    rules: the person's own, by loudness.
    """

    account: str
    agency: str
    rungs: tuple[str, ...]
    channels: tuple[str, ...]
    disabled: bool = False
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift of a person at a rung of an agency, and its time: every week or once."""

    account: str
    agency: str
    rung: str
    time: Weekly | Single


@dataclass(frozen=True, slots=True)
class Absence:
    """Absence of a person: no shift between these instants counts."""

    account: str
    starts: int
    ends: int


@dataclass(frozen=True, slots=True)
class Given:
    """Hours that a person gave away at a rung, by a swap or a hand-over: none of their shifts there counts in them."""

    account: str
    agency: str
    rung: str
    starts: int
    ends: int


@dataclass(frozen=True, slots=True)
class Night:
    """Leave of an agency's head: between these instants exercises may wake its people at any hour."""

    agency: str
    starts: int
    ends: int


@dataclass(frozen=True, slots=True)
class Roster:
    """The staff, shifts, absences, given hours and nights of some agencies."""

    people: tuple[Person, ...] = ()
    shifts: tuple[Shift, ...] = ()
    absences: tuple[Absence, ...] = ()
    given: tuple[Given, ...] = ()
    nights: tuple[Night, ...] = ()


class Why(StrEnum):
    """Reason why nobody can be knocked; words of the code list knock-reason."""

    NOBODY = "nobody-on-duty"
    EXCLUDED = "all-excluded"
    CANNOT = "all-cannot"


@dataclass(frozen=True, slots=True)
class Duty:
    """The people to knock, in the order of their accounts. why: set if there is nobody."""

    people: tuple[Person, ...]
    why: Why | None = None


@lru_cache(maxsize=20_000)  # a fortnight of every agency's shifts asks for the same few thousand
def instant(day: date, minute: int) -> int:
    """Return the µs UTC at which the wall clock shows `minute` minutes after that day's midnight.

    A time that occurs twice (autumn) means its first occurrence, and one that is skipped (spring) means the moment of the change. So the
    end of one shift and the begin of the next are one instant in every night, and a later wall time is never an earlier instant.
    """
    wall = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
    while _utc(wall).astimezone(LOCAL).replace(tzinfo=None) != wall:  # skipped: at most one hour of one night a year
        wall += timedelta(minutes=1)
    return round(_utc(wall).timestamp()) * SECOND_US


def _utc(wall: datetime) -> datetime:
    return wall.replace(tzinfo=LOCAL).astimezone(UTC)


def local_day(at: int) -> date:
    """Return the calendar day in Belgrade at an instant."""
    return datetime.fromtimestamp(at // SECOND_US, UTC).astimezone(LOCAL).date()


def covers(time: Weekly | Single, at: int) -> bool:
    """Return whether a shift at this time covers an instant."""
    return until(time, at) is not None


def until(time: Weekly | Single, at: int) -> int | None:
    """Return when the shift that covers an instant ends, µs UTC; None: none at this time covers it."""
    if isinstance(time, Single):
        return time.ends if time.starts <= at < time.ends else None
    today = local_day(at)
    back = (today.weekday() - time.weekday) % 7
    first = today - timedelta(days=back)
    for begins in (first, first - timedelta(days=7)):  # a shift of up to a week may have begun in the week before
        in_force = (time.since is None or time.since <= begins) and (time.until is None or begins <= time.until)
        if in_force and instant(begins, time.start) <= at < (ends := instant(begins, time.end)):
            return ends
    return None


def has_rota(shifts: Iterable[Shift], at: int) -> bool:
    """Return whether a weekly rota is in force. A rota that has not begun or has expired does not count.

    Single shifts are no rota: they name people for their own hours, and leave open the days between.
    """
    for time in (shift.time for shift in shifts):
        if isinstance(time, Weekly):
            begun = time.since is None or instant(time.since, 0) <= at
            if begun and (time.until is None or at < instant(time.until, time.end)):
                return True
    return False


def on_duty(roster: Roster, agency: str, rung: str, at: int, skip: frozenset[str] = frozenset()) -> Duty:
    """Return the people on duty at a rung. skip: accounts that must not be knocked for this case.

    With a weekly rota in force, a hole in it is a hole: the next rung is asked at once. Without a rota, the people with a single shift are
    on
    duty; without those, everybody registered for the rung, because waking too many is better than waking nobody.
    Disabled accounts are never on duty; nor is somebody in hours that they gave away; an unconfirmed address does not matter.
    """
    shifts = shifts_of(roster, agency, rung)
    named = {s.account for s in shifts if covers(s.time, at)}
    gave = {g.account for g in roster.given if (g.agency, g.rung) == (agency, rung) and g.starts <= at < g.ends}
    everybody = [p for p in _able(roster, agency, at) if p.account not in gave]
    there = [p for p in everybody if p.account in named]
    if not there and not has_rota(shifts, at):
        there = [p for p in everybody if rung in p.rungs]
    return _duty(there, skip)


def shifts_of(roster: Roster, agency: str, rung: str | None) -> list[Shift]:
    """Return the shifts of one rung of an agency; rung None: of all its rungs."""
    return [s for s in roster.shifts if s.agency == agency and rung in (None, s.rung)]


def rungs_of(roster: Roster, agency: str) -> list[str]:
    """Return the rungs of an agency for which somebody is registered or has a shift."""
    return sorted({r for p in roster.people if p.agency == agency for r in p.rungs} | {s.rung for s in shifts_of(roster, agency, None)})


def able(roster: Roster, agency: str, at: int) -> frozenset[str]:
    """Return the accounts of an agency that may be knocked at all: neither disabled nor absent."""
    return frozenset(p.account for p in _able(roster, agency, at))


def next_change(roster: Roster, agency: str, rung: str | None, at: int) -> int | None:
    """Return the next instant at which somebody may come on duty: the begin or end of a shift, an absence or given hours. None: never.

    rung None: at any rung. The instant may bring nobody new; it is never later than the first that does.
    """
    edges = [edge for shift in shifts_of(roster, agency, rung) for edge in _edges(shift.time, at)]
    staff = {p.account for p in roster.people if p.agency == agency}
    edges += [edge for a in roster.absences if a.account in staff for edge in (a.starts, a.ends)]
    edges += [edge for g in roster.given if g.agency == agency and rung in (None, g.rung) for edge in (g.starts, g.ends)]
    return min((edge for edge in edges if edge > at), default=None)


def _edges(time: Weekly | Single, at: int) -> Iterator[int]:
    """Yield begins and ends of shifts at this time around an instant, among them the first after it."""
    if isinstance(time, Single):
        yield from (time.starts, time.ends)
        return
    first = local_day(at) - timedelta(days=7)
    if time.since is not None:
        first = max(first, time.since)
        yield instant(time.since, 0)  # from here on a hole in the rota counts as a hole
    begins = first + timedelta(days=(time.weekday - first.weekday()) % 7)
    for day in (begins, begins + timedelta(days=7), begins + timedelta(days=14)):
        if time.until is None or day <= time.until:
            yield from (instant(day, time.start), instant(day, time.end))
    if time.until is not None:
        yield instant(time.until, time.end)


def at_desk(roster: Roster, agency: str, at: int, skip: frozenset[str] = frozenset()) -> Duty:
    """Return the people to knock for a desk's task: those on duty at any of its rungs, or everybody of the desk if there are none.

    No level above a desk would be asked at once, so a hole in its rota must not silence it.
    """
    on = {p.account for rung in rungs_of(roster, agency) for p in on_duty(roster, agency, rung, at, skip).people}
    everybody = _able(roster, agency, at)
    return _duty([p for p in everybody if p.account in on] or everybody, skip)


def _able(roster: Roster, agency: str, at: int) -> list[Person]:
    """Return everybody of an agency who may be knocked at all."""
    away = {a.account for a in roster.absences if a.starts <= at < a.ends}
    return [p for p in roster.people if p.agency == agency and not p.disabled and p.account not in away]


def _duty(there: list[Person], skip: frozenset[str]) -> Duty:
    people = tuple(sorted((p for p in there if p.account not in skip), key=lambda p: p.account))
    if people:
        return Duty(people)
    return Duty((), Why.EXCLUDED if there else Why.NOBODY)
