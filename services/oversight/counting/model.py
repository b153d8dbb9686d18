"""What every figure counts: a child on a procedure, and the tables that such children make. Values only."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Course(Struct, frozen=True):
    """One child on one procedure, as its events tell.

    began_at: µs UTC. municipality, sex, age_band: codes as they were known then, empty where not known.
    first: fact → when it was first so, e.g. `stage:accepted`, `wait:bed`, `rung:2`, `declined:NO_CAPACITY`, `late:csw-prizren`.
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
    """Children, each in exactly one atom. groups: name of a sum over atoms → these atoms (regions, margins); the sum over all is `all`."""

    measure: str
    atoms: Mapping[str, int]
    groups: Mapping[str, frozenset[str]] = {}

    def __repr__(self) -> str:
        return f"Table({self.measure})"


class Spread(Struct, frozen=True):
    """How long children waited. count: who reached it. half, most: minutes in which half and nine in ten of them did (p50, p90)."""

    measure: str
    count: int
    half: int
    most: int

    def __repr__(self) -> str:
        return f"Spread({self.measure})"


class Full(Struct, frozen=True):
    """Days of a month on which no place of a kind was free. places: how many there are.

    fewest: of a kind that is wholly among these, for whoever hears that all are taken hears that those are.
    """

    group: str
    places: int
    fewest: int
    days: int
