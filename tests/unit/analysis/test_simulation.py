"""Simulated worlds: reproducible, beds really held, everybody ends, and a changed policy is told by the cases that it moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from referral.analysis.simulation import world as simulate
from referral.analysis.simulation.caseload import Caseload
from referral.analysis.simulation.run import PairedWorlds
from referral.analysis.simulation.tally import Tally, bucket, minutes, quantile
from referral.analysis.simulation.world import World
from referral.domain.decide import decided, places_wanted
from referral.domain.events import OfferAcknowledged, OfferEscalated, OfferOpened
from referral.domain.policy import Policy
from referral.domain.policy.limits import Limit
from tests.stories.teller import policy

WHOLE = policy()
CHILD = next(p for p in WHOLE.current if p.id == "trafficking-child")
ONE = replace(WHOLE, current=(CHILD,))
"""The pathway with beds alone, so that few cases are enough."""
CASES = 60


def loaded(seed: int = 1, world: int = 0, rules: Policy = WHOLE) -> Caseload:
    return Caseload(policy=rules, seed=seed, world=world, cases=CASES, year=2026)


def counted(caseload: Caseload, rules: Policy = WHOLE) -> Tally:
    world, tally = World(caseload, rules), Tally()
    while world.next_at is not None:
        if (done := world.step()) is not None:
            tally.take(done)
    tally.beds(world.beds.finish())
    return tally


def closed(service: str, places: int = 0) -> Policy:
    return replace(ONE, services={**ONE.services, service: replace(ONE.services[service], places=places)})


def limited(step: str, **limits: Limit) -> Policy:
    steps = tuple(replace(s, limits={**s.limits, **limits}) if s.id == step else s for s in CHILD.steps)
    child = replace(CHILD, steps=steps)
    return replace(ONE, current=(child,), pinned={**ONE.pinned, CHILD.digest: child})


def against(after: Policy) -> PairedWorlds:
    both = PairedWorlds(loaded(rules=ONE), ONE, after)
    for _ in both.run():
        pass
    return both


def test_the_same_seed_counts_the_same_and_another_does_not() -> None:
    assert counted(loaded()) == counted(loaded())
    assert counted(loaded()) != counted(loaded(seed=2))


def test_every_case_ends_and_is_counted_once() -> None:
    tally = counted(loaded())
    assert tally.total("cases") == CASES
    assert sum(tally.words("ended").values()) == CASES + tally.total("raised")
    assert tally.words("ended")["in-a-circle"] == 0


def test_no_place_is_held_twice_and_all_are_free_in_the_end() -> None:
    world = World(loaded(rules=ONE), ONE)
    there = dict(world.beds.free)
    lowest = dict(there)
    while world.next_at is not None:
        world.step()
        lowest = {service: min(lowest[service], free) for service, free in world.beds.free.items()}
    assert min(lowest.values()) >= 0 and lowest != there
    assert world.beds.free == there


def test_all_free_places_at_once_decide_as_those_that_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Routing asks for the rows of places_wanted alone; the simulator passes every service. Both must decide the same."""
    looked = 0

    def twice(case, cause, facts, policy):  # type: ignore[no-untyped-def]
        nonlocal looked
        looked += 1
        free = {service: facts.free[service] for service in places_wanted(case, cause, policy)}
        narrow = type(facts)(now=facts.now, engine=facts.engine, free=free)
        again, decision = decided(case, cause, narrow, policy), decided(case, cause, facts, policy)
        assert [type(e) for e in again.events] == [type(e) for e in decision.events]
        assert [e.why for e in again.events] == [e.why for e in decision.events]
        return decision

    monkeypatch.setattr(simulate, "decided", twice)
    counted(loaded())
    assert looked > 10 * CASES


