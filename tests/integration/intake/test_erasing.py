"""Two persons erase a case, others hold it: who may, what keeps a case, what no door shows from the approval on, and what is destroyed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from referral.domain import events as e
from referral.domain.authority.words import Act, Relation
from referral.domain.inputs import derived
from referral.runtime.postgres import queue
from referral.wire import codec
from referral.wire.signed import erasure_approval
from services.intake import store
from services.intake.accounts import store as accounts
from services.intake.casefile import access
from tests.harness import destroyed, permits
from tests.harness.engines import by_hand
from tests.harness.erased import INTAKE
from tests.harness.line.intake_stack import BODY, Stack, new_id, opened

pytestmark = pytest.mark.servers
WORD = "a-long-made-up-password"


@pytest.fixture
async def staffed(intake: Stack) -> Stack:
    """With accounts: two of the case's desk, one of oversight, one of another desk, one that works no desk."""
    async with intake.door.begin() as tx:
        for login, agency, desk in (
            ("ana", "desk-prizren", True),
            ("ben", "desk-prizren", True),
            ("ola", "oversight", True),
            ("gent", "desk-gjakova", True),
            ("nora", "desk-prizren", False),
        ):
            await accounts.add(tx, id=new_id(), login=login, password=WORD, agency=agency, language="en", desk=desk, now=1)
    return intake


async def does(intake: Stack, who: str, path: str, body: Any = None, word: str = WORD) -> httpx.Response:
    """A person's act; without a body it asks."""
    auth = (who, word)
    return await (intake.http.get(path, auth=auth) if body is None else intake.http.post(path, auth=auth, json=body))


async def refused(intake: Stack, who: str, path: str, body: Any = None, word: str = WORD) -> tuple[int, str]:
    answer = await does(intake, who, path, body, word)
    return answer.status_code, str(answer.json()["code"])


async def closed(intake: Stack) -> tuple[str, str]:
    """A closed case with an offer that the police held: (case, offer)."""
    case_id, offer_id = await opened(intake)
    ended = e.OfferClosed(why=_why(), offer_id=offer_id, how=e.How.COMPLETED, reason="")
    await intake.decided(case_id, ended, e.CaseClosed(why=_why(), outcome="done", sealed=False))
    return case_id, offer_id


def _why() -> e.Why:
    return e.Why(rule="r", procedure="", directory="", engine=1, passed=())


async def test_one_asks_another_approves_and_no_door_shows_the_case_any_more(staffed: Stack) -> None:
    case_id, offer_id = await closed(staffed)
    path = f"/staff/cases/{case_id}/erasure"
    assert await refused(staffed, "ben", f"{path}/approval", {}) == (409, "not-asked")
    asked = (await does(staffed, "ana", path, {"basis": "storage-ended"})).json()
    assert (asked["state"], asked["basis"], asked["event_id"]) == ("REQUESTED", "storage-ended", "")
    assert (await does(staffed, "ana", path, {"basis": "storage-ended"})).json() == asked
    assert await refused(staffed, "ben", path, {"basis": "person-asked"}) == (409, "asked-before")
    assert await refused(staffed, "ana", f"{path}/approval", {}) == (403, "same-person")
    assert (await staffed.get("police", f"/v1/offers/{offer_id}")).status_code == 200
    assert [one["case_id"] for one in (await does(staffed, "ola", "/staff/erasures")).json()["erasures"]] == [case_id]

    before = await staffed.scalar("SELECT count(*) FROM queue WHERE case_id = :c", c=case_id)
    approved = (await does(staffed, "ben", f"{path}/approval", {})).json()
    assert approved["state"] == "APPROVED" and (await does(staffed, "ben", f"{path}/approval", {})).json() == approved
    assert (await does(staffed, "ana", path)).json() == approved | {"you": approved["requested_by"]}

    for agency, asked_for in (
        ("school", f"/v1/cases/{case_id}"),
        ("police", f"/v1/cases/{case_id}/file"),
        ("police", f"/v1/offers/{offer_id}"),
        ("desk-prizren", f"/v1/cases/{case_id}"),
    ):
        assert (await staffed.get(agency, asked_for)).status_code == 404, asked_for
    assert (await staffed.get("police", "/v1/offers?state=all")).json()["offers"] == []
    assert (await staffed.post("school", "/v1/referrals", {**BODY, "case_id": case_id}, new_id())).status_code == 404
    seen = permits.leave(Act.SEE_REFERRAL, case_id, "school", is_=Relation.SENDER)
    async with staffed.door.begin() as tx:
        with pytest.raises(Exception, match="unknown-referral"):
            await store.referral(tx, permits.own("school"), (await store.case_referrals(tx, seen))[0].referral_id)
        row = (await store.rows(tx, "SELECT * FROM queue WHERE type = 'case-erased.v4'", {}))[0]
        key = (await staffed.door.keys.load(tx, [case_id]))[case_id]
    read = codec.decode(e.CaseErased.TYPE, row.fingerprint, queue.unseal(row.body, row.id, key))
    assert isinstance(read, e.CaseErased) and erasure_approval.genuine(INTAKE.intake, case_id, read)
    assert (read.requested_by, read.approved_by, read.basis) == (approved["requested_by"], approved["approved_by"], "storage-ended")
    assert read.records == before and derived(row.id, 0) == approved["event_id"]


