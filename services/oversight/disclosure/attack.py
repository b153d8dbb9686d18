"""Simulate the attacker: express all released figures as equations, and compute how narrowly they bound each hidden figure.

It shares no code with `suppress`. It reads figures as anybody can, and knows which groups are sums of which (map and ages are public), the
rule that forms blocks, and the relations between measures that follow from their definitions. HiGHS solves the equations in whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations

from msgspec import Struct

from referral.domain.events import FigureReleased, Mark, Unit
from services.oversight.calendar import span
from services.oversight.disclosure.integer_program import System, solve
from services.oversight.release import key

Sums = Mapping[str, Mapping[str, frozenset[str]]]
"""Measure → name of a group → the atoms whose sum it is."""
SumsOf = Callable[[str], Sums]
"""Last month of a block → its sums; a later policy may have moved a municipality."""
Part = tuple[str, frozenset[str]]
COUNT = "count"
"""Number of children that a spread counts: never released, but the release or absence of the spread bounds it."""
BEYOND = ("acknowledged", "accepted", "arrived", "completed", "ended")
IMPLIED: tuple[tuple[Part, Part], ...] = (
    (("wait.acknowledged", frozenset({COUNT})), ("stage", frozenset(BEYOND))),
    *(((f"wait.{what}", frozenset({COUNT})), ("stage", frozenset(BEYOND[1:]))) for what in ("accepted", "bed", "interview", "plan")),
    (("stage", frozenset(BEYOND[:3])), ("wait.acknowledged", frozenset({COUNT}))),
    (("stage", frozenset(BEYOND[1:3])), ("wait.accepted", frozenset({COUNT}))),
)
"""Pairs of parts: a child in the first is in the second, by the definitions of the measures (0018). A pair that the figures contradict
is ignored."""


class Bound(Struct, frozen=True):
    """The attacker's bounds for a hidden figure. key: of the figure, with `/change` for its change in a correction."""

    key: str
    low: int
    high: int

    @property
    def values(self) -> int:
        """Return the number of possible values."""
        return self.high - self.low + 1


class AttackResult(Struct, frozen=True):
    """Result of an attack.

    bounds: of every hidden figure that is not known to be unchanged. shown, hidden: numbers of figures.
    region: hidden municipalities in a released region. time: months of a procedure that are released only with others, or wait.
    doubted: systems whose figures contradict the attacker's assumptions, or each other.
    """

    bounds: tuple[Bound, ...]
    shown: int
    hidden: int
    region: int
    time: int
    doubted: int

    @property
    def narrowest(self) -> int | None:
        """Return the fewest possible values of a hidden figure; None: nothing is hidden."""
        return min((bound.values for bound in self.bounds), default=None)


def attack(
    figures: Sequence[FigureReleased],
    sums: SumsOf,
    k: int,
    implied: Sequence[tuple[Part, Part]] = IMPLIED,
    known: Mapping[str, int] | None = None,
) -> AttackResult:
    """Bound every hidden figure.

    figures: of all releases, corrections after the releases that they correct. sums: groups by month. k: threshold.
    implied: relations between measures. known: key of a figure → its value, known from elsewhere.
    """
    sums = cache(sums)
    blocks: dict[tuple[str, str, str], dict[str, dict[int, dict[str, FigureReleased]]]] = {}
    for figure in figures:
        if figure.pathway and figure.mark is not Mark.WAITING:
            measures = blocks.setdefault((figure.first, figure.last, figure.pathway), {})
            measures.setdefault(figure.measure, {}).setdefault(figure.release, {})[figure.group] = figure
    systems = [
        _system({measure: measures[measure] for measure in together}, _wholes(measures), sums(last), k, implied, known or {})
        for (_, last, _), measures in sorted(blocks.items())
        for together in _together(measures, implied)
    ]
    systems += _times(figures, k)
    bounds: list[Bound] = []
    doubted = 0
    for system in systems:
        found, sure = solve(system)
        doubted += not sure
        bounds += (Bound(name, low, high) for name, low, high in found if not (name.endswith("/change") and low == high == 0))
    newest = {key(figure): figure for figure in figures}
    return AttackResult(
        bounds=tuple(bounds),
        shown=sum(figure.mark is Mark.SHOWN for figure in newest.values()),
        hidden=sum(figure.mark is Mark.HIDDEN for figure in newest.values()),
        region=_in_region(newest.values(), sums),
        time=len({(figure.pathway, month) for figure in newest.values() if figure.pathway for month in _rolled(figure)}),
        doubted=doubted,
    )


def _rolled(figure: FigureReleased) -> tuple[str, ...]:
    months = span(figure.first, figure.last)
    return months if len(months) > 1 or figure.mark is Mark.WAITING else ()


def _in_region(newest: Iterable[FigureReleased], sums: SumsOf) -> int:
    """Count the hidden municipalities in a released region."""
    figures = [figure for figure in newest if figure.measure == "municipality"]
    released = {
        (f.first, f.last, f.pathway, atom)
        for f in figures
        if f.mark is Mark.SHOWN
        for atom in sums(f.last).get("municipality", {}).get(f.group, ())
    }
    return sum((f.first, f.last, f.pathway, f.group) in released for f in figures if f.mark is Mark.HIDDEN)


