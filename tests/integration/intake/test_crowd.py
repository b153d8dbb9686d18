"""One agency that sends very much: emergencies are always taken, an operator is told, strangers hold two connections at most."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from referral.errors import Rejected
from referral.runtime.postgres import clock
from referral.runtime.settings import Settings
from services.intake import context, crowd
from services.intake.accounts import rules, store
from tests.harness.engines import by_hand
from tests.harness.line.intake_stack import BODY, Stack, new_id, stack
from tests.harness.waiting import until
from tests.integration.intake.test_hostile import ANSWER_S, TOKEN, request, served

pytestmark = pytest.mark.servers


def referral(urgency: str) -> dict[str, Any]:
    return {"traits": {**BODY["traits"], "urgency": urgency}}


def told() -> float:
    return REGISTRY.get_sample_value("referral_many_referrals_total") or 0.0


async def test_no_emergency_is_refused_and_an_operator_is_told_of_the_crowd(intake: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MANY", 5)
    monkeypatch.setattr(crowd, "ORDINARY", 6)
    before = told()
    for urgency in ("emergency", "urgent") * 8:
        answer = await intake.post("school", "/v1/referrals", referral(urgency), new_id())
        assert answer.status_code == 202, answer.text
    assert told() - before == 3


async def test_a_routine_one_waits_above_the_high_limit_and_keeps_its_key(intake: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "ORDINARY", 3)
    keys = [new_id() for _ in range(4)]
    answers = [await intake.post("school", "/v1/referrals", referral("routine"), key) for key in keys]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert (answers[3].json()["code"], answers[3].headers["retry-after"]) == ("too-many", str(crowd.LATER_S))
    assert (await intake.get("school", f"/v1/submissions/{keys[3]}")).status_code == 404, "nothing was kept"
    again = await intake.post("school", "/v1/referrals", referral("routine"), keys[0])
    assert again.text == answers[0].text, "what was taken is answered as ever"
    assert (await intake.post("school", "/v1/referrals", referral("urgent"), new_id())).status_code == 202
    assert (await intake.post("police", "/v1/referrals", referral("routine"), new_id())).status_code == 202, "one agency's own"
    assert await intake.scalar("SELECT count(*) FROM intake.casefile") == 5


def test_a_crowd_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "ORDINARY", 2)
    now = [0.0]
    counted = crowd.Crowd(lambda: now[0])
    one = crowd.Asked("school", False, "routine", 0, can_wait=True)
    for _ in range(2):
        counted.took(one, whole=True)
    assert isinstance(counted.verdicts([one])[0], Rejected)
    now[0] = crowd.WINDOW_S
    assert counted.verdicts([one]) == [True]


async def test_strangers_hold_two_connections_of_the_pool_at_most(bare: Settings) -> None:
    """A wrong token, or a session cookie that nobody has, costs a look at the database; whoever is known goes by another way."""
    async with stack(bare, size=context.STRANGERS + 1) as intake:
        assert (await intake.get("school", "/v1/offers")).status_code == 200, "the school is known from now on"
        async with by_hand(bare) as held:
            await held.exec_driver_sql("LOCK TABLE intake.agency_token IN ACCESS EXCLUSIVE MODE")
            wrong = [asyncio.create_task(intake.http.get("/v1/offers", headers={"Authorization": f"Bearer {n}"})) for n in range(20)]
            await until(lambda: intake.door.engine.pool.checkedout() == context.STRANGERS)  # type: ignore[attr-defined]
            await held.rollback()
        assert {answer.status_code for answer in await asyncio.gather(*wrong)} == {401}


@pytest.mark.parametrize("door", ["page", "basic"])
async def test_sign_ins_that_hang_keep_no_known_system_waiting(bare: Settings, door: str) -> None:
    """Whoever signs in is a stranger until the password is right."""
    async with served(bare) as doors, httpx.AsyncClient(base_url=f"http://127.0.0.1:{doors.port}", timeout=ANSWER_S) as web:
        intake = doors.stack
        form = {"form": rules.form_token("browser"), "login": "nobody", "password": "a-made-up-password"}
        visit = {"Cookie": "__Host-visit=browser"}

        def attempt() -> Coroutine[Any, Any, httpx.Response]:
            if door == "page":
                return web.post("/signin", data=form, headers=visit)
            return intake.http.get("/staff/erasures", auth=("nobody", "a-made-up-password"))

        assert (await intake.get("school", "/v1/offers")).status_code == 200, "the school is known from now on"
        async with intake.door.engine.connect() as held:
            await held.exec_driver_sql("BEGIN")
            await held.exec_driver_sql("LOCK TABLE intake.signin_failure IN ACCESS EXCLUSIVE MODE")
            hanging = [asyncio.create_task(attempt()) for _ in range(8)]
            await until(lambda: intake.door.engine.pool.checkedout() > context.STRANGERS)  # type: ignore[attr-defined]
            answers = [await intake.get("school", "/v1/offers") for _ in range(3)]
            await held.rollback()
        assert [answer.status_code for answer in answers] == [200] * 3
        assert {answer.status_code for answer in await asyncio.gather(*hanging)} <= {401, 429, 503}


async def test_the_door_for_programs_has_the_line_of_the_page(bare: Settings) -> None:
    """A login whose line is full is refused by Basic too, unread."""
    async with stack(bare) as intake:
        async with intake.door.begin() as tx:
            now = await clock.now(tx)
            for at in (now, now + rules.LINE_US * 3 // 4):  # so that the line stays full while a slow machine goes on
                for n in range(60):
                    await store.reserve_attempt(tx, store.subject(intake.door.keys, "nobody", f"192.0.2.{n}"), at)
        answer = await intake.http.get("/staff/erasures", auth=("nobody", "a-made-up-password"))
        assert (answer.status_code, answer.json()["code"]) == (429, "throttled")


async def test_the_sign_in_page_asks_no_database_for_a_stranger(bare: Settings) -> None:
    async with served(bare) as doors:
        engine = doors.stack.door.engine
        held = [await engine.connect() for _ in range(8)]
        try:
            answer = await doors.raw(request("GET", b"/signin", [(b"Accept", b"text/html")], b""))
            assert answer.status == 200
            api = await doors.raw(request("GET", b"/nothing", [TOKEN], b""))
            assert api.status == 404
        finally:
            for one in held:
                await one.close()
