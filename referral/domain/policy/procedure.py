"""A compiled procedure (pathway): its steps, seats, limits and conditions.

A mark is a short word about a case or track that conditions test: `urgency=emergency`, `risk.HIGH`. A mark is set or it is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property

from referral.domain.events import OfferKind, StepKind
from referral.domain.policy.form import Table
from referral.domain.policy.limits import Limit

Marks = Set[str]


@dataclass(frozen=True, slots=True)
class SeatRule:
    """The rule for filling one seat. roles and areas in order of preference; holder: the step and seat whose holder is asked instead.

    shows: sections that it reads; writes: those of them that it writes.
    statutory: a decline is only possible for may_decline, and the offer is kept until another agency accepts.
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
    writes: tuple[str, ...] = ()
    not_same_as: tuple[tuple[str, int], ...] = ()
    """Seats, as step and number, whose agencies are never asked for this one."""
    apart: tuple[tuple[str, int], ...] = ()
    """Seats whose persons never answer for this one."""
    by: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Roles by the mark of a decision, where that says whom to ask; roles has all of them. Empty: roles."""

    def asked(self, marks: Marks) -> tuple[str, ...]:
        """Return the roles that are asked under these marks; none while what they depend on is not decided."""
        return next((roles for mark, roles in self.by if mark in marks), ()) if self.by else self.roles


@dataclass(frozen=True, slots=True)
class Placement:
    """The roles that a PLACE step asks: by the outcome of the step `by`, and `until_known` before that.

    secure: roles that lock a child up; asked only while all marks of `needs` are set and none of `ends`.
    """

    by: str
    roles: Mapping[str, tuple[str, ...]]
    until_known: tuple[str, ...]
    secure: Marks
    needs: Marks
    ends: Marks


@dataclass(frozen=True)
class Step:
    """One stage. It opens when all marks of `after` are set (or any of `at_once`) and one of each set of `when`; `again` opens a further
    round.

    final: the mark that makes it done (accepted, arrived, completed, decided, told).
    needs: records that must be in the case file before a decision.
    forbid: code → the actor whose exclusion forbids it.
    on_silence, on_disagreement: the code, or the rule, when nobody decides in time or the seats differ.
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
    """Codes of the law or document that requires it."""
    guidance: tuple[str, ...] = ()
    """Keys of the handbook pages that the agency is shown with the offer."""
    contacts: tuple[str, ...] = ()
    """Steps whose holders the agency is shown while it is asked, with the telephone of their offices."""
    unless: Marks = frozenset()
    """Marks any of which makes the step unwanted."""
    at: tuple[Limit, ...] = ()
    """The starts of its rounds, counted from the moment at which it is ready; never working days. Empty: at once."""
    then_every: Limit | None = None
    """Interval after the last of `at`: a further round starts this long after the last one was done."""
    until: Marks = frozenset()
    """Marks any of which ends the repetition."""
    without_consent: bool = False
    """The step is wanted even while the consent that the pathway needs is not given."""
    feeds: tuple[str, ...] = ()
    """Recipients of its counts (FEED)."""
    at_most: int = 0
    """Rounds in which somebody came or finished, after which no further round opens; 0: no limit."""
    form: str = ""
    """The section whose form points to a level; a lighter decision needs a reason and a second person. Empty: none."""
    table: Table | None = None
    """What the answers of the form point to, and which of the codes are its levels."""
    second_below: bool = False
    """The second of two persons is asked only where the first decided a lighter level than the form points to."""
    two_persons: bool = False
    """Two seats decide, one after the other, by two persons: the second is asked when the first has decided."""

    @cached_property
    def names(self) -> Marks:
        """The marks that its conditions and its placement name."""
        found = {*self.after, *self.at_once, *self.again, *self.unless, *self.until, *_all(self.when)}
        if (place := self.placement) is not None:
            found |= {*place.needs, *place.ends, *(f"{place.by}.{code}" for code in place.roles)}
        found |= {mark for rule in self.seats for mark, _ in rule.by}
        return frozenset(found)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Ids of the steps whose state this one depends on: itself, and those that its conditions, seats and placement name."""
        holders = [rule.holder[0] for rule in self.seats if rule.holder]
        holders += [step for rule in self.seats for step, _ in (*rule.not_same_as, *rule.apart)]
        return frozenset({self.id, *holders, *(mark.partition(".")[0] for mark in self.names)})

    def limit(self, what: str, seat: int) -> Limit:
        """Return a limit for a seat: the second of two persons may have one of its own to decide."""
        return self.limits["second"] if what == "decide" and seat and "second" in self.limits else self.limits[what]

    @cached_property
    def is_plain(self) -> bool:
        """Return True when, once done, only a lost seat or a new decision can reopen it, and no circumstance can take it back."""
        return not self.when and not self.again and not self.unless and not self.repeats

    def is_ready(self, marks: Marks) -> bool:
        """Return True when all steps that must come before it have reached their marks."""
        return self.after <= marks or not self.at_once.isdisjoint(marks)

    def is_wanted(self, marks: Marks) -> bool:
        """Return True when the circumstances that the step is for hold."""
        if self.unless and not self.unless.isdisjoint(marks):
            return False
        return met(self.when, marks)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The answer words that an offer of this step can ever take."""
        if self.kind is StepKind.NOTIFY:
            return ("ACKNOWLEDGE",)
        if self.kind is StepKind.DECIDE:
            return ("ACKNOWLEDGE", "DECIDE", "DECLINE")
        comes = ("ARRIVE",) if {"arrive", "present"} & set(self.limits) else ()
        holds = ("HOLD",) if "hold" in self.limits else ()
        return ("ACKNOWLEDGE", "ACCEPT", *comes, "COMPLETE", "DECLINE", *holds, "RETURN")

    @cached_property
    def is_urgent(self) -> bool:
        """Return True when its first limit is in minutes or hours: it is not offered to an agency that is closed now."""
        first = next((self.limits[what] for what in ("acknowledge", "accept", "decide", "complete") if what in self.limits), None)
        return first is not None and first.unit in ("min", "h")

    @cached_property
    def repeats(self) -> bool:
        """Return True when its rounds follow the calendar."""
        return bool(self.at) or self.then_every is not None

    @cached_property
    def places_asked(self) -> frozenset[str]:
        """Every role that it may ask for a place, its last resort included."""
        if self.placement is None:
            return frozenset()
        tables = (self.placement.until_known, *self.placement.roles.values(), *(rule.last_resort for rule in self.seats))
        return frozenset(role for roles in tables for role in roles)

    @cached_property
    def there(self) -> str:
        """The state of an offer from which on the person has the place."""
        return "ARRIVED" if {"arrive", "present"} & set(self.limits) else "ACCEPTED"

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """For each seat, the role that it is opened for; the name of the seat where its holder or place is asked."""
        return tuple(rule.roles[0] if rule.roles else rule.name for rule in self.seats)

    @cached_property
    def asks(self) -> OfferKind:
        """Its kind, as an offer names it."""
        return OfferKind(self.kind.value)


