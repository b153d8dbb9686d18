"""Tables and blocks as a stranger sees them: figures of a release, and what the attacker makes of them."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from referral.domain.events import FigureReleased, Unit
from services.oversight.counting.model import Table
from services.oversight.disclosure.attack import AttackResult, attack
from services.oversight.disclosure.blocks import Block
from services.oversight.disclosure.suppress import Values

BLOCK = Block(1, "2027-01", "2027-01", "trafficking-child")
SEXES, AGES = ("female", "male", "other"), ("0-2", "3-5", "6-11", "12-14", "15-17")


def figures(told: Values, measure: str = "made-up", block: Block = BLOCK) -> list[FigureReleased]:
    """A table as it is released."""
    return [block.figure(measure, group, Unit.CHILDREN, value) for group, value in told.items()]


def attacked(table: Table, told: Values, k: int, known: Mapping[str, int] | None = None) -> AttackResult:
    """What the attacker makes of one table. known: group → value that he knows from elsewhere."""
    at = f"2027-01/2027-01/trafficking-child/{table.measure}/"
    sure = {at + group: value for group, value in (known or {}).items()}
    return attack(figures(told, table.measure), lambda _: {table.measure: table.groups}, k, known=sure)


def value(table: Table, name: str) -> int:
    """What a figure of a table is."""
    parts = frozenset(table.atoms) if name == "all" else table.groups.get(name, frozenset({name}))
    return sum(table.atoms[atom] for atom in parts)


def group(key: str) -> str:
    """The group of a figure's key."""
    return key.split("/", 4)[4]


COUNTS = st.one_of(st.just(0), st.integers(1, 3), st.integers(0, 40))


@st.composite
def lists(draw: st.DrawFn, most: int = 8) -> Table:
    """A measure with a few codes."""
    return Table("made-up", {f"code-{n}": count for n, count in enumerate(draw(st.lists(COUNTS, min_size=1, max_size=most)))})


@st.composite
def trees(draw: st.DrawFn, most: int = 4) -> Table:
    """Municipalities in regions, and one that is in none; now and then regions in parts of the country."""
    atoms, groups = {"unknown": draw(COUNTS)}, {}
    for region in range(draw(st.integers(1, most))):
        inside = {f"m{region}{n}": count for n, count in enumerate(draw(st.lists(COUNTS, min_size=1, max_size=most)))}
        atoms |= inside
        groups[f"region:{region}"] = frozenset(inside)
    if draw(st.booleans()):
        groups["north"] = groups["region:0"] | groups[f"region:{len(groups) - 1}"]
    return Table("made-up", atoms, groups)


@st.composite
def crossed(draw: st.DrawFn, sexes: int = 3, ages: int = 4) -> Table:
    """Sex and age with both margins."""
    rows, columns = SEXES[: draw(st.integers(1, sexes))], AGES[: draw(st.integers(1, ages))]
    atoms = {f"{sex}/{age}": draw(COUNTS) for sex in rows for age in columns}
    groups = {name: frozenset(atom for atom in atoms if name in atom.split("/")) for name in (*rows, *columns)}
    return Table("made-up", atoms, groups)


TABLES = st.one_of(lists(), trees(), crossed())
