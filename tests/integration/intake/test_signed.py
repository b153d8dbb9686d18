"""Signed requests and records on a real database: the signature stands in the event, a repeat is taken once, numbers are dense."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import structs
from sqlalchemy import text

from referral.client import Client, SigningKey, encrypt, sign_record
from referral.domain import events as e
from referral.domain.inputs import Input, Raw, Source
from referral.domain.policy.directory import Signing
from referral.domain.policy.reading.agencies import signing_key
from referral.runtime.postgres import queue
from referral.runtime.settings import Settings
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import codec, event_digest, event_signature
from referral.wire.signed import agency_keys, statements
from tests.harness.line.intake_stack import BODY, LISTS, Stack, offer, stack, track

pytestmark = pytest.mark.servers
PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {agency: SignerKey(agency, ED25519, bytes([n]) * 32) for n, agency in enumerate(("school", "police"), 1)}
CODES = json.dumps({"traits": BODY["traits"]}).encode()
OTHER = json.dumps({"traits": {**BODY["traits"], "found_in": "gjakova"}}).encode()


def policy(agency: str, *, must: bool = True) -> Signing:
    key = signing_key(KEYS[agency].verifier.encode().decode())
    assert key is not None
    return Signing(must=must, keys=(key,))


@pytest.fixture
async def intake(bare: Settings) -> AsyncIterator[Stack]:
    lists = structs.replace(LISTS, signing=agency_keys.after({}, {"school": policy("school"), "police": policy("police", must=False)}, 0))
    async with stack(bare, lists) as made:
        yield made


async def send(intake: Stack, agency: str, do: Callable[[Client], Any], **other: Any) -> httpx.Response:
    """What our SDK sends, signed, through the door. other: parts of the request that somebody changed on the way."""
    caught: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        caught.append(request)
        return httpx.Response(202, json={})

    transport = httpx.MockTransport(answer)
    with Client("https://intake", f"token-of-{agency}", signing_key=KEYS[agency].encode().decode(), transport=transport) as client:
        do(client)
    sent = caught[0]
    return await intake.http.request(
        sent.method, other.get("url", sent.url), content=other.get("content", sent.content), headers=sent.headers
    )


async def events(intake: Stack) -> list[tuple[str, Any]]:
    """(case, event) that wait for the topic, in order."""
    async with intake.door.begin() as tx:
        rows = (await tx.execute(text("SELECT id, case_id, type, fingerprint, body FROM queue ORDER BY n"))).all()
        keys = await intake.door.keys.load(tx, {row.case_id for row in rows})
    bodies = [queue.unseal(bytes(row.body), row.id, keys[row.case_id]) for row in rows]
    return [(row.case_id, codec.decode(row.type, row.fingerprint, body)) for row, body in zip(rows, bodies, strict=True)]


async def test_what_a_system_signs_stands_in_its_event(intake: Stack) -> None:
    answer = await send(intake, "school", lambda c: c.submit(BODY, key="our-1"))
    assert answer.status_code == 202, answer.text
    assert (await send(intake, "school", lambda c: c.submit(BODY, key="our-1"))).json() == answer.json()
    case_id, offer_id = answer.json()["case_id"], str(uuid.uuid4())
    await intake.decided(case_id, track(), offer("police", offer_id))
    for agency, do in (
        ("police", lambda c: c.respond(offer_id, "ACCEPT")),
        ("school", lambda c: c.consent(case_id, {"state": "GIVEN", "basis": "consent", "giver": "guardian"})),
        ("school", lambda c: c.traits(case_id, BODY["traits"])),
        ("school", lambda c: c.exclude(case_id, "RELATION", "parent")),
        ("school", lambda c: c.withdraw(answer.json()["referral_id"], "MISTAKE")),
    ):
        done = await send(intake, agency, do)
        assert done.status_code == 202, done.text
    said = [event for _, event in await events(intake)]
    assert [type(event).__name__ for event in said] == [
        "ReferralSubmitted", "ResponseSubmitted", "ConsentChanged", "TraitsChanged", "ActorExcluded", "ReferralWithdrawn"
    ]  # fmt: skip
    for event in said:
        assert event.signed.agency == event.agency and event.signed.public == KEYS[event.agency].verifier.public
        assert statements.holds(event.signed.public, event.signed.signature, event.signed.base)
        assert b"Marker" not in event.signed.base
    assert all(event_digest.bound(event, case, drill=False) for case, event in await events(intake)), "verify finds the signed words"
    assert answer.json()["event_signature"] and done.json()["event_signature"]


async def test_a_repeat_with_another_salt_has_its_words_signed_anew(intake: Stack) -> None:
    salts = ("s" * 22, "t" * 22)
    first, again = [(await send(intake, "school", lambda c, salt=salt: c.submit(BODY, key="our-1", salt=salt))).json() for salt in salts]
    assert first["event_id"] == again["event_id"] and first["signature"] == again["signature"]
    assert first["event_digest"] != again["event_digest"]


async def test_a_digest_of_other_words_records_nothing(intake: Stack) -> None:
    headers = {**intake.token("police"), "Idempotency-Key": "k", "Referral-Event-Salt": "s" * 22, "Referral-Event-Digest": "0" * 64}
    answer = await intake.http.post("/v1/referrals", json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "event-digest-differs")
    assert not await events(intake)


async def test_who_must_sign_is_refused_without_and_who_may_is_not(intake: Stack) -> None:
    case_id = (await send(intake, "school", lambda c: c.submit(BODY))).json()["case_id"]
    offer_id = str(uuid.uuid4())
    await intake.decided(case_id, track(), offer("police", offer_id))
    for path, body in (("/v1/referrals", BODY), (f"/v1/cases/{case_id}/traits", BODY["traits"])):
        answer = await intake.post("school", path, body, "k")
        assert (answer.status_code, answer.json()["code"]) == (401, "must-sign")
    written = await intake.http.put(f"/v1/cases/{case_id}/file/contact", json={"a": 1}, headers=intake.token("school"))
    assert written.json()["code"] == "must-sign"
    assert (await send(intake, "school", lambda c: c.write(case_id, "contact", {"a": 1}))).status_code == 200
    assert (await intake.post("police", f"/v1/offers/{offer_id}/responses", {"word": "ACCEPT"}, "k")).status_code == 202
    [_, _, (_, response)] = await events(intake)  # behind the referral and the section that was written
    assert response.signed is None
    assert (await intake.get("school", f"/v1/cases/{case_id}")).status_code == 200


async def test_a_signed_answer_is_for_one_offer_alone(intake: Stack) -> None:
    case_id = (await send(intake, "school", lambda c: c.submit(BODY))).json()["case_id"]
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    await intake.decided(case_id, track(), offer("police", first), offer("police", second, seat=1))

    def accept(client: Client) -> Any:
        return client.respond(first, "ACCEPT", key="a")

    for other in ({"url": f"/v1/offers/{second}/responses"}, {"content": b'{"word": "DECLINE", "reason": "OUT_OF_AREA"}'}):
        answer = await send(intake, "police", accept, **other)
        assert answer.json()["code"] in ("wrong-signature", "digest-differs")
    assert len(await events(intake)) == 1
    assert (await send(intake, "police", accept)).status_code == 202


def record(number: int | None, id: str, *, key: bytes | None = b"", body: bytes = CODES, agency: str = "school") -> Raw:
    """A record of the school's topic. number: None where it is not signed."""
    topic = f"ingress.{agency}"
    value = encrypt(PRIVATE.public_key().public_bytes_raw(), "ingress.school", body)
    headers = [("ce_id", id.encode())]
    if number is not None:
        headers = sign_record(SigningKey(KEYS["school"].encode().decode()), topic, value, id=id, sequence=number)
    return Raw(agency="school", key=key, value=value, headers=tuple(headers))


