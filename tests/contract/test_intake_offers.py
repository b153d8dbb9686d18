"""Offers, answers and the case file on a real database: who may read what, until when, and what is recorded of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import text

from referral.domain import events as e
from referral.domain.record import derived
from referral.runtime.settings import Settings
from tests.contract.intake_stack import BODY, LISTS, WHY, Stack, new_id, offer, stack, track

pytestmark = pytest.mark.servers
MARKERS = ("Marker", "Ëmri", "Ћирилица", "Tregimi", "Arsye", "Pamja")


@pytest.fixture
def bare(database: str, key_files: tuple[Path, Path]) -> Settings:
    return Settings(kafka="", database=database, master_key_file=key_files[0], instance="test", drill_clock=True)


@pytest.fixture
async def intake(bare: Settings) -> AsyncIterator[Stack]:
    async with stack(bare) as made:
        yield made


async def opened(intake: Stack, **more: Any) -> tuple[str, str]:
    """A case with one offer to the police: (case, offer)."""
    case_id, offer_id = (await intake.submit())["case_id"], new_id()
    await intake.decided(case_id, track(), offer(more.pop("agency", "police"), offer_id, **more))
    return case_id, offer_id


async def test_an_offer_shows_with_its_limit_and_follows_what_routing_says(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    [found] = (await intake.get("police", "/v1/offers")).json()["offers"]
    assert (found["offer_id"], found["state"], found["due"], found["rung"]) == (offer_id, "OFFERED", "1970-01-01T00:00:05.000000Z", 0)
    assert (await intake.get("csw", "/v1/offers")).json()["offers"] == []
    assert (await intake.get("csw", f"/v1/offers/{offer_id}")).status_code == 404
    limit = {"why": WHY, "offer_id": offer_id, "due": 9_000_000, "due_what": "accept"}
    await intake.decided(case_id, e.OfferEscalated(**limit, rung=1), e.OfferAcknowledged(**limit, by=None))
    found = (await intake.get("police", f"/v1/offers/{offer_id}")).json()
    assert (found["state"], found["rung"], found["due_what"]) == ("ACKNOWLEDGED", 1, "accept")
    assert (await intake.get("school", f"/v1/cases/{case_id}")).json()["state"] == "ACKNOWLEDGED"
    await intake.decided(
        case_id, e.OfferAccepted(**limit, by=None, late=False), e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.COMPLETED, reason="")
    )
    assert (await intake.get("police", "/v1/offers")).json()["offers"] == []
    [ended] = (await intake.get("police", "/v1/offers?state=all")).json()["offers"]
    assert (ended["state"], ended["due"], ended["closed_at"] is None) == ("COMPLETED", None, False)
    assert (await intake.get("police", "/v1/offers?state=some")).status_code == 400


async def test_an_accept_that_comes_late_opens_a_closed_offer_again(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    await intake.decided(case_id, e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.EXPIRED, reason=""))
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 403
    await intake.decided(case_id, e.OfferAccepted(why=WHY, offer_id=offer_id, by=None, late=True, due=None, due_what=""))
    assert (await intake.get("police", f"/v1/offers/{offer_id}")).json()["state"] == "ACCEPTED"
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 200


async def test_reading_is_recorded_before_the_answer_and_shows_only_what_the_offer_names(intake: Stack) -> None:
    case_id, _ = await opened(intake, shows=("identity", "medical"))
    answer = (await intake.get("police", f"/v1/cases/{case_id}/file")).json()
    assert answer == {"case_id": case_id, "sections": {"identity": BODY["file"]["identity"]}, "empty": ["medical"]}
    assert await intake.queued(case_id) == ["referral-submitted.v1", "section-disclosed.v1"]
    assert (await intake.get("csw", f"/v1/cases/{case_id}/file")).status_code == 404
    assert (await intake.get("school", f"/v1/cases/{case_id}/file")).status_code == 404, "the sender reads nothing by default"


async def test_what_cannot_be_recorded_is_not_read(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    async with intake.door.engine.connect() as held:
        await held.exec_driver_sql("BEGIN")
        await held.exec_driver_sql("LOCK TABLE queue IN ACCESS EXCLUSIVE MODE")
        answer = await intake.get("police", f"/v1/cases/{case_id}/file")
    assert answer.status_code == 503
    assert not any(marker in answer.text for marker in MARKERS)


async def test_a_decline_ends_reading_at_once_and_gives_it_back_when_routing_ignores_it(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    receipt = (await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": "DECLINE", "reason": "OUT_OF_AREA"})).json()
    answer = await intake.get("police", f"/v1/cases/{case_id}/file")
    assert (answer.status_code, answer.json()["code"]) == (403, "reading-ended")
    assert await intake.queued(case_id) == ["referral-submitted.v1", "response-submitted.v1"]
    ignored = e.InputIgnored(why=WHY, reason="REPEATED", referral_id=None, offer_id=offer_id)
    await intake.decided(case_id, ignored, ids=[derived(receipt["event_id"], 0)])
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 200


async def test_an_exclusion_ends_reading_writing_and_seeing(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    answer = await intake.post("school", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "police"})
    assert answer.status_code == 202
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 403
    assert (await intake.get("police", f"/v1/cases/{case_id}")).status_code == 404
    written = await intake.http.put(f"/v1/cases/{case_id}/file/identity", json={"name": "x"}, headers=intake.token("police"))
    assert written.status_code == 404
    assert (await intake.post("police", f"/v1/cases/{case_id}/consent", CONSENT)).status_code == 404
    passed = await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": "ACKNOWLEDGE"})
    assert passed.status_code == 202, "every answer to an offer that was ever held is passed on"


CONSENT: dict[str, Any] = {"state": "WITHDRAWN", "basis": "consent", "giver": "person"}


async def test_a_consent_withdrawn_ends_reading_where_it_rests_on_consent(bare: Settings) -> None:
    by_consent = structs.replace(LISTS, continues=frozenset())
    async with stack(bare, by_consent) as intake:
        case_id, _ = await opened(intake)
        given = {"state": "GIVEN", "basis": "consent", "giver": "person", "scope": ["identity"]}
        assert (await intake.post("school", f"/v1/cases/{case_id}/consent", given)).status_code == 202
        assert list((await intake.get("police", f"/v1/cases/{case_id}/file")).json()["sections"]) == ["identity"]
        assert (await intake.post("school", f"/v1/cases/{case_id}/consent", CONSENT)).status_code == 202
        assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 403


async def test_a_legal_duty_goes_on_when_consent_is_withdrawn(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    assert (await intake.post("school", f"/v1/cases/{case_id}/consent", CONSENT)).status_code == 202
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 200


async def test_a_reading_under_way_and_an_exclusion_have_an_order(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    async with intake.door.engine.connect() as reader:
        await reader.exec_driver_sql("BEGIN")
        await reader.execute(text("SELECT FROM intake.casefile WHERE case_id = :case FOR SHARE"), {"case": case_id})
        excluding = asyncio.create_task(intake.post("school", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "police"}))
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        async with asyncio.timeout(4):
            while not await intake.scalar(waits):
                await asyncio.sleep(0.01)
        assert not excluding.done(), "who ends a reading waits for those that are under way"
    assert (await excluding).status_code == 202
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 403


async def test_who_may_write_a_section(intake: Stack) -> None:
    case_id, _ = await opened(intake)

    async def put(agency: str, section: str, content: Any) -> tuple[int, dict[str, Any]]:
        answer = await intake.http.put(f"/v1/cases/{case_id}/file/{section}", json=content, headers=intake.token(agency))
        return answer.status_code, answer.json()

    assert await put("police", "narrative", {"text": "more"}) == (200, {"case_id": case_id, "section": "narrative", "version": 2})
    assert (await put("police", "narrative", {"text": "more"}))[1]["version"] == 2, "the same again is no new version"
    assert (await put("school", "medical", {"text": "Marker"}))[0] == 200
    assert (await put("police", "medical", {"text": "x"}))[0] == 403, "no offer of theirs names it"
    assert (await put("csw", "narrative", {"text": "x"}))[0] == 404
    assert (await put("police", "horoscope", {"text": "x"}))[1]["code"] == "unknown-code"
    assert (await put("police", "narrative", ["x"]))[1]["code"] == "wrong-type"
    assert (await put("police", "narrative", {}))[1]["code"] == "empty-section"


ILLEGAL: list[tuple[dict[str, Any], str, str]] = [
    ({"word": "DANCE"}, "illegal-answer", "$.word"),
    ({"word": "DECIDE", "code": "LOW"}, "illegal-answer", "$.word"),
    ({"word": "DECLINE"}, "illegal-reason", "$.reason"),
    ({"word": "DECLINE", "reason": "NO_CAPACITY"}, "illegal-reason", "$.reason"),
    ({"word": "ACCEPT", "reason": "OUT_OF_AREA"}, "not-asked", "$.reason"),
    ({"word": "ACCEPT", "code": "LOW"}, "not-asked", "$.code"),
    ({"word": "ACCEPT", "texts": {"poem": "Marker"}}, "unknown-code", "$.texts"),
    ({"word": "ACCEPT", "texts": {"reason": "  "}}, "not-recorded", "$.texts.reason"),
    ({"word": "ACCEPT", "texts": {"reason": "x" * 10_001}}, "wrong-type", "$.texts[...]"),
    ({"word": "ACCEPT", "via": "PIGEON"}, "unknown-code", "$.via"),
    ({"reason": "OUT_OF_AREA"}, "missing-field", "$.word"),
]


@pytest.mark.parametrize(("body", "code", "where"), ILLEGAL)
async def test_an_answer_that_the_offer_does_not_allow_is_named(intake: Stack, body: Any, code: str, where: str) -> None:
    case_id, offer_id = await opened(intake)
    answer = await intake.post("police", f"/v1/offers/{offer_id}/responses", body)
    assert (answer.status_code, answer.json()["code"], answer.json()["where"]) == (422, code, where)
    assert await intake.queued(case_id) == ["referral-submitted.v1"]


async def test_an_answer_is_taken_once_and_only_from_who_held_the_offer(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    path, key = f"/v1/offers/{offer_id}/responses", new_id()
    answers = await asyncio.gather(*(intake.post("police", path, {"word": "ACCEPT"}, key) for _ in range(20)))
    assert len({a.text for a in answers}) == 1
    assert await intake.queued(case_id) == ["referral-submitted.v1", "response-submitted.v1"]
    assert (await intake.post("police", path, {"word": "ACKNOWLEDGE"}, key)).status_code == 409
    assert (await intake.post("csw", path, {"word": "ACCEPT"})).status_code == 404
    assert (await intake.post("police", f"/v1/offers/{new_id()}/responses", {"word": "ACCEPT"})).status_code == 404
    await intake.decided(case_id, e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.EXPIRED, reason=""))
    assert (await intake.post("police", path, {"word": "ACCEPT"})).status_code == 202, "late answers are routing's to judge"


async def test_a_decision_needs_its_words_which_stay_in_the_case_file(intake: Stack) -> None:
    more = {"kind": e.OfferKind.DECIDE, "words": ("DECIDE",), "codes": ("csw-guardian", "parent"), "needs": ("reason", "child-view")}
    case_id, offer_id = await opened(intake, agency="csw", **more)
    path = f"/v1/offers/{offer_id}/responses"
    bare = await intake.post("csw", path, {"word": "DECIDE", "code": "csw-guardian", "texts": {"reason": "Arsye"}})
    assert (bare.json()["code"], bare.json()["where"]) == ("not-recorded", "$.texts.child-view")
    wrong = await intake.post("csw", path, {"word": "DECIDE", "code": "HIGH", "texts": {"reason": "Arsye", "child-view": "Pamja"}})
    assert wrong.json()["code"] == "illegal-code"
    good = await intake.post("csw", path, {"word": "DECIDE", "code": "csw-guardian", "texts": {"reason": "Arsye", "child-view": "Pamja"}})
    assert good.status_code == 202
    assert await intake.scalar("SELECT count(*) FROM intake.recorded WHERE case_id = :case", case=case_id) == 2


async def test_a_desk_records_what_was_said_on_the_telephone(intake: Stack) -> None:
    case_id, offer_id = await opened(intake, reach=e.Reach.PHONE)
    path = f"/v1/offers/{offer_id}/responses"
    assert (await intake.post("desk-prizren", path, {"word": "ACCEPT", "via": "PHONE"})).status_code == 202
    assert (await intake.post("desk-gjakova", path, {"word": "ACCEPT", "via": "PHONE"})).status_code == 404
    assert (await intake.post("desk-prizren", path, {"word": "ACCEPT"})).status_code == 404
    assert (await intake.queued(case_id))[1:] == ["response-submitted.v1"]


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
        ({"word": "OFFER", "reason": "OTHER", "step": "police"}, "missing-field"),
        ({"word": "OFFER", "reason": "OTHER", "step": "police", "target": "svc-nobody"}, "unknown-code"),
        ({"word": "OBEY", "reason": "OTHER"}, "unknown-code"),
        ({"word": "CLOSE", "reason": "WHIM"}, "unknown-code"),
        ({"word": "STOP", "reason": "OTHER", "seat": 4000}, "out-of-range"),
    ):
        answer = await intake.post("desk-prizren", path, wrong)
        assert answer.json()["code"] == code, wrong
    seen = (await intake.get("oversight", f"/v1/cases/{case_id}")).json()
    assert [t["about"] for t in seen["tasks"]] == ["NO_CANDIDATE"]
    assert [line["what"] for line in seen["timeline"]] == ["TRACK_OPENED", "OFFERED", "NEEDS_PERSON"]
    await intake.decided(case_id, e.PersonNotNeeded(why=WHY, task_id=task.task_id, how="settled"))
    assert (await intake.get("oversight", f"/v1/cases/{case_id}")).json()["tasks"][0]["closed_at"] is not None


async def test_each_sees_only_its_part_of_the_timeline(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    await intake.decided(case_id, offer("csw", new_id(), step="guardian"))
    steps = {
        a: [m["step"] for m in (await intake.get(a, f"/v1/cases/{case_id}")).json()["timeline"]]
        for a in ("school", "police", "csw", "desk-prizren")
    }
    assert steps == {"school": [], "police": ["police"], "csw": ["guardian"], "desk-prizren": ["", "police", "guardian"]}


async def test_a_withdrawal_ends_the_senders_part_and_nothing_else(intake: Stack) -> None:
    receipt = await intake.submit()
    case_id, path = receipt["case_id"], f"/v1/referrals/{receipt['referral_id']}/withdrawal"
    await intake.decided(case_id, track(), offer("police", new_id()))
    assert (await intake.post("school", path, {"reason": "WHIM"})).json()["code"] == "unknown-code"
    assert (await intake.post("police", path, {"reason": "MISTAKE"})).status_code == 404
    assert (await intake.post("school", path, {"reason": "MISTAKE"})).status_code == 202
    assert (await intake.get("school", f"/v1/referrals/{receipt['referral_id']}")).json()["state"] == "CANCELLED"
    assert (await intake.get("school", f"/v1/cases/{case_id}")).status_code == 404
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 200
    assert (await intake.queued(case_id))[1] == "referral-withdrawn.v1"


async def test_traits_are_recorded_by_who_stands_in_the_case(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    path = f"/v1/cases/{case_id}/traits"
    assert (await intake.post("police", path, {**BODY["traits"], "age": "adult"})).status_code == 202
    assert (await intake.post("csw", path, BODY["traits"])).status_code == 404
    assert (await intake.post("police", path, {"age": "adult"})).json()["code"] == "missing-field"
    instruction = {"word": "STOP", "reason": "OTHER"}
    assert (await intake.post("desk-gjakova", f"/v1/cases/{case_id}/instructions", instruction)).status_code == 404
    assert (await intake.post("police", path, {**BODY["traits"], "found_in": "gjakova"})).status_code == 202
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
    assert await intake.queued(new_case) == ["referral-submitted.v1"]
    assert (await intake.get("oversight", f"/v1/cases/{new_case}")).json()["state"] == "RECEIVED"
    assert (await intake.get("school", f"/v1/cases/{new_case}")).status_code == 404


async def test_no_word_of_the_case_file_stands_in_clear_in_any_table(intake: Stack, bare: Settings) -> None:
    more = {"kind": e.OfferKind.DECIDE, "words": ("DECIDE",), "codes": ("LOW",), "needs": ("reason", "child-view")}
    case_id, offer_id = await opened(intake, **more)
    texts = {"reason": "Marker-Arsye-Ћирилица", "child-view": "Marker-Pamja-ë"}
    assert (
        await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": "DECIDE", "code": "LOW", "texts": texts})
    ).status_code == 202
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 200
    found = 0
    async with intake.door.begin() as tx:
        tables = [
            tuple(r) for r in await tx.execute(text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('intake', 'keys')"))
        ]
        for schema, table in tables:
            for row in await tx.execute(text(f'SELECT * FROM {schema}."{table}"')):
                found += 1
                whole = b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in row)
                assert not any(m.encode() in whole for m in MARKERS), f"{schema}.{table}"
    assert found > 20