async def test_an_open_case_a_held_one_and_one_with_an_open_complaint_stay(staffed: Stack) -> None:
    case_id, _ = await opened(staffed)
    path = f"/staff/cases/{case_id}"
    assert await refused(staffed, "ana", f"{path}/erasure", {"basis": "storage-ended"}) == (409, "held")
    assert (await does(staffed, "ana", f"{path}/erasure")).json()["held"] == ["open"]
    await staffed.decided(case_id, e.CaseClosed(why=_why(), outcome="done", sealed=False))
    assert (await does(staffed, "ana", f"{path}/holds", {"basis": "court-order"})).status_code == 200
    assert (await does(staffed, "ben", f"{path}/holds", {"basis": "court-order"})).status_code == 200
    assert (await does(staffed, "ana", f"{path}/erasure")).json()["held"] == ["court-order"]
    assert await refused(staffed, "ana", f"{path}/holds/lifting", {"basis": "court-order"}) == (403, "same-person")
    assert await refused(staffed, "ana", f"{path}/erasure", {"basis": "storage-ended"}) == (409, "held")
    assert (await does(staffed, "ben", f"{path}/holds/lifting", {"basis": "court-order"})).status_code == 200
    assert await refused(staffed, "ben", f"{path}/holds/lifting", {"basis": "court-order"}) == (409, "not-held")

    assert (await does(staffed, "ana", f"{path}/erasure", {"basis": "storage-ended"})).status_code == 200
    complaint = await raised(staffed, case_id)
    assert (await does(staffed, "ben", f"{path}/erasure")).json()["held"] == ["complaint"]
    assert await refused(staffed, "ben", f"{path}/erasure/approval", {}) == (409, "held")
    await staffed.decided(complaint, e.CaseClosed(why=_why(), outcome="done", sealed=False))
    assert (await does(staffed, "ben", f"{path}/erasure/refusal", {})).json()["state"] == "REFUSED"
    assert (await does(staffed, "ana", f"{path}/erasure", {"basis": "person-asked"})).status_code == 200
    assert (await does(staffed, "ola", f"{path}/erasure/approval", {})).json()["state"] == "APPROVED"


async def test_a_person_of_the_desk_asks_that_somebody_is_kept_away_no_longer(staffed: Stack) -> None:
    case_id, _ = await opened(staffed)
    path, order = f"/staff/cases/{case_id}/exclusions/lifting", {"actor": "agency:police", "reason": "OTHER"}
    assert await refused(staffed, "ana", path, order) == (409, "not-excluded")
    await staffed.post("desk-prizren", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "police"})
    assert await refused(staffed, "nora", path, order) == (403, "not-yours"), "works no desk"
    assert await refused(staffed, "gent", path, order) == (404, "unknown-case"), "another desk"
    for who in ("ana", "ben"):
        assert (await does(staffed, who, path, order)).status_code == 200
    said = [body for body in await staffed.queued_bodies(case_id) if isinstance(body, e.InstructionGiven)]
    assert [(one.word, one.target) for one in said] == [(e.Instruction.LIFT, "agency:police")] * 2
    assert len({one.by for one in said}) == 2, "routing sees two persons"


async def raised(intake: Stack, case_id: str) -> str:
    """A complaint about this case: its own case."""
    async with intake.door.begin() as tx:
        traits = (await access.hold(tx, intake.door.keys, case_id)).facts.traits
    made = new_id()
    await intake.decided(case_id, e.CaseRaised(why=_why(), new_case_id=made, pathway="", traits=traits, about=""))
    return made


