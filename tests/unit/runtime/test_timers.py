"""When an alarm may fire: after everything that was older at the doors was read, and never held for ever."""

from __future__ import annotations

from referral.runtime.loop.timers import Barrier, Due, Gate


def test_an_alarm_waits_for_what_is_older_at_the_door_and_for_nothing_newer() -> None:
    gate = Gate()
    assert gate.unheld([Due("a", 1, 100, 90), Due("b", 2, 100, 110), Due("c", 3, 100, None)], 0.0) == [
        Due("b", 2, 100, 110),
        Due("c", 3, 100, None),
    ]


def test_an_alarm_waits_thirty_seconds_at_most_counted_from_when_it_was_first_held() -> None:
    gate, due = Gate(), [Due("a", 1, 100, 90)]
    assert gate.unheld(due, 1000.0) == []
    assert gate.unheld(due, 1029.9) == []
    assert gate.unheld(due, 1030.0) == due
    assert gate.unheld([Due("a", 1, 100, None)], 1031.0) == [Due("a", 1, 100, None)]
    assert gate.unheld(due, 1032.0) == []


def test_an_alarm_fires_once_its_inputs_were_read_to_the_end_that_was_asked_for_after_it_was_due() -> None:
    gate, due = Gate(), [Due("a", 1, 100, None)]
    assert gate.unasked(due) == {1}
    gate.barriers[1] = Barrier(100, {("t", 1): 7})
    assert gate.ready(due, {("t", 1): 6}) == []
    assert gate.ready([*due, Due("b", 1, 101, None)], {("t", 1): 7}) == due
    assert gate.unasked(due) == {1}


def test_an_end_that_was_asked_for_while_an_answer_waited_vouches_for_no_alarm_behind_it() -> None:
    """An alarm due at 20 fired before an answer of 15, which had reached its topic behind the end that an alarm of 10 had asked for."""
    gate, due = Gate(), [Due("early", 1, 10, 15), Due("late", 1, 20, 15)]
    assert gate.unheld(due, 0.0) == due[:1]
    assert gate.vouches(1, due, 25) == 14
    gate.barriers[1] = Barrier(14, {("t", 1): 7})
    assert gate.ready([Due("early", 1, 10, None), Due("late", 1, 20, None)], {("t", 1): 7}) == [Due("early", 1, 10, None)]
    assert gate.vouches(2, due, 25) == 25, "another partition"
    assert gate.unheld(due, 30.0) == due and gate.vouches(1, due, 25) == 25, "a dead door stops nothing for ever"
