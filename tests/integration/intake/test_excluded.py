"""Whom a referral keeps away from the first moment finds nothing of the case at any door: each answers as for what does not exist."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from referral.domain import events as e
from services.intake.casefile.access import EXCLUSIONS
from tests.harness.line.intake_stack import BODY, LISTS, WHY, Stack, new_id, offer, track

pytestmark = pytest.mark.servers
CONSENT = {"state": "WITHDRAWN", "basis": "consent", "giver": "person"}
STOP = {"word": "STOP", "reason": "OTHER"}


async def complaint(intake: Stack, *excludes: str) -> dict[str, Any]:
    """A complaint about somebody, with an offer that is being answered and a task of a desk."""
    receipt = await intake.submit({**BODY, "excludes": list(excludes)})
    needs = e.NeedsPerson(why=WHY, task_id=new_id(), desk="oversight", about="x", track_id=None, step="police", seat=0, rung=2, due=None)
    await intake.decided(receipt["case_id"], track(), offer("police", new_id()), needs)
    return receipt


async def everywhere(intake: Stack, agency: str, case_id: str, referral_id: str, mine: str) -> list[tuple[int, str]]:
    """What each door says to an agency about a case. mine: a case of its own."""
    case, body = f"/v1/cases/{case_id}", {**BODY, "case_id": case_id}

    async def put() -> httpx.Response:
        return await intake.http.put(f"{case}/file/identity", json={"name": "x"}, headers=intake.token(agency))

    answers = [
        await intake.get(agency, case),
        await intake.http.get(case, headers=intake.token(agency) | {"Accept": "application/fhir+json"}),
        await intake.get(agency, f"{case}/file"),
        await put(),
        await intake.post(agency, f"{case}/consent", CONSENT),
        await intake.post(agency, f"{case}/traits", BODY["traits"]),
        await intake.post(agency, f"{case}/exclusions", {"kind": "AGENCY", "actor": "police"}),
        await intake.post(agency, f"{case}/instructions", STOP),
        await intake.post(agency, "/v1/referrals", body, new_id()),
        await intake.get(agency, f"/v1/referrals/{referral_id}"),
        await intake.post(agency, f"/v1/referrals/{referral_id}/withdrawal", {"reason": "MISTAKE"}),
        await intake.post(agency, f"/v1/cases/{mine}/instructions", {"word": "LINK", "reason": "OTHER", "other": case_id}),
    ]
    return [(answer.status_code, answer.text.replace(case_id, "ID").replace(referral_id, "ID")) for answer in answers]


@pytest.mark.parametrize("about", ["csw", "desk-prizren"])
async def test_the_subject_of_a_complaint_finds_nothing(intake: Stack, about: str) -> None:
    """csw: an agency like others. desk-prizren: the desk of the very place, which has other cases."""
    mine = (await intake.submit())["case_id"]
    receipt = await complaint(intake, f"agency:{about}")
    case_id, referral_id = receipt["case_id"], receipt["referral_id"]
    found = await everywhere(intake, about, case_id, referral_id, mine)
    assert found == await everywhere(intake, about, new_id(), new_id(), mine)
    assert {status for status, _ in found} <= {404, 422}
    assert (await intake.get(about, "/v1/offers?state=all")).json()["offers"] == []
    assert (await intake.get("school", f"/v1/cases/{case_id}")).status_code == 200, "its sender sees it"
    assert await intake.queued(case_id) == ["referral-submitted.v2"]


async def test_a_task_or_call_that_was_put_to_the_subject_all_the_same_is_not_shown(intake: Stack) -> None:
    receipt = await complaint(intake, "agency:desk-prizren")
    case_id, by_phone = receipt["case_id"], new_id()
    task = e.NeedsPerson(why=WHY, task_id=new_id(), desk="desk-prizren", about="x", track_id=None, step="", seat=-1, rung=0, due=None)
    await intake.decided(case_id, task, offer("csw", by_phone, reach=e.Reach.PHONE))
    said = await intake.post("desk-prizren", f"/v1/offers/{by_phone}/responses", {"word": "ACCEPT", "via": "PHONE"})
    unknown = await intake.post("desk-prizren", f"/v1/offers/{new_id()}/responses", {"word": "ACCEPT", "via": "PHONE"})
    assert (said.status_code, said.json()) == (unknown.status_code, unknown.json())
    assert (await intake.get("desk-prizren", f"/v1/cases/{case_id}")).status_code == 404


async def test_a_complaint_stands_at_another_desk_and_is_linked_from_itself_alone(intake: Stack) -> None:
    about = (await intake.submit())["case_id"]
    case_id = (await complaint(intake, "agency:desk-prizren"))["case_id"]
    assert await intake.scalar("SELECT desk FROM intake.casefile WHERE case_id = :case", case=case_id) == LISTS.country_desk
    await intake.decided(
        about, e.NeedsPerson(why=WHY, task_id=new_id(), desk="oversight", about="x", track_id=None, step="", seat=-1, rung=2, due=None)
    )
    link = {"word": "LINK", "reason": "OTHER"}
    wrong = await intake.post("oversight", f"/v1/cases/{about}/instructions", {**link, "other": case_id})
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["where"]) == (422, "one-way", "$.other")
    assert (await intake.post("oversight", f"/v1/cases/{case_id}/instructions", {**link, "other": about})).status_code == 202


async def test_a_case_that_routing_raises_keeps_the_agency_away_that_broke_its_duty(intake: Stack) -> None:
    mine = await intake.submit()
    traits = e.Traits(
        **{**dict.fromkeys(("sex", "origin", "asylum"), "unknown"), **BODY["traits"], "home": "", "languages": (), "flags": ()}
    )
    raised, new_case = {"pathway": "rights", "traits": traits, "about": "DEADLINE", "excluded": ("agency:desk-prizren",)}, new_id()
    await intake.decided(mine["case_id"], e.CaseRaised(why=WHY, new_case_id=new_case, **raised))
    found = await everywhere(intake, "desk-prizren", new_case, new_id(), mine["case_id"])
    assert found == await everywhere(intake, "desk-prizren", new_id(), new_id(), mine["case_id"])
    seen = (await intake.get("desk-prizren", f"/v1/cases/{mine['case_id']}")).text
    assert new_case not in seen and "RAISED" not in seen
    assert (await intake.get("oversight", f"/v1/cases/{new_case}")).status_code == 200


async def test_who_is_excluded_later_does_not_see_its_own_referral_or_offer_any_more(intake: Stack) -> None:
    receipt = await intake.submit(agency="police")
    case_id, offer_id = receipt["case_id"], new_id()
    await intake.decided(case_id, track(), offer("police", offer_id))
    assert len((await intake.get("police", "/v1/offers")).json()["offers"]) == 1
    assert (await intake.post("desk-prizren", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "police"})).status_code == 202
    assert (await intake.get("police", "/v1/offers?state=all")).json()["offers"] == []
    assert (await intake.get("police", f"/v1/referrals/{receipt['referral_id']}")).status_code == 404
    for id in (offer_id, new_id()):
        answer = await intake.get("police", f"/v1/offers/{id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-offer"), "its own, and none"
    further = await intake.post("police", "/v1/referrals", {**BODY, "case_id": case_id}, new_id())
    assert (further.status_code, further.json()["code"]) == (404, "unknown-case")


async def test_a_desk_that_is_excluded_hands_the_case_to_the_next(intake: Stack) -> None:
    case_id = (await intake.submit())["case_id"]
    path = f"/v1/cases/{case_id}"
    assert (await intake.post("school", f"{path}/exclusions", {"kind": "AGENCY", "actor": "desk-prizren"})).status_code == 202
    assert (await intake.post("desk-prizren", f"{path}/instructions", STOP)).status_code == 404
    assert (await intake.post(LISTS.country_desk, f"{path}/instructions", STOP)).status_code == 202


async def test_a_case_excludes_only_so_many_until_its_desk_excludes_more(intake: Stack) -> None:
    """One sender filled a case with thousands: routing could not say them in one record, and never heard of those that followed."""
    case_id = (await intake.submit({**BODY, "excludes": [f"staff:{new_id()}" for _ in range(32)]}))["case_id"]
    more = {**BODY, "case_id": case_id, "excludes": [f"staff:{new_id()}" for _ in range(EXCLUSIONS - 32)]}
    assert (await intake.post("school", "/v1/referrals", more, new_id())).status_code == 202
    one_more = {**more, "excludes": [f"staff:{new_id()}"]}
    refused = await intake.post("school", "/v1/referrals", one_more, new_id())
    assert (refused.status_code, refused.json()["code"]) == (422, "out-of-range")
    actor = {"kind": "STAFF", "actor": new_id()}
    assert (await intake.post("school", f"/v1/cases/{case_id}/exclusions", actor)).status_code == 422
    assert (await intake.post("desk-prizren", f"/v1/cases/{case_id}/exclusions", actor)).status_code == 202
