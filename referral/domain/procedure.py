"""What a written procedure is, compiled. A mark is a short word about a case or track: `urgency=emergency`, `risk.HIGH`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from referral.domain.deadline import Limit
from referral.domain.events import StepKind

Marks = frozenset[str]


@dataclass(frozen=True, slots=True)
class SeatRule:
    """Who may fill one seat. roles and areas in order of preference; holder: the step and seat whose holder is asked instead.

    statutory: a decline is only possible for may_decline, and the offer is kept until another accepts.
    """

    name: str
    roles: tuple[str, ...]
    areas: tuple[str, ...]
    ladder: tuple[str, ...]
    shows: tuple[str, ...]
    skills: Marks
    may_decline: tuple[str, ...]
    statutory: bool
    holder: tuple[str, int] | None = None
    last_resort: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """Which roles a PLACE step asks, by the outcome of the step `by`, and until that is known.

    secure: roles that lock a child up; asked only while all of needs stand and none of ends.
    """

    by: str
    roles: Mapping[str, tuple[str, ...]]
    until_known: tuple[str, ...]
    secure: Marks
    needs: Marks
    ends: Marks


@dataclass(frozen=True)
class Step:
    """One stage. It opens when all of `after` stand (or any of at_once) and of each set of `when` one; `again` opens a further round.

    final: the mark that makes it done (accepted, arrived, completed, decided, told). forbid: code → actors whose exclusion forbids it.
    """

    id: str
    kind: StepKind
    seats: tuple[SeatRule, ...]
    after: Marks
    when: tuple[Marks, ...]
    at_once: Marks
    again: Marks
    limits: Mapping[str, Limit]
    codes: tuple[str, ...]
    needs: tuple[str, ...]
    forbid: Mapping[str, str]
    on_silence: str
    on_disagreement: str
    placement: Placement | None
    final: str

    @cached_property
    def is_plain(self) -> bool:
        """Once done, nothing but a lost seat or a new decision can begin it anew."""
        return not self.when and not self.again


@dataclass(frozen=True, slots=True)
class Change:
    """When these marks come to stand, the case belongs to another pathway."""

    when: tuple[Marks, ...]
    switch_to: str


@dataclass(frozen=True)
class Pathway:
    """One written procedure. digest: SHA-256 of its file, hex. never: (tag of a service, mark or empty) that is never asked.

    raises: the pathway of the case that a missed statutory deadline raises, or empty. repeat: how often a desk is told again.
    """

    id: str
    digest: str
    applies: tuple[Marks, ...]
    changes: tuple[Change, ...]
    never: tuple[tuple[str, str], ...]
    raises: str
    steps: tuple[Step, ...]
    close_when: Marks

    @cached_property
    def placements(self) -> tuple[Step, ...]:
        """The steps that ask for a place."""
        return tuple(step for step in self.steps if step.placement is not None)

    @cached_property
    def asking(self) -> tuple[Step, ...]:
        """The steps that ask somebody: all but FEED."""
        return tuple(step for step in self.steps if step.kind is not StepKind.FEED)

    @cached_property
    def by_id(self) -> Mapping[str, Step]:
        """The steps by id."""
        return {step.id: step for step in self.steps}

    def step(self, id: str) -> Step | None:
        """The step of this id."""
        return self.by_id.get(id)
