"""With all of intake's secrets a case can be hidden, and neither destroyed nor taken from `referral recover`, which opens it again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referral.cli.stack import cast, up
from referral.cli.stack.stage import Stage
from referral.client import Problem
from referral.domain.durations import DAY_US
from referral.domain.events import CaseErased, CaseKey
from referral.local.config import StackConfig, environment
from referral.local.stack import Stack
from referral.runtime.kafka import clients, scan
from referral.runtime.kafka.publish import send
from referral.runtime.keys import case_keys, key_topic
from referral.runtime.keys.service_keys import readers
from referral.runtime.postgres import clock, database
from referral.runtime.settings import LINE, Settings, load
from referral.wire import codec, seal, topics
from referral.wire.signed import erasure_approval
from tests.harness.engines import beginning, by_hand
from tests.harness.erased import PLAIN
from tests.harness.line.intake_stack import new_id
from tests.harness.servers import prefix
from tests.harness.waiting import until
from tests.integration.line.test_erased import NAME, begun, command, sql

pytestmark = pytest.mark.servers
DENIED = (
    "SELECT keys.retire(ARRAY[:case])",
    "SELECT keys.erase(ARRAY[:case])",
    "SELECT keys.bring_back(ARRAY[:case])",
    "DELETE FROM keys.case_key WHERE case_id = :case",
    "UPDATE keys.case_key SET wrapped = '' WHERE case_id = :case",
    *(
        f"DELETE FROM intake.{table} WHERE case_id = :case"
        for table in ("casefile", "section", "recorded", "offer", "referral", "happening")
    ),
)
HIDING = (
    "INSERT INTO intake.erasure (id, case_id, desk, basis, requested_by, requested_at, approved_by, approved_at, destroyed_at)"
    " VALUES ('forged', :case, 'desk-prizren', 'storage-ended', 'a', 1, 'b', 2, 3)",
    "UPDATE intake.casefile SET erasing_at = 2, closed_at = 1 WHERE case_id = :case",
)


async def denied(stolen: Settings, case_id: str) -> dict[str, str]:
    """Run what destroys, and return statement → refusal."""
    found = dict[str, str]()
    for statement in DENIED:
        try:
            async with beginning(database.engine(stolen, "intake")) as tx:
                await tx.execute(text(statement), {"case": case_id})
            found[statement] = "done"
        except DBAPIError as error:
            found[statement] = str(error.orig)
    return found


async def forged(stolen: Settings, case_id: str) -> tuple[int, int]:
    """Publish an erasure that intake's own key has signed, and nobody else. Return its partition and offset."""
    place = (CaseErased.TOPIC, topics.partition(case_id))
    last: Any = None
    async for at, record in scan.whole(stolen, [CaseErased.TOPIC]):
        if at == place and record.key == case_id.encode():
            last = seal.open(record.value or b"").meta
    body = erasure_approval.signed(case_keys.signing(stolen.intake_key_file), case_id, structs.replace(PLAIN, records=last.case_seq))
    own = {"type": body.TYPE, "fingerprint": codec.fingerprint(body.TYPE), "case_seq": last.case_seq + 1, "event_id": new_id()}
    value = seal.seal(None, CaseErased.TOPIC, structs.replace(last, **own), codec.encode(body), b"")
    async with clients.producer(stolen) as producer:
        await send(producer, stolen.topic(CaseErased.TOPIC), place[1], [(case_id.encode(), value, [])])
    return place[1], (await scan.ends(stolen, [CaseErased.TOPIC]))[place] - 1


async def forged_keys(stolen: Settings, case_id: str) -> None:
    """Write nulls and other keys wherever intake's certificate may write keys."""
    values = [(key_topic.name(case_id, reader), value, []) for reader in readers() for value in (None, codec.encode(CaseKey(wrapped=b"x")))]
    async with clients.producer(stolen) as producer:
        await send(producer, stolen.topic(key_topic.NEW), 0, values)
        with pytest.raises(TopicAuthorizationFailedError):
            await send(producer, stolen.topic(CaseKey.TOPIC), 0, values)


@pytest.mark.timeout(400)
async def test_a_case_that_the_police_have_read_opens_again_after_recover(
    tmp_path: Path, kafka: str, ca: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    config = StackConfig(data=tmp_path / "data", kafka=kafka, ca=ca, prefix=prefix(), drill=True, services=(*LINE, "eraser"))
    async with up.running(config) as stack:
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        stage = Stage(stack, cast.load(config.data))
        case_id, _ = await asyncio.to_thread(begun, stage)
        await until(lambda: copied(stack, case_id))
        stolen = load(environment(config, stack.addresses, "intake"))

        refusals = await denied(stolen, case_id)
        assert all("permission denied" in why for why in refusals.values()), refusals
        await forged_keys(stolen, case_id)
        partition, offset = await forged(stolen, case_id)
        async with beginning(database.engine(stolen, "intake")) as tx:
            for statement in HIDING:
                await tx.execute(text(statement), {"case": case_id})
        with pytest.raises(Problem, match="404"):
            await asyncio.to_thread(stage.agency("police-prizren").case, case_id)
        for _ in range(2):  # the eraser looks at its next start at the latest; then a day passes
            await stack["eraser-1"].kill()
            await stack["eraser-1"].ready()
            await until(lambda: sql(stack, "SELECT next > :n FROM eraser.read WHERE partition = :p", n=offset, p=partition))
            async with by_hand(stack.settings) as tx:
                await clock.advance(tx, stack.settings, DAY_US)
        assert await sql(stack, "SELECT count(*) FROM keys.case_key WHERE case_id = :c", c=case_id) == len(readers())
        assert not await sql(stack, "SELECT count(*) FROM keys.retirement")

        code, said = await command(capfd, "recover")
        assert code == 0, said
        police = stage.agency("police-prizren")
        await until(lambda: opens(police, case_id))
        assert NAME in str(await asyncio.to_thread(police.file, case_id))


async def copied(stack: Stack, case_id: str) -> bool:
    return case_id in await key_topic.copied(stack.settings, {case_id})


async def opens(agency: Any, case_id: str) -> bool:
    try:
        await asyncio.to_thread(agency.case, case_id)
    except (Problem, KafkaError):
        return False
    return True
