"""What a desk does at the door, on a real database: answers by telephone, orders, and what it sees."""

from __future__ import annotations

import pytest

from referral.domain import events as e
from services.intake import store
from tests.harness import permits
from tests.harness.line.intake_stack import BODY, WHY, Stack, changed, new_id, offer, opened, track

pytestmark = pytest.mark.servers


async def test_a_desk_records_what_was_said_on_the_telephone(intake: Stack) -> None:
    case_id, offer_id = await opened(intake, reach=e.Reach.PHONE)
    path = f"/v1/offers/{offer_id}/responses"
    assert (await intake.post("desk-prizren", path, {"word": "ACCEPT", "via": "PHONE"})).status_code == 202
    assert (await intake.post("desk-gjakova", path, {"word": "ACCEPT", "via": "PHONE"})).status_code == 404
    assert (await intake.post("desk-prizren", path, {"word": "ACCEPT"})).status_code == 404
    assert (await intake.queued(case_id))[1:] == ["response-submitted.v2"]


async def test_a_notice_by_telephone_stands_in_the_list_of_its_desk_until_it_is_told(intake: Stack) -> None:
    case_id, notice = await opened(intake, reach=e.Reach.PHONE, kind=e.OfferKind.NOTIFY, words=("ACKNOWLEDGE",), due=None, due_what="")
    async with intake.door.begin() as tx:
        assert [call.offer_id for call in await store.calls(tx, permits.own("desk-prizren"))] == [notice]
    told = await intake.post("desk-prizren", f"/v1/offers/{notice}/responses", {"word": "ACKNOWLEDGE", "via": "PHONE"})
    assert told.status_code == 202
    done = e.OfferClosed(why=WHY, offer_id=notice, how=e.How.COMPLETED, reason="")
    await intake.decided(case_id, e.OfferAcknowledged(why=WHY, offer_id=notice, by=None, due=None, due_what=""), done)
    async with intake.door.begin() as tx:
        assert await store.calls(tx, permits.own("desk-prizren")) == ()


