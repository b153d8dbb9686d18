"""Refusals of intake as a sender reads them: the status, code, place and hint of every refusal that needs no database.

The sentences are kept in golden/refusals.txt; `REFERRAL_UPDATE=1` writes it anew, to be read as a diff. That a door answers with them, and
stores nothing, is tested once for each door in tests/integration/intake.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from referral.domain import events as e
from referral.domain.authority.words import Kind
from referral.errors import Rejected
from services.intake.commands.act_on_case import Post, other_person
from services.intake.htcds import reader
from services.intake.messages import responses, strict_json, submission
from services.intake.model import Offer
from tests.harness.htcds_values import table
from tests.harness.line.intake_stack import BODY, LISTS, offer

GOLDEN = Path(__file__).parents[1] / "golden" / "refusals.txt"
ID = "0b6f2f0e-54f7-4b1c-9d53-0c9f0f2c9a11"
MARKER = "Marker-Emri"
"""Stands where a person's facts would: no refusal repeats it."""
NO_JSON: dict[str, bytes] = {
    "broken": b'{"traits": ',
    "no object": b"[]",
    "null": b"null",
    "nothing": b"",
    "latin-1": b'{"traits": "\xeb"}',
    "a name twice": b'{"drill": true, "drill": false}',
    "nan": b'{"drill": NaN}',
    "infinite": b'{"drill": -Infinity}',
    "too large a number": b'{"drill": 1e999}',
    "endless digits": b'{"drill": ' + b"9" * 5000 + b"}",
    "deep": b'{"file": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    "half a pair": b'{"file": {"identity": {"name": "\\ud800"}}}',
    "nul": b'{"file": {"identity": {"name": "\\u0000"}}}',
}


def changed(**traits: Any) -> dict[str, Any]:
    """The body of a referral with these traits; None leaves one out."""
    return {"traits": {name: value for name, value in {**BODY["traits"], **traits}.items() if value is not None}}


def consent(**fields: str) -> dict[str, Any]:
    return {**BODY, "consent": {"state": "GIVEN", "basis": "consent", "giver": "parent", **fields}}


