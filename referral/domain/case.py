"""The state of one case: an immutable value, computed from its events on `referral-routing` by `evolve` and from nothing else.

Pure values. Times are microseconds UTC, ids uuid text, collections tuples: order is part of the answer. Fields are only ever added, with a
default, so that a newer release loads the state that an older one stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from referral.domain.events import Consent, ConsentState, StepKind, Traits

NOWHERE = Traits(concern="", age="", age_band="", sex="", found_in="", home="", urgency="", origin="", asylum="", languages=(), flags=())
"""Traits of a case whose first record was lost."""


class Val(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A frozen value that stores only the fields that differ from their defaults. `gc=False`: it can refer to nothing younger, so the
    garbage collector need not track it."""


class Offer(Val, frozen=True, kw_only=True, omit_defaults=True):
    """A seat offered to one agency.

    state: OFFERED ACKNOWLEDGED ACCEPTED ARRIVED COMPLETED.
    rung, rungs: the rung that is knocked, and the number of rungs.
    due, due_what: the limit that runs, µs UTC, and its name.
    how: the way in which the offer ended, empty while it is open.
    """

    offer_id: str
    agency: str
    service: str
    state: str = "OFFERED"
    rung: int = 0
    rungs: int = 1
    due: int | None = None
    due_what: str = ""
    held: bool = False
    skipped: int = 0
    """Rungs that were passed because everybody on them is excluded."""
    by_phone: bool = False
    """A desk telephones the agency; the notifier knocks at none of its rungs."""
    by: str = ""
    """Account of the person who acknowledged it."""
    unheard: bool = False
    """Our channels are down, and nobody of the agency has been notified."""
    excused: bool = False
    """Our channels were down for a part of the limit that runs: an agency that was notified late is not charged with missing it."""
    charged: bool = False
    """A limit has passed although the agency had been notified."""
    knocked: bool = False
    """The notifier knocks for it, and tells at which rung a message arrived. Version 5 of the rules began to ask for that."""
    told: bool = False
    """A message to somebody of the present rung has arrived."""
    how: str = ""
    reason: str = ""

    def __repr__(self) -> str:
        return f"Offer({self.offer_id} {self.service} {self.how or self.state})"


class Seat(Val, frozen=True, kw_only=True, omit_defaults=True):
    """One role that a step needs.

    kept: offers declined under a statutory duty, which last until another agency accepts.
    past: offers that ended.
    missed: names of limits that passed.
    code: the decision of the seat.
    next: the offer to the agency that takes the seat over; the current offer keeps the seat until that one has taken it.
    """

    role: str
    offer: Offer | None = None
    kept: tuple[Offer, ...] = ()
    past: tuple[Offer, ...] = ()
    missed: tuple[str, ...] = ()
    code: str = ""
    next: Offer | None = None
    persons: tuple[str, ...] = ()
    """Accounts of the people who took the seat, came, or decided for it."""
    pointed: str = ""
    """The level to which the form of the step pointed when the seat decided; empty: no form, or not known."""


class Run(Val, frozen=True, kw_only=True, omit_defaults=True):
    """One round of a step, under way, or done when it has an outcome. round counts reviews and moves. verdict: the decision of the step as
    a whole."""

    step: str
    round: int
    kind: StepKind
    seats: tuple[Seat, ...]
    verdict: str = ""
    outcome: str = ""
    starts: int | None = None
    """The time at which its seats are offered, where that is later than its opening."""


class Track(Val, frozen=True, kw_only=True, omit_defaults=True):
    """One pathway that runs for the case, under the procedure that was in force when the track began."""

    track_id: str
    pathway: str
    digest: str
    runs: tuple[Run, ...] = ()
    paused_by: str = ""
    outcome: str = ""
    opened_by: str = ""
    """The track that opened this one."""
    began: int = 0
    """seq of the case when the track began."""
    ended: int = 0
    """seq of the case when the track ended."""
    since: int = 0
    """The time at which it began, µs UTC. 0: stored before version 5 of the rules."""
    waited: tuple[str, ...] = ()
    """Pathways (or the desk) that the track has been paused for: never twice for the same one."""


class Task(Val, frozen=True, kw_only=True, omit_defaults=True):
    """An open task at a desk.

    rung: 0 desk, 1 supervising body, 2 oversight.
    due: when it is repeated, one rung higher.
    offer_id: the offer that it is about; the answer to the offer settles the task. Empty for every other task.
    """

    task_id: str
    desk: str
    about: str
    track_id: str = ""
    step: str = ""
    seat: int = -1
    rung: int = 0
    due: int | None = None
    offer_id: str = ""


