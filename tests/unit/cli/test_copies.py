"""`doctor` says when a lost machine would cost records, or stop the line."""

from __future__ import annotations

from typing import Any

import pytest

from referral.cli.admin.doctor.checks import copies
from referral.cli.admin.doctor.facts import Facts
from referral.cli.admin.doctor.result import Result
from referral.runtime.kafka import replication
from referral.runtime.kafka.replication import Replication


def topic(replicas: int, in_step: int) -> dict[str, Any]:
    every = list(range(replicas))
    return {"topic": "referral-routing", "partitions": [{"replicas": every, "isr": every}, {"replicas": every, "isr": every[:in_step]}]}


@pytest.mark.parametrize(
    ("replicas", "in_step", "brokers", "least", "said"),
    [
        (3, 3, 3, "2", []),
        (3, 3, 5, "2", []),
        (1, 1, 1, "1", []),
        (2, 2, 2, "1", []),
        (1, 1, 3, "1", ["referral-routing has 1 copies and could have 3: a lost machine is a lost topic"]),
        (3, 3, 3, "1", ["referral-routing min.insync.replicas is 1, must be 2: a record that one machine has is lost with it"]),
        (3, 2, 3, "2", ["referral-routing: 1 of 2 partitions have a copy that is away or behind"]),
    ],
)
def test_a_topic_has_the_copies_that_a_lost_machine_takes(replicas: int, in_step: int, brokers: int, least: str, said: list[str]) -> None:
    assert replication.short(topic(replicas, in_step), brokers, least) == said


@pytest.mark.parametrize(
    ("found", "exercises", "result"),
    [
        (Replication(), False, Result.GOOD),
        (Replication(brokers=1), True, Result.GOOD),
        (Replication(brokers=1), False, Result.WARN),
        (Replication(brokers=2), False, Result.WARN),
        (Replication(brokers=1, short=("a topic …",)), True, Result.BAD),
    ],
)
def test_one_broker_is_a_warning_beside_real_cases(found: Replication, exercises: bool, result: Result) -> None:
    check = copies(Facts(now=1, replication=found, real=not exercises))
    assert check.result is result and bool(check.do) == (result is not Result.GOOD)


def test_topics_are_made_with_as_many_copies_as_there_are_brokers_for() -> None:
    assert [(replication.copies(n), replication.settings(n)) for n in (1, 2, 3, 5)] == [
        (1, {}),
        (2, {}),
        (3, {"min.insync.replicas": "2"}),
        (3, {"min.insync.replicas": "2"}),
    ]
