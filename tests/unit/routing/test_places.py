"""Counting places in memory, asking a desk without rules, and the breaker: the small pure parts of routing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from referral.cli import run
from referral.cli.policy import policy_folder
from referral.domain.case import holds
from referral.domain.decide import facts_at
from referral.domain.inputs import Input, due_input
from referral.runtime.service import Batch
from services.routing import engine_failure
from services.routing.batch_decision import begin
from services.routing.capacity import FreePlaces, difference, held
from services.routing.current_policy import Bundle
from services.routing.engine_failure import LIMIT, WINDOW, Breaker
from tests.harness.audit_log import FILES, POLICY, Log, story

HELD = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 5))


@given(HELD, HELD)
def test_the_difference_leads_from_one_to_the_other(before: dict[str, int], after: dict[str, int]) -> None:
    moved = difference(before, after)
    for service in "abcd":
        assert before.get(service, 0) + moved.get(service, 0) == after.get(service, 0)
    assert 0 not in moved.values()


def test_the_capacities_are_those_of_the_signed_policy_and_a_service_without_a_row_has_none() -> None:
    held = {"shelter-linden.beds": 1, "shelter-bridge.beds": 0, "of-an-older-policy.beds": 1}
    assert Bundle(number=1, policy=POLICY).free(held) == {"shelter-linden.beds": 0, "shelter-bridge.beds": 4}


def test_nothing_below_zero_is_free_and_a_service_without_a_row_has_none() -> None:
    assert FreePlaces(free={"a": 2, "b": -1}).seen("abc") == {"a": 2, "b": 0, "c": 0}


@dataclass
class Heard(Log):
    """A log that remembers each input and what was decided."""

    heard: list[tuple[Input, list[Struct]]] = field(default_factory=list)

    def answer(self, cause: Input) -> list[Struct]:
        said = super().answer(cause)
        self.heard.append((cause, said))
        return said


def test_each_input_of_a_batch_is_decided_on_the_places_that_its_own_state_needs() -> None:
    log = Heard()
    story(log)
    turn = begin(Bundle(number=1, policy=POLICY), {}, {service.id: service.places or 0 for service in POLICY.services.values()})
    for cause, said in log.heard:
        turn.take(Batch(cause.at, (cause,), log.keys, frozenset()))
        assert turn.decided[-1] == (cause, tuple(said)), "the places that a decision used stand in its first event"


def test_a_failure_names_the_desk_of_the_place_and_the_input() -> None:
    log = Log()
    case = log.cases[story(log)]
    cause = due_input(case.case_id, log.now, case.seq)
    (asked,) = engine_failure.events(case, cause, facts_at(case, 0, {}, 1), POLICY)
    assert (asked.desk, asked.about, asked.due) == ("desk-prizren", "engine-failed", case.at + engine_failure.REPEAT)
    assert asked.head is not None and asked.head.due == log.now
    (asked,) = engine_failure.events(None, cause, facts_at(None, 5, {}, 1), POLICY)
    assert asked.desk == POLICY.country_desk


def test_four_failures_in_ten_minutes_are_red_and_four_in_more_are_not() -> None:
    cause = due_input("00000000-0000-0000-0000-000000000001", 1, 1)
    for step, red in ((WINDOW // LIMIT, True), (WINDOW // (LIMIT - 1), False)):
        breaker = Breaker()
        for n in range(LIMIT):
            assert not breaker.not_ready()
            breaker.note(n * step, [(cause, ZeroDivisionError())])
        assert bool(breaker.not_ready()) is red
        breaker.note(LIMIT * WINDOW, [])
        assert not breaker.not_ready()


def test_the_policy_of_the_checkout_is_good_and_an_error_names_file_line_and_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert policy_folder.check(FILES)[1] == ()
    bad = {**FILES, "directory/isf.yaml": FILES["directory/isf.yaml"].replace(b"state-secure-facility", b"state-secure-facilty")}
    _, (error,) = policy_folder.check(bad)
    assert error.startswith("directory/isf.yaml:9:") and "state-secure-facilty" in error and "state-secure-facility" in error
    assert run(["policy", "check", "--quick"]) == 0
    assert run(["policy", "check", "/no/such/folder"]) == 2


def test_an_exercise_counts_only_where_nobody_is_turned_away_by_it() -> None:
    log = Log(drill=True)
    case = log.cases[story(log)]
    assert case.drill and held(case, exercises=False) == {} and held(case, exercises=True) == holds(case)
    assert held(None, exercises=True) == {}