async def test_a_desk_instructs_and_nobody_else(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    other = (await intake.submit())["case_id"]
    path = f"/v1/cases/{case_id}/instructions"
    task = e.NeedsPerson(
        why=WHY, task_id=new_id(), desk="oversight", about="NO_CANDIDATE", track_id=None, step="police", seat=0, rung=2, due=None
    )
    body = {"word": "OFFER", "reason": "OTHER", "step": "police", "seat": 0, "target": "svc-police"}
    assert (await intake.post("oversight", path, body)).status_code == 404
    await intake.decided(case_id, task)
    assert (await intake.post("oversight", path, body)).status_code == 202, "a task has climbed to it"
    assert (await intake.post("desk-prizren", path, {"word": "LINK", "reason": "OTHER", "other": other})).status_code == 202
    assert (await intake.post("school", path, body)).status_code == 403
    assert (await intake.post("csw", path, body)).status_code == 404
    for wrong, code in (
        ({"word": "LINK", "reason": "OTHER"}, "missing-field"),
        ({"word": "LINK", "reason": "OTHER", "other": new_id()}, "unknown-case"),
        ({"word": "LINK", "reason": "OTHER", "other": case_id}, "unknown-case"),
    ):
        answer = await intake.post("desk-prizren", path, wrong)
        assert answer.json()["code"] == code, wrong
    seen = (await intake.get("oversight", f"/v1/cases/{case_id}")).json()
    assert [t["about"] for t in seen["tasks"]] == ["NO_CANDIDATE"]
    assert [line["what"] for line in seen["timeline"]] == ["TRACK_OPENED", "OFFERED", "NEEDS_PERSON"]
    await intake.decided(case_id, e.PersonNotNeeded(why=WHY, task_id=task.task_id, how="settled"))
    assert (await intake.get("oversight", f"/v1/cases/{case_id}")).status_code == 404, "its right ends with its last open task"


async def test_each_sees_only_its_part_of_the_timeline(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    await intake.decided(case_id, offer("csw", new_id(), step="guardian"))
    steps = {
        a: [m["step"] for m in (await intake.get(a, f"/v1/cases/{case_id}")).json()["timeline"]]
        for a in ("school", "police", "csw", "desk-prizren")
    }
    assert steps == {"school": [], "police": ["police"], "csw": ["guardian"], "desk-prizren": ["", "police", "guardian"]}


async def test_traits_are_recorded_by_who_stands_in_the_case(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    path = f"/v1/cases/{case_id}/traits"
    assert (await intake.post("police", path, {**BODY["traits"], "age": "adult", "age_band": "unknown"})).status_code == 202
    assert (await intake.post("csw", path, BODY["traits"])).status_code == 404
    assert (await intake.post("police", path, {"age": "adult"})).json()["code"] == "missing-field"
    instruction = {"word": "STOP", "reason": "OTHER"}
    assert (await intake.post("desk-gjakova", f"/v1/cases/{case_id}/instructions", instruction)).status_code == 404
    assert (await intake.post("police", path, {**BODY["traits"], "found_in": "gjakova"})).status_code == 202
    assert (await intake.post("desk-gjakova", f"/v1/cases/{case_id}/instructions", instruction)).status_code == 404, "routing decides first"
    await intake.decided(case_id, changed(found_in="gjakova"))
    assert (await intake.post("desk-gjakova", f"/v1/cases/{case_id}/instructions", instruction)).status_code == 202, "the child has moved"


async def test_a_case_that_routing_raises_comes_in_once(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    new_case, cause = new_id(), new_id()
    traits = e.Traits(
        **{**dict.fromkeys(("sex", "origin", "asylum"), "unknown"), **BODY["traits"], "home": "", "languages": (), "flags": ()}
    )
    raised = e.CaseRaised(why=WHY, new_case_id=new_case, pathway="rights", traits=traits, about="DEADLINE")
    await intake.decided(case_id, raised, ids=[cause])
    await intake.decided(case_id, raised, ids=[cause])
    assert await intake.queued(new_case) == ["referral-submitted.v2"]
    assert (await intake.get("oversight", f"/v1/cases/{new_case}")).json()["state"] == "RECEIVED"
    assert (await intake.get("school", f"/v1/cases/{new_case}")).status_code == 404


async def test_a_decision_by_telephone_stands_at_the_desk_once_on_every_rung_and_says_who_recorded_it(intake: Stack) -> None:
    more = {"kind": e.OfferKind.DECIDE, "words": ("DECIDE",), "codes": ("csw-guardian",), "needs": ("reason", "child-view")}
    case_id, offer_id = await opened(intake, agency="csw", reach=e.Reach.PHONE, **more)
    for rung in (1, 2):
        await intake.decided(case_id, e.OfferEscalated(why=WHY, offer_id=offer_id, rung=rung, due=9_000_000, due_what="decide"))
    async with intake.door.begin() as tx:
        calls = await store.calls(tx, permits.own("desk-prizren"))
    assert [(call.offer_id, call.rung) for call in calls] == [(offer_id, 2)]
    path = f"/v1/offers/{offer_id}/responses"
    texts = {"reason": "Marker-Arsye", "child-view": "Marker-Pamja"}
    bare = await intake.post("desk-prizren", path, {"word": "DECIDE", "code": "csw-guardian", "via": "PHONE"})
    assert (bare.status_code, bare.json()["code"]) == (422, "not-recorded")
    said = {"word": "DECIDE", "code": "csw-guardian", "texts": texts, "via": "PHONE"}
    assert (await intake.post("desk-prizren", path, said)).status_code == 202
    assert await intake.by_hand("SELECT count(*) FROM intake.recorded WHERE case_id = :case", case=case_id) == 2
    await intake.decided(case_id, e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.COMPLETED, reason=""))
    async with intake.door.begin() as tx:
        assert await store.calls(tx, permits.own("desk-prizren")) == ()


async def test_siblings_are_linked_for_who_may_see_both_and_never_merged(intake: Stack) -> None:
    one, other = (await intake.submit())["case_id"], (await intake.submit())["case_id"]
    await intake.decided(one, track(), offer("police", new_id()))
    await intake.decided(other, track(new_id()), offer("csw", new_id()))
    order = {"word": "LINK", "reason": "OTHER", "target": "sibling", "other": other}
    assert (await intake.post("desk-prizren", f"/v1/cases/{one}/instructions", {**order, "target": "LOW"})).json()["code"] == "unknown-code"
    assert (await intake.post("desk-prizren", f"/v1/cases/{one}/instructions", order)).status_code == 202
    await intake.decided(one, e.CaseLinked(why=WHY, other=other, how="sibling"))
    seen = {
        (agency, case): [(link["case_id"], link["how"]) for link in (await intake.get(agency, f"/v1/cases/{case}")).json()["links"]]
        for agency, case in (("desk-prizren", one), ("desk-prizren", other), ("school", one), ("police", one), ("csw", other))
    }
    assert seen == {
        ("desk-prizren", one): [(other, "sibling")],
        ("desk-prizren", other): [(one, "sibling")],
        ("school", one): [(other, "sibling")],
        ("police", one): [],
        ("csw", other): [],
    }
    assert (await intake.get("police", f"/v1/cases/{other}")).status_code == 404
    assert len((await intake.get("desk-prizren", f"/v1/cases/{one}")).json()["offers"]) == 1
    assert (await intake.post("school", f"/v1/cases/{other}/exclusions", {"kind": "AGENCY", "actor": "school"})).status_code == 202
    known = (await intake.get("school", f"/v1/cases/{one}")).json()["links"]
    assert [link["case_id"] for link in known] == [other], "a link that vanished would tell the sender that it was excluded"


async def test_what_a_desk_orders_is_worded_for_every_order(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    path, reason = f"/v1/cases/{case_id}/instructions", {"reason": "OTHER"}
    for good in (
        {"word": "TRANSFER", "step": "police", "target": "svc-police"},
        {"word": "OVERTAKEN"},
        {"word": "OVERTAKEN", "step": "police"},
        {"word": "RELEASE", "step": "police"},
        {"word": "REOPEN"},
        {"word": "REOPEN", "target": "trafficking-child"},
    ):
        assert (await intake.post("desk-prizren", path, good | reason)).status_code == 202, good
