"""Compute how loudly a person is knocked: which channels, and after how long, by the time that is left to the limit. Pure.

Nobody is woken for what has days; nobody sleeps through what has minutes. A person may have own rules for each loudness; they never silence
what is urgent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from referral.domain.durations import HOUR_US, SECOND_US
from services.notifier.duty import Loudness, Rule, instant, local_day

URGENT_US, NORMAL_US = 2 * HOUR_US, 24 * HOUR_US
"""µs to the limit up to which a knock is urgent, and normal (P)."""
WAKES = ("sms", "voice")
"""Channels that wake somebody, the louder last."""
DEFAULTS: Mapping[Loudness, Mapping[str, int]] = {
    Loudness.URGENT: {"email": 0, "sms": 0, "voice": 120},
    Loudness.NORMAL: {"email": 0, "sms": 600, "voice": 1200},
    Loudness.QUIET: {"email": 0},
}
"""Seconds after which each channel is used (P): whoever is awake answers the SMS before the telephone rings."""
EVENING, MORNING, EARLY = 22 * 60, 7 * 60, 7 * 60 + 30
"""Minutes of the local day. Between evening and morning only what is urgent wakes somebody, or what would end before `early`."""


def loudness(due: int | None, now: int, once: bool = False) -> Loudness:
    """Return how loudly to knock. due: limit for an answer, µs UTC. once: a notice, for which nobody waits."""
    if once:
        return Loudness.QUIET
    if due is None:
        return Loudness.NORMAL
    left = due - now
    return Loudness.URGENT if left <= URGENT_US else Loudness.NORMAL if left <= NORMAL_US else Loudness.QUIET


def steps(channels: tuple[str, ...], rules: tuple[Rule, ...], due: int | None, now: int, once: bool = False) -> tuple[tuple[str, int], ...]:
    """Return (channel, µs UTC at which it is used), one for each channel that is used. Empty only without any channel.

    channels: those for which the person has an address. rules: the person's own; those of a loudness replace the defaults for it.
    """
    loud = loudness(due, now, once)
    own = {rule.channel: rule.after for rule in rules if rule.loudness is loud}
    after = {channel: seconds for channel, seconds in (own or DEFAULTS[loud]).items() if channel in channels}
    if loud is Loudness.URGENT and not any(channel in WAKES for channel in after):
        after |= {channel: DEFAULTS[loud][channel] for channel in WAKES if channel in channels}
    if not after:  # no rule names a channel that the person has: the most quiet one
        after = dict.fromkeys(sorted(channels, key=_volume)[:1], 0)
    return tuple((channel, _time(channel, seconds, loud, due, now)) for channel, seconds in after.items())


def _volume(channel: str) -> int:
    return WAKES.index(channel) + 1 if channel in WAKES else 0


def _time(channel: str, after: int, loud: Loudness, due: int | None, now: int) -> int:
    """Return when a step is due: never later than a third of the time that is left, and by day if it wakes somebody for what can wait."""
    at = now + after * SECOND_US
    if due is not None and due > now:
        at = min(at, now + (due - now) // 3)
    return by_day(channel, loud, due, at)


def by_day(channel: str, loud: Loudness, due: int | None, at: int) -> int:
    """Return the instant itself, or the next morning if the channel would wake somebody for what can wait. due: limit for an answer."""
    if loud is Loudness.URGENT or channel not in WAKES:
        return at
    morning = _morning(at)
    return at if due is not None and due < morning + (EARLY - MORNING) * 60 * SECOND_US else morning


def _morning(at: int) -> int:
    """Return the instant itself by day, else the next morning."""
    today = local_day(at)
    if at < instant(today, MORNING):
        return instant(today, MORNING)
    return at if at < instant(today, EVENING) else instant(today + timedelta(days=1), MORNING)
