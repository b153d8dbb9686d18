"""The working state of one decision: the events emitted so far, and the case as it is after them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from referral.domain.case import Case, Offer, Task, Track, find, holds
from referral.domain.entered_times import since
from referral.domain.events import (
    CaseChanged,
    CaseLinked,
    ChangeProposed,
    Consent,
    Facts,
    How,
    InputIgnored,
    NeedsPerson,
    OfferAccepted,
    OfferAcknowledged,
    OfferArrived,
    OfferClosed,
    OfferEscalated,
    OfferHeld,
    OfferOpened,
    OfferUnheard,
    Passed,
    PersonNotNeeded,
    ReferralAttached,
    StepOpened,
    Traits,
    Why,
)
from referral.domain.evolve import evolve
from referral.domain.inputs import Input, derived, head_of
from referral.domain.policy import Policy, limits
from referral.domain.policy.limits import Limit

TOP = 2
"""The highest rung above a desk: 0 the desk, 1 its supervising body, 2 oversight."""
QUIET = frozenset(
    {
        InputIgnored,
        StepOpened,
        OfferOpened,
        OfferAcknowledged,
        OfferEscalated,
        OfferUnheard,
        NeedsPerson,
        PersonNotNeeded,
        CaseLinked,
        ReferralAttached,
        ChangeProposed,
    }
)
"""Events that change no mark and vacate no seat: after them alone, `progress` has nothing new to do."""
HEARD = frozenset({OfferAcknowledged, OfferAccepted, OfferArrived, OfferHeld, OfferClosed, OfferUnheard})
"""Events that settle the desk's call about the same offer: the agency has answered, was notified, or need not answer any more."""
COMPLAINT, COMPLAINT_OURS = "complaint", "complaint-ours"
"""Tasks of oversight: open a case about a statutory deadline that an agency let pass, or that passed because we told nobody."""
COMPLAINTS = (COMPLAINT, COMPLAINT_OURS)
"""They outlast their procedure and their case. Only the answer settles them."""
PATIENT = ("stopped", "consent-missing", "confirm-default", *COMPLAINTS)
"""Tasks that a person cannot settle within minutes: they are repeated daily."""
UNCONFIRMED = "confirm-referral"
"""A desk task: call back, and confirm or refuse a referral that nobody vouches for. Repeated daily where the person is in no hurry."""


def _first(due: int, by: int | None) -> int:
    """Return the earlier of the two times."""
    return due if by is None else min(due, by)


@lru_cache(4096)
def _why(rule: str, digest: str, directory: str, engine: int, passed: tuple[Passed, ...]) -> Why:
    """Return the reasons of an event. Cached, because the same reasons recur. digest: of the procedure, or empty."""
    return Why(rule=rule, procedure=digest[:16], directory=directory, engine=engine, passed=passed)


