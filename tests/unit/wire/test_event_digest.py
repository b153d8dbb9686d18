"""The digest of an agency's words: the page is enough to make it, and body, event, SDK and auditor make the same one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec import structs

from referral import client
from referral.domain import events as e
from referral.domain.events import EVENTS
from referral.errors import Malformed
from referral.runtime.settings import CHECKOUT
from referral.wire import event_digest
from tests.unit.wire.test_examples import example

PAGE = (CHECKOUT / "docs" / "record-signature.md").read_text("utf-8")
VECTORS: list[dict[str, Any]] = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
SALT = re.findall(r"made with the salt `([^`]+)`", PAGE)[0]
ID = "0b6f2f0e-54f7-4b1c-9d53-0c9f0f2c9a11"
TRAITS = e.Traits(
    concern="trafficking",
    age="child",
    age_band="unknown",
    sex="unknown",
    found_in="prizren",
    home="",
    urgency="urgent",
    origin="unknown",
    asylum="unknown",
    languages=("sq", "rom"),
    flags=(),
)
CONSENT = e.Consent(
    state=e.ConsentState.GIVEN, basis="consent", giver="guardian", scope=(), recipients=(), until=1_798_761_600_000_000
)  # 2027-01-01T00:00:00Z
REFERRED = e.ReferralSubmitted(
    referral_id=ID,
    agency="school-drita",
    door=e.Door.HTTP,
    opens=True,
    traits=TRAITS,
    consent=CONSENT,
    sections=("contact", "narrative"),
    excludes=("agency:csw-prizren",),
    received_at=1,
)


@pytest.mark.parametrize("vector", VECTORS)
def test_our_code_and_the_sdk_make_the_vectors_of_the_page(vector: dict[str, Any]) -> None:
    words = event_digest.words_of_body(vector["body"])
    assert event_digest.digest(SALT, words) == vector["digest"] == client.event_digest(vector["body"], SALT)
    assert event_digest.digest(SALT, json.loads(vector["canonical"])) == vector["digest"]
    assert event_digest.digest(f"{SALT}x", words) != vector["digest"], "the salt counts"


def test_the_event_of_a_body_has_the_words_of_the_body() -> None:
    assert event_digest.digest(SALT, event_digest.words_of_event(REFERRED, ID, drill=True)) == VECTORS[0]["digest"]
    further = structs.replace(REFERRED, opens=False, consent=None, sections=(), excludes=(), traits=structs.replace(TRAITS, languages=()))
    for drill in (True, False):  # the case has the mark, whatever the sender of a further referral writes
        assert event_digest.digest(SALT, event_digest.words_of_event(further, ID, drill=drill)) == VECTORS[1]["digest"]


@pytest.mark.parametrize(
    "other",
    [
        {"traits": structs.replace(TRAITS, age="adult")},
        {"traits": structs.replace(TRAITS, urgency="routine")},
        {"traits": structs.replace(TRAITS, languages=("rom", "sq"))},
        {"traits": structs.replace(TRAITS, sex="female")},
        {"consent": None},
        {"consent": structs.replace(CONSENT, until=None)},
        {"consent": structs.replace(CONSENT, state=e.ConsentState.REFUSED)},
        {"sections": ("contact",)},
        {"excludes": ()},
        {"opens": False},
    ],
)
def test_another_word_is_another_digest(other: dict[str, Any]) -> None:
    changed = structs.replace(REFERRED, **other)
    assert event_digest.digest(SALT, event_digest.words_of_event(changed, ID, drill=True)) != VECTORS[0]["digest"]


def test_an_exercise_is_no_real_case() -> None:
    assert event_digest.digest(SALT, event_digest.words_of_event(REFERRED, ID, drill=False)) != VECTORS[0]["digest"]


def test_what_intake_adds_is_no_word() -> None:
    added = structs.replace(
        REFERRED, referral_id=ID[::-1], door=e.Door.KAFKA, received_at=9, claim=e.Claim(agency="a", key=b"k", body=b"b")
    )
    assert event_digest.digest(SALT, event_digest.words_of_event(added, "", drill=True)) == VECTORS[0]["digest"]


SIGNABLE = sorted(type_ for type_, body in EVENTS.items() if "signed" in body.__struct_fields__)


@pytest.mark.parametrize("type_", SIGNABLE)
def test_every_event_that_can_be_signed_has_words_and_each_of_them_counts(type_: str) -> None:
    """A new field of such an event is a word, or is named here as none."""
    body = example(type_)
    words = event_digest.words_of_event(body, ID, drill=True)
    unsaid = {"agency", "by", "recorded_by", "via", "received_at", "claim", "signed", "opens", "door", "only", "pointed"}
    unsaid |= {"referral_id", "response_id", "offer_id", "instruction_id"}  # of the path, or given by intake
    said = {*words} - {"case_id", "drill"}
    assert said >= {*body.__struct_fields__} - unsaid - {"traits", "consent"} and event_digest.bound(body, ID, drill=True) is False
    for name in words:
        assert event_digest.digest(SALT, {**words, name: "x"}) != event_digest.digest(SALT, words)


def test_an_event_that_no_agency_sends_has_no_words() -> None:
    read = e.SectionDisclosed(agency="a", section="contact", basis="desk", at=0)
    with pytest.raises(Malformed):
        event_digest.words_of_event(read, ID, drill=False)
