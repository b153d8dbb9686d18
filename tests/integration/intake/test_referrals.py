"""Referrals over HTTP on a real database: taken once, durable, and every bad input answered clearly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from msgspec import structs
from starlette.applications import Starlette

from referral.runtime.postgres import database as databases
from referral.runtime.settings import Settings
from services.intake.api import routes
from services.intake.context import IntakeContext
from tests.harness.line.intake_stack import BODY, Stack, new_id, stack
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


async def test_a_referral_is_taken_once_fifty_times_at_once_and_after_a_restart(intake: Stack, bare: Settings) -> None:
    key = f"our/{new_id()} 17"
    answers = await asyncio.gather(*(intake.post("school", "/v1/referrals", BODY, key) for _ in range(50)))
    assert {a.status_code for a in answers} == {202}
    receipts = {a.text for a in answers}
    assert len(receipts) == 1
    async with stack(bare) as again:
        assert (await again.post("school", "/v1/referrals", BODY, key)).text in receipts
    receipt = answers[0].json()
    assert await intake.queued(receipt["case_id"]) == ["referral-submitted.v2"]
    assert await intake.scalar("SELECT count(*) FROM intake.casefile") == 1
    state = (await intake.get("school", f"/v1/submissions/{quote(key, safe='')}")).json()
    assert (state["state"], state["id"], state["event_id"]) == ("TAKEN", receipt["referral_id"], receipt["event_id"])


async def test_the_same_body_written_differently_is_the_same(intake: Stack) -> None:
    key = new_id()
    first = await intake.submit(key=key)
    turned = {
        "file": {"narrative": BODY["file"]["narrative"], "identity": BODY["file"]["identity"]},
        "drill": False,
        "traits": BODY["traits"],
    }
    assert await intake.submit(turned, key=key) == first


@pytest.mark.parametrize("change", ["traits", "file", "drill"])
async def test_another_body_under_the_same_key_is_refused_and_changes_nothing(intake: Stack, change: str) -> None:
    key = new_id()
    first = await intake.submit(key=key)
    other: dict[str, Any] = json.loads(json.dumps(BODY))
    if change == "traits":
        other["traits"]["urgency"] = "routine"
    elif change == "file":
        other["file"]["identity"]["name"] = "another"
    else:
        other["drill"] = True
    answer = await intake.post("school", "/v1/referrals", other, key)
    assert (answer.status_code, answer.json()["code"]) == (409, "key-reused")
    assert await intake.submit(key=key) == first
    assert (await intake.submit(other, agency="police", key=key))["case_id"] != first["case_id"], "keys are one agency's own"


async def test_many_different_referrals_at_once_each_get_a_case(intake: Stack) -> None:
    receipts = await asyncio.gather(*(intake.submit() for _ in range(150)))
    assert len({r["case_id"] for r in receipts}) == 150
    assert await intake.scalar("SELECT count(*) FROM queue") == 150


REFUSED: list[tuple[str, bytes, int, str, str]] = [
    ("no JSON", b'{"traits": ', 400, "not-json", "$"),
    ("unknown field", json.dumps({**BODY, "Marker-Emri": 1}).encode(), 422, "unknown-field", "$"),
    ("case of nobody", json.dumps({**BODY, "case_id": new_id()}).encode(), 404, "unknown-case", "$.case_id"),
]
"""One body for each part of the door that refuses: parser, code lists and database. Every other: tests/unit/intake/test_refusals.py."""
KEPT = "SELECT (SELECT count(*) FROM intake.submission) + (SELECT count(*) FROM queue)"


async def test_a_body_that_is_wrong_is_named_and_changes_nothing(intake: Stack, subtests: pytest.Subtests) -> None:
    for name, data, status, code, where in REFUSED:
        with subtests.test(name):
            key, before = new_id(), await intake.scalar(KEPT)
            headers = intake.token("school") | {"Idempotency-Key": key, "Content-Type": "application/json"}
            answer = await intake.http.post("/v1/referrals", content=data, headers=headers)
            problem(answer, status, code, where)
            assert "Marker" not in answer.text, "what was sent is never repeated"
            assert await intake.scalar(KEPT) == before
            assert (await intake.post("school", "/v1/referrals", BODY, key)).status_code == 202, "the key is still free"


async def test_what_is_too_large_is_refused_with_a_bounded_read(intake: Stack) -> None:
    headers = intake.token("school") | {"Idempotency-Key": new_id(), "Content-Type": "application/json"}
    large = b'{"a": "' + b"x" * 2_000_000 + b'"}'
    problem(await intake.http.post("/v1/referrals", content=large, headers=headers), 413, "too-large", "$")

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 50_000

    problem(await intake.http.post("/v1/referrals", content=parts(), headers=headers), 413, "too-large", "$")


async def test_who_is_not_known_is_refused_before_anything_is_read(intake: Stack) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dG9rZW4="}, {"Authorization": "Bearer "}):
        answer = await intake.http.post("/v1/referrals", json=BODY, headers={**headers, "Idempotency-Key": "k"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_revoked_token_is_refused(intake: Stack, bare: Settings) -> None:
    assert (await intake.get("school", "/v1/offers")).status_code == 200
    await intake.by_hand("UPDATE intake.agency_token SET revoked_at = 1 WHERE agency = 'school' RETURNING 1")

    async def refused() -> bool:
        return (await intake.get("school", "/v1/offers")).status_code == 401

    await until(refused)


async def test_keys_have_bounds(intake: Stack) -> None:
    problem(await intake.post("school", "/v1/referrals", BODY), 400, "missing-key", "Idempotency-Key")
    problem(await intake.post("school", "/v1/referrals", BODY, "x" * 201), 400, "bad-key", "Idempotency-Key")
    headers = [*intake.token("school").items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    problem(await intake.http.post("/v1/referrals", json=BODY, headers=headers), 400, "bad-key", "Idempotency-Key")
    form = intake.token("school") | {"Idempotency-Key": "k", "Content-Type": "application/x-www-form-urlencoded"}
    problem(await intake.http.post("/v1/referrals", content=b"{}", headers=form), 415, "not-json", "Content-Type")


async def test_what_another_agency_sent_is_as_unknown_as_what_nobody_sent(intake: Stack) -> None:
    key = new_id()
    receipt = await intake.submit(key=key)
    for path, what in (
        (f"/v1/referrals/{receipt['referral_id']}", "unknown-referral"),
        (f"/v1/cases/{receipt['case_id']}", "unknown-case"),
        (f"/v1/cases/{receipt['case_id']}/file", "unknown-case"),
        (f"/v1/submissions/{key}", "unknown-submission"),
        (f"/v1/offers/{new_id()}", "unknown-offer"),
        ("/v1/offers/no-id", "unknown-offer"),
    ):
        theirs = await intake.get("police", path)
        assert (theirs.status_code, theirs.json()["code"]) == (404, what), path
    problem(
        await intake.post("police", "/v1/referrals", {**BODY, "case_id": receipt["case_id"]}, new_id()), 404, "unknown-case", "$.case_id"
    )
    assert (await intake.http.get("/v1/nothing", headers=intake.token("school"))).status_code == 404
    assert (await intake.http.delete("/v1/referrals", headers=intake.token("school"))).status_code == 405


async def test_a_further_referral_joins_a_case_that_its_sender_may_see(intake: Stack) -> None:
    receipt = await intake.submit()
    more = await intake.submit({**BODY, "case_id": receipt["case_id"], "file": {"identity": {"name": "corrected"}}})
    assert more["case_id"] == receipt["case_id"]
    assert more["referral_id"] != receipt["referral_id"]
    assert await intake.queued(receipt["case_id"]) == ["referral-submitted.v2", "section-written.v1", "referral-submitted.v2"]
    assert await intake.by_hand("SELECT max(version) FROM intake.section WHERE section = 'identity'") == 2


async def test_the_database_away_is_said_within_five_seconds_and_nothing_is_lost(intake: Stack, bare: Settings) -> None:
    key = new_id()
    async with intake.door.engine.connect() as held:
        await held.exec_driver_sql("BEGIN")
        await held.exec_driver_sql("LOCK TABLE intake.casefile IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(6):  # five seconds, and one for a slow machine
            answer = await intake.post("school", "/v1/referrals", BODY, key)
        problem(answer, 503, "unavailable", "")
        assert int(answer.headers["retry-after"]) <= 5
    receipt = await intake.submit(key=key)
    assert await intake.submit(key=key) == receipt
    assert await intake.scalar("SELECT count(*) FROM intake.submission") == 1


async def test_a_token_that_nobody_can_look_up_is_503_not_401(bare: Settings) -> None:
    async with stack(bare) as made:
        gone = bare.database.rpartition("?host=")[0] + "?host=/nowhere"
    engine = databases.engine(structs.replace(bare, database=gone), "intake")
    door = IntakeContext(engine, made.door.keys, made.door.lists, made.door.new_id, made.door.seconds, made.door.key)
    app = Starlette(routes=[*routes.routes(door, None)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://intake") as client:
        answer = await client.get("/v1/offers", headers=made.token("school"))
    problem(answer, 503, "unavailable", "")


async def test_the_api_describes_itself(intake: Stack) -> None:
    described = (await intake.http.get("/openapi.json")).json()
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]["/v1/referrals"]) == {"post"}
    assert {"/v1/cases/{case_id}/file/{section}", "/v1/offers/{offer_id}/responses"} <= set(described["paths"])
    body = described["components"]["schemas"]["TraitsBody"]
    assert {"concern", "age", "found_in", "urgency"} == set(body["required"])
    for path, methods in described["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path


def problem(answer: httpx.Response, status: int, code: str, where: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert (answer.status_code, body["code"], body["where"]) == (status, code, where), body
    assert body["hint"] and body["title"] and body["detail"] and body["type"] and body["status"] == status
