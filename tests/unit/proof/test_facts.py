"""`audit verify` holds what routing says that it decided upon against the log: time, policy bundle, free places, activations."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from referral.domain.case import next_due
from referral.domain.events import OfferOpened, Word
from referral.domain.inputs import due_input
from referral.domain.policy import ENGINE
from referral.proof.act import DIGITS, Act, State
from referral.proof.audit import frozen, spool
from referral.proof.audit.frozen import FrozenEngines
from referral.proof.entry import ROUTING, Entry, Kind, digest
from referral.proof.history.case import unseal
from referral.proof.verify.log import Judge, Verification, verify
from referral.proof.verify.report import Finding, Report, Weight
from referral.wire import topics
from services.audit.ingest import Says, ingest
from tests.harness.audit_log import FILES, MINUTE, START, Log, _id, asked, closed, erase, response
from tests.harness.lying_log import LINDEN, SLOW, Lie, LyingLog, activate, ahead, begun, by_bundle, free, honest, placed
from tests.harness.policies import bundle

HOUR = 60 * MINUTE


def judged(log: Log) -> Report:
    with FrozenEngines(frozen.own()) as engines:
        return verify(log.entries, log.keys, engines=engines)


def bad(log: Log) -> list[Finding]:
    return [found for found in judged(log).findings if found.weight is Weight.BAD]


def codes(log: Log) -> set[str]:
    return {found.code for found in judged(log).findings if found.weight > Weight.NOTE}


def test_shelters_that_fill_and_empty_are_no_finding() -> None:
    log = begun()
    first = placed(log, "one")
    placed(log, "two")
    closed(log, first)
    log.now += HOUR
    placed(log, "three")
    assert not codes(log)


def test_a_free_shelter_that_is_said_to_be_full_is_named_with_who_is_answerable() -> None:
    log = begun()
    placed(log, "one", free(linden=0))
    [found] = bad(log)
    assert found.code == "FREE_FALSE" and found.layer == "decision"
    assert f"{LINDEN}: 1 of 1 places were free by the log, and routing decided as if 0 were" in found.what
    assert "passed over while it had room" in found.what and "routing is answerable" in found.what
    assert found.what.endswith("the agency has no part in it")


def test_a_full_shelter_that_is_said_to_be_free_is_named() -> None:
    log = begun()
    placed(log, "one")
    placed(log, "two", free(linden=1))
    [found] = bad(log)
    assert found.code == "FREE_FALSE" and "0 of 1 places were free by the log, and routing decided as if 1 were" in found.what


def test_more_places_than_the_policy_gives_are_named() -> None:
    log = begun()
    placed(log, "one", free(linden=7))
    assert [found.code for found in bad(log)] == ["FREE_FALSE"]


def beside(log: LyingLog, seconds: int, lie: Lie, name: str = "beside") -> str:
    """Another case's decision names the shelters, so long after one that took Linden's bed."""
    case_id, police = asked(log, name)
    placed(log, "one")
    log.now += seconds * 1_000_000 - 10 * MINUTE  # `placed` waits so long at its end
    log.lie = lie
    log.input(case_id, response(police, Word.ACCEPT, name), f"police {name}")
    log.lie = honest
    return case_id


@pytest.mark.parametrize(("seconds", "named"), [(0, False), (59, False), (61, True)])
def test_decisions_of_other_partitions_that_are_near_may_have_been_committed_in_either_order(seconds: int, named: bool) -> None:
    log = begun()
    case_id = beside(log, seconds, free(linden=1))
    assert len({topics.partition(one) for one in (case_id, *log.cases)}) == 2
    assert ("FREE_FALSE" in codes(log)) is named


def test_one_partition_has_one_order_however_near() -> None:
    log = begun()
    number = next(n for n in range(10_000) if topics.partition(_id(f"case {n}")) == topics.partition(_id("case one")))
    beside(log, 1, free(linden=1), str(number))
    assert "FREE_FALSE" in codes(log)


def test_what_is_recorded_near_and_logged_later_counts() -> None:
    """Audit reads partitions one after another, so a decision may stand before the one that took the place."""
    log = begun()
    beside(log, 1, free(linden=1))
    beds = next(n for n, entry in enumerate(log.entries) if entry.type == OfferOpened.TYPE and "linden" in read(log, entry))
    last = [n for n, entry in enumerate(log.entries) if entry.topic == ROUTING and entry.recorded_at == log.now]
    moved = [*log.entries[:beds], *(log.entries[n] for n in last), *(e for n, e in enumerate(log.entries) if n >= beds and n not in last)]
    log.entries = [structs.replace(entry, idx=n, logged_at=log.now) for n, entry in enumerate(moved)]
    assert "FREE_FALSE" not in codes(log)


def read(log: Log, entry: Entry) -> str:
    return str(unseal(entry, log.keys[entry.case_id]).body.service)  # type: ignore[attr-defined]


def test_a_drills_clock_jumps_while_a_turn_is_under_way() -> None:
    """By the broker's clock, which nobody moves, the two were near."""
    log = begun(True, exercises=True)
    beside(log, 86_400, free(linden=1))
    late = log.now - 86_399 * 1_000_000
    log.entries = [structs.replace(e, kafka_time=late // 1000) if e.recorded_at == log.now else e for e in log.entries]
    assert "FREE_FALSE" not in codes(log)


def test_a_case_that_was_erased_may_have_held_any_place_until_it_was_closed() -> None:
    log = begun()
    case_id = beside(log, 120, free(linden=0, bridge=3))
    first = next(one for one in log.cases if one != case_id)
    assert [found.what.split(":")[0] for found in bad(log)] == ["shelter-bridge.beds"]
    log.now += 10 * MINUTE
    closed(log, first)
    erase(log, first)
    key = log.keys.pop(first)
    assert not bad(log), "it may have held a bed of either"
    log.now += HOUR
    placed(log, "later", free(bridge=3))
    assert [found.what.split(":")[0] for found in bad(log)] == ["shelter-bridge.beds"], "not after its end"
    log.keys[first] = key


@pytest.mark.parametrize(
    ("stack", "count", "named"),
    [(False, 1, False), (False, 0, True), (True, 1, True), (True, 0, False), (None, 1, False), (None, 0, False)],
)
def test_exercises_take_no_place_on_a_line_with_real_cases(stack: bool | None, count: int, named: bool) -> None:
    """Where no heartbeat says which line it is, either may be true."""
    log = begun(stack, exercises=True)
    beside(log, 120, free(linden=count))
    assert ("FREE_FALSE" in codes(log)) is named


def test_where_a_case_cannot_be_judged_to_its_end_its_places_are_not_known() -> None:
    log = begun()
    placed(log, "one")
    at = next(n for n, e in enumerate(log.entries) if e.type == OfferOpened.TYPE and "linden" in read(log, e))
    entry = log.entries[at]
    value = entry.value[:-1] + bytes([entry.value[-1] ^ 1])
    log.entries[at] = structs.replace(entry, value=value, sha256=digest(value))
    placed(log, "two", free(linden=1))
    assert bad(log) and "FREE_FALSE" not in codes(log), "it may have asked Linden, or not"
    placed(log, "three", free(linden=2))
    assert "FREE_FALSE" in codes(log)


@pytest.mark.parametrize("drill", [False, True])
def test_a_time_ahead_is_named_in_exercises_too(drill: bool) -> None:
    log = begun(drill, exercises=drill)
    placed(log, "one", ahead(2 * HOUR))
    assert [found.code for found in bad(log)] == ["DECIDED_AT"]
    assert "routing judged limits as of a time 7200 s" in bad(log)[0].what


def alarm(log: LyingLog, case_id: str, before: int) -> None:
    """The case's alarm is decided upon, so many µs before it is due."""
    case = log.cases[case_id]
    due = next_due(case)
    assert due is not None
    log.now = due - before
    log.answer(due_input(case_id, due, case.seq))


@pytest.mark.parametrize(("before", "named"), [(-HOUR, False), (0, False), (2 * MINUTE, True)])
def test_an_alarm_that_is_decided_before_it_is_due_is_named(before: int, named: bool) -> None:
    log = begun()
    case_id, _ = asked(log, "one")
    alarm(log, case_id, before)
    assert codes(log) == ({"DUE_EARLY"} if named else set())


def test_three_limits_that_are_over_at_once_are_named() -> None:
    """Routing's clock is right in the record, and two hours ahead in what it decided upon."""
    log = begun()
    case_id, _ = asked(log, "one")
    log.now += 2_000_000
    log.lie = ahead(2 * HOUR)
    case = log.cases[case_id]
    due = next_due(case)
    assert due is not None
    log.answer(due_input(case_id, due, case.seq))
    assert "DECIDED_AT" in codes(log)


def test_whoever_decides_by_the_newest_bundle_is_good() -> None:
    log = begun()
    placed(log, "one")
    activate(log)
    placed(log, "two")
    assert not codes(log)


def test_an_older_bundle_than_routing_used_before_is_named() -> None:
    """Two minutes after another case was decided by the new one; that case is of another partition, or of the same."""
    log = begun()
    activate(log)
    placed(log, "one")
    asked(log, "old")
    assert not codes(log)
    log.lie = by_bundle(1)
    asked(log, "two")
    [found] = bad(log)
    assert found.code == "BUNDLE_OLD" and "policy bundle 1 although bundle 2 was in force" in found.what and "routing" in found.what


def test_a_bundle_that_nobody_has_used_yet_is_in_force_a_minute_after_the_broker_had_it() -> None:
    for wait, expected in ((1, set()), (59, set()), (61, {"BUNDLE_OLD"})):
        log = begun()
        placed(log, "one")
        activate(log)
        log.now += wait * 1_000_000
        log.lie = by_bundle(1)
        asked(log, "two")
        assert codes(log) == expected and not bad(log), "it may have died before it took the bundle over"


def test_two_instances_take_a_bundle_over_at_two_moments() -> None:
    log = begun()
    activate(log)
    asked(log, "one")
    log.now += 30_000_000
    log.lie = by_bundle(1)
    asked(log, "two")
    assert not codes(log)


def test_one_partition_never_goes_back_to_an_older_bundle() -> None:
    log = begun()
    activate(log)
    case_id, police = asked(log, "one")
    log.now += 1_000_000
    log.lie = by_bundle(1)
    log.input(case_id, response(police, Word.ACCEPT, "one"), "police")
    assert [found.code for found in bad(log)] == ["BUNDLE_OLD"] and "this partition of routing" in bad(log)[0].what


def test_a_release_that_cannot_read_a_bundle_goes_on_by_the_older_one() -> None:
    log = begun(before=True)
    activate(log)
    placed(log, "one")
    log.lie = partial(structs.replace, bundle=1, engine=ENGINE - 1)
    asked(log, "two")
    found = next(one for one in judged(log).findings if one.code == "BUNDLE_OLD")
    assert found.weight is Weight.UNCHECKED and f"engine {ENGINE - 1}" in found.what


@pytest.mark.parametrize(("minutes", "expected"), [(59, set()), (61, {"ENGINE_OLD"})])
def test_an_older_engine_an_hour_after_a_newer_one_is_named_once(minutes: int, expected: set[str]) -> None:
    """An upgrade restarts the instances one after another; retired rules are nobody's choice afterwards."""
    log = begun(before=True)
    asked(log, "new")
    log.now += minutes * MINUTE
    log.lie = partial(structs.replace, engine=ENGINE - 1)
    asked(log, "old")
    asked(log, "older")
    found = [one for one in judged(log).findings if one.weight > Weight.NOTE]
    assert {one.code for one in found} == expected and len(found) == len(expected)
    assert all("from here on 2 decisions" in one.what and one.weight is Weight.UNCHECKED for one in found)


DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("said", "waited", "acted", "expected"),
    [
        (0, 0, True, set()),
        (-30 * DAY, 0, True, {"ACTIVATED_AT"}),
        (0, 3 * HOUR, True, set()),
        (-30 * DAY, 3 * HOUR, True, {"ACTIVATED_AT"}),
        (4 * HOUR, 3 * HOUR, True, {"ACTIVATED_AT"}),
        (-30 * DAY, 0, False, {"ACTIVATED_AT"}),
    ],
)
def test_a_bundle_says_the_time_of_its_activation(said: int, waited: int, acted: bool, expected: set[str]) -> None:
    """said: µs after the command. waited: for the broker. acted: the log has the operators' acts."""
    log = begun()
    log.now += 100 * DAY
    at = log.now
    for number in (1, 2) if acted else ():
        act = Act(
            id=f"{number:032}",
            command="policy activate",
            state=State.DONE,
            by="operator/besa",
            at=at if number == 2 else START,
            arguments="0" * 64,
            about=(f"policy:{number}", f"digest:{bundle(number, FILES if number == 1 else SLOW).digest[:DIGITS]}"),
        )
        log.entries += ingest([], log._known, [Says(Kind.ADMINISTRATION, act.encode())]).entries
    log.now += waited
    activate(log, at=at + said)
    assert codes(log) == expected
    assert all("routing" in found.what for found in judged(log).findings if found.code == "ACTIVATED_AT")
    weights = {found.weight for found in judged(log).findings if found.code == "ACTIVATED_AT"}
    assert not expected or weights == {Weight.BAD if acted else Weight.UNCHECKED}
    first, second = judged(log).periods
    assert (first.until, second.since) == (log.now, log.now), "the periods are the log's own"


def test_periods_never_run_backwards() -> None:
    log = begun()
    log.now += HOUR
    activate(log, at=0)
    report = judged(log)
    assert [(one.since <= (one.until or one.since)) for one in report.periods] == [True, True]


def test_only_the_newest_entries_leave_the_places_of_older_cases_unknown() -> None:
    log = begun()
    placed(log, "one")
    old = len(log.entries)
    placed(log, "two", free(linden=1))
    placed(log, "three", free(linden=2))
    proof = Verification(log.keys, ())
    for entry in log.entries:
        (proof.passed if entry.idx < old and entry.kind not in (Kind.POLICY, Kind.KEYS) else proof.take)(entry)
    proof.taken()
    for case_id in [*log.cases][1:]:
        proof.case(case_id, [entry for entry in log.entries if entry.case_id == case_id])
    proof.facts()
    found = [one for one in proof.report.findings if one.code == "FREE_FALSE"]
    assert len(found) == 1 and "as if 2 were" in found[0].what, "more than the policy gives"
    assert proof.report.counts["decisions whose free places were not compared"] == proof.report.counts["decisions"] > 0


def test_the_sweep_is_the_same_from_files(tmp_path: Path) -> None:
    log = begun()
    beside(log, 61, free(linden=1))
    proof = Verification(log.keys, ())
    for entry in log.entries:
        proof.take(entry)
    proof.taken()
    judge = Judge(proof.cases(), Report())
    for number, case_id in enumerate(log.cases):
        judge.case(case_id, [entry for entry in log.entries if entry.case_id == case_id])
        spool.put_decided(tmp_path, number, judge.decided)
        judge.decided.clear()
    for number in range(len(log.cases), spool.BUCKETS):
        spool.put_decided(tmp_path, number, ())
    swept = Report()
    proof.sweep(spool.every_decided(tmp_path), swept)
    assert swept.findings == [found for found in judged(log).findings if found.code == "FREE_FALSE"] != []
