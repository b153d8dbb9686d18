"""Translate a case to FHIR R4, from the same CaseState that the JSON answer shows, so that a caller learns no more from FHIR. Pure.

Also maps our status words to those of other systems, one row for each state of an offer.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from services.intake.api.fhir_types import (
    SYSTEM,
    Bundle,
    CodeableConcept,
    Coding,
    Entry,
    Identifier,
    Meta,
    Period,
    Reference,
    Restriction,
    ServiceRequest,
    Task,
)
from services.intake.api.schemas import CaseState, OfferState

EXERCISE = Meta(security=(Coding(system="http://terminology.hl7.org/CodeSystem/v3-ActReason", code="HTEST"),))
"""FHIR's mark of test data (R4, security labels)."""


def bundle(case: CaseState) -> Bundle:
    """Return one ServiceRequest for the case, and a Task for each offer shown. An exercise is marked on each of them."""
    meta = EXERCISE if case.drill else None
    request = Entry(fullUrl=_urn(case.case_id), resource=_request(case, meta))
    tasks = (Entry(fullUrl=_urn(offer.offer_id), resource=_task(offer, meta)) for offer in case.offers)
    return Bundle(type="collection", entry=(request, *tasks), meta=meta)


def _request(case: CaseState, meta: Meta | None) -> ServiceRequest:
    return ServiceRequest(
        id=case.case_id,
        identifier=(_id("case", case.case_id), *(_id("referral", referral.referral_id) for referral in case.referrals)),
        status=REQUEST.get(case.state, "unknown"),
        intent="order",
        subject=_person(case.case_id),
        authoredOn=min((referral.received_at for referral in case.referrals), default=None),
        meta=meta,
    )


def _task(offer: OfferState, meta: Meta | None) -> Task:
    state = ARRIVED if offer.arrived and offer.state == "ACCEPTED" else offer.state
    words = OFFER.get(state, OFFER["CANCELLED"])
    request = Reference(reference=_urn(offer.case_id), type="ServiceRequest")
    return Task(
        id=offer.offer_id,
        identifier=(_id("offer", offer.offer_id),),
        basedOn=(request,),
        groupIdentifier=_id("track", offer.track_id),
        status=words.fhir,
        statusReason=_code("reason", offer.reason) if offer.reason else _code("status", state) if words.reason else None,
        businessStatus=_code("status", state),
        intent="order",
        priority=PRIORITY.get(offer.urgency),
        code=_code("step", offer.step),
        focus=request,
        for_=_person(offer.case_id),
        authoredOn=offer.opened_at,
        performerType=(_code("role", offer.role),),
        owner=Reference(type="HealthcareService", identifier=_id("service", offer.service)),
        executionPeriod=Period(start=offer.opened_at, end=offer.closed_at),
        # FHIR allows a limit only on what is still to be done.
        restriction=Restriction(period=Period(end=offer.due)) if offer.due and offer.closed_at is None else None,
        meta=meta,
    )


def _code(list_: str, word: str) -> CodeableConcept:
    return CodeableConcept(coding=(Coding(system=f"{SYSTEM}code:{list_}", code=word),))


def _id(what: str, value: str) -> Identifier:
    return Identifier(system=f"{SYSTEM}id:{what}", value=value)


def _person(case_id: str) -> Reference:
    """Return a reference to the person of whom FHIR contains nothing: the case's id stands for the person."""
    return Reference(type="Patient", identifier=_id("case", case_id))


def _urn(id: str) -> str:
    return f"urn:uuid:{id}"


ARRIVED = "ARRIVED"
"""State of ours between ACCEPTED and the end of an offer: the person has arrived."""


class StatusWords(Struct, frozen=True, kw_only=True):
    """The words of other systems for one state of an offer. Empty: the system has no such word.

    fhir: Task.status (R4 value set task-status).
    primero: status of a Primero referral.
    bser: code of BSeR/360X.
    htcds: picklist word or field of HTCDS 2.0.
    reason: FHIR's word alone is ambiguous and needs a statusReason.
    """

    fhir: str
    primero: str = ""
    bser: str = ""
    htcds: str = ""
    reason: bool = False


OFFER: Mapping[str, StatusWords] = {
    # The table of the written procedures (S), row by row.
    "OFFERED": StatusWords(fhir="requested", primero="in_progress", bser="2.0"),
    "ACKNOWLEDGED": StatusWords(fhir="received"),
    "ACCEPTED": StatusWords(fhir="accepted", primero="accepted", bser="3.0", htcds="IncomingReferralDate"),
    "DECLINED_BY_AGENCY": StatusWords(fhir="rejected", primero="rejected", bser="4.0"),
    "DECLINED_BY_PERSON": StatusWords(fhir="rejected", primero="rejected", bser="4.0", reason=True),
    "EXPIRED": StatusWords(fhir="failed", reason=True),
    "ON_HOLD": StatusWords(fhir="on-hold", htcds="Active"),
    "COMPLETED": StatusWords(fhir="completed", primero="done", bser="7.0", htcds="ClosedReferred"),
    "CANCELLED": StatusWords(fhir="cancelled", primero="revoked", bser="6.0"),
    "ENTERED_IN_ERROR": StatusWords(fhir="entered-in-error"),
    # Words that the table lacks; ours (P), by the definitions of FHIR's value set.
    ARRIVED: StatusWords(fhir="in-progress", primero="accepted", bser="3.0"),  # started, not yet complete
    "RETURNED": StatusWords(fhir="failed", reason=True),  # attempted, could not be completed
    "RELEASED": StatusWords(fhir="cancelled", reason=True),  # another agency has the task now
    "OVERTAKEN": StatusWords(fhir="cancelled", reason=True),  # the person got there in another way
}

REQUEST: Mapping[str, str] = {
    "RECEIVED": "active",
    "WAITING": "on-hold",
    "OFFERED": "active",
    "ACKNOWLEDGED": "active",
    "ACCEPTED": "active",
    "ON_HOLD": "on-hold",
    "COMPLETED": "completed",
    "CANCELLED": "revoked",
}
"""State of a case → ServiceRequest.status (R4 value set request-status); ours (P)."""

PRIORITY: Mapping[str, str] = {"routine": "routine", "urgent": "urgent", "emergency": "stat"}
"""Urgency → request-priority (R4): stat is the highest, at once; ours (P)."""