class Proposal(Val, frozen=True, kw_only=True, omit_defaults=True):
    """A change that one party has recorded and that waits for a second party.

    kind: TRAITS CONSENT EXCLUSION LIFT.
    base: the traits when it was proposed.
    """

    task_id: str
    kind: str
    agency: str
    by: str | None = None
    traits: Traits | None = None
    base: Traits | None = None
    consent: Consent | None = None
    actor: str = ""


class Undo(Val, frozen=True, kw_only=True, omit_defaults=True):
    """A completed offer whose agency may still take its answer back.

    until: the last moment, µs UTC.
    arrived, due, due_what: of the offer before it was completed.
    done_at: when the completion finished the step; None where it did not.
    """

    offer_id: str
    until: int
    arrived: bool = False
    due: int | None = None
    due_what: str = ""
    done_at: int | None = None


class Case(Val, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one person's referrals. seq and at: of its last event. opened: its first referral has been read."""

    case_id: str
    seq: int = 0
    at: int = 0
    opened: bool = False
    traits: Traits = NOWHERE
    consent: Consent | None = None
    referrals: tuple[str, ...] = ()
    tracks: tuple[Track, ...] = ()
    tasks: tuple[Task, ...] = ()
    excluded: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    raised: tuple[str, ...] = ()
    closed: str = ""
    drill: bool = False
    bundle: int | None = None
    """Number of the policy bundle under which its last event was decided."""
    sealed: bool = False
    """The sections written before the case closed are never disclosed again."""
    consent_by: str = ""
    """The agency that recorded the consent now in force."""
    proposals: tuple[Proposal, ...] = ()
    knocks: bool = False
    """Some offer is or was `knocked`."""
    undos: tuple[Undo, ...] = ()
    """Answers that may be taken back. As soon as anybody else is asked, or the case changes, there are none."""

    def __repr__(self) -> str:
        return f"Case({self.case_id} seq={self.seq} tracks={len(self.tracks)} tasks={len(self.tasks)}{' closed' if self.closed else ''})"


SeatRef = tuple[int, int, int]
"""Position of a seat in the case: index of its track, run and seat."""


def seats(case: Case) -> Iterator[tuple[SeatRef, Track, Run, Seat]]:
    """Yield every seat of the case, oldest first."""
    for t, track in enumerate(case.tracks):
        for r, run in enumerate(track.runs):
            for s, seat in enumerate(run.seats):
                yield (t, r, s), track, run, seat


def offers_of(seat: Seat) -> Iterator[Offer]:
    """Yield the open offers of a seat: the current one unless it has ended, those kept under a duty, and the one to the next holder."""
    if seat.offer is not None and not seat.offer.how:
        yield seat.offer
    yield from seat.kept
    if seat.next is not None:
        yield seat.next


def open_offers(case: Case) -> tuple[Offer, ...]:
    """Return every offer that has not ended: the offers that agencies may answer and read."""
    return tuple(offer for _, _, _, seat in seats(case) for offer in offers_of(seat))


class FoundOffer(Struct, frozen=True, gc=False):
    """An offer with its position and everything that contains it."""

    ref: SeatRef
    track: Track
    run: Run
    seat: Seat
    offer: Offer


def find(case: Case, offer_id: str) -> FoundOffer | None:
    """Return the seat and offer with this id, open or ended; None when the case has no such offer.

    Search the current offers of each track first, newest round first, then all others.
    """
    for t, track in enumerate(case.tracks):
        r = len(track.runs)
        for run in reversed(track.runs):  # most answers are about one of the newest offers
            r -= 1
            for seat in run.seats:
                if (offer := seat.offer) is not None and offer.offer_id == offer_id:
                    return FoundOffer((t, r, run.seats.index(seat)), track, run, seat, offer)
    for ref, track, run, seat in seats(case):
        for offer in (seat.next, *seat.kept, *seat.past):
            if offer is not None and offer.offer_id == offer_id:
                return FoundOffer(ref, track, run, seat, offer)
    return None


def track_at(case: Case, track_id: str) -> int:
    """Return the index of a track. Raises LookupError when the case has none of this id."""
    for t, track in enumerate(case.tracks):
        if track.track_id == track_id:
            return t
    raise LookupError(f"no track {track_id}")


def run_at(case: Case, event: Any) -> tuple[int, int]:
    """Return the index of the track and run that the event names. Raises LookupError when the case has no such round."""
    t, step, round = track_at(case, event.track_id), event.step, event.round
    runs = case.tracks[t].runs
    r = len(runs)
    for run in reversed(runs):
        r -= 1
        if run.step == step and run.round == round:
            return t, r
    raise LookupError(f"no round {round} of {step}")


def offer_at(case: Case, event: Any) -> FoundOffer:
    """Return the offer that the event names, with its position and seat. Raises LookupError when the case has no such offer."""
    found = find(case, event.offer_id)
    if found is None:
        raise LookupError(f"no offer {event.offer_id}")
    return found


def unbegun(run: Run) -> int | None:
    """Return the start of a round whose seats have not been offered yet; None where one has been, or where the round began at once."""
    if run.starts is None or run.outcome or run.verdict or any(seat.offer or seat.past or seat.code for seat in run.seats):
        return None
    return run.starts


def agreed_until(case: Case) -> int | None:
    """Return the time at which the person's consent expires; None where it does not expire."""
    consent = case.consent
    if consent is None or consent.until is None:
        return None
    return consent.until if consent.state is ConsentState.GIVEN else None


def comes_due(case: Case, before: int, now: int) -> bool:
    """Return True when consent has expired or a round has begun after `before` and not after `now`: no offer has a limit for either."""
    until = agreed_until(case)
    if until is not None and before < until <= now:
        return True
    for track in case.tracks:
        for run in track.runs:
            if run.starts is not None and before < run.starts <= now and unbegun(run) is not None:
                return True
    return False


def next_due(case: Case) -> int | None:
    """Return the time of the case's one alarm: the earliest limit, task, round or expiry of consent; None when nothing will ever be due."""
    times = [task.due for task in case.tasks if task.due is not None]
    until = agreed_until(case)
    for track in case.tracks:
        if track.outcome or track.paused_by:
            continue
        if until is not None and until > case.at:
            times.append(until)
        for run in track.runs:
            if run.starts is not None and run.starts > case.at and unbegun(run) is not None:
                times.append(run.starts)
            for seat in run.seats:
                if seat.offer is not None and seat.offer.due is not None and not seat.offer.how:
                    times.append(seat.offer.due)
                if seat.next is not None and seat.next.due is not None:
                    times.append(seat.next.due)
    return min(times, default=None)


def awaits(case: Case) -> bool:
    """Return True when any time at all is set. Equal to `next_due(case) is not None`, but stops at the first time it finds."""
    for track in case.tracks:
        if not track.outcome and not track.paused_by:
            for run in reversed(track.runs):
                if run.starts is not None and run.starts > case.at and unbegun(run) is not None:
                    return True
                for seat in run.seats:
                    if seat.offer is not None and seat.offer.due is not None and not seat.offer.how:
                        return True
                    if seat.next is not None and seat.next.due is not None:
                        return True
    return any(task.due is not None for task in case.tasks)


def holds(case: Case) -> Mapping[str, int]:
    """Return the places that the case holds now, by service id: from the offer until its end. Routing updates capacity rows by the
    difference."""
    held: dict[str, int] = {}
    for track in case.tracks:
        for run in track.runs:
            if run.kind is PLACE:
                for seat in run.seats:
                    for offer in offers_of(seat):
                        held[offer.service] = held.get(offer.service, 0) + 1
    return held


TOLD_FROM = 5
"""Version of the rules from which a silence counts only after a message has arrived (docs/decisions/0021)."""


def before_knocks(case: Case) -> Case:
    """Return the case as an earlier version of the rules keeps it: it stores no `knocked`, and the offers go on as it knows them."""

    def plain(offer: Offer | None) -> Offer | None:
        return None if offer is None else replace(offer, knocked=False, told=False)

    def many(offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
        return tuple([offer for one in offers if (offer := plain(one)) is not None])

    def seat(one: Seat) -> Seat:
        return replace(one, offer=plain(one.offer), next=plain(one.next), kept=many(one.kept), past=many(one.past))

    runs = [tuple([replace(run, seats=tuple(map(seat, run.seats))) for run in track.runs]) for track in case.tracks]
    return replace(case, knocks=False, tracks=tuple([replace(track, runs=r) for track, r in zip(case.tracks, runs, strict=True)]))


RANK = {"OFFERED": 1, "ACKNOWLEDGED": 2, "ACCEPTED": 3, "ARRIVED": 4, "COMPLETED": 5}
"""Order of the states of an offer."""


DECIDE, NOTIFY, PLACE = StepKind.DECIDE, StepKind.NOTIFY, StepKind.PLACE
"""The kinds that `decide` compares most, bound once: reading a member off its enum costs as much as ten comparisons."""