def met(groups: tuple[Marks, ...], marks: Marks) -> bool:
    """Return True when at least one mark of each group is set."""
    for group in groups:  # noqa: SIM110 - called ten times in every decision, and all() of a generator takes twice as long
        if group.isdisjoint(marks):
            return False
    return True


def _all(groups: tuple[Marks, ...]) -> frozenset[str]:
    return frozenset(mark for group in groups for mark in group)


@dataclass(frozen=True, slots=True)
class Ban:
    """A kind of service that a procedure never asks: that with this tag, under circumstances of which every group must hold (none:
    always).

    locked: the ban is of every role that locks people up, without the decision of a court (SeatRule and Placement tell when it stands).
    """

    name: str
    tag: str = ""
    when: tuple[Marks, ...] = ()
    locked: bool = False

    def forbids(self, tags: Marks, marks: Marks) -> bool:
        """Return True when a service with these tags must not be asked under these marks."""
        return bool(self.tag) and self.tag in tags and met(self.when, marks)


@dataclass(frozen=True, slots=True)
class Change:
    """A rule for moving to another pathway: when these marks are set, that pathway replaces this one (switch_to) or opens beside it
    (also_open).

    pause: this track waits until the tracks of also_open have ended. An empty word: not used.
    """

    when: tuple[Marks, ...]
    switch_to: str = ""
    also_open: str = ""
    pause: bool = False


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """Rule for the person's consent: whether the pathway needs it. on_withdrawal: continue, anonymous or stop."""

    needed: bool = False
    basis: str = ""
    on_withdrawal: str = "continue"