def _wholes(measures: Mapping[str, Mapping[int, Mapping[str, FigureReleased]]]) -> dict[int, int]:
    """Return the number of children of a block, by release."""
    every = {release: by_group.get("all") for versions in measures.values() for release, by_group in versions.items() if "all" in by_group}
    return {release: figure.value for release, figure in every.items() if figure is not None and figure.value is not None}


def _together(measures: Iterable[str], implied: Sequence[tuple[Part, Part]]) -> list[list[str]]:
    """Group the measures of a block: those that bound one another form one group."""
    sets = [{measure} for measure in sorted(measures)]
    for (less, _), (more, _) in implied:
        touched = [group for group in sets if less in group or more in group]
        if len(touched) == 2:
            sets = [group for group in sets if group not in touched] + [touched[0] | touched[1]]
    return [sorted(group) for group in sets]


def _system(
    measures: Mapping[str, Mapping[int, Mapping[str, FigureReleased]]],
    wholes: Mapping[int, int],
    sums: Sums,
    k: int,
    implied: Sequence[tuple[Part, Part]],
    known: Mapping[str, int],
) -> System:
    """Return the equations of some measures of one block, in every release of it."""
    system = System()
    for measure, versions in measures.items():
        for release, by_group in versions.items():
            parts = _parts(by_group, sums.get(measure, {}))
            if any(figure.unit is Unit.MINUTES for figure in by_group.values()):
                _spread(system, f"{measure}@{release}", by_group, wholes.get(release), k)
                continue
            for group, figure in sorted(by_group.items()):
                row = {f"{measure}@{release}/{atom}": 1 for atom in parts[group]}
                sure = figure.value if figure.mark is Mark.SHOWN else known.get(key(figure))
                if sure is not None:
                    system.row(row, sure, sure)
                if figure.mark is Mark.HIDDEN:
                    system.ask(key(figure), row)
        for one, other in combinations(sorted(versions), 2):
            _changed(system, measure, (one, other), versions, _parts(versions[one], sums.get(measure, {})))
    for (less, few), (more, many) in implied:
        for release in measures.get(less, {}).keys() & measures.get(more, {}).keys():
            row = {f"{more}@{release}/{atom}": 1 for atom in many} | {f"{less}@{release}/{atom}": -1 for atom in few}
            system.row(row, 0, None, assumed=True)
    return system


def _parts(released: Iterable[str], groups: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return the atoms of each figure of a table."""
    names = set(released)
    atoms = frozenset(names - groups.keys() - {"all"}) or frozenset({"all"})
    return {name: atoms if name == "all" else groups[name] & atoms if name in groups else frozenset({name}) for name in names}


def _spread(system: System, table: str, by_group: Mapping[str, FigureReleased], whole: int | None, k: int) -> None:
    """Bound the count of a spread.

    Half (nine in ten) is released from 2k (10k) children on; if it is hidden although the block is large enough, there are fewer.
    """
    row = {f"{table}/{COUNT}": 1}
    system.row(row, 0, whole)
    for group, side in (("half", 2), ("most", 10)):
        if group in by_group and by_group[group].mark is Mark.SHOWN:
            system.row(row, side * k, None)
        elif group in by_group and whole is not None and whole >= (side + 1) * k - 1:
            system.row(row, None, side * k - 1, assumed=True)


def _changed(
    system: System,
    measure: str,
    releases: tuple[int, int],
    versions: Mapping[int, Mapping[str, FigureReleased]],
    parts: Mapping[str, frozenset[str]],
) -> None:
    """Relate two versions of a table. The attacker may assume that children were only added, or only removed."""
    one, other = (versions[release] for release in releases)
    whole = (one["all"].value or 0, other["all"].value or 0) if "all" in one and "all" in other else (0, 0)
    sign = 1 if whole[1] >= whole[0] else -1
    for atom in sorted(parts.get("all", frozenset())):
        system.row({f"{measure}@{releases[1]}/{atom}": sign, f"{measure}@{releases[0]}/{atom}": -sign}, 0, None, assumed=True)
    for group, figure in sorted(one.items()):
        if figure.mark is Mark.HIDDEN and figure.unit is Unit.CHILDREN and group in other:
            row = {f"{measure}@{releases[1]}/{atom}": 1 for atom in parts[group]}
            system.ask(key(figure) + "/change", row | {f"{measure}@{releases[0]}/{atom}": -1 for atom in parts[group]})


def _times(figures: Sequence[FigureReleased], k: int) -> list[System]:
    """Return the equations for the children of each month: a block is released at 3k children, or at k from its twelfth month on."""

    def few(months: int) -> int:
        return (k if months >= 12 else 3 * k) - 1

    systems: dict[str, System] = {}
    seen: set[tuple[str, str, str]] = set()
    for figure in figures:
        block = (figure.pathway, figure.first, figure.last)
        if not figure.pathway or (figure.measure, figure.group) != ("children", "all") or block in seen:
            continue
        seen.add(block)
        system, months = systems.setdefault(figure.pathway, System()), span(figure.first, figure.last)
        if figure.mark is Mark.WAITING:
            system.row(dict.fromkeys(months, 1), None, few(len(months)), assumed=True)
            system.ask(key(figure), dict.fromkeys(months, 1))
        else:
            system.row(dict.fromkeys(months, 1), figure.value, figure.value)
            if len(months) > 1:
                system.row(dict.fromkeys(months[:-1], 1), None, few(len(months) - 1), assumed=True)
                for month in months:
                    system.ask(f"{month}/{month}/{figure.pathway}/children/all", {month: 1})
    return list(systems.values())