REFERRALS: dict[str, dict[str, Any]] = {
    "missing field": changed(concern=None),
    "unknown code": changed(concern="theft"),
    "no such municipality": changed(found_in="atlantis"),
    "empty municipality": changed(found_in=""),
    "wrong type": changed(age=12),
    "wrong type in a list": changed(flags=["unaccompanied", 3]),
    "repeated code": changed(flags=["unaccompanied", "unaccompanied"]),
    "unknown field": changed(name=MARKER),
    "unknown field above": {**BODY, MARKER: 1},
    "unknown field like one of ours": changed(agee="child"),
    "unknown section": {**BODY, "file": {MARKER: {"a": 1}}},
    "empty section": {**BODY, "file": {"identity": {}}},
    "section of a wrong type": {**BODY, "file": {"identity": MARKER}},
    "case that is no id": {**BODY, "case_id": MARKER},
    "consent without basis": {**BODY, "consent": {"state": "GIVEN", "giver": "parent"}},
    "no such consent": consent(state="MAYBE"),
    "consent without time zone": consent(until="2027-01-01T00:00:00"),
    "two traits that cannot both hold": changed(age="adult"),
    "excluded without a kind": {**BODY, "excludes": ["csw"]},
    "excluded agency of nobody": {**BODY, "excludes": ["agency:nobody"]},
    "excluded relation of nobody": {**BODY, "excludes": ["agency:csw", "relation:sun"]},
    "excluded staff by name": {**BODY, "excludes": [f"staff:{MARKER}"]},
    "excluded kind of nothing": {**BODY, "excludes": ["unknown:csw"]},
    "excluded twice": {**BODY, "excludes": ["agency:csw", "AGENCY:csw"]},
    "too many excluded": {**BODY, "excludes": ["agency:csw"] * 33},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "no such word": {"word": "DANCE"},
    "a decision of a request": {"word": "DECIDE", "code": "LOW"},
    "a decline without reason": {"word": "DECLINE"},
    "a decline for a reason of others": {"word": "DECLINE", "reason": "NO_CAPACITY"},
    "a reason that is not asked": {"word": "ACCEPT", "reason": "OUT_OF_AREA"},
    "a code that is not asked": {"word": "ACCEPT", "code": "LOW"},
    "a text of no kind": {"word": "ACCEPT", "texts": {"poem": MARKER}},
    "a text that is not asked": {"word": "ACCEPT", "texts": {"reason": MARKER}},
    "too long a text": {"word": "ACCEPT", "texts": {"reason": "x" * 10_001}},
    "no word": {"reason": "OUT_OF_AREA"},
}
DECISIONS: dict[str, dict[str, Any]] = {
    "without its words": {"word": "DECIDE", "code": "LOW", "texts": {"reason": MARKER}},
    "with an empty text": {"word": "DECIDE", "code": "LOW", "texts": {"reason": "  ", "child-view": MARKER}},
    "of another code": {"word": "DECIDE", "code": "HIGH", "texts": {"reason": MARKER, "child-view": MARKER}},
}
ORDERS: dict[str, dict[str, Any]] = {
    "a link to nothing": {"word": "LINK"},
    "an offer to nobody": {"word": "OFFER", "step": "police"},
    "an offer to an unknown service": {"word": "OFFER", "step": "police", "target": "svc-nobody"},
    "an offer of no step": {"word": "OFFER", "target": "svc-police"},
    "a transfer to nobody": {"word": "TRANSFER", "step": "police"},
    "a release of no step": {"word": "RELEASE"},
    "a reopening of no procedure": {"word": "REOPEN", "target": "svc-police"},
    "a confirmation of no task": {"word": "CONFIRM"},
    "no such order": {"word": "OBEY"},
    "a reason of nobody": {"word": "CLOSE", "reason": "WHIM"},
    "a seat out of range": {"word": "STOP", "seat": 4000},
}
EXCLUSIONS: dict[str, dict[str, Any]] = {
    "a kind of nothing": {"kind": "SUN", "actor": "csw"},
    "an agency of nobody": {"kind": "AGENCY", "actor": MARKER},
    "staff by name": {"kind": "STAFF", "actor": MARKER},
}
SECTIONS: dict[str, tuple[str, dict[str, Any]]] = {"of no kind": ("horoscope", {"text": MARKER}), "empty": ("narrative", {})}
CSV: dict[str, bytes] = {
    "other columns": b"name,born\nTesta,2012\n",
    "an open quote": b'ref_FoundIn\n"prizren',
    "too many rows": b"ref_FoundIn\n" + b"prizren\n" * (reader.ROWS + 1),
    "a field twice": b"ref_FoundIn,ref_FoundIn\nprizren,prizren\n",
    "latin-1": b"ref_FoundIn\n\xeb\n",
    "nul": b"ref_FoundIn\n\0\n",
}
HTCDS: dict[str, bytes] = {"broken": b"[{]", "a list of lists": b"[[]]", "too many records": b"[" + b"{}," * reader.ROWS + b"{}]"}


def held(**more: Any) -> Offer:
    """An offer as intake's table holds it."""
    opened = structs.asdict(offer("police", ID, **more))
    kept = {name: opened[name] for name in Offer.__struct_fields__ if name in opened}
    return Offer(**kept, case_id=ID, state="OFFERED", arrived=False, opened_at=0, changed_at=0, closed_at=None, reason="", declined_by=None)


DECISION: dict[str, Any] = {"kind": e.OfferKind.DECIDE, "words": ("DECIDE",), "codes": ("LOW",), "needs": ("reason", "child-view")}


