"""A limit may count from a time that a person entered: never later than it is asked for, and only a second party makes it longer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from referral.domain import events as e
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from referral.domain.entered_times import beside, entered, is_possible, since, times_of
from referral.errors import Rejected
from referral.wire import codec
from services.intake.messages import responses, submission
from tests.harness.htcds_values import shipped
from tests.stories.teller import TRAITS, World, policy, replayed

NOW = 1_790_755_200_000_000
HELD = structs.replace(TRAITS, times=entered({"held-since": NOW - HOUR_US}))


def custody(*lines: str) -> World:
    """The world after the police have accepted a child whom they hold, and these lines."""
    world = World(policy())
    for line in ("refer concern=conflict-with-law age_band=15-17 flags=in-custody " + lines[0], *lines[1:], "police: ACCEPT"):
        world.tell(line)
    return world


def due(world: World) -> int:
    """How long the decision about custody may still take, µs."""
    assert world.case is not None
    [run] = [run for run in world.case.tracks[0].runs if run.step == "custody"]
    assert run.seats[0].offer is not None and run.seats[0].offer.due is not None
    return run.seats[0].offer.due - world.now


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (("held-since=270min",), 24 * HOUR_US - 270 * MINUTE_US),
        (("held-since=0min",), DAY_US),
        (("", "wait 20 min"), DAY_US - 20 * MINUTE_US),
        (("held-since=1439min",), MINUTE_US),
        (("held-since=1441min",), -MINUTE_US),
        (("held-since=+4min",), DAY_US),
    ],
    ids=["before the referral", "now", "not known: from the beginning", "just before the limit", "just after it", "a clock ahead of ours"],
)
def test_the_limit_counts_from_the_arrest(lines: tuple[str, ...], left: int) -> None:
    world = custody(*lines)
    assert due(world) == left
    replayed(world)


def test_a_limit_that_is_over_when_it_is_asked_for_passes_at_once_and_three_offices_are_told() -> None:
    world = custody("held-since=1441min")
    told = world.tell("alarm")
    assert "missed decide custody station-prishtine.duty" in told
    assert {line.split()[1] for line in told if line.startswith("offer ")} == {"custody-prosecutor", "custody-judge", "custody-rights"}


def test_a_missed_decision_is_missed_until_it_is_made() -> None:
    world = custody("held-since=1441min")
    world.tell("alarm")
    assert "done custody-judge not-needed" in world.tell("custody: DECIDE released")


def test_who_names_no_time_takes_none_away() -> None:
    named = structs.replace(TRAITS, age="uncertain")
    assert times_of(beside(named, HELD)) == {"held-since": NOW - HOUR_US}
    world = custody("held-since=60min")
    assert world.case is not None
    world.put(e.TraitsChanged(agency="school-drita", by=None, traits=structs.replace(world.case.traits, times=()), received_at=0))
    assert due(world) == 23 * HOUR_US


@pytest.mark.parametrize(
    ("code", "at", "possible"),
    [
        ("held-since", NOW + 5 * MINUTE_US, True),
        ("held-since", NOW + 5 * MINUTE_US + 1, False),
        ("last-seen", NOW - 400 * DAY_US, True),
        ("taken-at", 0, False),
        ("order-until", NOW + 30 * DAY_US, True),
        ("order-until", NOW + 30 * 366 * DAY_US, False),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(code: str, at: int, possible: bool) -> None:
    said = structs.replace(TRAITS, times=entered({code: at}))
    assert is_possible(code, at, NOW) is possible
    if possible:
        return submission.check_times(said, "$.traits", NOW)
    with pytest.raises(Rejected) as refused:
        submission.check_times(said, "$.traits", NOW)
    assert (refused.value.code, refused.value.where) == ("out-of-range", f"$.traits.times.{code}")
    return None


@pytest.mark.parametrize("at", [NOW - DAY_US, NOW - 1, NOW, NOW + 1, NOW + DAY_US])
def test_nothing_counts_from_later_than_the_event(at: int) -> None:
    traits = structs.replace(TRAITS, times=entered({"held-since": at}))
    assert since(traits, "held-since", NOW, NOW) == min(at, NOW) and since(TRAITS, "held-since", NOW, NOW - 5) == NOW - 5


def body(**times: str) -> dict[str, Any]:
    return {"concern": "conflict-with-law", "age": "child", "found_in": "prizren", "urgency": "urgent", "times": times}


@pytest.mark.parametrize("at", ["2026-09-30T10:00:00", "yesterday", 5], ids=["without a zone", "a word", "a number"])
def test_the_door_takes_only_times_with_their_zone(at: Any) -> None:
    with pytest.raises(Rejected):
        submission.submission(json.dumps({"traits": body(**{"held-since": at})}).encode(), shipped())


def test_the_door_takes_only_times_that_the_policy_names() -> None:
    with pytest.raises(Rejected) as refused:
        submission.submission(json.dumps({"traits": body(**{"born-at": "2026-09-30T10:00:00Z"})}).encode(), shipped())
    assert refused.value.code == "unknown-code" and "held-since" in refused.value.hint


def test_a_page_adds_one_time_to_those_that_are_known() -> None:
    said = {"times": {"order-until": datetime(2026, 12, 30, 12, tzinfo=UTC)}}
    event = responses.some_traits(HELD, said, shipped(), agency="dsw", by=None, at=NOW)
    assert event.only == ("times",) and set(times_of(event.traits)) == {"order-until"}
    assert set(times_of(beside(event.traits, HELD))) == {"held-since", "order-until"}


def test_an_event_without_a_time_is_read_and_written_as_before() -> None:
    old = e.TraitsChanged(agency="dsw", by=None, traits=TRAITS, received_at=0)
    type_, data = codec.encode_oldest(old)
    assert type_ == "traits-changed.v1" and codec.decode(type_, codec.fingerprint(type_), data) == old
    assert codec.encode_oldest(structs.replace(old, traits=HELD))[0] == "traits-changed.v3"
