"""The case file on a real database: who may read and write what, until when, and what is recorded of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import text

from referral.domain import events as e
from referral.domain.inputs import derived
from referral.runtime.settings import Settings
from tests.harness.engines import by_hand
from tests.harness.line.intake_stack import BODY, LISTS, WHY, Stack, new_id, offer, opened, stack, track
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


MARKERS = ("Marker", "Ëmri", "Ћирилица", "Tregimi", "Arsye", "Pamja")


CONSENT: dict[str, Any] = {"state": "WITHDRAWN", "basis": "consent", "giver": "person"}


async def test_reading_is_recorded_before_the_answer_and_shows_only_what_the_offer_names(intake: Stack) -> None:
    case_id, _ = await opened(intake, shows=("identity", "medical"))
    answer = (await intake.get("police", f"/v1/cases/{case_id}/file")).json()
    assert answer == {"case_id": case_id, "sections": {"identity": BODY["file"]["identity"]}, "empty": ["medical"]}
    assert await intake.queued(case_id) == ["referral-submitted.v2", "section-disclosed.v1"]
    assert (await intake.get("csw", f"/v1/cases/{case_id}/file")).status_code == 404
    assert (await intake.get("school", f"/v1/cases/{case_id}/file")).status_code == 403, "the sender reads nothing by default"


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
    assert await intake.queued(case_id) == ["referral-submitted.v2", "response-submitted.v2"]
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


async def test_a_consent_withdrawn_ends_reading_where_it_rests_on_consent(bare: Settings) -> None:
    by_consent = structs.replace(LISTS, withdrawal={"trafficking-child": "stop"})
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
        await until(lambda: intake.by_hand(waits))
        assert not excluding.done(), "who ends a reading waits for those that are under way"
    assert (await excluding).status_code == 202
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 403


async def test_who_may_write_a_section(intake: Stack) -> None:
    case_id, _ = await opened(intake)

    async def put(agency: str, section: str, content: Any) -> tuple[int, dict[str, Any]]:
        answer = await intake.http.put(f"/v1/cases/{case_id}/file/{section}", json=content, headers=intake.token(agency))
        return answer.status_code, answer.json()

    assert await put("police", "narrative", {"text": "more"}) == (200, {"case_id": case_id, "section": "narrative", "version": 2})
    assert (await put("police", "narrative", {"text": "more"}))[1]["version"] == 3, "the same content counts too: no answer tells a guess"
    assert (await put("school", "medical", {"text": "Marker"}))[0] == 200
    assert (await put("police", "medical", {"text": "x"}))[0] == 403, "no offer of theirs names it"
    assert (await put("csw", "narrative", {"text": "x"}))[0] == 404
    assert (await put("police", "horoscope", {"text": "x"}))[1]["code"] == "unknown-code"
    assert (await put("police", "narrative", ["x"]))[1]["code"] == "wrong-type"


async def test_what_is_said_after_an_offer_has_ended_is_put_on_no_record(intake: Stack, bare: Settings) -> None:
    """Routing ignores such an answer, and its words stood in the file, where the next officer read them as the child's view."""
    more = {"kind": e.OfferKind.DECIDE, "words": ("DECIDE",), "codes": ("LOW",), "needs": ("reason", "child-view")}
    case_id, offer_id = await opened(intake, **more)
    await intake.decided(case_id, e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.CANCELLED, reason="TRACK_ENDED"))
    texts = {"reason": "Marker-Arsye", "child-view": "Marker-Pamja"}
    answer = await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": "DECIDE", "code": "LOW", "texts": texts})
    assert answer.status_code == 202
    async with by_hand(bare) as tx:
        assert (await tx.execute(text("SELECT count(*) FROM intake.recorded"))).scalar_one() == 0


async def test_no_word_of_the_case_file_stands_in_clear_in_any_table(intake: Stack, bare: Settings) -> None:
    more = {"kind": e.OfferKind.DECIDE, "words": ("DECIDE",), "codes": ("LOW",), "needs": ("reason", "child-view")}
    case_id, offer_id = await opened(intake, **more)
    texts = {"reason": "Marker-Arsye-Ћирилица", "child-view": "Marker-Pamja-ë"}
    assert (
        await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": "DECIDE", "code": "LOW", "texts": texts})
    ).status_code == 202
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 200
    found = 0
    async with by_hand(bare) as tx:
        tables = [
            tuple(r) for r in await tx.execute(text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('intake', 'keys')"))
        ]
        for schema, table in tables:
            for row in await tx.execute(text(f'SELECT * FROM {schema}."{table}"')):
                found += 1
                whole = b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in row)
                assert not any(m.encode() in whole for m in MARKERS), f"{schema}.{table}"
    assert found > 20


async def test_what_was_sealed_stays_sealed_when_the_case_is_reopened(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    put = {"text": "Marker-Tregimi", "again": "the same"}
    over = e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.CANCELLED, reason="TRACK_ENDED")
    now = await intake.scalar("SELECT runtime.clock()")
    await intake.decided(case_id, over)
    await intake.decided_at(now, case_id, e.CaseClosed(why=WHY, outcome="done", sealed=True))
    assert await intake.scalar("SELECT closed_at FROM intake.casefile WHERE case_id = :case", case=case_id) == now
    await intake.decided(case_id, track(new_id()), offer("police", new_id(), track_id=new_id()))
    assert await intake.scalar("SELECT closed_at FROM intake.casefile WHERE case_id = :case", case=case_id) is None
    answer = await intake.get("police", f"/v1/cases/{case_id}/file")
    assert answer.json() == {"case_id": case_id, "sections": {}, "empty": ["identity", "narrative"]}
    assert not any(marker in answer.text for marker in MARKERS)
    for content in (BODY["file"]["narrative"], put):
        written = await intake.http.put(f"/v1/cases/{case_id}/file/narrative", json=content, headers=intake.token("police"))
        assert written.status_code == 200
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).json()["sections"] == {"narrative": put}


async def test_a_case_that_closes_unsealed_shows_everything_again_when_reopened(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    now = await intake.scalar("SELECT runtime.clock()")
    await intake.decided_at(now, case_id, e.CaseClosed(why=WHY, outcome="done"))
    await intake.decided(case_id, track(new_id()))
    assert set((await intake.get("police", f"/v1/cases/{case_id}/file")).json()["sections"]) == {"identity", "narrative"}


@pytest.mark.parametrize("what", ["continue", "anonymous", "stop"])
async def test_the_receipt_of_a_withdrawal_says_what_follows_and_reading_ends_with_it(bare: Settings, what: str) -> None:
    shown = {"personal": frozenset({"identity"}), "without_consent": frozenset({("trafficking-child", "police")})}
    async with stack(bare, structs.replace(LISTS, withdrawal={"trafficking-child": what}, **shown)) as intake:
        case_id, _ = await opened(intake)
        given = {**CONSENT, "state": "GIVEN"}
        assert (await intake.post("school", f"/v1/cases/{case_id}/consent", given)).json()["follows"] == []
        receipt = await intake.post("school", f"/v1/cases/{case_id}/consent", CONSENT)
        assert (receipt.status_code, receipt.json()["follows"]) == (202, [what])
        answer = await intake.get("police", f"/v1/cases/{case_id}/file")
        read = set(answer.json()["sections"]) if answer.status_code == 200 else set()
        assert read == {"continue": {"identity", "narrative"}, "anonymous": {"narrative"}, "stop": set()}[what]
