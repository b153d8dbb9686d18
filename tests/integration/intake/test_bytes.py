"""One agency that sends very many bytes: its referrals are taken, its files later, and nobody else's is touched (decision 0070)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from prometheus_client import REGISTRY

from referral.client import encrypt
from referral.domain.inputs import Input, Raw, Source
from services.intake import crowd
from services.intake.messages.submission import LATER
from tests.harness.attackers import sender
from tests.harness.line.intake_stack import BODY, Stack, new_id

pytestmark = pytest.mark.servers
GROWTH = 50_000_000
"""Bytes by which the database may grow in ten minutes of the attack."""
RATE = 55
"""Referrals of 320 KB in a second that one agency was able to store."""
FLOOD = sender.flood({"traits": {**BODY["traits"], "urgency": "urgent"}})
WHOLE: dict[str, Any] = {**BODY, "file": {"narrative": {"text": "a" * 60_000}, "identity": {"name": "Made Up"}}}
PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(intake: Stack) -> Clock:
    made = Clock()
    intake.door.crowd._tick = made
    return made


async def size(intake: Stack) -> int:
    return int(await intake.by_hand("SELECT pg_database_size(current_database())"))


async def section(intake: Stack, case_id: str, name: str) -> dict[str, Any]:
    """A section as the desk of the case reads it."""
    answer = await intake.get("desk-prizren", f"/v1/cases/{case_id}/file/{name}/versions")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["versions"][-1]["content"])


async def read(intake: Stack) -> None:
    """The topic of the school is read, as far as offset 28."""
    await intake.by_hand(
        "INSERT INTO intake.lease (unit, owner, lease_until, epoch, positions) VALUES "
        "('ingress.school', 'a', 'infinity', 1, jsonb_build_object('ingress.school/0', jsonb_build_array(28, ''))) RETURNING unit"
    )


def later() -> float:
    return REGISTRY.get_sample_value("referral_files_later_total") or 0.0


async def test_ten_minutes_of_one_agency_s_flood_are_bounded_and_another_s_file_is_whole(
    intake: Stack, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One agency filled a disk of 50 GB in 20 minutes, each request answered 202."""
    monkeypatch.setattr(crowd, "PATIENCE_S", 0.0)
    before, began, taken = await size(intake), later(), 0
    while clock.now < 600:
        answers = await asyncio.gather(*(intake.post("school", "/v1/referrals", FLOOD, new_id()) for _ in range(3)))
        assert {answer.status_code for answer in answers} <= {202, 429}
        taken += sum(answer.status_code == 202 for answer in answers)
        refused = [answer for answer in answers if answer.status_code == 429]
        assert all((a.json()["code"], a.headers["retry-after"]) == (crowd.EARLY, str(crowd.EARLY_S)) for a in refused)
        clock.now += 1.0 if refused else 3 / RATE  # what else comes in that second is refused, and stores nothing
        if taken % 50 < 3:
            assert await size(intake) - before <= GROWTH
    grown = await size(intake) - before
    print(f"{taken} taken, {grown / 1e6:.1f} MB")
    assert grown <= GROWTH
    assert taken >= 600, "one a second is taken all the time"
    assert later() - began == taken, "an operator is told"
    emergency = await intake.post("school", "/v1/referrals", WHOLE, new_id())
    assert (emergency.status_code, emergency.json()["file"]) == (202, "later"), "behind the flood of its own agency, at once"
    receipt = (await intake.post("police", "/v1/referrals", WHOLE, new_id())).json()
    assert "file" not in receipt
    assert await section(intake, receipt["case_id"], "narrative") == WHOLE["file"]["narrative"]


async def test_a_file_without_room_is_begun_told_and_delivered_later(intake: Stack, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "BYTES_FOR_ONE", 100_000)
    assert "file" not in (await intake.post("school", "/v1/referrals", WHOLE, new_id())).json()
    key = new_id()
    receipt = await intake.post("school", "/v1/referrals", WHOLE, key)
    assert (receipt.status_code, receipt.json()["file"]) == (202, "later")
    assert (await intake.post("school", "/v1/referrals", WHOLE, key)).text == receipt.text, "the same answer for ever"
    assert (await intake.get("school", f"/v1/submissions/{key}")).json()["file"] == "later"
    case_id = receipt.json()["case_id"]
    assert await section(intake, case_id, "identity") == WHOLE["file"]["identity"], "what is short is whole"
    begun = (await section(intake, case_id, "narrative"))["text"]
    assert begun.startswith("a" * 1500) and begun.endswith(LATER) and len(begun.encode()) <= crowd.SHORT_BYTES + len(LATER.encode())
    put = f"/v1/cases/{case_id}/file/narrative"
    early = await intake.http.put(put, json=WHOLE["file"]["narrative"], headers=intake.token("school"))
    assert (early.status_code, early.json()["code"]) == (429, "too-many-bytes")
    clock.now += crowd.HOUR_S + 60
    assert (await intake.http.put(put, json=WHOLE["file"]["narrative"], headers=intake.token("school"))).status_code == 200
    assert await section(intake, case_id, "narrative") == WHOLE["file"]["narrative"]
    clock.now += crowd.HOUR_S + 60
    assert "file" not in (await intake.post("school", "/v1/referrals", WHOLE, new_id())).json()


