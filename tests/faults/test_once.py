"""One referral is one case, however often and by whichever door it comes, and whatever died in between."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest
from aiokafka import AIOKafkaProducer

from referral.client import encrypt
from referral.domain.events import CaseOpened
from referral.runtime.kafka import clients
from referral.runtime.kafka.clients import create_ingress
from tests.faults.line import TRAITS, Line
from tests.faults.load import SENDER, Json
from tests.faults.quiet import quiet
from tests.harness.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]
TIMES = 50


async def test_one_referral_fifty_times_at_once_again_after_a_restart_and_by_kafka_is_one_case(line: Line) -> None:
    key, body = f"once-{uuid.uuid4().hex}", {"traits": TRAITS, "drill": True}
    assert await quiet(line.stack) == []
    known = await cases(line)
    receipts = await asyncio.gather(*(post(line, key, body) for _ in range(TIMES)))
    assert {status for status, _ in receipts} == {202}
    assert len({json.dumps(receipt, sort_keys=True) for _, receipt in receipts}) == 1
    receipt = receipts[0][1]
    await line.logged(receipt["case_id"], CaseOpened)

    names = [name for name in line.stack.processes if name not in ("kafka", "postgres")]
    before = {name: line.stack[name].restarts for name in names}
    await asyncio.gather(*(line.stack[name].kill() for name in (*names, "kafka", "postgres")))
    await until(lambda: again(line, before), what="everything was started again")
    await line.ready()
    assert await post(line, key, body) == (202, receipt)

    await by_kafka(line, key, body)
    status, other = await post(line, key, {"traits": {**TRAITS, "urgency": "routine"}, "drill": True})
    assert (status, other["status"]) == (409, 409)
    assert await post(line, key, body) == (202, receipt)

    opened = await line.logged(receipt["case_id"], CaseOpened)
    assert await quiet(line.stack) == []
    assert (len(opened), await cases(line) - known) == (1, 1)


async def post(line: Line, key: str, body: Json) -> tuple[int, Json]:
    answer = await line.door.send(line.http, SENDER, "/v1/referrals", key, body)
    return answer.status_code, answer.json()


async def cases(line: Line) -> int:
    """How many cases were ever opened."""
    (row,) = await line.rows(
        "SELECT count(DISTINCT case_id) FROM audit.entry WHERE position(:type in leaf) > 0", type=CaseOpened.TYPE.encode()
    )
    return int(row[0])


async def again(line: Line, before: dict[str, int]) -> bool:
    return all(line.stack[name].restarts > count for name, count in before.items())


async def by_kafka(line: Line, key: str, body: Json) -> None:
    """Publish it as the agency would, and wait until intake has passed the record: the submission is still the first one."""
    settings = line.stack.settings
    topic = await create_ingress(settings, SENDER)
    public = bytes.fromhex((await line.door.ask(line.http, SENDER, "/v1/ingress-key")).json()["public_key"])
    producer = AIOKafkaProducer(**clients.reached(settings))
    await producer.start()
    try:
        value = encrypt(public, f"ingress.{SENDER}", json.dumps(body).encode())
        sent = await producer.send_and_wait(topic, value, headers=[("ce_id", key.encode())], partition=0)
    finally:
        await producer.stop()

    async def passed() -> bool:
        rows = await line.rows("SELECT positions FROM intake.lease WHERE unit = :unit", unit=f"ingress.{SENDER}")
        return any(at[0] > sent.offset for row in rows for at in row.positions.values())

    await until(passed, what="intake has read the record")
