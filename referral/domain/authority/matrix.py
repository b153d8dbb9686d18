"""Decide who may do what: `permit` looks one cell up, and makes the only value that functions which touch a case accept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from referral.domain.authority.words import AWAY, STATUS, About, Act, Kind, Need, Relation, State, relations
from referral.errors import Rejected

_MAKER = object()
"""Held by `permit` alone."""


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


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who acts. agency: empty for who belongs to none. account: of the person; None for a system, a service or a stranger."""

    kind: Kind
    agency: str = ""
    account: str | None = None

    def __repr__(self) -> str:
        return f"Who({self.kind})"


@dataclass(frozen=True, slots=True)
class Permit:
    """The leave to do one act, about one case or about none (empty case_id). Only `permit` makes one.

    Functions that read or write a case take a permit, and take case, agency and account from it.
    """

    act: Act
    who: Who
    case_id: str
    needs: tuple[Need, ...]
    _maker: object

    def __post_init__(self) -> None:
        if self._maker is not _MAKER:
            raise TypeError("only referral.domain.authority.matrix.permit makes a permit")

    @property
    def agency(self) -> str:
        return self.who.agency

    @property
    def account(self) -> str | None:
        return self.who.account

    def __repr__(self) -> str:
        return f"Permit({self.act})"


def permit(
    matrix: Matrix, who: Who, act: Act, standing: Collection[Relation] = (), state: State | None = None, case_id: str = ""
) -> Permit | Rejected:
    """Return the permit for an act, or the refusal that the table declares.

    standing: every relation of this agency and person to the case; none is NONE. state: of the case; None for an act about no case.
    """
    found = decide(matrix, who.kind, act, standing, state)
    if found.allows:
        return Permit(act, who, case_id, found.needs, _MAKER)
    return refusal(found, matrix.rules[act].about)


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


def refusal(decision: Decision, about: About) -> Rejected:
    """Return the refusal in the words of the doors. An unknown thing is the same for who may not see it and where it does not exist."""
    where = "Authorization" if about is About.NOTHING else f"{about}_id"
    if decision.refusal == "unknown":
        return Rejected(f"unknown-{about}", where, f"there is no such {about} for your agency", status=STATUS["unknown"])
    code = "reading-ended" if decision.refusal == "ended" else decision.refusal
    return Rejected(code, where, decision.says, status=STATUS[decision.refusal])
