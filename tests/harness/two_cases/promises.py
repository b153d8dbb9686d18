"""What every decision keeps, whatever came in: told of its events one by one, and of the case before and after."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from referral.domain import events as e
from referral.domain.case import Case, Track, find, holds, next_due, offers_of, open_offers, seats
from referral.domain.evolve import evolve, fold
from referral.domain.inputs import Due, Input
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway
from referral.domain.rules.conditions import case_marks
from referral.domain.rules.consent import is_withdrawn
from referral.domain.rules.duties import duties

MOST = 200
"""Events of one decision: a bound far below any that could hurt, far above the forty of the busiest story."""
CODED = {
    "about": "about",
    "step": "step",
    "outcome": None,
    "due_what": "limit",
    "what": "limit",
    "pathway": "pathway",
    "urgency": "urgency",
    "role": "role",
}


def kept(case: Case | None, cause: Input, facts: e.Facts, events: tuple[Struct, ...], policy: Policy) -> Case:
    """The case after the events, every promise looked at."""
    assert events, "every input leaves an event"
    assert len(events) <= MOST
    before = case
    standing = set(case.excluded) if case else set()
    for index, event in enumerate(events):
        assert (event.head is not None) == (index == 0)  # type: ignore[attr-defined]
        _codes_are_known(event, policy)
        if isinstance(event, e.TrackChanged) and case is not None:
            assert not any(t.track_id == event.track_id and t.outcome for t in case.tracks), "a track that has ended stays ended"
        was, case = case is not None and bool(case.closed), evolve(case, event, cause.case_id)
        # By this an auditor without the case's key tells whether an erased case was closed (referral.proof.verify.log).
        assert bool(case.closed) == (isinstance(event, e.CaseClosed) or (was and not isinstance(event, e.TrackChanged | e.CaseOpened)))
        standing |= set(case.excluded)
        if isinstance(event, e.OfferOpened):
            _offer_is_allowed(case, event, standing, policy)
        if isinstance(event, e.NeedsPerson):
            assert f"agency:{event.desk}" not in case.excluded or event.desk == policy.oversight
    assert case is not None
    _nothing_is_parked(case, facts.now, policy)
    who_is_telephoned(case)
    _only_a_limit_accuses(before, events)
    if isinstance(cause.body, Due):
        assert (next_due(case) or facts.now + 1) > facts.now, "an alarm would ring again at once"
    _consent_is_honoured(case, facts.now, policy)
    if not isinstance(cause.body, e.InstructionGiven):
        _who_waits_is_not_woken(before, case, events)
    _nobody_is_put_out(before, case, events, policy)
    return case


def _codes_are_known(event: Any, policy: Policy) -> None:
    codes = policy.codes
    assert event.why.rule in codes["rule"], event.why.rule
    assert all(p.reason in codes["passed-reason"] for p in event.why.passed) and len(event.why.passed) <= 32
    for name, listed in CODED.items():
        value = getattr(event, name, "")
        assert not value or listed is None or value in codes[listed], f"{name} {value}"
    if isinstance(event, e.InputIgnored):
        assert event.reason in codes["ignored-reason"], event.reason
    if isinstance(event, e.OfferClosed):
        assert event.reason in ("", *codes["close-reason"], *codes["reason"]), event.reason


def _offer_is_allowed(case: Case, event: e.OfferOpened, excluded: set[str], policy: Policy) -> None:
    """Nobody who is excluded, nothing that the procedure bans, no secure place without its decisions, nobody whom consent leaves out."""
    service = policy.services[event.service]
    track = next(t for t in case.tracks if t.track_id == event.track_id)
    pathway = policy.pinned[track.digest]
    step = pathway.by_id[event.step]
    assert f"agency:{event.agency}" not in excluded
    lives = event.why.rule == "carried-over"  # it has the person already; a desk is told
    for ban in pathway.never:
        assert lives or not ban.forbids(service.tags, case_marks(case, case.at)), f"{service.id} is {ban.tag}"
    if step.placement is not None and service.roles & step.placement.secure and not lives:
        outcomes = {f"{run.step}.{run.outcome}" for run in track.runs}
        assert step.placement.needs <= outcomes
    consent = case.consent
    if pathway.consent.needed and not step.without_consent and consent is not None and consent.state is e.ConsentState.GIVEN and not lives:
        assert not consent.recipients or event.agency in consent.recipients
        assert not consent.scope or set(event.shows) <= set(consent.scope)
    _shown_is_given(case, event, pathway, policy)


def _shown_is_given(case: Case, event: e.OfferOpened, pathway: Pathway, policy: Policy) -> None:
    """A step is shown what the procedure gives its seat, and nothing else; what it writes is a part of that. Without a consent that the
    procedure needs nothing tells who the person is."""
    rule = pathway.by_id[event.step].seats[event.seat]
    assert set(rule.writes) <= set(rule.shows), f"{event.step} writes what it does not read"
    assert set(event.shows) <= set(rule.shows), f"{event.step} is shown {set(event.shows) - set(rule.shows)}"
    if pathway.consent.needed and "consent=given" not in case_marks(case, case.at):
        assert not [section for section in event.shows if policy.sections[section].personal], f"{event.step} without consent"


def _nothing_is_parked(case: Case, now: int, policy: Policy) -> None:
    if not case.closed:
        assert next_due(case) is not None or case.tasks
    assert all(task.due is not None and task.desk in policy.agencies for task in case.tasks)


def who_is_telephoned(case: Case) -> None:
    """A desk has a task about every agency on the telephone that owes an answer, and none about an offer that owes none."""
    owing = set()
    for _, track, run, seat in seats(case):
        for offer in offers_of(seat):
            waits = offer.state == "OFFERED" or (offer.state == "ACKNOWLEDGED" and run.kind is not e.StepKind.NOTIFY)
            if offer.by_phone and waits and offer not in seat.kept and not track.paused_by and not track.outcome:
                owing.add(offer.offer_id)
    tasks = {task.offer_id for task in case.tasks if task.about in ("call", "tell")}
    assert owing == tasks, f"not telephoned: {owing - tasks}; telephoned for nothing: {tasks - owing}"
    about = {task.offer_id for task in case.tasks if task.about == "not-told"}
    assert about <= {offer.offer_id for offer in open_offers(case) if offer.unheard or (offer.knocked and not offer.told)}


def _only_a_limit_accuses(before: Case | None, events: tuple[Struct, ...]) -> None:
    """Nobody is accused of silence unless a limit passed that the agency knew of, in this decision or before it. A person opens a case."""
    knew = {event.offer_id for event in events if isinstance(event, e.DeadlinePassed) and event.why.rule == "limit"}
    blamed = set[str]()
    for _, _, _, seat in seats(before) if before is not None else ():
        knew |= {o.offer_id for o in (*offers_of(seat), *seat.past) if o.charged}
        blamed |= {f"agency:{o.agency}" for o in (*offers_of(seat), *seat.past, seat.offer) if o is not None and o.charged}
        for offer in offers_of(seat):
            mute = offer.state == "OFFERED" and offer.knocked and not offer.told and not offer.held
            assert not mute or offer.offer_id not in knew or offer.charged or before is None or _nobody_there(before), "nobody was told"
    for index, event in enumerate(events):
        if isinstance(event, e.NeedsPerson) and event.why.rule == "complaint":
            about = [one.offer_id for one in events[:index] if isinstance(one, e.OfferClosed | e.DeadlinePassed)]
            assert about and about[-1] in knew, "accused of a limit that did not pass, or that nobody had told it of"
        if isinstance(event, e.CaseRaised):
            assert set(event.excluded) <= blamed and isinstance(events[index + 1], e.PersonNotNeeded), "opened by a person, about who knew"


def _nobody_there(case: Case) -> bool:
    """Return True when a desk knows that an agency has nobody on duty for a decision."""
    return any(task.about == "decide-missed" for task in case.tasks)


def _consent_is_honoured(case: Case, now: int, policy: Policy) -> None:
    """Once the person has said no, nobody is asked or has a seat for what needs consent; while nobody knows, a desk asks."""
    standing = case_marks(case, now)
    for track in case.tracks:
        pathway = policy.pinned[track.digest]
        if track.outcome or pathway.consent.on_withdrawal == "continue" or not is_withdrawn(pathway, standing):
            continue
        left = [
            run.step for run in track.runs for seat in run.seats for _ in offers_of(seat) if not pathway.by_id[run.step].without_consent
        ]
        assert not left, f"{pathway.id} {left}"


def _who_waits_is_not_woken(before: Case | None, case: Case, events: tuple[Struct, ...]) -> None:
    waits = {t.track_id for t in (before.tracks if before else ()) if t.paused_by} & {t.track_id for t in case.tracks if t.paused_by}
    offers = {o.offer_id for _, track, _, seat in seats(case) if track.track_id in waits for o in (*offers_of(seat), *seat.past)}
    for event in events:
        assert not (isinstance(event, e.OfferOpened) and event.track_id in waits)
        assert not (isinstance(event, e.OfferEscalated) and event.offer_id in offers)


def _nobody_is_put_out(before: Case | None, case: Case, events: tuple[Struct, ...], policy: Policy) -> None:
    """Where one procedure gives way to another that knows such a place, the person stays where it lives."""
    for event in events:
        if isinstance(event, e.TrackChanged) and event.state is e.TrackState.SWITCHED and before is not None:
            old = next((t for t in before.tracks if t.track_id == event.track_id), None)
            new = [t for t in case.tracks if t.opened_by == event.track_id]
            for service in _homes(old, policy) if old is not None and len(new) == 1 else ():
                ends = new[0].outcome or is_withdrawn(policy.pinned[new[0].digest], case_marks(case, case.at))
                same = {s.id for s in policy.pinned[new[0].digest].placements} & {s.id for s in policy.pinned[event.digest].placements}
                assert ends or not same or service in holds(case) or service not in policy.services, f"{service} left"


NEWS = (
    e.OfferOpened,
    e.StepOpened,
    e.StepDone,
    e.NeedsPerson,
    e.DecisionRecorded,
    e.TrackChanged,
    e.CaseChanged,
    e.CaseRaised,
    e.CaseClosed,
)
"""What somebody learns, or is asked."""


def taken_back(events: tuple[Any, ...], earlier: list[tuple[Any, ...]], now: Case) -> None:
    """Nobody was asked between an answer and its withdrawal, by it or by anything else. The offer and its step are as they were before the
    answer; taken back at once, the whole case is.

    earlier: the decisions of the case before. now: the case before the withdrawal.
    """
    reopened = events[0]
    assert isinstance(reopened, e.OfferReopened)
    closing = [
        number
        for number, decision in enumerate(earlier)
        if any(isinstance(event, e.OfferClosed) and event.offer_id == reopened.offer_id for event in decision)
    ]
    answer = closing[-1]
    since = [event for decision in earlier[answer:] for event in decision if not _own_end(event, reopened)]
    assert not any(isinstance(event, NEWS) for event in since), "somebody was asked upon an answer that is taken back"
    assert sum(isinstance(event, e.UndoAllowed) and event.offer_id == reopened.offer_id for event in since) == 1
    was = fold(None, (event for decision in earlier[:answer] for event in decision), now.case_id)
    again = fold(now, events[:1], now.case_id)
    one, other = find(was, reopened.offer_id), find(again, reopened.offer_id)
    assert one is not None and other is not None
    assert (one.ref, one.offer, one.run.outcome, one.run.verdict) == (other.ref, other.offer, other.run.outcome, other.run.verdict)
    if answer == len(earlier) - 1:
        assert _still(again) == _still(was), "the case is as it was before the answer"


def _own_end(event: Any, reopened: e.OfferReopened) -> bool:
    """The end of the agency's own step, which the answer had finished."""
    own = (reopened.track_id, reopened.step)
    return reopened.done_at is not None and isinstance(event, e.StepDone) and (event.track_id, event.step) == own


