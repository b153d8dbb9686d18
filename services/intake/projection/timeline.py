"""Turn routing's events into the timeline of a case: one line for each event that changed something for a reader. Pure."""

from __future__ import annotations

from msgspec import Struct

from referral.domain import events as e
from referral.domain.inputs import Input
from services.intake.projection.offers import ended


class Line(Struct, frozen=True, kw_only=True):
    """One line of the timeline.

    what: its word.
    offer_id: of the offer that the line is about; step and agency are then the offer's.
    detail: codes.
    task_id: of the task that asks whether a proposal holds.
    """

    what: str
    step: str = ""
    agency: str = ""
    offer_id: str = ""
    detail: str = ""
    task_id: str = ""

    def __repr__(self) -> str:
        return f"Line({self.what})"


def line(record: Input) -> Line | None:
    """Return the line of an event; None for an event that no reader of a timeline misses."""
    match record.body:
        case e.OfferOpened() as b:
            passed = ", ".join(f"{p.service} {p.reason}" for p in b.why.passed)
            return Line(
                what="OFFERED", offer_id=b.offer_id, step=b.step, agency=b.agency, detail=f"passed over: {passed}" if passed else ""
            )
        case e.OfferEscalated() as b:
            return Line(what="ESCALATED", offer_id=b.offer_id, detail=f"rung {b.rung}")
        case e.OfferUnheard() as b:
            return Line(what="NOT_TOLD" if b.away else "TOLD", offer_id=b.offer_id, detail=f"rung {b.rung}")
        case e.OfferAcknowledged() as b:
            return Line(what="ACKNOWLEDGED", offer_id=b.offer_id)
        case e.OfferAccepted() as b:
            return Line(what="ACCEPTED", offer_id=b.offer_id, detail="late" if b.late else "")
        case e.OfferArrived() as b:
            return Line(what="ARRIVED", offer_id=b.offer_id)
        case e.OfferHeld() as b:
            return Line(what="ON_HOLD", offer_id=b.offer_id, detail=b.reason)
        case e.OfferClosed() as b:
            return Line(what=ended(b.how), offer_id=b.offer_id, detail=b.reason)
        case e.OfferReopened() as b:
            return Line(what="REOPENED", offer_id=b.offer_id)
        case _:
            return _of_case(record)


def _of_case(record: Input) -> Line | None:
    match record.body:
        case e.CaseOpened() as b:
            return Line(what="CASE_OPENED", agency=b.agency, detail=f"{b.traits.concern} {b.traits.urgency}")
        case e.ReferralAttached() as b:
            return Line(what="REFERRAL_ATTACHED", agency=b.agency)
        case e.ChangeProposed() as b:
            return Line(what="PROPOSED", agency=b.agency, detail=_proposed(b), task_id=b.task_id)
        case e.CaseChanged() as b if b.lifted:
            return Line(what="LIFTED", detail=", ".join(b.lifted))
        case e.TrackChanged() as b:
            return Line(what=f"TRACK_{b.state}", detail=" ".join(word for word in (b.pathway, b.outcome) if word))
        case e.DecisionRecorded() as b:
            points = f", form {b.pointed}" if b.pointed else ""
            return Line(
                what="DECIDED", step=b.step, detail=f"{b.code} {b.how}" if b.seat < 0 else f"seat {b.seat}: {b.code} {b.how}{points}"
            )
        case e.StepDone() as b:
            return Line(what="STEP_DONE", step=b.step, detail=b.outcome)
        case e.DeadlinePassed() as b:
            return Line(what="DEADLINE_PASSED", offer_id=b.offer_id or "", detail=b.what)
        case e.NeedsPerson() as b:
            return Line(what="NEEDS_PERSON", step=b.step, agency=b.desk, detail=b.about)
        case e.PersonNotNeeded() as b:
            return Line(what="PERSON_NOT_NEEDED", detail=b.how)
        case e.InputIgnored() as b:
            return Line(what="IGNORED", offer_id=b.offer_id or "", detail=b.reason)
        case e.CaseLinked() as b:
            return Line(what="LINKED", detail=b.how)
        case e.CaseClosed() as b:
            return Line(what="CASE_CLOSED", detail=b.outcome)
        case _:
            return None


def _proposed(body: e.ChangeProposed) -> str:
    """Return the proposed facts, in codes."""
    if body.traits is not None:
        traits = body.traits
        return f"{body.kind} {traits.concern} {traits.age} {traits.age_band} {traits.urgency} {traits.found_in}"
    if body.consent is not None:
        limits = [*body.consent.scope, *body.consent.recipients]
        return " ".join([str(body.kind), str(body.consent.state), f"by {body.consent.giver}", *limits])
    return f"{body.kind} {body.actor}"
