"""Made-up caseloads: from a seed alone, each case for a pathway that applies to it, in words that the policy knows."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from referral.analysis.simulation import rates
from referral.analysis.simulation.caseload import Caseload, a_year, worlds
from referral.analysis.simulation.seeded import Dice, around, one_of
from referral.domain.policy import Policy
from referral.domain.rules.conditions import trait_marks
from tests.stories.teller import policy

WHOLE = policy()


def loaded(cases: int = 300, seed: int = 1, rules: Policy = WHOLE) -> Caseload:
    return Caseload(policy=rules, seed=seed, world=0, cases=cases, year=2026)


def test_a_seed_says_everything_and_another_seed_something_else() -> None:
    one, again, other = (list(loaded(seed=seed).arrivals()) for seed in (1, 1, 2))
    assert one == again
    assert sum(a.traits == b.traits for a, b in zip(one, other, strict=True)) < len(one) / 2


def test_more_cases_change_none_of_those_before() -> None:
    assert list(loaded(400).arrivals())[:300] == list(loaded(300).arrivals())


def test_the_pathway_that_a_case_was_made_for_applies_to_it() -> None:
    pathways = {p.id: p for p in WHOLE.current}
    for arrival in loaded().arrivals():
        assert all(group & trait_marks(arrival.traits) for group in pathways[arrival.pathway].applies), arrival


def test_every_code_is_one_that_the_doors_would_take() -> None:
    lists = {"found_in": "municipality", "home": "municipality", "age_band": "age-band"}
    for arrival in loaded().arrivals():
        for name in ("concern", "age", "age_band", "sex", "found_in", "home", "urgency", "origin", "asylum"):
            assert getattr(arrival.traits, name) in (*WHOLE.codes[lists.get(name, name)], *([""] if name == "home" else [])), name
        assert set(arrival.traits.flags) <= set(WHOLE.codes["flag"])
        assert set(arrival.traits.languages) <= set(WHOLE.codes["language"])
        assert arrival.agency in WHOLE.agencies and not WHOLE.agencies[arrival.agency].desk


def test_a_pathway_of_tomorrow_has_cases_without_a_line_of_code() -> None:
    new = dataclasses.replace(WHOLE.current[0], id="of-tomorrow")
    rules = dataclasses.replace(WHOLE, current=(*WHOLE.current, new))
    assert a_year(rules) == a_year(WHOLE) + rates.OTHERS
    assert Counter(a.pathway for a in loaded(rules=rules).arrivals())["of-tomorrow"] > 0


def test_many_cases_are_many_years() -> None:
    year = a_year(WHOLE)
    made = worlds(WHOLE, 10 * year + 3, 1, 2026)
    assert len(made) == 10 and sum(w.cases for w in made) == 10 * year + 3
    assert max(w.cases for w in made) - min(w.cases for w in made) <= 1
    assert [w.cases for w in worlds(WHOLE, 1, 1, 2026)] == [1]


def test_they_come_within_the_year() -> None:
    start = loaded().start
    days = [(a.at - start) / 86_400_000_000 for a in loaded().arrivals()]
    assert min(days) >= 0 and max(days) < 365 and max(days) > 300


def test_dice_are_even_and_words_fall_by_weight() -> None:
    dice = Dice(7)
    thrown = [dice.throw(f"{n}") for n in range(4000)]
    for column in zip(*thrown, strict=True):
        assert sum(column) / len(column) == pytest.approx(0.5, abs=0.02)
    fell = Counter(one_of({"a": 3, "b": 1}, a) for a, *_ in thrown)
    assert fell["a"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert one_of({}, 0.5) == ""


def test_half_of_the_delays_are_shorter_than_the_median_and_none_is_endless() -> None:
    assert around(1000, 0.5) == 1000
    assert around(1000, 0.0) < 100 and around(1000, 1.0) < 20_001
