"""The log under another policy: the cases that it names are those that the same made-up world names when it is run under both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from referral.analysis.simulation import world as simulate
from referral.analysis.simulation.caseload import Caseload
from referral.analysis.simulation.run import PairedWorlds
from referral.analysis.simulation.world import World
from referral.domain.case import Case
from referral.domain.decide import decided, places_wanted
from referral.domain.events import KnockSent, RungReached
from referral.domain.inputs import Due, Input, derived, record_input
from referral.domain.policy import Policy
from referral.domain.policy.limits import Limit
from referral.proof.counterfactual import Counterfactual
from referral.proof.entry import Kind
from referral.proof.verify.log import verify
from referral.proof.verify.policies import Bundles
from referral.proof.verify.report import Report
from tests.harness.audit_log import POLICY, Log

CHILD = next(p for p in POLICY.current if p.id == "trafficking-child")
ONE = replace(POLICY, current=(CHILD,))
"""The pathway with beds alone."""
LOADED = Caseload(policy=ONE, seed=4, world=0, cases=14, year=2026)


def closed(service: str) -> Policy:
    return replace(ONE, services={**ONE.services, service: replace(ONE.services[service], places=0)})


def limited(step: str, **limits: Limit) -> Policy:
    steps = tuple(replace(s, limits={**s.limits, **limits}) if s.id == step else s for s in CHILD.steps)
    child = replace(CHILD, steps=steps)
    return replace(ONE, current=(child,), pinned={**ONE.pinned, CHILD.digest: child})


def without(agency: str) -> Policy:
    return replace(ONE, services={id: service for id, service in ONE.services.items() if service.agency != agency})


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """The whole world as intake, routing, notifier and audit would have logged it; complaints that it raises are left out."""
    log = Log()

    def logged(case: Case | None, cause: Input, facts, policy):  # type: ignore[no-untyped-def]
        if cause.case_id[9:13] != "0000":
            return decided(case, cause, facts, policy)
        log.now = facts.now
        if isinstance(cause.body, RungReached):
            told: dict[str, Any] = {"task_id": None, "person": cause.id, "channel": "email", "again": 0, "reference": cause.id}
            sent = KnockSent(offer_id=cause.body.offer_id, rung=cause.body.rung, at=log.now, **told)
            log.say(cause.case_id, sent, derived(cause.id, "sent"), cause.id, "notifier")
        if not isinstance(cause.body, Due):
            meta, source = log.say(cause.case_id, cause.body, cause.id, cause.id, "intake")
            cause = record_input(meta, cause.body, source)
        free = {service: facts.free[service] for service in places_wanted(case, cause, policy)}
        decision = decided(case, cause, structs.replace(facts, free=free, bundle=1), policy)
        for index, event in enumerate(decision.events):
            log.say(cause.case_id, event, derived(cause.id, index), cause.id, "routing")
        return decision

    monkeypatch.setattr(simulate, "decided", logged)
    world = World(LOADED, ONE)
    while world.next_at is not None:
        world.step()
    monkeypatch.undo()
    return log


def replayed(log: Log, other: Policy) -> Counterfactual:
    bundles, found = Bundles(report=Report()), Counterfactual()
    for entry in log.entries:
        if entry.kind is Kind.POLICY:
            bundles.take(entry)
    for case_id, key in log.keys.items():
        found.take(case_id, [e for e in log.entries if e.case_id == case_id], key, bundles.policy, other)
    return found


def names(found: Counterfactual) -> set[str]:
    return {f"{int(case_id[:8], 16)}-{int(case_id[24:], 16)}" for case_id in found.differences.names}


def test_the_log_is_one_that_audit_believes(log: Log) -> None:
    """So the fixture is honest: what it wrote is what the shipped rules lead to."""
    report = verify(log.entries, log.keys)
    bad = [f for f in report.findings if f.code != "DECISION_DIFFERS"]  # it was decided by one of the pathways alone
    assert not bad and report.counts["decisions"] > 100


def test_the_same_policy_sends_nobody_elsewhere(log: Log) -> None:
    found = replayed(log, ONE)
    assert found.cases == LOADED.cases and found.inputs > 20 * LOADED.cases
    assert not found.differences.elsewhere and not found.differences.said and not found.unchecked and not found.assumed


@pytest.mark.parametrize(
    "other",
    [
        limited("police", acknowledge=Limit(25, "min")),
        limited("police", acknowledge=Limit(6, "min")),
        without("legal-aid-bridge"),
        limited("support", present=Limit(90, "min")),
    ],
    ids=["longer limit", "shorter limit", "removed lawyers", "shorter presence"],
)
def test_it_names_the_cases_that_a_simulation_names_and_why(log: Log, other: Policy) -> None:
    both = PairedWorlds(LOADED, ONE, other)
    for _ in both.run():
        pass
    found = replayed(log, other)
    assert names(found) == set(both.differences.names) and found.differences.names
    assert found.differences.said == both.differences.said
    assert found.differences.elsewhere == both.differences.elsewhere
    assert found.unused > 0 and not found.unchecked


def test_a_closed_shelter_moves_in_the_log_whom_it_would_have_taken_and_in_a_simulation_also_whom_those_displace(log: Log) -> None:
    other = closed("shelter-blue-moon.beds")
    both = PairedWorlds(LOADED, ONE, other)
    for _ in both.run():
        pass
    found = replayed(log, other)
    assert names(found) and names(found) <= set(both.differences.names)
    displaced = [p for kind in both.differences.examples.values() for p in kind if p.name not in names(found)]
    assert all(any("NO_CAPACITY" in one and "blue-moon" not in one for one in p.after.passed) for p in displaced)


def test_a_case_without_its_key_is_counted_not_guessed(log: Log) -> None:
    case_id = next(iter(log.keys))
    found = Counterfactual()
    found.take(case_id, [e for e in log.entries if e.case_id == case_id], None, lambda _: ONE, ONE)
    assert found.unchecked == {"erased or without its key": 1} and not found.cases