def test_worlds_add_up_in_any_order() -> None:
    one, other = counted(loaded(world=0)), counted(loaded(world=1))
    left, right = Tally(), Tally()
    for tally in (one, other):
        left.add(tally)
    for tally in (other, one):
        right.add(tally)
    assert left == right and left.total("cases") == 2 * CASES


def test_the_same_policy_moves_nobody() -> None:
    found = against(replace(ONE, directory="0" * 64)).differences
    assert not found.elsewhere and not found.said and not found.names


def test_a_closed_shelter_moves_the_cases_that_it_would_have_taken() -> None:
    both = against(closed("shelter-blue-moon.beds"))
    asked = _asked("shelter-blue-moon.beds")
    assert asked and set(both.differences.names) >= asked
    parted = both.differences.examples["shelter: another agency asked"][0]
    assert "shelter-blue-moon" in parted.before.lines[0] and "shelter-blue-moon.beds NO_CAPACITY" in parted.after.passed
    assert parted.story and parted.before.at == parted.after.at


def test_a_longer_limit_moves_those_who_would_have_missed_it_and_tells_the_others() -> None:
    both = against(limited("police", acknowledge=Limit(25, "min")))
    moved, told = sum(both.differences.elsewhere.values()), both.differences.said
    missed = _missed()
    assert set(both.differences.names) >= missed and 0 < moved < CASES and told > 0
    assert {kind for kind, _, _ in both.differences.elsewhere} >= {"acknowledge missed: no more", "acknowledge missed: later"}


def test_what_people_do_does_not_shift_when_the_policy_does() -> None:
    """Whoever is asked for the same thing as often as before takes as long to see it, at whatever time that is now."""
    before, after = (_seen(rules) for rules in (ONE, limited("police", acknowledge=Limit(6, "min"))))
    both = before.keys() & after.keys()
    moved = [name for name in both if before[name][0] != after[name][0]]
    assert len(moved) > CASES / 3, "nothing was asked at another time: the test proves nothing"
    assert all(before[name][1] == after[name][1] for name in both)


def test_quantiles_are_told_within_nine_percent() -> None:
    tally = Tally()
    for minute in range(1, 1001):
        tally.counts["first", "x", bucket(minute * 60_000_000)] += 1
    half = quantile(tally.words("first"), 0.5)
    assert half is not None and 500 <= half <= 550
    assert minutes(bucket(0)) == 0 and quantile(tally.words("bed"), 0.5) is None


def _seen(rules: Policy) -> dict[tuple[str, str, int, str, int], tuple[int, int]]:
    """By case, step, seat, agency and count: when the first rung was woken, and how long it took to see it."""
    opened: dict[str, tuple[tuple[str, str, int, str, int], int]] = {}
    seen, counts = {}, Counter[tuple[str, str, int, str]]()
    for done in _all(rules):
        for event in done.events:
            if isinstance(event, OfferOpened):
                name = (done.live.name, event.step, event.seat, event.agency)
                opened[event.offer_id] = ((*name, counts[name]), done.at)
                counts[name] += 1
            elif isinstance(event, OfferEscalated):
                opened.pop(event.offer_id, None)
            elif isinstance(event, OfferAcknowledged) and event.offer_id in opened:
                key, at = opened[event.offer_id]
                seen[key] = (at, done.at - at)
    return seen


def _asked(service: str) -> set[str]:
    return {d.live.name for d in _all() if any(getattr(e, "service", "") == service for e in d.events) and not d.live.raised}


def _missed() -> set[str]:
    return {
        d.live.name
        for d in _all()
        if any(type(e).__name__ == "DeadlinePassed" and e.what == "acknowledge" for e in d.events)  # type: ignore[attr-defined]
        and any("police" in offer.opened.step for offer in d.live.offers.values())
        and d.live.inputs == 2
    }


def _all(rules: Policy = ONE) -> list[simulate.Decided]:
    world, found = World(loaded(rules=ONE), rules), []
    while world.next_at is not None:
        if (done := world.step()) is not None:
            found.append(done)
    return found
