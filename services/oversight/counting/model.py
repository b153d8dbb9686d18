"""Define the values that figures are counted from: a child on a procedure, and the tables of such children."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Course(Struct, frozen=True):
    """One child on one procedure, according to its events.

    began_at: µs UTC. municipality, sex, age_band: codes as known at the begin, empty if unknown.
    first: fact → when it was first true, e.g. `stage:accepted`, `wait:bed`, `rung:2`, `declined:NO_CAPACITY`, `late:csw-prizren`.
    """

    pathway: str
    began_at: int
    municipality: str
    sex: str
    age_band: str
    first: Mapping[str, int]

    def __repr__(self) -> str:
        return f"Course({self.pathway})"


class Table(Struct, frozen=True):
    """Counts of children, each child in exactly one atom.

    groups: name of a sum over atoms → these atoms (regions, margins); the sum over all atoms is `all`.
    """

    measure: str
    atoms: Mapping[str, int]
    groups: Mapping[str, frozenset[str]] = {}

    def __repr__(self) -> str:
        return f"Table({self.measure})"


class Spread(Struct, frozen=True):
    """Waiting times of children.

    count: children who reached the event. half, most: minutes in which half and nine in ten of them did (p50, p90).
    """

    measure: str
    count: int
    half: int
    most: int

    def __repr__(self) -> str:
        return f"Spread({self.measure})"


class Full(Struct, frozen=True):
    """Days of a month without a free place of a kind. places: total number of such places.

    fewest: the places of the smallest kind that lies wholly within this one; if all of these are taken, those are too.
    """

    group: str
    places: int
    fewest: int
    days: int
