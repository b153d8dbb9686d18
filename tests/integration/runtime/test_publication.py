"""A batch is handled while the one before it is published: nobody waits for the broker, and order, ends and deaths are as they were."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.kafka.publish import send
from referral.runtime.loop import assignment, outbox, reader
from referral.runtime.loop.tenure import Tenure
from referral.runtime.recovery import recover
from referral.runtime.recovery.topic_snapshot import Tape
from referral.runtime.settings import Settings
from tests.harness.line.runtime_stack import IN, Counter, Stack
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The broker acknowledges while this is set. Each turn has one input."""
    answers, publish = asyncio.Event(), outbox.publish
    answers.set()

    async def publishing(*more: Any) -> Any:
        spans = await publish(*more)
        await answers.wait()
        return spans

    monkeypatch.setattr(outbox, "publish", publishing)
    monkeypatch.setattr(reader, "LIMIT", 1)
    return answers


async def waits(line: Stack, batches: int) -> bool:
    """Return True when so many batches are committed and not confirmed."""
    return len(await line.sql("SELECT partition FROM routing.outbox")) == batches


async def holding_two(line: Stack, answers: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> Counter:
    """An instance with two batches that are committed and not confirmed, of three records that wait. It surveys nothing meanwhile."""
    case = await line.case(5)
    counter = line.counter("a")
    counter.start()
    await line.write(case, await line.value(case, 1))
    await until(lambda: line.has(1))
    await until(lambda: waits(line, 0))
    monkeypatch.setattr(Tenure, "_needs_calm", lambda *_: False)
    answers.clear()
    records = [(case.encode(), await line.value(case, number), list[tuple[str, bytes]]()) for number in (2, 3, 4)]
    await send(line.producer, line.settings.topic(IN), 5, records)  # together, so that the client holds all three
    await until(lambda: waits(line, 2))
    return counter


async def test_the_next_batch_is_handled_before_the_broker_has_acknowledged(
    line: Stack, answers: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = await holding_two(line, answers, monkeypatch)
    assert len(counter.inputs) == 3
    answers.set()
    await until(lambda: line.has(4))
    await counter.end()
    assert [meta.case_seq for meta in await line.metas()] == [1, 2, 3, 4] and await waits(line, 0)
    assert len(await line.records()) == 4, "each was published once"


async def test_two_batches_of_a_process_that_dies_are_published_in_order(
    line: Stack, answers: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = await holding_two(line, answers, monkeypatch)
    await victim.kill()
    answers.set()
    other = line.counter("b")
    other.start()
    await until(lambda: line.has(4))
    await until(lambda: waits(line, 0))
    assert [meta.case_seq for meta in await line.metas()] == [1, 2, 3, 4] and len(other.inputs) == 1


async def test_of_two_batches_in_a_restored_copy_recover_takes_away_only_the_one_that_the_topic_has(
    line: Stack, answers: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took both: what the second one says was lost, and nobody would have said it again."""
    victim = await holding_two(line, answers, monkeypatch)
    await victim.kill()
    await until(lambda: line.has(2))
    _, second = await line.sql("SELECT id FROM routing.outbox ORDER BY id")

    async def nothing_more(tx: AsyncConnection, settings: Settings, tapes: AsyncIterator[Tape]) -> dict[str, int]:
        return {"tapes": len([tape async for tape in tapes])}

    assert (await recover.recover(line.settings, "routing", nothing_more))["blobs dropped"] == 1
    assert [row.id for row in await line.sql("SELECT id FROM routing.outbox")] == [second.id]


async def test_a_service_that_ends_confirms_what_is_under_way(line: Stack, answers: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await holding_two(line, answers, monkeypatch)
    first.loop.end()
    answers.set()
    await first.end()
    assert await waits(line, 0)
    records = await line.records()
    assert len({r.value for r in records}) == len(records) == len(first.inputs)


async def test_units_change_hands_when_nothing_of_theirs_is_under_way(
    line: Stack, answers: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next owner would publish it too, and perhaps something newer before it."""
    monkeypatch.setattr(assignment, "ALONE", 0.0)  # every turn may give units away
    cases, numbers = [await line.case(number) for number in range(12)], itertools.count(1)
    first, second = line.counter("a"), line.counter("b")

    async def works(counter: Counter) -> bool:
        """Write more, so that the line always has something to do, and return whether it has handled something."""
        more = [next(numbers) for _ in range(5)]
        for case in cases:
            await line.write(case, *[await line.value(case, number) for number in more])
        return bool(counter.inputs)

    first.start()
    await until(lambda: works(first))
    second.start()
    await until(lambda: works(second))
    written = len(cases) * (next(numbers) - 1)
    await until(lambda: line.has(written))
    assert len(first.units) == len(second.units) == 6
    records = await line.records()
    assert len({r.value for r in records}) == len(records)