async def test_a_file_or_section_of_more_than_thirty_pages_is_not_stored(intake: Stack) -> None:
    receipt = await intake.post("school", "/v1/referrals", FLOOD, new_id())
    assert (receipt.status_code, receipt.json()["file"]) == (202, "later"), "the child is helped all the same"
    put = f"/v1/cases/{receipt.json()['case_id']}/file/narrative"
    answer = await intake.http.put(put, json=FLOOD["file"]["narrative"], headers=intake.token("school"))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


async def test_an_exercise_takes_no_room_from_a_child(intake: Stack, clock: Clock) -> None:
    drill = {**WHOLE, "drill": True}
    answers = [(await intake.post("school", "/v1/referrals", drill, new_id())).json() for _ in range(40)]
    whole = sum("case_id" in answer and "file" not in answer for answer in answers)
    assert whole == crowd.BYTES_FOR_ONE // crowd.EXERCISES // 68_250
    assert "file" not in (await intake.post("school", "/v1/referrals", WHOLE, new_id())).json()


async def test_all_together_have_a_budget_too(intake: Stack, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "BYTES_IN_ALL", 150_000)
    answers = [(await intake.post(agency, "/v1/referrals", WHOLE, new_id())).json() for agency in ("school", "csw", "police")]
    assert [answer.get("file") for answer in answers] == [None, None, "later"]
    assert (await intake.post("police", "/v1/referrals", WHOLE, new_id())).status_code == 202, "its own budget has room: no wait"


async def test_records_of_an_agency_above_its_budget_are_all_taken_and_its_topic_rests(
    intake: Stack, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "BYTES_FOR_ONE", 5 * crowd.EACH_BYTES)
    codes = json.dumps({"traits": BODY["traits"]}).encode()

    def record(number: int) -> Input:
        value = encrypt(PRIVATE.public_key().public_bytes_raw(), "ingress.school", codes)
        source = Source(topic="ingress.school", partition=0, offset=number)
        raw = Raw(agency="school", key=b"", value=value, headers=(("ce_id", f"k-{number}".encode()),))
        return Input(id=new_id(), case_id="", body=raw, source=source)

    assert not (await intake.batch([record(n) for n in range(4)], PRIVATE)).rests
    await read(intake)
    door = (await intake.get("school", "/v1/status")).json()["doors"]["kafka"]
    assert (door["state"], door["read_to"], door["topic"]) == ("READING", 28, "ingress.school")
    outcome = await intake.batch([record(n) for n in range(4, 80)], PRIVATE)
    assert not outcome.refused and await intake.scalar("SELECT count(*) FROM intake.casefile") == 80
    assert outcome.rests == {"ingress.school": 80 - crowd.BURST}
    door = (await intake.get("school", "/v1/status")).json()["doors"]["kafka"]
    assert (door["state"], door["cause"]) == ("LATE", "many-bytes") and door["since"] < door["until"]
    unknown = await intake.get("school", "/v1/submissions/not-read-yet")
    assert unknown.status_code == 404 and "read late until" in unknown.json()["hint"]
    other = (await intake.get("police", "/v1/submissions/not-read-yet")).json()
    assert "late" not in other["hint"], "another agency's door says nothing of it"
    assert (await intake.get("police", "/v1/status")).json()["doors"]["kafka"]["state"] == "NONE"


async def test_of_very_many_refused_records_the_status_says_that_not_all_reasons_are_stored(
    intake: Stack, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "REFUSALS_TOLD", 3)
    source = Source(topic="ingress.school", partition=0, offset=0)

    def bad(key: str) -> Input:
        return Input(
            id=new_id(), case_id="", body=Raw(agency="school", key=b"", value=b"x", headers=(("ce_id", key.encode()),)), source=source
        )

    await read(intake)
    await intake.batch([bad(f"k-{n}") for n in range(5)], PRIVATE)
    assert await intake.scalar("SELECT count(*) FROM intake.refusal") == 3
    hint = (await intake.get("school", "/v1/submissions/k-4")).json()["hint"]
    assert "this one may be among them" in hint
