"""What must happen: the procedures, the directory and the calendars that are in force, compiled once from files.

`compile` is the only way to make one. Everything in it is frozen; `Policy.candidates` remembers its answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from referral.domain.deadline import Calendar, Limit

ENGINE: int = 1
"""Behaviour version of decide(): raised when the same case, input, facts and policy yield other events."""

ALWAYS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the case file. personal: it can tell who the person is."""

    id: str
    personal: bool
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Agency:
    """Who answers. ladder: its rungs, lowest first. desk: it gets what no rule can place. above: its supervising body."""

    id: str
    names: Mapping[str, str]
    municipality: str
    reach: str
    ladder: tuple[str, ...]
    desk: bool
    above: str
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Municipality:
    """One of the 30. coordinator: an agency, or empty where there is none."""

    id: str
    names: Mapping[str, str]
    region: str
    neighbours: tuple[str, ...]
    desk: str
    coordinator: str


@dataclass(frozen=True, slots=True)
class Service:
    """One thing that one agency does somewhere. covers: municipality ids, region:<id>, or country. places: for a PLACE step; else None."""

    id: str
    agency: str
    role: str
    tags: frozenset[str]
    covers: frozenset[str]
    min_age: int
    max_age: int
    sexes: frozenset[str]
    places: int | None
    reach: str
    ladder: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeatRule:
    """Who may fill one seat. roles: in order of preference; areas: the same. holder: step and seat whose holder is asked (or `.holder`)."""

    name: str
    roles: tuple[str, ...]
    areas: tuple[str, ...]
    ladder: tuple[str, ...]
    shows: tuple[str, ...]
    tags: frozenset[str]
    may_decline: tuple[str, ...]
    statutory: bool
    holder: tuple[str, str] | None
    last_resort: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """Which roles a PLACE step asks, by the outcome of another step; until that is known; and what a secure facility needs."""

    by: str
    roles: Mapping[str, tuple[str, ...]]
    until_known: tuple[str, ...]
    secure: frozenset[str]
    secure_needs: frozenset[str]
    secure_ends: frozenset[str]


@dataclass(frozen=True, slots=True)
class Step:
    """One stage. after: marks that must all stand; when: of each set one; at_once: marks of which any replaces `after`; again: of which any opens a new round."""

    id: str
    kind: str
    seats: tuple[SeatRule, ...]
    after: frozenset[str]
    when: tuple[frozenset[str], ...]
    at_once: frozenset[str]
    again: frozenset[str]
    limits: Mapping[str, Limit]
    codes: tuple[str, ...]
    needs: tuple[str, ...]
    forbid: Mapping[str, frozenset[str]]
    on_silence: str
    on_disagreement: str
    placement: Placement | None
    final: str


@dataclass(frozen=True, slots=True)
class Pathway:
    """One written procedure. digest: SHA-256 of its file, in hex."""

    id: str
    digest: str
    applies: tuple[frozenset[str], ...]
    changes: tuple[tuple[tuple[frozenset[str], ...], str], ...]
    never: tuple[tuple[str, str], ...]
    raises: str
    steps: tuple[Step, ...]
    close_when: frozenset[str]
    desk_repeat: Limit
    stopped_repeat: Limit

    def step(self, id: str) -> Step | None:
        return next((step for step in self.steps if step.id == id), None)


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole. directory: SHA-256 over all files but pathways, in hex. pinned: every procedure that was ever in force, by digest."""

    current: tuple[Pathway, ...]
    pinned: Mapping[str, Pathway]
    directory: str
    agencies: Mapping[str, Agency]
    services: Mapping[str, Service]
    municipalities: Mapping[str, Municipality]
    regions: tuple[str, ...]
    sections: Mapping[str, Section]
    codes: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, Mapping[str, Mapping[str, str]]]
    calendar: Calendar
    country_desk: str
    oversight: str
    _asked: dict[tuple[tuple[str, ...], tuple[str, ...], str], tuple[Service, ...]] = field(default_factory=dict)

    def names(self, kind: str, id: str, language: str) -> str:
        """The name of a code, agency, municipality or section in sq, sr-Latn, sr-Cyrl or en; the id where there is none."""
        found: Mapping[str, str] | None = None
        if kind == "agency" and id in self.agencies:
            found = self.agencies[id].names
        elif kind == "municipality" and id in self.municipalities:
            found = self.municipalities[id].names
        elif kind == "section" and id in self.sections:
            found = self.sections[id].names
        else:
            found = self.labels.get(kind, {}).get(id)
        return (found or {}).get(language) or (found or {}).get("en") or id


class PolicyErrors(Exception):
    """The policy cannot be used. errors: one line each, `file:line: what is wrong; what is allowed`."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def compile(files: Mapping[str, bytes], before: Policy | None = None) -> Policy:
    """Policy from files (path below policy/ → exact bytes). before: the policy in force until now, whose procedures stay known for their tracks.

    Raises PolicyErrors with everything that is unknown or incomplete.
    """
    raise PolicyErrors(("not yet",))
