"""A case as FHIR, judged by a model of FHIR R4 that is not ours (fhir.resources), over every state that an offer can have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.servicerequest import ServiceRequest
from fhir.resources.R4B.task import Task
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from referral.domain.events import How, OfferKind
from services.intake.api import fhir, schemas
from services.intake.projection.offers import ended

STATES = sorted({"OFFERED", "ACKNOWLEDGED", "ACCEPTED", "ON_HOLD"} | {ended(how) for how in How})
CASES = ("RECEIVED", "OFFERED", "ACKNOWLEDGED", "ACCEPTED", "ON_HOLD", "COMPLETED", "CANCELLED")
ids = st.uuids(version=4).map(str)
words = st.text("abz-", min_size=3, max_size=9).map(lambda word: f"a{word}z")
times = st.integers(0, 4_000_000_000_000_000).map(schemas.maybe)
"""FHIR's codes have no spaces, and its moments a zone: what our codes and times are anyway."""


@st.composite
def offers(draw: st.DrawFn, case_id: str, states: Sequence[str] = STATES, arrivals: Sequence[bool] = (False, True)) -> schemas.OfferState:
    state = draw(st.sampled_from(states))
    plain: dict[str, Any] = {name: draw(words) for name in ("step", "role", "service", "due_what")}
    listed: dict[str, Any] = dict.fromkeys(("words", "reasons", "codes", "needs", "shows", "ladder"), ("x",))
    return schemas.OfferState(
        **plain,
        **listed,
        offer_id=draw(ids),
        case_id=case_id,
        track_id=draw(ids),
        kind=str(draw(st.sampled_from(OfferKind))),
        urgency=draw(st.sampled_from(("routine", "urgent", "emergency", "other"))),
        state=state,
        arrived=draw(st.sampled_from(arrivals)),
        reason=draw(st.sampled_from(("", "NO_CAPACITY", "accept", "MOVED"))),
        rung=0,
        seat=draw(st.integers(-1, 3)),
        due=draw(st.none() | times),
        opened_at=draw(times) or "",
        closed_at=None if state in ("OFFERED", "ACKNOWLEDGED", "ACCEPTED", "ON_HOLD") else draw(times),
    )


@st.composite
def cases(draw: st.DrawFn, **fixed: Any) -> schemas.CaseState:
    case_id = draw(ids)
    sent = schemas.ReferralState(
        referral_id=draw(ids),
        case_id=case_id,
        event_id=draw(ids),
        received_at=draw(times) or "",
        state="RECEIVED",
        became="OPENED",
        withdrawn_at=None,
    )
    moment = schemas.Moment(at="", what="Marker", step="Marker", agency="Marker", detail="Marker")
    return schemas.CaseState(
        case_id=case_id,
        state=draw(st.sampled_from(CASES)),
        drill=draw(st.booleans()),
        referrals=draw(st.sampled_from(((), (sent,)))),
        offers=tuple(draw(st.lists(offers(case_id, **fixed), min_size=1 if fixed else 0, max_size=3))),
        tasks=(),
        timeline=(moment,),
    )


def told(case: schemas.CaseState) -> dict[str, Any]:
    return dict(json.loads(msgspec.json.encode(fhir.bundle(case))))


@given(cases())
def test_the_other_library_reads_every_case_and_writes_the_same(case: schemas.CaseState) -> None:
    ours = told(case)
    read = Bundle.model_validate(ours)
    assert isinstance(read.entry[0].resource, ServiceRequest)
    assert all(isinstance(entry.resource, Task) for entry in read.entry[1:])
    assert without_times(json.loads(read.model_dump_json())) == without_times(ours)


def without_times(value: Any) -> Any:
    """The same document without moments, which the library may write in another way."""
    if isinstance(value, dict):
        return {name: without_times(inner) for name, inner in value.items() if name not in ("authoredOn", "start", "end")}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("arrived", [False, True])
@pytest.mark.parametrize("state", STATES)
@settings(max_examples=10)
@given(st.data())
def test_each_offer_is_a_task_in_the_word_of_the_crosswalk(state: str, arrived: bool, data: st.DataObject) -> None:
    case = data.draw(cases(states=(state,), arrivals=(arrived,)))
    word = "ARRIVED" if state == "ACCEPTED" and arrived else state
    said = fhir.OFFER[word]
    document = told(case)
    Bundle.model_validate(document)
    request, *tasks = (entry["resource"] for entry in document["entry"])
    assert request["status"] == fhir.REQUEST[case.state]
    assert [task["id"] for task in tasks] == [offer.offer_id for offer in case.offers]
    for task, offer in zip(tasks, case.offers, strict=True):
        assert task["status"] == said.fhir
        assert [one["code"] for one in task["businessStatus"]["coding"]] == [word]
        assert task.get("statusReason", {}).get("coding", [{}])[0].get("code") == (offer.reason or (word if said.reason else None))
        assert task["executionPeriod"].get("end") == offer.closed_at
        assert task.get("restriction", {"period": {"end": None}})["period"]["end"] == (None if offer.closed_at else offer.due)


@given(cases())
def test_every_reference_is_an_entry_or_an_opaque_id_and_no_text_stands_anywhere(case: schemas.CaseState) -> None:
    document = told(case)
    entries = {entry["fullUrl"] for entry in document["entry"]}
    assert len(entries) == 1 + len(case.offers)
    known = {case.case_id, *(o.offer_id for o in case.offers), *(o.track_id for o in case.offers), *(o.service for o in case.offers)}
    known |= {sent.referral_id for sent in case.referrals}
    for name, value in pairs(document):
        if name == "reference":
            assert value in entries
        assert name not in ("display", "text", "name", "telecom", "address", "note", "description", "birthDate", "gender")
        if name == "value":
            assert value in known
        if name == "system":
            assert value.startswith("urn:referral:") or value == fhir.EXERCISE.security[0].system
    assert "Marker" not in json.dumps(document), "the timeline's words do not travel in FHIR"


def pairs(node: Any) -> Any:
    if isinstance(node, dict):
        for name, inner in node.items():
            yield name, inner
            yield from pairs(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from pairs(inner)


@pytest.mark.parametrize("wrong", [{"status": None}, {"nickname": "x"}, {"authoredOn": "yesterday"}, {"for": {"display": 1}}])
def test_this_judge_sees_what_is_no_task(wrong: dict[str, Any]) -> None:
    good = {"resourceType": "Task", "status": "requested", "intent": "order"}
    Task.model_validate(good)
    with pytest.raises(ValidationError):
        Task.model_validate({name: value for name, value in (good | wrong).items() if value is not None})


@given(cases())
def test_an_exercise_is_marked_on_every_resource_as_fhir_marks_test_data(case: schemas.CaseState) -> None:
    document = told(case)
    marks = [one.get("meta") for one in (document, *(entry["resource"] for entry in document["entry"]))]
    code = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
    assert marks == [{"security": [code]} if case.drill else None] * len(marks)