def answer(body: dict[str, Any], **more: Any) -> None:
    parsed = strict_json.parse(json.dumps(body).encode(), responses.AnswerBody)
    responses.response(parsed, held(**more), LISTS, id=ID, by=None, via=e.Via.SYSTEM, recorded_by=None, at=0)


def order(body: dict[str, Any]) -> None:
    parsed = strict_json.parse(json.dumps({"reason": "OTHER", **body}).encode(), responses.InstructionBody)
    responses.instruction(parsed, LISTS, id=ID, agency="desk-prizren", by=None, at=0)


def exclusion(body: dict[str, Any]) -> None:
    parsed = strict_json.parse(json.dumps(body).encode(), responses.ExclusionBody)
    responses.exclusion(parsed, LISTS, agency="csw", by=None, at=0)


def sent() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every refused body: its name, and what reads it."""
    for name, data in NO_JSON.items():
        yield f"referral, {name}", partial(submission.submission, data, LISTS)
    for name, body in REFERRALS.items():
        yield f"referral, {name}", partial(submission.submission, json.dumps(body).encode(), LISTS)
    desks = {**BODY, "excludes": ["agency:desk-gjakova", "agency:oversight"]}
    yield (
        "referral, every desk excluded",
        partial(submission.submission, json.dumps(desks).encode(), structs.replace(LISTS, country_desk="desk-gjakova")),
    )
    yield "referral on Kafka, with a case file", partial(submission.codes_only, json.dumps(BODY).encode(), LISTS)
    for name, body in ANSWERS.items():
        yield f"answer, {name}", partial(answer, body)
    for name, body in DECISIONS.items():
        yield f"decision, {name}", partial(answer, body, **DECISION)
    for name, body in ORDERS.items():
        yield f"order, {name}", partial(order, body)
    for name, body in EXCLUSIONS.items():
        yield f"exclusion, {name}", partial(exclusion, body)
    yield (
        "withdrawal, a reason of nobody",
        partial(responses.withdrawal, responses.WithdrawalBody(reason=MARKER), LISTS, referral_id=ID, agency="school", at=0),
    )
    for name, (section, content) in SECTIONS.items():
        yield f"section, {name}", partial(submission.section, section, content, LISTS, "$")
    for name, data in CSV.items():
        yield f"file of CSV, {name}", partial(reader.from_csv, data, table())
    for name, data in HTCDS.items():
        yield f"file of JSON, {name}", partial(reader.from_json, data, table())


def test_every_refusal_names_its_place_and_says_what_to_send() -> None:
    told = []
    for name, read in sent():
        with pytest.raises(Rejected) as refused:
            read()
        error = refused.value
        assert MARKER not in str(error) and "Marker" not in str(error), "what was sent is never repeated"
        told.append(f"{name}\n  {error.status} {error.code} at {error.where}\n  {error.hint}\n")
    text = "\n".join(told)
    if os.environ.get("REFERRAL_UPDATE"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")


def test_a_seat_of_two_persons_is_answered_by_a_person_and_by_another_than_the_first() -> None:
    seat = held(**{**DECISION, "seat": 1, "skip": ("first",)})
    lists = structs.replace(LISTS, persons={(seat.pathway, seat.step, 1): True})
    person = Post(kind=Kind.STAFF, agency=seat.agency, account="first")
    cases = [(structs.replace(person, account=None), "needs-person"), (person, "same-person")]
    for post, code in cases:
        with pytest.raises(Rejected) as refused:
            other_person(lists, post, seat, "DECIDE", excluded=False)
        assert (refused.value.code, refused.value.status) == (code, 409)
    other_person(lists, person, seat, "ACKNOWLEDGE", excluded=False)
    other_person(lists, person, seat, "DECIDE", excluded=True)  # routing answers: nobody learns that somebody has named them
    other_person(lists, structs.replace(person, account="second"), seat, "DECIDE", excluded=False)
    other_person(LISTS, person, seat, "DECIDE", excluded=False)
