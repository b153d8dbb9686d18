"""One number, two children, two doors: nobody's referral vanishes behind the other's receipt, and Avro loses nobody who is kept away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from referral.domain import events as e
from referral.domain.inputs import Input, Raw, Source
from referral.runtime.service import Batch, Outcome
from referral.wire import codec, hpke
from services.intake.commands import idempotency
from services.intake.handle import Intake
from services.intake.messages import submission
from tests.harness.line.intake_stack import BODY, LISTS, Stack, new_id

pytestmark = pytest.mark.servers
PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
FIRST: dict[str, Any] = {"traits": BODY["traits"]}
OTHER: dict[str, Any] = {"traits": {**BODY["traits"], "found_in": "gjakova"}}
AVRO = (("content-type", b"application/avro"),)


async def published(intake: Stack, key: str, *values: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> Outcome:
    """The school published these on its topic; one batch."""
    records = []
    for value in values:
        intake.seq += 1
        sealed = hpke.encrypt(PRIVATE.public_key(), "ingress.school", value)
        raw = Raw(agency="school", key=None, value=sealed, headers=(("ce_id", key.encode()), *headers))
        source = Source(topic="ingress.school", partition=0, offset=intake.seq)
        records.append(Input(id=new_id(), case_id="", body=raw, source=source, seq=0, at=0))
    return await intake.batch(records, PRIVATE)


def encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


async def test_another_child_under_a_used_number_is_told_beside_the_one_that_was_taken(intake: Stack) -> None:
    receipt = await intake.submit(FIRST, key="k-1")
    path = "/v1/submissions/k-1"
    assert "refusals" not in (await intake.get("school", path)).json()
    outcome = await published(intake, "k-1", encoded(OTHER))
    assert [reason for _, reason in outcome.refused] == ["key-reused"]
    state = (await intake.get("school", path)).json()
    assert (state["state"], state["case_id"]) == ("TAKEN", receipt["case_id"])
    [refusal] = state["refusals"]
    assert (refusal["door"], refusal["code"], refusal["where"]) == ("KAFKA", "key-reused", "ce_id")
    assert refusal["hint"] and refusal["at"].endswith("Z")
    assert (await intake.get("police", path)).status_code == 404, "one agency's own"


async def test_each_of_several_children_is_told_and_a_repeat_is_no_refusal(intake: Stack) -> None:
    await intake.submit(FIRST, key="k-2")
    await published(intake, "k-2", encoded(OTHER), encoded({**FIRST, "drill": True}))
    await published(intake, "k-2", encoded(FIRST))
    state = (await intake.get("school", "/v1/submissions/k-2")).json()
    assert [one["code"] for one in state["refusals"]] == ["key-reused"] * 2


async def test_both_by_kafka_in_one_batch(intake: Stack) -> None:
    await published(intake, "k-3", encoded(FIRST), encoded(OTHER))
    state = (await intake.get("school", "/v1/submissions/k-3")).json()
    assert (state["state"], [one["code"] for one in state["refusals"]]) == ("TAKEN", ["key-reused"])


async def test_what_cannot_be_read_behind_a_good_one_is_told_beside_it(intake: Stack) -> None:
    await published(intake, "k-8", b"{", encoded(FIRST), encoded({"traits": {**BODY["traits"], "found_in": "atlantis"}}))
    state = (await intake.get("school", "/v1/submissions/k-8")).json()
    assert (state["state"], [one["code"] for one in state["refusals"]]) == ("TAKEN", ["unknown-code"])


async def test_the_other_way_round_http_is_told_at_once(intake: Stack) -> None:
    await published(intake, "k-4", encoded(FIRST))
    answer = await intake.post("school", "/v1/referrals", OTHER, "k-4")
    assert (answer.status_code, answer.json()["code"]) == (409, "key-reused")


async def test_a_record_that_was_corrected_leaves_nothing_to_worry_about(intake: Stack) -> None:
    await published(intake, "k-5", b"{", encoded({"traits": {**BODY["traits"], "found_in": "atlantis"}}))
    state = (await intake.get("school", "/v1/submissions/k-5")).json()
    assert (state["state"], state["code"]) == ("REFUSED", "unknown-code"), "the newest stands in front"
    assert [one["code"] for one in state["refusals"]] == ["unknown-code", "not-json"]
    await published(intake, "k-5", encoded(FIRST))
    state = (await intake.get("school", "/v1/submissions/k-5")).json()
    assert (state["state"], "refusals" in state) == ("TAKEN", False)


async def test_the_newest_refusals_are_told_however_many_there_were(intake: Stack) -> None:
    await published(intake, "k-6", *[b"{"] * (idempotency.REFUSALS + 5))
    state = (await intake.get("school", "/v1/submissions/k-6")).json()
    assert len(state["refusals"]) == idempotency.REFUSALS


async def test_a_record_that_made_us_fail_is_told_to_its_sender_too(intake: Stack) -> None:
    """It was quarantined for the operator, and answered 404 to its sender for ever."""
    raw = Raw(agency="school", key=None, value=b"", headers=(("ce_id", b"k-9"),))
    record = Input(id=new_id(), case_id="", body=raw, source=Source(topic="ingress.school", partition=0, offset=1), seq=0, at=0)
    async with intake.door.begin() as tx:
        batch = Batch(now=1_000_000, inputs=(record,), keys={}, owned=frozenset())
        outcome = await Intake(intake.door, PRIVATE).fallback(tx, batch)
    assert [reason for _, reason in outcome.refused] == ["failed"]
    state = (await intake.get("school", "/v1/submissions/k-9")).json()
    assert (state["state"], state["code"]) == ("REFUSED", "failed") and state["hint"]


async def test_avro_keeps_away_whom_it_names_and_can_be_an_exercise(intake: Stack) -> None:
    found = submission.submission(encoded({**FIRST, "excludes": ["agency:police"]}), LISTS)
    event = submission.event(found, referral_id=submission.NIL, agency="school", door=e.Door.KAFKA, received_at=0)
    _, value = codec.encode_oldest(event)
    await published(intake, "k-7", value, headers=(*AVRO, ("ce_drill", b"true")))
    case_id = (await intake.get("school", "/v1/submissions/k-7")).json()["case_id"]
    case = (await intake.get("school", f"/v1/cases/{case_id}")).json()
    assert case["drill"] is True
    sql = "SELECT kind || ':' || actor FROM intake.exclusion WHERE case_id = :case"
    assert await intake.scalar(sql, case=case_id) == "AGENCY:police"