def _still(case: Case) -> Case:
    """The case without what every decision changes, and without what may be taken back."""
    return msgspec.structs.replace(case, seq=0, at=0, bundle=None, undos=())


def _homes(track: Track, policy: Policy) -> set[str]:
    found = set()
    for run in track.runs:
        for seat in run.seats:
            if run.kind is e.StepKind.PLACE and seat.offer is not None and seat.offer.state == "ARRIVED" and not seat.offer.how:
                found.add(seat.offer.service)
    return found if len(found) == 1 else set()


def held_once(case: Case) -> None:
    """Of a seat one has it: and whoever declined under a duty has it only until another does."""
    offers = [offer.offer_id for offer in open_offers(case)]
    assert len(offers) == len(set(offers))
    for _, track, run, seat in seats(case):
        taken = [o for o in (seat.offer, *seat.kept) if o and o.state in ("ACCEPTED", "ARRIVED") and o.due_what != ""]
        assert len(taken) <= 1, f"{track.pathway} {run.step}"
        assert not (seat.kept and seat.offer and seat.offer.state in ("ACCEPTED", "ARRIVED", "COMPLETED"))


def nothing_forbidden_is_asked(case: Case, policy: Policy) -> None:
    """Also where what forbids it became known only after the offer: only what is taken already stays, and a desk knows."""
    for _, track, _, seat in seats(case):
        service = policy.services.get(seat.offer.service) if seat.offer and not seat.offer.how else None
        for ban in policy.pinned[track.digest].never:
            if service is not None and seat.offer is not None and ban.forbids(service.tags, case_marks(case, case.at)):
                assert seat.offer.state in ("ACCEPTED", "ARRIVED")


def excluded_keeps_only_a_duty_that_waits(case: Case, policy: Policy) -> None:
    """An excluded agency has no offer, but for a duty that it keeps while its exclusion waits for a second party."""
    waits = {proposal.actor for proposal in case.proposals if proposal.kind == e.ChangeKind.EXCLUSION.value}
    duty = {offer.offer_id for _, _, _, _, offer in duties(case, policy)}
    for offer in open_offers(case):
        actor = f"agency:{offer.agency}"
        assert actor not in case.excluded or (actor in waits and offer.offer_id in duty), f"{offer.agency} is excluded and has {offer}"