async def publish(intake: Stack, *records: Raw) -> list[str]:
    """One batch of the school's topic, as the loop hands it over. Why records were quarantined."""
    source = Source(topic="ingress.school", partition=0, offset=0)
    outcome = await intake.batch([Input(id=str(uuid.uuid4()), case_id="", body=one, source=source) for one in records], PRIVATE)
    return [reason for _, reason in outcome.refused]


async def told(intake: Stack) -> list[str]:
    """Why records were refused, as their senders can ask, in the order in which it was stored."""
    async with intake.door.begin() as tx:
        return list((await tx.execute(text("SELECT code FROM intake.refusal ORDER BY n"))).scalars())


async def state(intake: Stack, key: str) -> str:
    found = (await intake.get("school", f"/v1/submissions/{key}")).json()
    return str(found.get("code", found.get("state")))


async def test_signed_records_are_taken_in_their_order_and_no_other(intake: Stack) -> None:
    await publish(intake, record(1, "one"), record(3, "three"), record(2, "two"), record(2, "again"), record(None, "bare"))
    assert [await state(intake, key) for key in ("one", "three", "two", "again", "bare")] == [
        "TAKEN", "sequence-gap", "TAKEN", "sequence-repeated", "must-sign"
    ]  # fmt: skip
    await publish(intake, record(3, "three"), record(3, "one", body=b"{}"))
    assert [await state(intake, key) for key in ("one", "three")] == ["TAKEN", "TAKEN"]
    taken = [event.signed for _, event in await events(intake)]
    assert [(one.scheme, one.sequence) for one in taken] == [(e.Scheme.CLOUDEVENT, n) for n in (1, 2, 3)]
    for one in taken:
        assert statements.holds(one.public, one.signature, event_signature.signed_bytes(one.base))


