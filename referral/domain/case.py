"""The state of one case: an immutable value, computed from its events on `referral-routing` by `evolve` and from nothing else.

Pure values. Times are microseconds UTC, ids uuid text, collections tuples: order is part of the answer. Fields are only ever added, with a
default, so that a newer release loads the state that an older one stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from referral.domain.events import Consent, ConsentState, StepKind, Traits

NOWHERE = Traits(concern="", age="", age_band="", sex="", found_in="", home="", urgency="", origin="", asylum="", languages=(), flags=())
"""Traits of a case whose first record was lost."""


class Val(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A frozen value that stores only what differs from its defaults. The collector passes it over: it can refer to nothing younger."""


class Offer(Val, frozen=True, kw_only=True, omit_defaults=True):
    """A seat put to one agency. state: OFFERED ACKNOWLEDGED ACCEPTED ARRIVED COMPLETED. how: empty while it is open."""

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
    """Rungs that were climbed because everybody on them is excluded."""
    by_phone: bool = False
    """A desk telephones the agency; none of its rungs is knocked."""
    by: str = ""
    """Account of the person who acknowledged it."""
    unheard: bool = False
    """Our channels are away, and nobody of the agency has been told."""
    excused: bool = False
    """They were away for a part of the limit that runs: whoever is told late is not charged with it."""
    charged: bool = False
    """A limit has passed that the agency knew of."""
    how: str = ""
    reason: str = ""

    def __repr__(self) -> str:
        return f"Offer({self.offer_id} {self.service} {self.how or self.state})"


class Seat(Val, frozen=True, kw_only=True, omit_defaults=True):
    """One role that a step needs. kept: declined under a statutory duty, and kept until another accepts. past: offers that ended.

    next: whom the seat is handed over to; the current offer keeps it until that one has taken it.
    """

    role: str
    offer: Offer | None = None
    kept: tuple[Offer, ...] = ()
    past: tuple[Offer, ...] = ()
    missed: tuple[str, ...] = ()
    code: str = ""
    next: Offer | None = None


class Run(Val, frozen=True, kw_only=True, omit_defaults=True):
    """A step under way, or done when it has an outcome. round counts reviews and moves. verdict: the decision of the step as a whole."""

    step: str
    round: int
    kind: StepKind
    seats: tuple[Seat, ...]
    verdict: str = ""
    outcome: str = ""
    starts: int | None = None
    """When its seats are offered, where that is later than its beginning."""


class Track(Val, frozen=True, kw_only=True, omit_defaults=True):
    """One pathway running for the case, under the procedure that was in force when it began."""

    track_id: str
    pathway: str
    digest: str
    runs: tuple[Run, ...] = ()
    paused_by: str = ""
    outcome: str = ""
    opened_by: str = ""
    """The track that opened this one."""
    began: int = 0
    """seq of the case when it began."""
    ended: int = 0
    """seq of the case when it ended."""
    waited: tuple[str, ...] = ()
    """Pathways (or a desk) that it has been paused for: never twice for the same."""


class Task(Val, frozen=True, kw_only=True, omit_defaults=True):
    """What stands at a desk. rung: 0 desk, 1 supervising body, 2 oversight. due: when it is told again, one rung higher.

    offer_id: the offer that it is about; it is settled by the answer to it. Empty for every other task.
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
    """A change that one party has said, and that waits for a second one. kind: TRAITS CONSENT EXCLUSION LIFT. base: the traits of then."""

    task_id: str
    kind: str
    agency: str
    by: str | None = None
    traits: Traits | None = None
    base: Traits | None = None
    consent: Consent | None = None
    actor: str = ""


class Case(Val, frozen=True, kw_only=True, omit_defaults=True):
    """The life of one person's referrals. seq and at: of its last event. opened: its first referral has been read."""

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
    """Number of the policy that its last event was decided under."""
    sealed: bool = False
    """What was written before it closed is never disclosed again."""
    consent_by: str = ""
    """The agency that recorded the consent that holds."""
    proposals: tuple[Proposal, ...] = ()

    def __repr__(self) -> str:
        return f"Case({self.case_id} seq={self.seq} tracks={len(self.tracks)} tasks={len(self.tasks)}{' closed' if self.closed else ''})"


