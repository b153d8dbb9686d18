"""Whatever the table: no hidden figure can be bounded to fewer than k values, and no more is hidden than must be."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.oversight.counting.model import Full, Spread, Table
from services.oversight.disclosure.suppress import K, Values, full, hide, suppress, waits
from tests.harness.released import TABLES, attacked, group, value

KS = st.sampled_from((3, 5, K))


@given(TABLES, KS)
@settings(max_examples=60)
def test_the_attacker_leaves_k_values_for_every_hidden_figure(table: Table, k: int) -> None:
    told = suppress(table, k)
    if told["all"] is None:
        assert set(told.values()) == {None}
    else:
        found = attacked(table, told, k)
        assert found.doubted == 0
        assert found.narrowest is None or found.narrowest >= k, found.bounds


@given(TABLES, KS)
@settings(max_examples=40)
def test_nor_does_he_learn_of_a_few_children_when_he_knows_every_zero(table: Table, k: int) -> None:
    told = suppress(table, k)
    if told["all"] is not None:
        assert not _betrayed(table, told, k)


@given(TABLES, KS)
def test_what_is_told_is_so_and_is_never_small(table: Table, k: int) -> None:
    told = suppress(table, k)
    assert list(told) == sorted({"all", *table.atoms, *table.groups})
    for name, said in told.items():
        assert said is None or k <= said == value(table, name)


@given(TABLES, KS)
@settings(max_examples=60)
def test_no_hidden_figure_could_be_told_as_well(table: Table, k: int) -> None:
    """Nor with all those that would be no secret then."""
    told = suppress(table, k)
    for name in [name for name, said in told.items() if said is None and value(table, name) >= k and told["all"] is not None]:
        more = told | {name: value(table, name)}
        while (exposed := _exposed(table, more, k)) and all(value(table, other) >= k for other in exposed):
            more |= {other: value(table, other) for other in exposed}
        assert exposed or _betrayed(table, more, k), name


def _exposed(table: Table, told: Values, k: int) -> list[str]:
    """Hidden figures that the attacker bounds below k values."""
    return [group(bound.key) for bound in attacked(table, told, k).bounds if bound.values < k]


def _betrayed(table: Table, told: Values, k: int) -> list[str]:
    """Hidden figures of a few children that he bounds so when he knows every zero."""
    bounds = attacked(table, told, k, {name: 0 for name in told if not value(table, name)}).bounds
    return [group(bound.key) for bound in bounds if bound.values < k and 0 < value(table, group(bound.key)) < k]


@given(TABLES, st.randoms())
def test_the_same_table_in_another_order_tells_the_same(table: Table, chance: object) -> None:
    atoms, groups = list(table.atoms.items()), list(table.groups.items())
    chance.shuffle(atoms)  # type: ignore[attr-defined]
    chance.shuffle(groups)  # type: ignore[attr-defined]
    assert list(suppress(Table("made-up", dict(atoms), dict(groups))).items()) == list(suppress(table).items())


def test_little_is_hidden_beyond_the_best() -> None:
    """Of small tables every way to tell is tried."""
    dice = Random(7)
    east_west = {"east": frozenset("ab"), "west": frozenset("cd")}
    trees = [Table("made-up", {atom: dice.choice(SIZES) for atom in "abcd"}, east_west) for _ in range(10)]
    cells = [f"{sex}/{age}" for sex in "fm" for age in "xyz"]
    margins = {name: frozenset(cell for cell in cells if name in cell) for name in "fmxyz"}
    crossed = [Table("made-up", {cell: dice.choice(SIZES) for cell in cells}, margins) for _ in range(1)]
    assert [_best(table, 3) - _shown(suppress(table, 3)) for table in (*trees, *crossed)] == [0] * 11


SIZES = (0, 0, 1, 2, 3, 4, 5, 9, 20)


def _shown(told: Values) -> int:
    return sum(said is not None for said in told.values())


def _best(table: Table, k: int) -> int:
    """How many figures can be told at most."""
    names = [name for name in suppress(table, k) if value(table, name) >= k]
    for size in range(len(names), 0, -1):
        for chosen in combinations(names, size):
            told = {name: value(table, name) if name in chosen else None for name in suppress(table, k)}
            if "all" in chosen and not _exposed(table, told, k) and not _betrayed(table, told, k):
                return size
    return 0


@pytest.mark.parametrize(
    ("atoms", "told"),
    [
        ({"yes": 13, "no": 30}, {"all": 43, "no": 30, "yes": 13}),
        ({"yes": 3, "no": 30}, {"all": 33, "no": None, "yes": None}),
        ({"yes": 0, "no": 30}, {"all": 30, "no": None, "yes": None}),
        ({"a": 3, "b": 12, "c": 12, "d": 50}, {"a": None, "all": 77, "b": 12, "c": None, "d": 50}),
        ({"a": 5, "b": 5, "c": 12}, {"a": None, "all": 22, "b": None, "c": 12}),
        ({"a": 4, "b": 5, "c": 12}, {"a": None, "all": 21, "b": None, "c": None}),
        ({"a": 0, "b": 10, "c": 12, "d": 50}, {"a": None, "all": 72, "b": None, "c": None, "d": 50}),
        ({"a": 5, "b": 5}, {"a": None, "all": None, "b": None}),
        ({"a": 11}, {"a": 11, "all": 11}),
    ],
)
def test_a_list(atoms: dict[str, int], told: dict[str, int | None]) -> None:
    assert suppress(Table("made-up", atoms)) == told


def test_a_region_is_told_where_its_municipality_cannot() -> None:
    table = Table(
        "municipality",
        {"prizren": 9, "dragash": 8, "peje": 20, "istog": 15, "unknown": 12},
        {"region:prizren": frozenset({"prizren", "dragash"}), "region:peje": frozenset({"peje", "istog"})},
    )
    told = {name: said for name, said in suppress(table).items() if said is not None}
    assert told == {"all": 64, "istog": 15, "peje": 20, "region:peje": 35, "region:prizren": 17, "unknown": 12}


def test_what_is_hidden_whole_has_its_sum_alone() -> None:
    table = Table("made-up", {"a": 30, "b": 20}, {"both": frozenset("ab"), "one": frozenset("a")})
    assert hide(table) == {"a": None, "all": 50, "b": None, "both": 50, "one": None}


def test_groups_that_cross_three_ways_are_refused() -> None:
    groups = {"ab": frozenset("ab"), "bc": frozenset("bc"), "ca": frozenset("ca")}
    with pytest.raises(ValueError, match="crosses"):
        suppress(Table("made-up", {"a": 30, "b": 20, "c": 40}, groups))
    with pytest.raises(ValueError, match="without atoms"):
        suppress(Table("made-up", {"a": 30}, {"none": frozenset()}))


@pytest.mark.parametrize(
    ("count", "whole", "told"),
    [
        (21, 60, (None, None)),
        (22, 31, (None, None)),
        (22, 32, (60, None)),
        (110, 119, (60, None)),
        (109, 120, (60, None)),
        (110, 120, (60, 900)),
    ],
)
def test_waits_are_told_with_k_children_on_each_side(count: int, whole: int, told: tuple[int | None, int | None]) -> None:
    assert tuple(waits(Spread("wait.bed", count, 60, 900), whole).values()) == told


def test_days_are_told_by_the_places_and_not_by_the_days() -> None:
    assert [full(Full("shelter", places, places, days)) for places, days in ((10, 3), (11, 3), (11, 0))] == [None, 3, 0]
    assert full(Full("shelter", 14, 3, 30)) is None, "it would say that the three of another kind, which are among these, were taken too"
