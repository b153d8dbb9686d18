"""The authority table as a value, and what it decides for somebody who stands to a case in several ways."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from referral.domain.authority.words import AWAY, STATUS, About, Act, Kind, Need, Relation, State, relations


class Cell(NamedTuple):
    """One question to the table. relation, state: None for an act about no case."""

    act: Act
    kind: Kind
    relation: Relation | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of one cell. refusal: word of STATUS; empty: allowed. needs: of an allowed act. says: to who is refused, what to do."""

    refusal: str = ""
    needs: tuple[Need, ...] = ()
    says: str = ""

    @property
    def allows(self) -> bool:
        return not self.refusal


@dataclass(frozen=True, slots=True)
class Rule:
    """An act of the table. means: the act in words. by: kinds that have a way to ask for it; no other kind has a cell."""

    act: Act
    about: About
    means: str
    by: tuple[Kind, ...]

    def cells(self) -> Iterator[Cell]:
        """Yield every cell that the act must have."""
        for kind in self.by:
            if self.about is About.NOTHING:
                yield Cell(self.act, kind)
            else:
                yield from (Cell(self.act, kind, relation, state) for relation in relations(kind) for state in State)


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole table: a rule for each act, and a decision for each of its cells."""

    rules: Mapping[Act, Rule]
    cells: Mapping[Cell, Decision]


def decide(matrix: Matrix, kind: Kind, act: Act, standing: Collection[Relation] = (), state: State | None = None) -> Decision:
    """Return the decision of the table: of several relations the one that allows most; one of AWAY comes before all others.

    A kind that has no way to ask is answered as a stranger: as if there were nothing.
    """
    rule = matrix.rules[act]
    if kind not in rule.by:
        return Decision("unknown")
    if rule.about is About.NOTHING:
        return matrix.cells[Cell(act, kind)]
    if state is None:
        raise ValueError(f"{act} is about a case: name its state")
    can = relations(kind)
    stands = frozenset(standing) & AWAY or frozenset(standing) or frozenset((Relation.NONE,))
    every = [matrix.cells[Cell(act, kind, one, state)] for one in Relation if one in stands and one in can]
    return min(every, key=_mildest, default=Decision("unknown"))


def _mildest(decision: Decision) -> int:
    """Order decisions: allowed, then refusals that say why, then those that say that there is nothing."""
    return 0 if decision.allows else 1 if STATUS[decision.refusal] != STATUS["unknown"] else 2
