"""Our status words in the words of other systems: one row for each word that an offer can stand in. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

ARRIVED = "ARRIVED"
"""An accepted offer whose person has come: a state of ours between ACCEPTED and its end."""


class Said(Struct, frozen=True, kw_only=True):
    """One word elsewhere. fhir: Task.status (R4 value set task-status). primero: status of a Primero referral. bser: code of BSeR/360X.
    htcds: picklist word or field of HTCDS 2.0. reason: whether FHIR's word needs a statusReason to be told apart. Empty: no such word.
    """

    fhir: str
    primero: str = ""
    bser: str = ""
    htcds: str = ""
    reason: bool = False


OFFER: Mapping[str, Said] = {
    # The table of the written procedures (S), row by row.
    "OFFERED": Said(fhir="requested", primero="in_progress", bser="2.0"),
    "ACKNOWLEDGED": Said(fhir="received"),
    "ACCEPTED": Said(fhir="accepted", primero="accepted", bser="3.0", htcds="IncomingReferralDate"),
    "DECLINED_BY_AGENCY": Said(fhir="rejected", primero="rejected", bser="4.0"),
    "DECLINED_BY_PERSON": Said(fhir="rejected", primero="rejected", bser="4.0", reason=True),
    "EXPIRED": Said(fhir="failed", reason=True),
    "ON_HOLD": Said(fhir="on-hold", htcds="Active"),
    "COMPLETED": Said(fhir="completed", primero="done", bser="7.0", htcds="ClosedReferred"),
    "CANCELLED": Said(fhir="cancelled", primero="revoked", bser="6.0"),
    "ENTERED_IN_ERROR": Said(fhir="entered-in-error"),
    # Words that the table lacks; ours (P), by the definitions of FHIR's value set.
    ARRIVED: Said(fhir="in-progress", primero="accepted", bser="3.0"),  # started, not yet complete
    "RETURNED": Said(fhir="failed", reason=True),  # attempted, could not be completed
    "RELEASED": Said(fhir="cancelled", reason=True),  # another has it now
    "OVERTAKEN": Said(fhir="cancelled", reason=True),  # the person moved by another way
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