class DecisionContext:
    """The decision context. Rules emit events through it; each event is applied to `case` at once, so that the next rule
    sees its effect."""

    __slots__ = ("_directory", "_held", "before", "case", "cause", "events", "facts", "moved", "policy")

    def __init__(self, case: Case | None, cause: Input, facts: Facts, policy: Policy) -> None:
        self.cause, self.facts, self.policy = cause, facts, policy
        self.events: list[Struct] = []
        self.case = case or Case(case_id=cause.case_id)
        """The case after the last event."""
        self.before = case
        """The case before the input; None when it had no event."""
        self.moved = False
        """True when an event since the last reset has changed a mark or vacated a seat."""
        self._directory = policy.directory[:16]
        self._held: Mapping[str, int] | None = None

    def emit(self, event: Struct) -> None:
        """Emit one more event and apply it to the case. The first event of a decision gets the head."""
        if not self.events:
            event = replace(event, head=head_of(self.cause, self.facts))
        self.case = evolve(self.case, event, self.cause.case_id)
        self.events.append(event)
        if type(event) not in QUIET:
            self.moved = True
        if type(event) in HEARD and self.case.tasks:
            self._settle_call(event)

    def _settle_call(self, event: Struct) -> None:
        """Settle the desk's tasks about the offer of this event."""
        if getattr(event, "away", False):
            return
        for task in self.case.tasks:
            if task.offer_id and task.offer_id == event.offer_id:  # type: ignore[attr-defined]
                self.settle(task, "done")

    def why(self, rule: str, track: Track | None = None, passed: tuple[Passed, ...] = ()) -> Why:
        """Return the reasons of an event: the rule, with the procedure, directory and engine that it belongs to."""
        return _why(rule, "" if track is None else track.digest, self._directory, self.facts.engine, passed)

    def due_since(self, limit: Limit, track: Track) -> int:
        """Return the time at which a limit passes that may count from an entered time: never later than `due`."""
        if not limit.since:
            return self.due(limit)
        start = since(self.case.traits, limit.since, self.facts.now, track.since or self.facts.now)
        return limits.due(start, limit, self.policy.calendar)

    def new_id(self, name: str) -> str:
        """Return an id that only this decision can derive."""
        return derived(self.cause.id, f"{name}:{len(self.events)}")

    def due(self, limit: Limit) -> int:
        """Return the time at which a limit that starts with this decision has passed."""
        return limits.due(self.facts.now, limit, self.policy.calendar)

    def free(self, service: str) -> int:
        """Return the free places of a service, after those that this decision has taken or freed; always one where the service has no
        limit."""
        if (asked := self.policy.services.get(service)) is not None and asked.places is None:
            return 1
        if self._held is None:
            self._held = holds(self.before) if self.before else {}
        return self.facts.free.get(service, 0) + self._held.get(service, 0) - holds(self.case).get(service, 0)

    def ignore(self, reason: str, offer_id: str | None = None, referral_id: str | None = None) -> None:
        """Emit InputIgnored: the input changes nothing, for this reason."""
        self.emit(InputIgnored(why=self.why("ignored"), reason=reason, offer_id=offer_id, referral_id=referral_id))

    def change(
        self,
        rule: str,
        *,
        traits: Traits | None = None,
        consent: Consent | None = None,
        consent_by: str = "",
        excluded: tuple[str, ...] | None = None,
        lifted: tuple[str, ...] = (),
    ) -> None:
        """Emit CaseChanged with the given fields changed and all others as they are."""
        case = self.case
        self.emit(
            CaseChanged(
                why=self.why(rule),
                traits=traits or case.traits,
                consent=consent or case.consent,
                excluded=case.excluded if excluded is None else excluded,
                consent_by=consent_by or case.consent_by,
                lifted=lifted,
            )
        )

    def close(self, offer: Offer, how: How, reason: str, rule: str, track: Track | None) -> None:
        """Emit OfferClosed: the offer ends."""
        self.emit(OfferClosed(why=self.why(rule, track), offer_id=offer.offer_id, how=how, reason=reason))

    @property
    def chain(self) -> tuple[str, str, str]:
        """The agencies that answer for this case: its desk, the supervising body, oversight."""
        return self.chain_at(self.case.traits.found_in)

    def chain_at(self, found_in: str) -> tuple[str, str, str]:
        """Return the agencies that answer for a case found in this municipality."""
        policy, place = self.policy, self.policy.municipalities.get(found_in)
        first = place.desk if place else policy.country_desk
        return first, policy.agencies[first].above or policy.country_desk, policy.oversight

    def desk(self, rung: int) -> str:
        """Return the agency that answers for this case at a rung of its chain. Returns an excluded agency only when all three are excluded
        (oversight)."""
        policy, chain = self.policy, self.chain
        above_first = (*chain[rung:], *reversed(chain[:rung]))
        open_to = [agency for agency in above_first if f"agency:{agency}" not in self.case.excluded]
        return open_to[0] if open_to else policy.oversight

    def needs_person(
        self,
        about: str,
        track: Track | None = None,
        step: str = "",
        seat: int = -1,
        *,
        rung: int = 0,
        passed: tuple[Passed, ...] = (),
        repeat: Limit | None = None,
        by: int | None = None,
        offer: Offer | None = None,
        rule: str = "",
    ) -> None:
        """Open a task at a desk, once: an open task about the same thing is not repeated. by: repeat it at this time at the latest.

        rule: why it is needed; by default what it is about.
        offer: the offer that the desk telephones about; then the limit of the offer is the limit of the call.
        """
        track_id, offer_id = track.track_id if track else "", offer.offer_id if offer else ""
        here = (about, track_id, step, seat, offer_id)
        if any((t.about, t.track_id, t.step, t.seat, t.offer_id) == here for t in self.case.tasks):
            return
        self.emit(
            NeedsPerson(
                why=self.why(rule or about, track, passed),
                task_id=self.new_id("task"),
                desk=self.desk(rung),
                about=about,
                track_id=track_id or None,
                step=step,
                seat=seat,
                rung=rung,
                due=_first(self.due(repeat or self.policy.repeat), by) if offer is None else self._call_by(offer),
                offer_id=offer_id or None,
            )
        )

    def _call_by(self, offer: Offer) -> int:
        """Return the limit of the offer, which is the limit of the call; where none runs, the desk is reminded daily."""
        return offer.due if offer.due is not None and offer.due > self.facts.now else self.due(self.policy.stopped)

    def patience(self, about: str) -> Limit:
        """Return the time after which a task is repeated one rung higher."""
        calm = about in PATIENT or (about == UNCONFIRMED and self.case.traits.urgency == "routine")
        return self.policy.stopped if calm else self.policy.repeat

    def repeat_task(self, task: Task, by: int | None = None) -> None:
        """Repeat an unsettled task one rung higher; a task is never closed by time. by: repeat it again at this time at the latest."""
        rung = min(task.rung + 1, TOP)
        found = find(self.case, task.offer_id) if task.offer_id else None
        repeat = self.patience(task.about)
        self.emit(
            NeedsPerson(
                why=self.why("repeated"),
                task_id=task.task_id,
                desk=self.desk(rung),
                about=task.about,
                track_id=task.track_id or None,
                step=task.step,
                seat=task.seat,
                rung=rung,
                due=_first(self.due(repeat), by) if found is None else self._call_by(found.offer),
                offer_id=task.offer_id or None,
            )
        )

    def tell_again(self, task: Task, rule: str) -> None:
        """Tell an unsettled task again, at the same rung: there is news about it. It climbs when it would have climbed."""
        self.emit(
            NeedsPerson(
                why=self.why(rule),
                task_id=task.task_id,
                desk=self.desk(task.rung),
                about=task.about,
                track_id=task.track_id or None,
                step=task.step,
                seat=task.seat,
                rung=task.rung,
                due=task.due,
                offer_id=task.offer_id or None,
            )
        )

    def settle_all(self, how: str, track_id: str = "") -> None:
        """Settle every task but proposed complaints. track_id: those of this track alone."""
        for task in self.case.tasks:
            if track_id in ("", task.track_id) and task.about not in COMPLAINTS:
                self.settle(task, how)

    def settle(self, task: Task, how: str) -> None:
        """Emit PersonNotNeeded: the task is settled."""
        self.emit(PersonNotNeeded(why=self.why("settled"), task_id=task.task_id, how=how))
