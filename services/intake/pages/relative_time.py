"""Times in words, easy to read for a person who was just woken. Pure: now is an argument. Times in are microseconds UTC, out
Europe/Belgrade."""

from __future__ import annotations

from datetime import UTC, datetime

from referral.domain.local_time import local
from referral.runtime.i18n import Words

_MINUTE_US = 60_000_000
SOON_US = 15 * _MINUTE_US
"""A limit nearer than this is highlighted (ours): the shortest limit of the procedures, time to acknowledge, is 15 minutes."""


def span(words: Words, length_us: int) -> str:
    """Return a length in its two largest units, rounded down: never more time than there is. "1 hour 5 minutes", "2 days"."""
    minutes = max(length_us, 0) // _MINUTE_US
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        parts = [("day", days), ("hour", hours)]
    elif hours:
        parts = [("hour", hours), ("minute", minutes)]
    else:
        parts = [("minute", minutes)]
    return " ".join(words.count(noun, number) for noun, number in parts if number or len(parts) == 1)


def clock(words: Words, at: int, now: int) -> str:
    """Return a time of day, with its day where that is not today: "03:24", "tomorrow 08:00", "Thu 26.11. 08:00"."""
    then, today = local(at), local(now)
    time, days = f"{then:%H:%M}", (then.date() - today.date()).days
    if days in (-1, 0, 1):
        return words(("yesterday", "today", "tomorrow")[days + 1], time=time)
    return words("day", day=words.weekdays[then.weekday()], date=f"{then:%d.%m.}", time=time)


def stamp(at: int) -> str:
    """Return a time with its date, the same whenever it is read: "01.12.2026 18:14"."""
    return f"{local(at):%d.%m.%Y %H:%M}"


def second(at: int) -> str:
    """Return a time with its seconds: "01.12. 18:14:05"."""
    return f"{local(at):%d.%m. %H:%M:%S}"


def left(words: Words, due: int | None, now: int) -> str:
    """Return the time left until a limit, or the time since: "47 minutes left", "Late by 4 minutes"."""
    if due is None:
        return words("left.none")
    if abs(due - now) < _MINUTE_US:
        return words("left.soon" if due > now else "late.soon")
    return words("left", time=span(words, due - now)) if due > now else words("late", time=span(words, now - due))


def _end(words: Words, due: int, now: int) -> str:
    """Return a limit's time of day. Midnight is the end of the day before: "Fri 11.12. 24:00", where "Sat 12.12. 00:00" misleads."""
    then = local(due)
    if then.hour or then.minute:
        return clock(words, due, now)
    return clock(words, due - 1, now).replace("23:59", "24:00")


def limit(words: Words, due: int | None, now: int) -> str:
    """Return the limit as a time of day: "until 03:24", "the limit was 03:24"; empty where there is none."""
    if due is None:
        return ""
    return words("until" if due > now else "was", time=_end(words, due, now))


def tone(due: int, now: int) -> str:
    """Return how a limit is marked: late, soon, or not at all (empty)."""
    return "late" if due <= now else "soon" if due - now < SOON_US else ""


def machine(at: int) -> str:
    """Return a time for programs, as the attribute of <time> requires it."""
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(words: Words, at: int) -> str:
    """Return an instant with its day: "Mon 30.11. 02:00"."""
    then = local(at)
    return f"{words.weekdays[then.weekday()]} {then:%d.%m. %H:%M}"


def between(words: Words, begins: int, ends: int) -> str:
    """Return two instants in words; the second with its day only if that is another."""
    if local(begins).date() == local(ends - 1).date():
        time = "24:00" if local(ends).date() != local(begins).date() else f"{local(ends):%H:%M}"
        return f"{moment(words, begins)}–{time}"
    return f"{moment(words, begins)} – {moment(words, ends)}"
