"""Operator after operator, again and again, until a key is pressed; and then nobody for half an hour, about this."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from referral.channels import Word
from services.watchman.alarms import Alarm
from services.watchman.rounds import SILENCE_S, Round, called, loud, settle, turn

REPEAT_S = 180.0
DEAD, PAUSED = (Alarm.NOTIFIER,), (Alarm.PAUSED,)


def test_nobody_is_called_for_nothing() -> None:
    assert turn(Round(), (), 0.0) is None


def test_the_list_is_called_in_order_and_again_after_the_pause() -> None:
    state, who, now = Round(), [], 0.0
    for _ in range(5):
        while (place := turn(state, DEAD, now)) is None:
            now += 1
        who.append((place, now))
        state = called(state, DEAD, None, now, 2, REPEAT_S)
    assert who == [(0, 0.0), (1, 0.0), (0, 180.0), (1, 180.0), (0, 360.0)]


def test_key_two_calls_the_next_one_at_once() -> None:
    state = called(Round(), DEAD, Word.CANNOT, 10.0, 2, REPEAT_S)
    assert turn(state, DEAD, 10.0) == 1


def test_key_one_silences_what_stood_and_nothing_else() -> None:
    state = settle(called(Round(), DEAD, Word.LOOKS, 10.0, 2, REPEAT_S), DEAD, 10.0)
    assert turn(state, DEAD, 10.0 + SILENCE_S - 1) is None
    assert turn(state, (*DEAD, *PAUSED), 11.0) == 0, "a new alarm is called at once, from the first of the list"
    assert loud(state, (*DEAD, *PAUSED), 11.0) == PAUSED
    assert turn(state, DEAD, 10.0 + SILENCE_S) == 0, "it still stands after half an hour"


def test_an_alarm_that_ended_and_came_back_is_called_although_it_was_silenced() -> None:
    state = settle(called(Round(), DEAD, Word.LOOKS, 0.0, 2, REPEAT_S), (), 5.0)
    assert turn(state, DEAD, 6.0) == 0
    assert state.told == {0: frozenset()}, "and told again"


def test_a_new_alarm_in_the_pause_waits_for_nobody() -> None:
    state = called(called(Round(), DEAD, None, 0.0, 2, REPEAT_S), DEAD, None, 0.0, 2, REPEAT_S)
    assert turn(state, DEAD, 1.0) is None
    assert turn(settle(state, (), 1.0), PAUSED, 2.0) == 0


SCRIPTS = st.lists(
    st.tuples(st.frozensets(st.sampled_from(list(Alarm)[:3])), st.sampled_from([None, *Word]), st.floats(0.1, 400)), max_size=60
)


@given(SCRIPTS, st.integers(2, 4))
def test_a_standing_alarm_that_nobody_took_is_never_left_for_longer_than_the_pause(
    script: list[tuple[frozenset[Alarm], Word | None, float]], operators: int
) -> None:
    state, now = Round(), 0.0
    taken: dict[Alarm, float] = {}
    waiting = 0.0
    for stands, word, gap in script:
        standing = tuple(sorted(stands))
        state = settle(state, standing, now)
        taken = {alarm: at for alarm, at in taken.items() if alarm in stands}
        due = [alarm for alarm in standing if now - taken.get(alarm, -SILENCE_S) >= SILENCE_S]
        place = turn(state, standing, now)
        if place is not None:
            assert due and 0 <= place < operators
            about = loud(state, standing, now)
            assert set(about) == set(due), "nobody is called about what somebody has taken"
            state = called(state, about, word, now, operators, REPEAT_S)
            if word is Word.LOOKS:
                taken |= dict.fromkeys(about, now)
            waiting = now
        elif due:
            assert now - waiting < REPEAT_S, "the first call after the pause"
        now += gap