Place = tuple[int, int, int]
"""Where a seat stands: index of track, run and seat."""


def seats(case: Case) -> Iterator[tuple[Place, Track, Run, Seat]]:
    """Every seat of the case, oldest first."""
    for t, track in enumerate(case.tracks):
        for r, run in enumerate(track.runs):
            for s, seat in enumerate(run.seats):
                yield (t, r, s), track, run, seat


def offers_of(seat: Seat) -> Iterator[Offer]:
    """The open offers of a seat: the current one unless it has ended, those kept under a duty, and the one it is handed over to."""
    if seat.offer is not None and not seat.offer.how:
        yield seat.offer
    yield from seat.kept
    if seat.next is not None:
        yield seat.next


def open_offers(case: Case) -> tuple[Offer, ...]:
    """Every offer that has not ended: what agencies may answer and read."""
    return tuple(offer for _, _, _, seat in seats(case) for offer in offers_of(seat))


Found = tuple[Place, Track, Run, Seat, Offer]
_last: tuple[Case | None, str, Found | None] = (None, "", None)
"""What was found last: an answer is located for its rules, and its event once more for its effect."""


def find(case: Case, offer_id: str) -> Found | None:
    """The seat and offer of this id, open or ended; None when the case never made it."""
    global _last
    if _last[0] is case and _last[1] == offer_id:
        return _last[2]
    found = _find(case, offer_id)
    _last = (case, offer_id, found)
    return found


def _find(case: Case, offer_id: str) -> Found | None:
    for t, track in enumerate(case.tracks):
        r = len(track.runs)
        for run in reversed(track.runs):  # what is answered has mostly just been asked
            r -= 1
            for seat in run.seats:
                if (offer := seat.offer) is not None and offer.offer_id == offer_id:
                    return (t, r, run.seats.index(seat)), track, run, seat, offer
    for place, track, run, seat in seats(case):
        for offer in (seat.next, *seat.kept, *seat.past):
            if offer is not None and offer.offer_id == offer_id:
                return place, track, run, seat, offer
    return None


def unbegun(run: Run) -> int | None:
    """When a round begins for which nobody has been asked yet; None where somebody has, or it began at once."""
    if run.starts is None or run.outcome or run.verdict or any(seat.offer or seat.past or seat.code for seat in run.seats):
        return None
    return run.starts


def agreed_until(case: Case) -> int | None:
    """When the person's consent runs out; None where it does not."""
    consent = case.consent
    if consent is None or consent.until is None:
        return None
    return consent.until if consent.state is ConsentState.GIVEN else None


def comes_due(case: Case, before: int, now: int) -> bool:
    """Whether consent has run out or a round has begun after one time and not after another: no offer has a limit for that."""
    until = agreed_until(case)
    if until is not None and before < until <= now:
        return True
    for track in case.tracks:
        for run in track.runs:
            if run.starts is not None and before < run.starts <= now and unbegun(run) is not None:
                return True
    return False


def next_due(case: Case) -> int | None:
    """The case's one alarm: the earliest time at which somebody has to be reminded; None when nothing is due ever."""
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
    """Whether any time at all is set: next_due(case) is not None, found sooner."""
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
    """Places that the case holds now, by service id: from the offer until it ends. Routing keeps capacity rows by the difference."""
    held: dict[str, int] = {}
    for track in case.tracks:
        for run in track.runs:
            if run.kind is PLACE:
                for seat in run.seats:
                    for offer in offers_of(seat):
                        held[offer.service] = held.get(offer.service, 0) + 1
    return held


RANK = {"OFFERED": 1, "ACKNOWLEDGED": 2, "ACCEPTED": 3, "ARRIVED": 4, "COMPLETED": 5}


DECIDE, NOTIFY, PLACE = StepKind.DECIDE, StepKind.NOTIFY, StepKind.PLACE
