"""A case as FHIR R4: the same CaseState that the JSON answer shows, in other words; so nobody learns more by asking for FHIR. Pure."""

from __future__ import annotations

from services.intake import crosswalk
from services.intake.fhir_types import (
    SYSTEM,
    Bundle,
    CodeableConcept,
    Coding,
    Entry,
    Identifier,
    Period,
    Reference,
    Restriction,
    ServiceRequest,
    Task,
)
from services.intake.shown import CaseState, OfferState


def bundle(case: CaseState) -> Bundle:
    """One ServiceRequest for the case, and a Task for each offer shown."""
    request = Entry(fullUrl=_urn(case.case_id), resource=_request(case))
    return Bundle(type="collection", entry=(request, *(Entry(fullUrl=_urn(o.offer_id), resource=_task(o)) for o in case.offers)))


def _request(case: CaseState) -> ServiceRequest:
    return ServiceRequest(
        id=case.case_id,
        identifier=(_id("case", case.case_id), *(_id("referral", one.referral_id) for one in case.referrals)),
        status=crosswalk.REQUEST.get(case.state, "unknown"),
        intent="order",
        subject=_person(case.case_id),
        authoredOn=min((one.received_at for one in case.referrals), default=None),
    )


def _task(offer: OfferState) -> Task:
    state = crosswalk.ARRIVED if offer.arrived and offer.state == "ACCEPTED" else offer.state
    said = crosswalk.OFFER.get(state, crosswalk.OFFER["CANCELLED"])
    request = Reference(reference=_urn(offer.case_id), type="ServiceRequest")
    return Task(
        id=offer.offer_id,
        identifier=(_id("offer", offer.offer_id),),
        basedOn=(request,),
        groupIdentifier=_id("track", offer.track_id),
        status=said.fhir,
        statusReason=_code("reason", offer.reason) if offer.reason else _code("status", state) if said.reason else None,
        businessStatus=_code("status", state),
        intent="order",
        priority=crosswalk.PRIORITY.get(offer.urgency),
        code=_code("step", offer.step),
        focus=request,
        for_=_person(offer.case_id),
        authoredOn=offer.opened_at,
        performerType=(_code("role", offer.role),),
        owner=Reference(type="HealthcareService", identifier=_id("service", offer.service)),
        executionPeriod=Period(start=offer.opened_at, end=offer.closed_at),
        # FHIR keeps limits on what is still to be done.
        restriction=Restriction(period=Period(end=offer.due)) if offer.due and offer.closed_at is None else None,
    )


def _code(list_: str, word: str) -> CodeableConcept:
    return CodeableConcept(coding=(Coding(system=f"{SYSTEM}code:{list_}", code=word),))


def _id(what: str, value: str) -> Identifier:
    return Identifier(system=f"{SYSTEM}id:{what}", value=value)


def _person(case_id: str) -> Reference:
    """Somebody about whom FHIR learns nothing: the case's id stands for the person."""
    return Reference(type="Patient", identifier=_id("case", case_id))


def _urn(id: str) -> str:
    return f"urn:uuid:{id}"
