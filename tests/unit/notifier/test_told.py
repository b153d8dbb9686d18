"""Who was told, as counts: each person once, by the best known result, and never better than it is."""

from __future__ import annotations

from typing import Any

import pytest

from services.notifier.plan import State
from services.notifier.told import Message, Progress, count

NOW = 1_764_036_000_000_000
MINUTE = 60_000_000


def message(person: str, channel: str = "sms", state: str = "SENT", **more: Any) -> Message:
    values: dict[str, Any] = {"attempt": 1, "reason": None, "ended_at": NOW, "delivered_at": None, "due_at": NOW, "leased": False}
    return Message(person, channel, state, **(values | more))


def progress(**more: Any) -> Progress:
    values: dict[str, Any] = {"state": State.OPEN, "rung": 0, "task": False, "next_at": None, "due": None, "cannot": (), "now": NOW}
    return Progress(**(values | {"paused": False} | more))


def test_a_reply_counts_more_than_a_call_that_was_not_taken() -> None:
    told = count(progress(), [message("a", delivered_at=NOW, word="LOOKS"), message("a", "voice", "WAITING", reason="no-key")])
    assert (told.people, told.delivered, told.silent) == (1, 1, 0)


def test_one_delivered_one_without_answer_one_cannot_and_the_next_message() -> None:
    told = count(
        progress(cannot=("c",), next_at=NOW + 4 * MINUTE),
        [
            message("a", delivered_at=NOW + MINUTE),
            message("b", "email"),
            message("b", "voice", "WAITING", reason="rings-out", due_at=NOW + 3 * MINUTE),
            message("c", delivered_at=NOW),
        ],
    )
    assert (told.people, told.delivered, told.delivered_at, told.silent, told.cannot) == (3, 1, NOW + MINUTE, 1, 1)
    assert (told.sent, told.lost, told.waits, told.next_at) == (0, 0, 0, NOW + 3 * MINUTE)


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([message("a", "email")], "sent"),
        ([message("a", "email"), message("a", delivered_at=NOW)], "delivered"),
        ([message("a", "voice")], "delivered"),  # a call is taken only by a key
        ([message("a", delivered_at=NOW), message("a", "voice", "FAILED", reason="no-key")], "silent"),
        ([message("a", "voice", "FAILED", reason="busy"), message("a", "voice")], "delivered"),
        ([message("a", delivered_at=NOW, state="FAILED", reason="cannot")], "cannot"),
        ([message("a", state="FAILED", reason="wrong-number")], "lost"),
        ([message("a", state="FAILED", reason="server-away")], "waits"),
        ([message("a", state="WAITING", reason="server-away")], "waits"),
        ([message("a", state="WAITING", attempt=0, ended_at=None)], "waits"),
        ([message("a", state="FAILED", reason="wrong-number"), message("a", "email", "WAITING", attempt=0)], "waits"),
    ],
)
def test_a_person_counts_once_by_the_best_known_result(messages: list[Message], field: str) -> None:
    told = count(progress(), messages)
    counted = {name: getattr(told, name) for name in ("delivered", "sent", "silent", "cannot", "lost", "waits")}
    assert counted == dict.fromkeys(counted, 0) | {field: 1}


def test_a_message_that_was_given_up_for_another_reason_counts_for_nobody() -> None:
    assert count(progress(), [message("a", state="DROPPED")]).people == 0


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (progress(next_at=NOW + MINUTE), NOW + MINUTE),
        (progress(next_at=NOW + 9 * MINUTE), NOW + 5 * MINUTE),  # the call that waits comes first
        (progress(state=State.ANSWERED, next_at=NOW + 9 * MINUTE), NOW + 9 * MINUTE),  # a reminder; nothing else leaves
        (progress(state=State.ANSWERED), None),
        (progress(cannot=("a",), next_at=NOW + 9 * MINUTE), NOW + 9 * MINUTE),  # who cannot is not called
        (progress(task=True, due=NOW + 2 * MINUTE), NOW + 2 * MINUTE),  # routing repeats a task
        (progress(due=NOW + 2 * MINUTE), NOW + 5 * MINUTE),  # an offer's limit is no message
        (progress(state=State.CLOSED, next_at=NOW), None),
    ],
)
def test_the_next_message_is_the_earliest_that_will_leave(asked: Progress, expected: int | None) -> None:
    assert count(asked, [message("a", "voice", "WAITING", attempt=0, due_at=NOW + 5 * MINUTE)]).next_at == expected


def test_a_message_that_is_under_way_is_the_next_one() -> None:
    assert count(progress(), [message("a", state="WAITING", due_at=NOW - MINUTE, leased=True)]).next_at == NOW
