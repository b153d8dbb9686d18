"""Decide which alarms stand, from what the watchman has seen and since when. Pure: every time is an argument.

Each alarm has one rule: it stands when the thing was last seen in order longer ago than its limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache

from referral.runtime import alert_rules
from services.watchman.alerts import LASTS_S, Alert


class Alarm(StrEnum):
    """A fault that an operator must look at. The words are metric labels and the words of operators.md, "A watchman"."""

    NOTIFIER = "notifier-dead"
    UNKNOCKED = "nobody-knocked"
    BEHIND = "notifier-behind"
    CHANNEL = "channel-away"
    PAUSED = "knocks-paused"
    HOLE = "hole-begun"
    CANARY = "canary-missing"
    DATABASE = "database-away"
    BROKER = "broker-away"
    WATCHMAN = "watchman-silent"
    MUTE = "watchman-mute"
    ALERTS = "alerts-silent"


Cause = Alarm | Alert
"""A reason to call somebody."""


LOOK_S = 5.0
"""Seconds between two looks (ours): after a minute without a knock, two of them and an answered call fit into 90 s (P)."""
TWICE_S = 2 * LOOK_S + 1
"""Limit of whatever must be bad at two looks: a drill whose clock jumps makes everything late for a second."""
STUCK_S = 60.0
"""Seconds (ours) for which a partition has unread records and its position does not move."""
LATE_S = 60.0
"""Seconds (ours) by which a due alarm of the notifier, an event that it has decided, or its count of holes may be late."""
ASLEEP_S = 60.0
"""Seconds (ours) without a look after which this process itself was stopped: what it saw before proves nothing."""
JOIN_S = 300.0
"""Seconds (ours) after the start in which another watchman that was never heard may still be installed."""


@cache
def limits() -> Mapping[Alarm, float]:
    """Return the seconds since a thing was last in order, after which its alarm stands. What an alert rule judges too has that rule's time.

    The others are ours: a notifier that starts again takes over in 15 s, a database or a broker that fails over is back within a minute.
    """
    rule = alert_rules.rules()
    return {
        Alarm.NOTIFIER: rule["NotifierDown"].lasts_s,
        Alarm.UNKNOCKED: TWICE_S,
        Alarm.BEHIND: TWICE_S,
        Alarm.CHANNEL: 30.0,
        Alarm.PAUSED: TWICE_S,
        Alarm.HOLE: rule["HoleBegun"].lasts_s,
        Alarm.CANARY: rule["CanaryMissing"].lasts_s,
        Alarm.DATABASE: 60.0,
        Alarm.BROKER: 60.0,
        Alarm.WATCHMAN: rule["WatchmanSilent"].limit("referral_watchman_silence_seconds"),
        Alarm.MUTE: rule["WatchmanMute"].lasts_s,
        Alarm.ALERTS: LASTS_S,
    }


@dataclass(frozen=True, slots=True)
class Counters:
    """The row of the view `notifier.watch`: counters, and nothing about a case.

    alive: live instances. paused: seconds since sending was switched off, or None. unknocked: open questions that were planned a minute ago
    or longer and of which nobody was handed a knock. late: seconds by which the oldest due alarm or unpublished event is late.
    away: loud channels of which every provider is out of order: a knock has waited for a minute by our fault, or all breakers are open.
    positions: `topic/partition` → next offset that the notifier reads.
    holes: urgent questions that wait where no loud channel reaches anybody who is on duty now; None if nobody has counted.
    counted: seconds since they were counted; None while no channel wakes anybody.
    canary: seconds since a call to a number of ours was last answered; None without such a number.
    """

    alive: int
    paused: float | None = None
    unknocked: int = 0
    late: float = 0.0
    away: tuple[str, ...] = ()
    positions: Mapping[str, int] = field(default_factory=dict)
    holes: int | None = None
    counted: float | None = None
    canary: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest beat of another watchman. at: when it came, seconds by our own clock. able: it can call somebody."""

    at: float
    able: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """One look.

    at: seconds by this process's own clock, which nothing moves. counters: None if the database could not be read.
    ends: `topic/partition` → end offset; None if the broker did not answer.
    heard: each watchman that is expected → its newest beat; None if it was never heard.
    cut: the notifier's trunks are known, and none of them answers.
    alerted: when Alertmanager last showed that it is alive; None: never, so it is not connected.
    """

    at: float
    counters: Counters | None
    ends: Mapping[str, int] | None
    heard: Mapping[str, Heard | None] = field(default_factory=dict)
    cut: bool = False
    alerted: float | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """The times at which each watched thing was last in order.

    began: start of the process, or end of its last sleep. looked: time of the newest look. fine: alarm → time.
    moved: partition → (position, time at which it last moved or had nothing to read).
    """

    began: float
    looked: float
    fine: Mapping[Alarm, float]
    moved: Mapping[str, tuple[int, float]] = field(default_factory=dict)


