"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from referral.domain.events.shared import Counted
from referral.domain.value import Value


class Unit(StrEnum):
    """Unit of the value."""

    UNKNOWN = "UNKNOWN"
    CHILDREN = "CHILDREN"
    MINUTES = "MINUTES"
    DAYS = "DAYS"


class Mark(StrEnum):
    """SHOWN; HIDDEN: it, or another that could be computed from it, is below k; WAITING: rolled up in time, these months are told with later ones."""

    UNKNOWN = "UNKNOWN"
    SHOWN = "SHOWN"
    HIDDEN = "HIDDEN"
    WAITING = "WAITING"


class FigureReleased(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure of a release. Not sealed: it says nothing about fewer than k children."""

    TYPE: ClassVar[str] = "figure-released.v1"
    TOPIC: ClassVar[str] = "oversight-feed"

    release: int
    """Number of the release that says it, dense from 1."""
    first: str
    """First month that it counts, e.g. 2027-01."""
    last: str
    """Last month that it counts."""
    pathway: str
    """Procedure; empty where the figure belongs to none."""
    measure: str
    """Measure, e.g. municipality, stage, late.csw-prizren."""
    group: str
    """Which part of it, e.g. prizren, region:prizren, female/12-14, all."""
    unit: Unit
    """Unit of the value."""
    value: int | None = None
    """The figure; null unless SHOWN."""
    mark: Mark
    """SHOWN; HIDDEN: it, or another that could be computed from it, is below k; WAITING: rolled up in time, these months are told with later ones."""


class ReleaseMade(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last record of a release: without it the release is not there."""

    TYPE: ClassVar[str] = "release-made.v1"
    TOPIC: ClassVar[str] = "oversight-feed"

    release: int
    """Number, dense from 1."""
    month: str
    """The period that it closes, e.g. 2027-01."""
    corrects: int | None = None
    """Number of the release that this one corrects; null for the one release of a period."""
    threshold: int
    """No figure tells about fewer children than this."""
    figures: int
    """How many figure-released records belong to it."""
    digest: str
    """SHA-256 over the Avro bodies of these records, in the order of their keys."""
    shown: int
    """Figures with a value."""
    hidden: int
    """Figures that are hidden."""
    waiting: int
    """Procedures that wait for more children."""
    narrowest: int | None = None
    """How many values the attacker leaves possible for the hidden figure that it bounds best; null where nothing is hidden."""
    counted: tuple[Counted, ...]
    """What was met and not guessed about."""
