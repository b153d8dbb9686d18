"""Decide whom to call next, and what an answer changes. Pure: operator after operator, again and again, until somebody presses a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from referral.channels import Word
from services.watchman.alarms import Cause

SILENCE_S = 1800.0
"""Seconds (ours) for which key 1 silences the alarms that stood: half an hour to mend it; if it stands after
that, somebody is called again."""


@dataclass(frozen=True, slots=True)
class Round:
    """The state of the calls to the operators. Times are seconds by the watchman's own clock.

    next: place in the list of whoever is called next. after: no call before this time. quiet: alarm → silenced until then.
    told: alarms of which each operator was already told in writing.
    """

    next: int = 0
    after: float = 0.0
    quiet: Mapping[Cause, float] = field(default_factory=dict)
    told: Mapping[int, frozenset[Cause]] = field(default_factory=dict)


def loud(state: Round, standing: Sequence[Cause], now: float) -> tuple[Cause, ...]:
    """Return the alarms for which somebody must be called: those that stand and that nobody has taken."""
    return tuple(alarm for alarm in standing if state.quiet.get(alarm, now) <= now)


def settle(state: Round, standing: Sequence[Cause], now: float) -> Round:
    """Forget what has ended: an alarm that comes back later is told and called again, from the first operator."""
    quiet = {alarm: until for alarm, until in state.quiet.items() if alarm in standing and until > now}
    told = {who: known & frozenset(standing) for who, known in state.told.items()}
    if not loud(replace(state, quiet=quiet), standing, now):
        return Round(quiet=quiet, told=told)
    return replace(state, quiet=quiet, told=told)


def turn(state: Round, standing: Sequence[Cause], now: float) -> int | None:
    """Return the place of the operator to call now; None: nobody yet."""
    return state.next if loud(state, standing, now) and now >= state.after else None


def called(state: Round, about: Sequence[Cause], word: Word | None, now: float, operators: int, repeat_s: float) -> Round:
    """Return the round after a call has ended.

    about: the alarms that stood when it began. word: the key that was pressed; None: no key, or nobody was reached.
    operators: how many there are. repeat_s: seconds to wait after the last of them.
    """
    told = {**state.told, state.next: state.told.get(state.next, frozenset()) | frozenset(about)}
    if word is Word.LOOKS:
        return Round(quiet={**state.quiet, **dict.fromkeys(about, now + SILENCE_S)}, told=told)
    if state.next + 1 < operators:  # key 2, or no key: the next one at once
        return replace(state, next=state.next + 1, told=told)
    return replace(state, next=0, after=now + repeat_s, told=told)