async def test_only_staff_of_the_case_s_desk_and_of_oversight_may_and_only_with_their_own_password(staffed: Stack) -> None:
    case_id, _ = await closed(staffed)
    path = f"/staff/cases/{case_id}/erasure"
    ask = {"basis": "storage-ended"}
    assert await refused(staffed, "gent", path, ask) == (404, "unknown-case")
    assert await refused(staffed, "nora", path, ask) == (403, "not-yours")
    assert await refused(staffed, "ana", path, ask, "wrong") == (401, "wrong-password")
    assert await refused(staffed, "nobody", path, ask) == (401, "wrong-password")
    assert (await staffed.http.post(path, json=ask)).json()["code"] == "no-person"
    assert (await staffed.http.post(path, json=ask, headers=staffed.token("desk-prizren"))).json()["code"] == "no-person"
    assert await refused(staffed, "ana", path, {"basis": "because"}) == (422, "unknown-code")
    assert await refused(staffed, "ana", f"/staff/cases/{new_id()}/erasure", ask) == (404, "unknown-case")
    assert (await does(staffed, "ana", path, ask)).status_code == 200
    await staffed.scalar("UPDATE intake.account SET disabled = true WHERE login = 'ana' RETURNING 1")
    assert await refused(staffed, "ben", f"{path}/approval", {}) == (409, "requester-gone")
    for _ in range(5):
        await does(staffed, "ben", path, word="guess")
    assert await refused(staffed, "ben", path) == (429, "throttled")


async def test_destroying_leaves_no_row_no_key_and_no_body_and_may_be_repeated(staffed: Stack) -> None:
    (case_id, _), (stays, kept_offer) = await closed(staffed), await closed(staffed)
    key = new_id()
    receipt = await staffed.submit(key=key)
    await staffed.decided(receipt["case_id"], e.CaseClosed(why=_why(), outcome="done", sealed=False))
    for one in (case_id, receipt["case_id"]):
        await does(staffed, "ana", f"/staff/cases/{one}/erasure", {"basis": "person-asked"})
        await does(staffed, "ben", f"/staff/cases/{one}/erasure/approval", {})
    gone = [case_id, receipt["case_id"]]
    for _ in range(2):
        async with by_hand(staffed.settings) as tx:
            await destroyed.at_once(tx, gone)
    tables = [
        row
        for row in await _rows(staffed, "SELECT table_schema, table_name FROM information_schema.columns WHERE column_name = 'case_id'")
        if row[0] in ("intake", "keys")
    ]
    left = {f"{s}.{t}" for s, t in tables if await staffed.by_hand(f"SELECT count(*) FROM {s}.{t} WHERE case_id = ANY(:ids)", ids=gone)}
    assert left == {"intake.erasure", "intake.submission", "intake.queue"}
    assert await staffed.scalar("SELECT bool_and(body = '') FROM queue WHERE case_id = ANY(:ids)", ids=gone)
    assert await staffed.scalar("SELECT bool_and(body = '') FROM intake.submission WHERE case_id = ANY(:ids)", ids=gone)
    assert (await staffed.post("school", "/v1/referrals", BODY, key)).status_code == 409
    assert (await does(staffed, "ana", f"/staff/cases/{case_id}/erasure")).json()["state"] == "ERASED"
    assert await refused(staffed, "gent", f"/staff/cases/{case_id}/erasure") == (404, "unknown-case")
    assert (await staffed.get("police", f"/v1/offers/{kept_offer}")).status_code == 200 and stays not in gone


async def test_whom_the_case_keeps_away_sees_nothing_of_its_erasure_until_it_is_gone(staffed: Stack) -> None:
    case_id, _ = await closed(staffed)
    path = f"/staff/cases/{case_id}/erasure"
    [ola] = [row[0] for row in await _rows(staffed, "SELECT id FROM intake.account WHERE login = 'ola'")]
    async with staffed.door.begin() as tx:
        await access.exclude(tx, permits.ROUTING, {case_id: [f"staff:{ola}"]})

    async def seen(who: str) -> tuple[int, int]:
        listed = (await does(staffed, who, "/staff/erasures")).json()["erasures"]
        return (await does(staffed, who, path)).status_code, len(listed)

    await does(staffed, "ana", path, {"basis": "storage-ended"})
    assert [await seen("ola"), await seen("ben")] == [(404, 0), (200, 1)], "asked for"
    assert await refused(staffed, "ola", f"{path}/approval", {}) == (404, "unknown-case")
    await does(staffed, "ben", f"{path}/approval", {})
    assert [await seen("ola"), await seen("ben")] == [(404, 0), (200, 1)], "approved"
    async with by_hand(staffed.settings) as tx:
        await destroyed.at_once(tx, [case_id])
    assert [await seen("ola"), await seen("ben")] == [(200, 0), (200, 0)], "whom it kept away is erased with it"


async def _rows(intake: Stack, sql: str) -> list[Any]:
    async with by_hand(intake.settings) as tx:
        return list(await store.rows(tx, sql, {}))