def begin(at: float) -> Watch:
    """Return the watch of a process that has just started: nothing was seen, so everything counts as in order."""
    return Watch(at, at, dict.fromkeys(Alarm, at))


def look(watch: Watch, seen: Look) -> Watch:
    """Fold one look into the watch.

    What could not be read is unknown: its time stands still, and only its own alarm follows, so one outage is one alarm. After a sleep of
    our own, begin anew.
    """
    if seen.at - watch.looked > ASLEEP_S:
        watch = begin(seen.at)
    moved, since = _moved(watch, seen), seen.at - watch.looked
    shown = _in_order(seen, moved)
    fine = {alarm: at + since if shown[alarm] is None else seen.at if shown[alarm] else at for alarm, at in watch.fine.items()}
    late = JOIN_S - limits()[Alarm.WATCHMAN]
    heard = (watch.began + late if beat is None else max(watch.began, beat.at) for beat in seen.heard.values())
    fine[Alarm.WATCHMAN] = min(heard, default=seen.at)
    fine[Alarm.ALERTS] = seen.at if seen.alerted is None else max(watch.began, seen.alerted)
    return replace(watch, looked=seen.at, fine=fine, moved=moved)


def standing(watch: Watch, now: float) -> tuple[Alarm, ...]:
    """Return the alarms that stand, in the order of the enumeration; none while this process has slept and not yet looked again."""
    if now - watch.looked > ASLEEP_S:
        return ()
    return tuple(alarm for alarm in Alarm if now - watch.fine[alarm] > limits()[alarm])


def _in_order(seen: Look, moved: Mapping[str, tuple[int, float]]) -> Mapping[Alarm, bool | None]:
    """Return whether a look shows each thing in order; None: it does not show it at all. WATCHMAN and ALERTS go by a time, not by this."""
    found: dict[Alarm, bool | None] = dict.fromkeys(Alarm)
    if (row := seen.counters) is not None:
        found = {
            **found,
            Alarm.NOTIFIER: row.alive > 0,
            Alarm.UNKNOCKED: row.unknocked == 0,
            Alarm.BEHIND: None if seen.ends is None else not _behind(seen, row, seen.ends, moved),
            Alarm.CHANNEL: not row.away,
            Alarm.PAUSED: (row.paused or 0.0) < alert_rules.rules()["KnocksPaused"].lasts_s,
            Alarm.HOLE: not row.holes,
            Alarm.CANARY: _called(seen, row),
        }
    if seen.cut:
        found[Alarm.CHANNEL] = False
    found[Alarm.DATABASE], found[Alarm.BROKER] = row is not None, seen.ends is not None
    found[Alarm.MUTE] = all(beat is None or beat.able or _silent(beat, seen.at) for beat in seen.heard.values())
    return found


def _silent(beat: Heard, now: float) -> bool:
    """Return whether nothing came since for so long that the beat says nothing about the present: WATCHMAN stands then."""
    return now - beat.at > limits()[Alarm.WATCHMAN]


def _called(seen: Look, counters: Counters) -> bool:
    """Return whether the canary is answered, or another alarm says why it cannot be called."""
    cannot = counters.alive == 0 or counters.paused is not None or bool(counters.away) or seen.cut
    return (
        cannot or counters.canary is None or counters.canary <= alert_rules.rules()["CanaryMissing"].limit("referral_knocks_canary_seconds")
    )


def _behind(seen: Look, counters: Counters, ends: Mapping[str, int], moved: Mapping[str, tuple[int, float]]) -> bool:
    if counters.alive == 0:
        return False  # NOTIFIER says so
    stuck = any(seen.at - since > STUCK_S for _, since in moved.values())
    unread = sum(max(0, end - counters.positions.get(place, 0)) for place, end in ends.items())
    most = alert_rules.rules()["NotifierBehind"].limit("referral_lag")
    return stuck or unread > most or max(counters.late, counters.counted or 0.0) > LATE_S


def _moved(watch: Watch, seen: Look) -> Mapping[str, tuple[int, float]]:
    """Return when each partition last moved, or had nothing to read. While a look lacks one side, time stands still."""
    if seen.counters is None or seen.ends is None:
        return {place: (position, since + seen.at - watch.looked) for place, (position, since) in watch.moved.items()}
    moved = {}
    for place, end in seen.ends.items():
        position = seen.counters.positions.get(place, 0)
        before, since = watch.moved.get(place, (position, seen.at))
        moved[place] = (position, seen.at if position >= end or position > before else since)
    return moved