async def test_a_signed_record_that_is_read_again_has_the_receipt_that_it_had(intake: Stack) -> None:
    """A producer that sends twice, or a topic read again after the database went back: nothing is refused, and nothing taken twice."""
    one, broken, two = record(1, "one"), record(2, "broken", body=b"{"), record(3, "two")
    assert await publish(intake, one, one) == []
    for _ in range(2):
        assert await publish(intake, one, broken, two) == ["not-json"]
    assert [await state(intake, key) for key in ("one", "broken", "two")] == ["TAKEN", "not-json", "TAKEN"]
    assert [event.signed.sequence for _, event in await events(intake)] == [1, 3]
    assert await publish(intake, one, record(4, "four"), record(3, "new")) == ["sequence-repeated"]
    assert [await state(intake, key) for key in ("four", "new")] == ["TAKEN", "sequence-repeated"]


async def test_a_signed_record_that_asks_nothing_possible_uses_its_number(intake: Stack) -> None:
    await publish(intake, record(1, "broken", body=b"{"), record(2, "next"))
    assert [await state(intake, key) for key in ("broken", "next")] == ["not-json", "TAKEN"]


async def test_a_record_moved_to_another_topic_key_or_agency_is_refused(intake: Stack) -> None:
    await publish(intake, record(1, "key", key=b"k"), record(1, "topic", agency="police"))
    assert [await state(intake, key) for key in ("key", "topic")] == ["wrong-signature", "wrong-signature"]
    assert not await events(intake) and await intake.scalar("SELECT count(*) FROM intake.numbered") == 0


async def test_one_batch_with_every_refusal_has_them_in_one_order(intake: Stack) -> None:
    """A refusal behind an accepted record of the same key is stored last, so that its sender finds both."""
    outcome = await publish(
        intake, record(2, "early"), record(1, "one"), record(None, "bare"), record(2, "broken", body=b"{"), record(2, "broken"),
        record(3, "three"), record(1, "one"), record(3, "other"), record(3, "other", body=b"{"), record(5, "far", body=b"{"),
        record(4, "one", body=b"{"), record(5, "three", body=b"{}"), record(6, "one", body=OTHER), record(2, "early"),
        structs.replace(record(7, "bare"), headers=()),
    )  # fmt: skip
    at_once = ["sequence-gap", "must-sign", "not-json", "sequence-repeated", "sequence-repeated", "not-json", "sequence-gap"]
    assert outcome == [*at_once, "not-json", "missing-field", "sequence-repeated", "no-key", "key-reused"]
    assert await told(intake) == [*at_once, "sequence-repeated", "key-reused", "not-json", "missing-field"]
    assert await intake.scalar("SELECT last FROM intake.numbered") == 6
    assert [event.signed.sequence for _, event in await events(intake)] == [1, 3]
