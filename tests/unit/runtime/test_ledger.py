"""The ledger never makes the loop wait for a broker that is silent: an outage must not stop alarms and leases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from referral.runtime.loop.ledger import EVERY, Ledger
from referral.runtime.loop.units import Unit
from referral.runtime.settings import Settings

OWN = "referral-routing"


class Silent:
    """A reader of a broker that answers when the test lets it. asked: how many questions came."""

    def __init__(self) -> None:
        self.asked, self.answer = 0, asyncio.get_running_loop().create_future()

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked += 1
        return dict.fromkeys(places, await asyncio.shield(self.answer))

    def unsubscribe(self) -> None:
        """Nothing is read here."""


def ledger(book: Silent) -> Ledger:
    settings = Settings(kafka="", database="", master_key_file=Path(), instance="test")
    return Ledger(book, settings, OWN)  # type: ignore[arg-type]


def unit(*, suspect: bool = False) -> Unit:
    return Unit("p0", 1, {(OWN, 0): (7, "")}, suspect=suspect)


async def test_a_turn_does_not_wait_for_the_answer_and_a_later_one_takes_it() -> None:
    book = Silent()
    kept, ours = ledger(book), unit()
    async with asyncio.timeout(5):
        assert await kept.check([ours], 1.0) == []
        await asyncio.sleep(0)
        assert await kept.check([ours], 1.0 + 9 * EVERY) == []
    assert book.asked == 1, "one question at a time"
    book.answer.set_result(7)
    for _ in range(5):
        await asyncio.sleep(0)
        assert await kept.check([ours], 1.0 + 9 * EVERY) == []
    assert book.asked == 2, "the first was answered, and the next one asked"
    await kept.halt()


async def test_a_broker_that_does_not_answer_at_all_is_away() -> None:
    book = Silent()
    kept = ledger(book)
    assert await kept.check([unit()], 1.0) == []
    book.answer.set_exception(KafkaTimeoutError())
    with pytest.raises(KafkaTimeoutError):
        for _ in range(5):
            await asyncio.sleep(0)
            await kept.check([unit()], 1.0)


async def test_what_is_known_to_be_there_is_asked_for_anew_and_waited_for() -> None:
    book = Silent()
    kept, ours = ledger(book), unit()
    await kept.check([ours], 1.0)
    await asyncio.sleep(0)
    ours.suspect = True
    looking = asyncio.create_task(kept.check([ours], 1.0))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not looking.done() and book.asked == 2, "an answer from before says nothing about it"
    book.answer.set_result(7)
    assert await looking == []
    assert not ours.suspect
