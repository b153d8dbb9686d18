"""What is seen, and since when, decides: nothing in a quiet day, each fault within its limit, and one outage is one alarm."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.runtime import alert_rules
from services.watchman.alarms import (
    ASLEEP_S,
    JOIN_S,
    LOOK_S,
    STUCK_S,
    TWICE_S,
    Alarm,
    Counters,
    Heard,
    Look,
    Watch,
    begin,
    limits,
    look,
    standing,
)

RULES = alert_rules.rules()
PAUSE_S = RULES["KnocksPaused"].lasts_s
CANARY_S = RULES["CanaryMissing"].limit("referral_knocks_canary_seconds")
LAG = round(RULES["NotifierBehind"].limit("referral_lag"))
WELL = Counters(alive=2, positions={"a/0": 10, "a/1": 5})
ENDS = {"a/0": 10, "a/1": 5}
FOUND_S = 80.0
"""Longest time from a fault to its alarm: 90 s (P) without the ten that a call takes."""
FAULTS: dict[Alarm, Look] = {
    Alarm.NOTIFIER: Look(0, replace(WELL, alive=0), ENDS),
    Alarm.UNKNOCKED: Look(0, replace(WELL, unknocked=1), ENDS),
    Alarm.BEHIND: Look(0, replace(WELL, late=61.0), ENDS),
    Alarm.CHANNEL: Look(0, replace(WELL, away=("voice",)), ENDS),
    Alarm.PAUSED: Look(0, replace(WELL, paused=PAUSE_S + 1), ENDS),
    Alarm.HOLE: Look(0, replace(WELL, holes=1), ENDS),
    Alarm.DATABASE: Look(0, None, ENDS),
    Alarm.BROKER: Look(0, WELL, None),
}


def seen(watch: Watch, one: Look, at: float) -> Watch:
    return look(watch, replace(one, at=at))


def lived(watch: Watch, one: Look, begins: float, seconds: float) -> tuple[Watch, dict[Alarm, float]]:
    """The same look again and again; alarm → the second at which it first stood, decided each second."""
    stood: dict[Alarm, float] = {}
    for n in range(round(seconds)):
        if n % LOOK_S == 0:
            watch = seen(watch, one, begins + n)
        for alarm in standing(watch, begins + n):
            stood.setdefault(alarm, n)
    return watch, stood


def test_a_quiet_day_has_no_alarm() -> None:
    heard = {"other": Heard(0.0)}
    watch = begin(0.0)
    for at in range(0, 24 * 3600, round(LOOK_S)):
        heard = {"other": Heard(at - at % 20)}
        called = at % 900 if at % 5400 < 4500 else at % 5400 - 3600  # every sixth canary is missed
        watch = look(watch, Look(at, replace(WELL, canary=called), ENDS, heard))
        assert standing(watch, at + LOOK_S - 1) == ()


def test_the_notifiers_trunks_cut_is_an_alarm_also_without_the_database() -> None:
    watch = begin(0.0)
    for n in range(8):
        watch = look(watch, Look(n * LOOK_S, None, ENDS, cut=True))
    assert standing(watch, 35.0) == (Alarm.CHANNEL,)


def test_holes_that_nobody_counts_are_an_alarm_of_the_notifier() -> None:
    for counted, alarms in ((8.0, {}), (None, {}), (61.0, {Alarm.BEHIND})):
        _, stood = lived(begin(0.0), Look(0, replace(WELL, counted=counted), ENDS), 0, FOUND_S)
        assert stood.keys() == {*alarms}, counted


@pytest.mark.parametrize("alarm", FAULTS)
@pytest.mark.parametrize("late", (0.1, 9.9))
def test_each_fault_alone_is_found_in_time(alarm: Alarm, late: float) -> None:
    healthy, _ = lived(begin(0.0), Look(0, WELL, ENDS), 0, 100)
    watch, stood = lived(healthy, FAULTS[alarm], 90 + LOOK_S, 90)  # the last good look was LOOK_S before
    assert set(stood) == {alarm}
    unseen = LOOK_S - late  # the fault began this long before the first look that shows it
    assert stood[alarm] + unseen <= FOUND_S
    assert stood[alarm] > limits()[alarm] - LOOK_S, "not before its limit"
    _, after = lived(watch, Look(0, WELL, ENDS), 200, 60)
    assert after.keys() <= {alarm} and after.get(alarm, 0) == 0, "it ends with the first good look"


def test_two_canaries_missing_are_an_alarm_within_two_minutes() -> None:
    healthy, _ = lived(begin(0.0), Look(0, replace(WELL, canary=CANARY_S), ENDS), 0, 600)
    _, stood = lived(healthy, Look(0, replace(WELL, canary=CANARY_S + 1), ENDS), 600, 200)
    assert stood == {Alarm.CANARY: pytest.approx(limits()[Alarm.CANARY], abs=LOOK_S + 1)}


@pytest.mark.parametrize(
    "other",
    (replace(WELL, alive=0), replace(WELL, paused=60.0), replace(WELL, away=("voice",))),
    ids=("no notifier", "paused", "trunk away"),
)
def test_a_canary_that_cannot_be_called_is_another_alarm(other: Counters) -> None:
    _, stood = lived(begin(0.0), Look(0, replace(other, canary=9999.0), ENDS), 0, 200)
    assert Alarm.CANARY not in stood


def test_a_jump_of_the_drill_clock_seen_once_is_no_alarm() -> None:
    watch, _ = lived(begin(0.0), Look(0, WELL, ENDS), 0, 100)
    jumped = replace(WELL, unknocked=9, late=960.0)
    watch = seen(watch, Look(0, jumped, ENDS), 100)
    assert not any(standing(watch, 100 + n) for n in range(round(LOOK_S) + 1))
    watch = seen(watch, Look(0, WELL, ENDS), 110)
    assert not any(standing(watch, 110 + n) for n in range(round(TWICE_S)))


def test_a_stuck_partition_is_found_beside_partitions_that_move() -> None:
    watch, at, n = begin(0.0), 0.0, 0
    while not standing(watch, at):
        at = n * LOOK_S
        watch = look(watch, Look(at, replace(WELL, positions={"a/0": 10 + 5 * n, "a/1": 5}), {"a/0": 20 + 5 * n, "a/1": 6}))
        n += 1
    assert standing(watch, at) == (Alarm.BEHIND,)
    assert STUCK_S + TWICE_S - LOOK_S < at <= STUCK_S + TWICE_S + LOOK_S


def test_a_partition_that_has_just_got_a_record_is_not_behind() -> None:
    watch = begin(0.0)
    for n in range(60):  # at every look a new record that will be read a moment later
        watch = look(watch, Look(n * LOOK_S, replace(WELL, positions={"a/0": n, "a/1": 0}), {"a/0": n + 1, "a/1": 0}))
        assert standing(watch, n * LOOK_S) == ()


def test_a_thousand_unread_records_are_an_alarm_although_it_moves() -> None:
    watch = begin(0.0)
    for n in range(5):
        watch = look(watch, Look(n * LOOK_S, replace(WELL, positions={"a/0": n, "a/1": 0}), {"a/0": n + LAG + 1, "a/1": 0}))
    assert standing(watch, 5 * LOOK_S) == (Alarm.BEHIND,)


def test_the_other_watchman_is_missed_after_a_minute_and_may_take_five_to_join() -> None:
    watch = look(begin(0.0), Look(0.0, WELL, ENDS, {"west": None}))
    watch = look(watch, Look(59.0, WELL, ENDS, {"west": None}))
    assert standing(watch, 60.0) == ()
    for at in range(60, 240, 10):
        watch = look(watch, Look(at, WELL, ENDS, {"west": Heard(60.0)}))
        assert standing(watch, at) == (() if at <= 120 else (Alarm.WATCHMAN,))
    watch = begin(0.0)
    for at in range(0, 400, 10):
        watch = look(watch, Look(at, WELL, ENDS, {"west": None}))
        assert standing(watch, at) == (() if at <= JOIN_S else (Alarm.WATCHMAN,))


def test_the_other_watchman_that_can_call_nobody_is_an_alarm() -> None:
    watch = begin(0.0)
    for at in range(0, 60, 10):
        watch = look(watch, Look(at, WELL, ENDS, {"west": Heard(at, able=False)}))
    assert standing(watch, 60) == (Alarm.MUTE,)


def test_a_mute_watchman_that_dies_is_one_alarm() -> None:
    watch = begin(0.0)
    for at in range(0, 300, 5):
        watch = look(watch, Look(at, WELL, ENDS, {"west": Heard(min(at, 60), able=False)}))
        assert len(standing(watch, at)) <= 1
    assert standing(watch, 300) == (Alarm.WATCHMAN,)


def test_whoever_was_asleep_knows_nothing() -> None:
    watch = look(begin(0.0), Look(0.0, WELL, ENDS, {"west": Heard(0.0)}))
    assert standing(watch, 3600.0) == (), "nobody has looked since"
    watch = look(watch, Look(3600.0, WELL, ENDS, {"west": Heard(0.0)}))
    for n in range(1, 6):
        watch = look(watch, Look(3600.0 + 10 * n, WELL, ENDS, {"west": Heard(0.0)}))
        assert standing(watch, 3600.0 + 10 * n) == ()
    assert standing(watch, 3661.0) == (Alarm.WATCHMAN,), "a minute after waking"


@pytest.mark.parametrize("every", [2, 5, 10])
def test_a_look_that_fails_now_and_then_hides_no_alarm(every: int) -> None:
    """It began the time of each alarm anew: with one look in six unreadable nobody was called for a dead notifier, all night."""
    watch, dead, stuck = begin(0.0), replace(WELL, alive=0), replace(WELL, late=120.0)
    for n in range(1, 60):
        read = dead if n < 30 else stuck
        watch = look(watch, Look(5.0 * n, None if n % every == 0 else read, ENDS))
        if n == 29:
            assert standing(watch, 5.0 * n) == (Alarm.NOTIFIER,)
    assert standing(watch, 5.0 * 59) == (Alarm.BEHIND,)


COUNTERS = st.builds(
    Counters,
    alive=st.integers(0, 3),
    paused=st.none() | st.floats(0, 4000),
    unknocked=st.integers(0, 3),
    late=st.floats(0, 200),
    away=st.sampled_from([(), ("voice",)]),
    holes=st.none() | st.integers(0, 2),
    counted=st.none() | st.floats(0, 200),
    canary=st.none() | st.floats(0, 4000),
    positions=st.fixed_dictionaries({"a/0": st.integers(0, 50)}),
)
LOOKS = st.lists(
    st.tuples(
        st.floats(0.5, ASLEEP_S - 1),
        st.none() | COUNTERS,
        st.none() | st.fixed_dictionaries({"a/0": st.integers(0, 50)}),
        st.none() | st.floats(0, 90),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@given(LOOKS)
def test_an_alarm_stands_exactly_when_its_thing_was_in_order_longer_ago_than_its_limit(script: list[tuple[float, ...]]) -> None:
    """Against a reference that counts for each alarm the seconds that were seen out of order, instead of keeping a time."""
    watch, at = begin(0.0), 0.0
    ill, before = dict.fromkeys(Alarm, 0.0), 0.0
    for gap, counters, ends, age, able in script:  # type: ignore[assignment]
        at += gap
        beat = None if age is None else Heard(max(0.0, at - age), bool(able))
        watch = look(watch, Look(at, counters, ends, {"west": beat}))  # type: ignore[arg-type]
        shown: Counters | None = counters  # type: ignore[assignment]
        for alarm, holds in {
            Alarm.DATABASE: shown is not None,
            Alarm.BROKER: ends is not None,
            Alarm.NOTIFIER: None if shown is None else shown.alive > 0,
            Alarm.UNKNOCKED: None if shown is None else shown.unknocked == 0,
            Alarm.PAUSED: None if shown is None else (shown.paused or 0) < PAUSE_S,
            Alarm.CHANNEL: None if shown is None else not shown.away,
            Alarm.MUTE: beat is None or beat.able or at - beat.at > limits()[Alarm.WATCHMAN],
            Alarm.HOLE: None if shown is None else shown.holes in (None, 0),
            Alarm.CANARY: None
            if shown is None
            else (shown.canary or 0) <= CANARY_S or shown.alive == 0 or shown.paused is not None or shown.away != (),
        }.items():
            if holds is not None:
                ill[alarm] = 0.0 if holds else ill[alarm] + gap
        for alarm in ill.keys() - {Alarm.BEHIND, Alarm.WATCHMAN, Alarm.ALERTS}:
            assert at - watch.fine[alarm] == pytest.approx(ill[alarm])
            if abs(ill[alarm] + 5 - limits()[alarm]) > 1e-6:
                assert (alarm in standing(watch, at + 5)) == (ill[alarm] + 5 > limits()[alarm])
        behind = at - watch.fine[Alarm.BEHIND]
        missed = at + 5 - (beat.at if beat else JOIN_S - limits()[Alarm.WATCHMAN]) > limits()[Alarm.WATCHMAN]
        assert (Alarm.WATCHMAN in standing(watch, at + 5)) == missed
        if shown is None:
            assert behind == pytest.approx(before), "an outage of the database is one alarm"
        before = behind
