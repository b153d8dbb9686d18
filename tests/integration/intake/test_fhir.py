"""GET /v1/cases/{id} in FHIR on a real database: negotiated as HTTP says, the same need to know, read by another library."""

from __future__ import annotations

import json

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle

from referral.domain import events as e
from services.intake.api.fhir_types import MEDIA
from tests.harness.line.intake_stack import WHY, Stack, new_id, offer, track
from tests.integration.intake.test_openapi import wrong

pytestmark = pytest.mark.servers


async def ask(intake: Stack, agency: str, case: str, accept: str | None = MEDIA) -> httpx.Response:
    headers = intake.token(agency) | ({} if accept is None else {"Accept": accept})
    return await intake.http.get(f"/v1/cases/{case}", headers=headers)


async def test_each_agency_sees_in_fhir_what_it_sees_in_json(intake: Stack) -> None:
    case = (await intake.submit())["case_id"]
    asked, other = new_id(), new_id()
    closed = e.OfferClosed(why=WHY, offer_id=other, how=e.How.DECLINED_BY_AGENCY, reason="OUT_OF_AREA")
    task = e.NeedsPerson(why=WHY, task_id=new_id(), desk="desk-gjakova", about="x", track_id=None, step="", seat=0, rung=0, due=None)
    await intake.decided(case, track(), offer("police", asked), offer("csw", other), closed, task)
    seen = {}
    for agency in ("school", "police", "csw", "desk-prizren", "desk-gjakova"):
        plain, answer = (await ask(intake, agency, case, None)).json(), await ask(intake, agency, case)
        assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA)
        Bundle.model_validate(answer.json())
        request, *tasks = (entry["resource"] for entry in answer.json()["entry"])
        assert request["id"] == case and [one["id"] for one in tasks] == [one["offer_id"] for one in plain["offers"]]
        assert "Marker" not in answer.text
        seen[agency] = {one["id"]: one["status"] for one in tasks}
    assert seen["school"] == {}
    assert seen["police"] == {asked: "requested"}
    assert seen["csw"] == {other: "rejected"}
    assert seen["desk-prizren"] == seen["desk-gjakova"] == {asked: "requested", other: "rejected"}
    stranger, unknown = await ask(intake, "shelter", case), await ask(intake, "shelter", new_id())
    assert (stranger.status_code, stranger.text) == (404, unknown.text), "a stranger cannot tell this case from none"
    assert stranger.headers["content-type"] == "application/problem+json"


async def test_an_excluded_agency_is_told_nothing_in_either_form(intake: Stack) -> None:
    case = (await intake.submit())["case_id"]
    await intake.decided(case, track(), offer("police", new_id()))
    gone = await intake.post("school", f"/v1/cases/{case}/exclusions", {"kind": "AGENCY", "actor": "police"}, new_id())
    assert gone.status_code == 202
    assert {(await ask(intake, "police", case, accept)).status_code for accept in (None, MEDIA)} == {404}


async def test_the_form_is_negotiated_and_json_stays_the_usual_one(intake: Stack) -> None:
    case = (await intake.submit())["case_id"]
    for accept in (None, "*/*", "application/json", f"{MEDIA};q=0.4, application/json;q=0.5"):
        answer = await ask(intake, "school", case, accept)
        assert answer.headers["content-type"] == "application/json" and answer.json()["case_id"] == case
        assert answer.headers["vary"] == "Accept"
    for accept in (MEDIA, f"{MEDIA}; fhirVersion=4.0", f"{MEDIA}, */*;q=0.1"):
        answer = await ask(intake, "school", case, accept)
        assert answer.headers["content-type"] == MEDIA and answer.json()["resourceType"] == "Bundle"
        assert answer.headers["cache-control"] == "no-store"
    for accept in ("text/html", f"{MEDIA}; fhirVersion=5.0", "application/json;q=0"):
        answer = await ask(intake, "school", case, accept)
        assert (answer.status_code, answer.json()["code"], answer.json()["where"]) == (406, "not-acceptable", "Accept")
        assert MEDIA in answer.json()["hint"]
    other = await intake.http.get("/v1/offers", headers=intake.token("school") | {"Accept": "text/html"})
    assert other.status_code == 406, "where there is one form only, another is not given in its place"


async def test_the_answer_has_the_form_that_openapi_tells(intake: Stack) -> None:
    document = (await intake.http.get("/openapi.json")).json()
    case = (await intake.submit())["case_id"]
    await intake.decided(case, track(), offer("school", new_id(), due=None, due_what=""))
    schema = document["paths"]["/v1/cases/{case_id}"]["get"]["responses"]["200"]["content"][MEDIA]["schema"]
    value = (await ask(intake, "school", case)).json()
    assert list(wrong(document, schema, value)) == []
    value["entry"][1]["resource"]["owner"]["display"] = "x"
    assert list(wrong(document, schema, value)), json.dumps(schema)