@dataclass(frozen=True)
class Pathway:
    """One compiled procedure.

    digest: SHA-256 of its file, hex.
    never: what is never asked.
    locked: roles that lock people up, where a ban of the procedure is about them; else empty.
    judges: roles that decide as a court.
    raises: the pathway of the case that a missed statutory deadline raises, or empty.
    """

    id: str
    digest: str
    applies: tuple[Marks, ...]
    changes: tuple[Change, ...]
    never: tuple[Ban, ...]
    raises: str
    steps: tuple[Step, ...]
    close_when: Marks
    version: int = 1
    consent: ConsentRule = ConsentRule()
    seal: bool = False
    """The sections that were written are sealed for ever when the case closes."""
    locked: Marks = frozenset()
    judges: Marks = frozenset()
    unverified: bool = False
    """It is done before a desk has confirmed a referral that nobody vouches for, and is no procedure."""
    take_back: Limit | None = None
    """Time for which an agency may take back that its part is done, where that has asked nobody; None: never."""

    @cached_property
    def placements(self) -> tuple[Step, ...]:
        """The steps that ask for a place."""
        return tuple(step for step in self.steps if step.placement is not None)

    @cached_property
    def places_at_once(self) -> bool:
        """Return True when the decision that begins the track may already ask for a place."""
        notices = {step.id for step in self.steps if step.kind is StepKind.NOTIFY}
        return any(step.at_once or all(mark.partition(".")[0] in notices for mark in step.after) for step in self.placements)

    @cached_property
    def places_by_silence(self) -> bool:
        """Return True when a timeout may be the first event to ask for a place."""
        marks = {mark for step in self.placements for mark in (*step.after, *step.at_once, *step.again, *step.unless, *_all(step.when))}
        marks |= {mark for change in self.changes for mark in _all(change.when)}
        notices = {step.id for step in self.steps if step.kind is StepKind.NOTIFY}
        missed = any(mark.endswith("-missed") or mark.partition(".")[0] in notices for mark in marks)
        return missed or any(step.on_silence in step.codes for step in self.steps)

    @cached_property
    def places_by_decisions(self) -> bool:
        """Return True when, once its places are asked for, only decisions and the places themselves can ask for another."""
        kinds = {step.id: step.kind for step in self.steps}
        again = {mark.partition(".")[0] for step in self.placements for mark in step.again}
        return all(kinds.get(id) in (StepKind.DECIDE, StepKind.PLACE) for id in again) and not self.changes_by_steps

    @cached_property
    def changes_by_steps(self) -> bool:
        """Return True when marks of its steps, and not only circumstances of the case, begin other procedures."""
        return any("=" not in mark for change in self.changes for mark in _all(change.when))

    @cached_property
    def leads_to(self) -> frozenset[str]:
        """Ids of the pathways that it may begin."""
        return frozenset({change.switch_to or change.also_open for change in self.changes})

    @cached_property
    def asking(self) -> tuple[Step, ...]:
        """The steps that ask an agency: all but FEED."""
        return tuple(step for step in self.steps if step.kind is not StepKind.FEED)

    @cached_property
    def readers(self) -> Mapping[str, frozenset[str]]:
        """By id of a step: the steps that may have something new to do when its state changes, also through a place."""
        reads = {step.id: step.reads for step in self.steps}
        for placed in self.placements:
            reads = {id: read | placed.reads if placed.id in read else read for id, read in reads.items()}
        return {id: frozenset(reader for reader, read in reads.items() if id in read) for id in reads}

    @cached_property
    def names(self) -> Marks:
        """Every mark that the procedure tests; all others have no effect on it."""
        bans = {mark for ban in self.never for mark in _all(ban.when)}
        changes = {mark for change in self.changes for mark in _all(change.when)}
        return frozenset(self.close_when | bans | changes).union(*(step.names for step in self.steps))

    def is_settled(self, marks: Marks, withdrawn: bool) -> bool:
        """Return True when every step of close_when is done or unwanted under these circumstances. withdrawn: the person does not consent
        to it."""
        for mark, step in self.closing:
            if mark not in marks and step.is_wanted(marks) and not (withdrawn and not step.without_consent):
                return False
        return True

    @cached_property
    def closing(self) -> tuple[tuple[str, Step], ...]:
        """The marks of close_when with their steps; steps that are always wanted come first, so that most tests end there."""
        found = [(mark, self.by_id[mark.removesuffix(".done")]) for mark in sorted(self.close_when)]
        return tuple(sorted(found, key=lambda pair: bool(pair[1].when or pair[1].unless)))

    @cached_property
    def has_rounds(self) -> bool:
        """Return True when any of its steps may begin again, by the calendar or after an outcome."""
        return any(step.repeats or step.again for step in self.steps)

    @cached_property
    def by_id(self) -> Mapping[str, Step]:
        """The steps by id."""
        return {step.id: step for step in self.steps}

    def is_courts(self, step: Step, code: str) -> bool:
        """Return True when only a court decides this code, because somebody may be locked up by it."""
        return (
            bool(self.locked)
            and self.judges >= {role for rule in step.seats for role in rule.roles}
            and any(place.placement is not None and f"{step.id}.{code}" in place.placement.needs for place in self.placements)
        )

    def step(self, id: str) -> Step | None:
        """Return the step of this id, or None."""
        return self.by_id.get(id)
