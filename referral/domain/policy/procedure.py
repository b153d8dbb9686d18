"""A compiled procedure (pathway): its steps, seats, limits and conditions.

A mark is a short word about a case or track that conditions test: `urgency=emergency`, `risk.HIGH`. A mark is set or it is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property

from referral.domain.events import OfferKind, StepKind
from referral.domain.policy.limits import Limit

Marks = Set[str]


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
    basis: tuple[str, ...] = ()
    """Codes of the law or document that it rests on."""
    guidance: tuple[str, ...] = ()
    """Keys of the handbook pages that its recipient is shown."""
    unless: Marks = frozenset()
    """Marks under any of which it is not wanted."""
    at: tuple[Limit, ...] = ()
    """When its rounds begin, counted from the moment at which it is ready; never working days. Empty: at once."""
    then_every: Limit | None = None
    """After the last of `at`: a further round so long after the last one was done."""
    until: Marks = frozenset()
    """Marks that end the repetition."""
    without_consent: bool = False
    """Wanted also while the consent that the pathway needs is not given."""
    feeds: tuple[str, ...] = ()
    """Who gets its counts (FEED)."""

    @cached_property
    def names(self) -> Marks:
        """The marks that its conditions and its place name."""
        found = {*self.after, *self.at_once, *self.again, *self.unless, *self.until, *_all(self.when)}
        if (place := self.placement) is not None:
            found |= {*place.needs, *place.ends, *(f"{place.by}.{code}" for code in place.roles)}
        return frozenset(found)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Ids of the steps whose state decides what this one does: itself, and those that its conditions, seats and place name."""
        holders = [rule.holder[0] for rule in self.seats if rule.holder]
        return frozenset({self.id, *holders, *(mark.partition(".")[0] for mark in self.names)})

    @cached_property
    def is_plain(self) -> bool:
        """Once done, nothing but a lost seat or a new decision can begin it anew, and no circumstance take it back."""
        return not self.when and not self.again and not self.unless and not self.repeats

    def is_ready(self, standing: Marks) -> bool:
        """Whether what must come before it has come."""
        return self.after <= standing or not self.at_once.isdisjoint(standing)

    def is_wanted(self, standing: Marks) -> bool:
        """Whether the circumstances that it is for hold."""
        if self.unless and not self.unless.isdisjoint(standing):
            return False
        return met(self.when, standing)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The answers that an offer of it may ever get."""
        if self.kind is StepKind.NOTIFY:
            return ("ACKNOWLEDGE",)
        if self.kind is StepKind.DECIDE:
            return ("ACKNOWLEDGE", "DECIDE", "DECLINE")
        comes = ("ARRIVE",) if {"arrive", "present"} & set(self.limits) else ()
        holds = ("HOLD",) if "hold" in self.limits else ()
        return ("ACKNOWLEDGE", "ACCEPT", *comes, "COMPLETE", "DECLINE", *holds, "RETURN")

    @cached_property
    def is_urgent(self) -> bool:
        """Whether its first limit is in minutes or hours: it is not put to an agency that is closed now."""
        first = next((self.limits[what] for what in ("acknowledge", "accept", "decide", "complete") if what in self.limits), None)
        return first is not None and first.unit in ("min", "h")

    @cached_property
    def repeats(self) -> bool:
        """Whether its rounds follow the calendar."""
        return bool(self.at) or self.then_every is not None

    @cached_property
    def places_asked(self) -> frozenset[str]:
        """Every role that it may ask for a place, its last resort among them."""
        if self.placement is None:
            return frozenset()
        tables = (self.placement.until_known, *self.placement.roles.values(), *(rule.last_resort for rule in self.seats))
        return frozenset(role for roles in tables for role in roles)

    @cached_property
    def there(self) -> str:
        """The state of an offer from which a person has the place."""
        return "ARRIVED" if {"arrive", "present"} & set(self.limits) else "ACCEPTED"

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """For each seat the role that it is opened for; where its holder or place is asked, the name of the seat."""
        return tuple(rule.roles[0] if rule.roles else rule.name for rule in self.seats)

    @cached_property
    def asks(self) -> OfferKind:
        """Its kind, as an offer says it."""
        return OfferKind(self.kind.value)


def met(groups: tuple[Marks, ...], standing: Marks) -> bool:
    """Whether of each group at least one mark stands."""
    for group in groups:  # noqa: SIM110 - asked ten times in every decision, and all() of a generator takes twice as long
        if group.isdisjoint(standing):
            return False
    return True


def _all(groups: tuple[Marks, ...]) -> frozenset[str]:
    return frozenset(mark for group in groups for mark in group)


@dataclass(frozen=True, slots=True)
class Change:
    """When these marks come to stand, the case belongs to another pathway: instead (switch_to) or too (also_open).

    pause: this track waits until the tracks of also_open have ended. The empty word: not so.
    """

    when: tuple[Marks, ...]
    switch_to: str = ""
    also_open: str = ""
    pause: bool = False


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """Whether a pathway needs the person's agreement. on_withdrawal: continue, anonymous or stop."""

    needed: bool = False
    basis: str = ""
    on_withdrawal: str = "continue"


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
    version: int = 1
    consent: ConsentRule = ConsentRule()
    seal: bool = False
    """What was written is closed for ever when the case closes."""

    @cached_property
    def placements(self) -> tuple[Step, ...]:
        """The steps that ask for a place."""
        return tuple(step for step in self.steps if step.placement is not None)

    @cached_property
    def places_at_once(self) -> bool:
        """Whether a place may be asked for in the decision that begins the track."""
        told = {step.id for step in self.steps if step.kind is StepKind.NOTIFY}
        return any(step.at_once or all(mark.partition(".")[0] in told for mark in step.after) for step in self.placements)

    @cached_property
    def places_by_silence(self) -> bool:
        """Whether a place may be asked for the first time because nobody answered."""
        marks = {mark for step in self.placements for mark in (*step.after, *step.at_once, *step.again, *step.unless, *_all(step.when))}
        marks |= {mark for change in self.changes for mark in _all(change.when)}
        told = {step.id for step in self.steps if step.kind is StepKind.NOTIFY}
        missed = any(mark.endswith(".acknowledge-missed") or mark.partition(".")[0] in told for mark in marks)
        return missed or any(step.on_silence in step.codes for step in self.steps)

    @cached_property
    def places_by_decisions(self) -> bool:
        """Whether, once its places are asked for, only decisions and the places themselves ask for another."""
        kinds = {step.id: step.kind for step in self.steps}
        again = {mark.partition(".")[0] for step in self.placements for mark in step.again}
        return all(kinds.get(id) in (StepKind.DECIDE, StepKind.PLACE) for id in again) and not self.changes_by_steps

    @cached_property
    def changes_by_steps(self) -> bool:
        """Whether what happens in its steps, and not only what is known of the case, begins other procedures."""
        return any("=" not in mark for change in self.changes for mark in _all(change.when))

    @cached_property
    def leads_to(self) -> frozenset[str]:
        """Ids of the pathways that it may begin."""
        return frozenset({change.switch_to or change.also_open for change in self.changes})

    @cached_property
    def asking(self) -> tuple[Step, ...]:
        """The steps that ask somebody: all but FEED."""
        return tuple(step for step in self.steps if step.kind is not StepKind.FEED)

    @cached_property
    def readers(self) -> Mapping[str, frozenset[str]]:
        """By id of a step: the steps that may have something new to do when its state changes, also by way of a place."""
        reads = {step.id: step.reads for step in self.steps}
        for placed in self.placements:
            reads = {id: read | placed.reads if placed.id in read else read for id, read in reads.items()}
        return {id: frozenset(reader for reader, read in reads.items() if id in read) for id in reads}

    @cached_property
    def names(self) -> Marks:
        """Every mark that it looks at: the others are as if they did not stand."""
        bans = {mark for _, mark in self.never}
        changes = {mark for change in self.changes for mark in _all(change.when)}
        return frozenset(self.close_when | bans | changes).union(*(step.names for step in self.steps))

    def is_settled(self, standing: Marks, withdrawn: bool) -> bool:
        """Whether every step that ends it is done, or is not for these circumstances. withdrawn: the person does not agree to it."""
        for mark, step in self.closing:
            if mark not in standing and step.is_wanted(standing) and not (withdrawn and not step.without_consent):
                return False
        return True

    @cached_property
    def closing(self) -> tuple[tuple[str, Step], ...]:
        """The marks of close_when with their steps; what is always wanted first, so that most looks end there."""
        found = [(mark, self.by_id[mark.removesuffix(".done")]) for mark in sorted(self.close_when)]
        return tuple(sorted(found, key=lambda pair: bool(pair[1].when or pair[1].unless)))

    @cached_property
    def has_rounds(self) -> bool:
        """Whether any of its steps may begin anew, by the calendar or after an outcome."""
        return any(step.repeats or step.again for step in self.steps)

    @cached_property
    def by_id(self) -> Mapping[str, Step]:
        """The steps by id."""
        return {step.id: step for step in self.steps}

    def step(self, id: str) -> Step | None:
        """The step of this id."""
        return self.by_id.get(id)
