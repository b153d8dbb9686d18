"""Two at once at the agencies' door: one body for a key, an order for answers, and nothing read after what ends reading is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from referral.domain import events as e
from referral.runtime.postgres import queue
from referral.runtime.settings import Settings
from referral.wire import codec
from services.intake import store
from tests.harness.line.intake_stack import BODY, LISTS, Stack, new_id, offer, stack, track

pytestmark = pytest.mark.servers
ROUNDS = 12
READERS = 6
TURNS = 10
"""Readings of each reader until somebody who ends reading has had a turn: two are usual; without turns there were fifty and more."""


@pytest.fixture
async def intake(bare: Settings) -> AsyncIterator[Stack]:
    async with stack(bare, structs.replace(LISTS, withdrawal={"trafficking-child": "stop"})) as made:
        yield made


async def opened(intake: Stack) -> tuple[str, str]:
    case_id, offer_id = (await intake.submit())["case_id"], new_id()
    await intake.decided(case_id, track(), offer("police", offer_id))
    return case_id, offer_id


async def test_two_bodies_under_one_key_at_once_leave_one(intake: Stack) -> None:
    other = {**BODY, "drill": True}
    for number in range(ROUNDS):
        answers = await asyncio.gather(*(intake.post("school", "/v1/referrals", (BODY, other)[n % 2], f"key-{number}") for n in range(8)))
        taken = [a for a in answers if a.status_code == 202]
        assert sorted({a.status_code for a in answers}) == [202, 409] and len({a.text for a in taken}) == 1
        again = [(await intake.post("school", "/v1/referrals", body, f"key-{number}")).status_code for body in (BODY, other)]
        assert sorted(again) == [202, 409]
    assert await intake.scalar("SELECT count(*) FROM intake.casefile") == ROUNDS


async def test_a_refused_referral_that_is_repeated_at_once_is_refused_each_time(intake: Stack) -> None:
    nowhere = {**BODY, "case_id": new_id()}
    for number in range(ROUNDS):
        answers = await asyncio.gather(*(intake.post("school", "/v1/referrals", nowhere, f"key-{number}") for _ in range(8)))
        assert {a.status_code for a in answers} == {404}, "a receipt stands for a referral that is stored"
    assert await intake.scalar("SELECT count(*) FROM intake.submission") == 0


async def test_different_answers_at_once_all_go_to_routing_in_one_order(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    words: list[dict[str, Any]] = [{"word": "ACCEPT"}, {"word": "DECLINE", "reason": "OUT_OF_AREA"}, {"word": "ACKNOWLEDGE"}]
    answers = await asyncio.gather(*(intake.post("police", f"/v1/offers/{offer_id}/responses", words[n % 3], new_id()) for n in range(12)))
    assert {a.status_code for a in answers} == {202}
    assert (await intake.queued(case_id)).count("response-submitted.v2") == 12
    one_key = await asyncio.gather(*(intake.post("police", f"/v1/offers/{offer_id}/responses", words[n % 3], "same") for n in range(9)))
    assert sorted({a.status_code for a in one_key}) == [202, 409] and len({a.text for a in one_key if a.status_code == 202}) == 1
    assert (await intake.queued(case_id)).count("response-submitted.v2") == 13


Ending = Callable[[Stack, str, str], Awaitable[Any]]
ENDINGS: dict[str, Ending] = {
    "decline": lambda i, _, o: i.post("police", f"/v1/offers/{o}/responses", {"word": "DECLINE", "reason": "OUT_OF_AREA"}),
    "consent": lambda i, c, _: i.post("school", f"/v1/cases/{c}/consent", {"state": "WITHDRAWN", "basis": "consent", "giver": "person"}),
    "exclusion": lambda i, c, _: i.post("school", f"/v1/cases/{c}/exclusions", {"kind": "AGENCY", "actor": "police"}),
    "closing": lambda i, c, o: i.decided(c, e.OfferClosed(why=offer("police", o).why, offer_id=o, how=e.How.CANCELLED, reason="")),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_nothing_is_read_after_what_ends_reading_is_committed(intake: Stack, ending: str) -> None:
    for _ in range(ROUNDS // 2):
        case_id, offer_id = await opened(intake)
        ended = asyncio.Event()
        late: list[int] = []
        read: list[int] = []

        async def reads(case_id: str = case_id, ended: asyncio.Event = ended, late: list[int] = late, read: list[int] = read) -> None:
            while True:
                begun_after = ended.is_set()
                status = (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code
                (late if begun_after else read).append(status)
                if begun_after:
                    return

        readers = [asyncio.create_task(reads()) for _ in range(READERS)]
        while not read:
            await asyncio.sleep(0)
        await ENDINGS[ending](intake, case_id, offer_id)
        ended.set()
        await asyncio.gather(*readers)
        assert 200 in read and set(late) == {403}, (read, late)
        assert len(read) <= TURNS * READERS, "those who read without a pause keep nobody out who ends it"
        # what was shown stands in the queue before what ended it, each section once for each reading
        types = await intake.queued(case_id)
        said = {"decline": "response-submitted.v2", "consent": "consent-changed.v1", "exclusion": "actor-excluded.v1"}.get(ending)
        assert types.count("section-disclosed.v1") == 2 * read.count(200)
        if said:
            assert "section-disclosed.v1" not in types[types.index(said) :]


async def test_the_event_of_a_taken_thing_names_the_key_that_took_it(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": "ACCEPT"}, "with-key")
    await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": "ACCEPT"})
    async with intake.door.begin() as tx:
        keys = await intake.door.keys.load(tx, [case_id])
        sql = "SELECT id, type, fingerprint, body FROM queue WHERE case_id = :case ORDER BY n"
        rows = await store.rows(tx, sql, {"case": case_id})
    said = [codec.decode(type_, print_, queue.unseal(bytes(body), id, keys[case_id])) for id, type_, print_, body in rows]
    claims = [event.claim for event in said]  # type: ignore[attr-defined]
    assert [claim.agency if claim else None for claim in claims] == ["school", "police", None]
    sql = "SELECT count(*) FROM intake.submission WHERE agency = :agency AND key = :key AND body = :body"
    for claim in claims[:2]:
        assert await intake.scalar(sql, agency=claim.agency, key=claim.key, body=claim.body) == 1


async def test_a_revoked_token_is_refused_within_its_second(intake: Stack) -> None:
    assert (await intake.get("police", "/v1/offers")).status_code == 200
    loop = asyncio.get_running_loop()
    await intake.by_hand("UPDATE intake.agency_token SET revoked_at = 1 WHERE agency = 'police' RETURNING 1")
    revoked = loop.time()
    while (await intake.get("police", "/v1/offers")).status_code != 401:
        assert loop.time() - revoked < 2, "one second, and one for a slow machine"
        await asyncio.sleep(0.02)
