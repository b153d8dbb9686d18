"""The crosswalk says what the written procedures say, has a row for every word that an offer can stand in, and only words that FHIR has."""

from __future__ import annotations

import pytest

from referral.domain.events import How
from services.intake.api import fhir
from services.intake.api.fhir import OFFER, PRIORITY, REQUEST
from services.intake.projection.offers import ended

# As the table of the written procedures has it: ours, FHIR Task, needs a reason, Primero, BSeR/360X, HTCDS.
WRITTEN = [
    ("OFFERED", "requested", False, "in_progress", "2.0", ""),
    ("ACKNOWLEDGED", "received", False, "", "", ""),
    ("ACCEPTED", "accepted", False, "accepted", "3.0", "IncomingReferralDate"),
    ("DECLINED_BY_AGENCY", "rejected", False, "rejected", "4.0", ""),
    ("DECLINED_BY_PERSON", "rejected", True, "rejected", "4.0", ""),
    ("EXPIRED", "failed", True, "", "", ""),
    ("ON_HOLD", "on-hold", False, "", "", "Active"),
    ("COMPLETED", "completed", False, "done", "7.0", "ClosedReferred"),
    ("CANCELLED", "cancelled", False, "revoked", "6.0", ""),
    ("ENTERED_IN_ERROR", "entered-in-error", False, "", "", ""),
]
OURS = [("ARRIVED", "in-progress"), ("RETURNED", "failed"), ("RELEASED", "cancelled"), ("OVERTAKEN", "cancelled")]
# http://hl7.org/fhir/R4/valueset-task-status.html, valueset-request-status.html, valueset-request-priority.html
TASK = {
    "draft",
    "requested",
    "received",
    "accepted",
    "rejected",
    "ready",
    "cancelled",
    "in-progress",
    "on-hold",
    "failed",
    "completed",
    "entered-in-error",
}
STATUS = {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
URGENCY = {"routine", "urgent", "asap", "stat"}


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row[0])
def test_a_row_of_the_written_table(row: tuple[str, str, bool, str, str, str]) -> None:
    said = OFFER[row[0]]
    assert (row[0], said.fhir, said.reason, said.primero, said.bser, said.htcds) == row


@pytest.mark.parametrize("row", OURS, ids=lambda row: row[0])
def test_a_row_that_the_written_table_lacks(row: tuple[str, str]) -> None:
    assert OFFER[row[0]].fhir == row[1]


def test_every_word_that_an_offer_can_stand_in_has_a_row_and_no_other() -> None:
    states = {"OFFERED", "ACKNOWLEDGED", "ACCEPTED", "ON_HOLD", fhir.ARRIVED} | {ended(how) for how in How}
    assert set(OFFER) == states == {row[0] for row in WRITTEN} | {row[0] for row in OURS}


def test_every_word_outside_is_one_of_fhirs() -> None:
    assert {said.fhir for said in OFFER.values()} <= TASK
    assert set(REQUEST.values()) <= STATUS
    assert set(PRIORITY.values()) <= URGENCY


def test_two_words_that_fhir_cannot_tell_apart_have_a_reason() -> None:
    for word, said in OFFER.items():
        same = [other for other, its in OFFER.items() if its.fhir == said.fhir and not its.reason]
        assert len(same) <= 1, (word, same)
