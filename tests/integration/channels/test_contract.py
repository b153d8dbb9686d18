"""The contract of every channel: what the sender may rely on, shown against each channel's own server (adapters.py).

docs/channels.md tells it to whoever writes a channel.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import prometheus_client
import pytest
import yaml

from referral.channels import Handed, Outgoing, Refused, Unreached, Unsure, Word
from referral.channels.lane import Lane, Line
from services.notifier.blame import OURS
from tests.harness.waiting import until
from tests.integration.channels.adapter import QUOTED, Adapter
from tests.integration.channels.adapters import CHANNELS, DOCUMENT, document_source

AT = 1_764_000_000_000_000
OUT = Outgoing("", "3f0a91bc-0000-4000-8000-000000000000", "4711", "sq", True, "https://inbox.example/", at=AT)
WORDS = frozenset(yaml.safe_load((Path(__file__).parents[3] / "policy" / "codes.yaml").read_text("utf-8"))["knock-reason"])
SERVERS = ("mail.log", "uvicorn.access", "uvicorn.error")
"""Loggers of the servers that these tests start: not ours."""


@pytest.fixture(params=sorted(CHANNELS))
async def adapter(request: pytest.FixtureRequest) -> AsyncIterator[Adapter]:
    async with CHANNELS[request.param]() as made:
        yield made


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Libraries log what they send, some at INFO: nothing below WARNING leaves a service, and yet nothing of it may hold an address."""
    caplog.set_level(logging.INFO)


async def knock(adapter: Adapter, line: Line) -> Handed:
    await line.open()
    return await line.send(replace(OUT, address=adapter.address))


def line(adapter: Adapter, seconds: float = 30.0) -> Line:
    return Line(Lane(adapter.channel, lines=1, seconds=seconds))


async def failure(adapter: Adapter, line: Line) -> Refused | Unreached:
    """Return what a knock raises; its word is one of knock-reason, and it says nothing else."""
    with pytest.raises((Refused, Unreached)) as caught:
        await knock(adapter, line)
    assert caught.value.args == (str(caught.value),) and str(caught.value) in WORDS, caught.value.args
    quiet(adapter, caught.value)
    return caught.value


def quiet(adapter: Adapter, error: BaseException) -> None:
    """Neither the error nor anything that hangs on it knows the address or the server's words."""
    seen: BaseException | None = error
    said = "".join(traceback.format_exception(error))
    while seen is not None:
        said += repr(seen) + repr(seen.args) + "".join(f"{part} {getattr(part, 'content', b'')!r}" for part in vars(seen).values())
        seen = seen.__cause__ or seen.__context__
    assert adapter.marker not in said and QUOTED not in said


async def test_it_hands_over_one_message_after_another(adapter: Adapter) -> None:
    one = line(adapter)
    for count in (1, 2, 3):
        handed = await knock(adapter, one)
        assert handed.word in (None, Word.LOOKS)
        assert adapter.taken() == count
    await one.close()


async def test_a_refusal_is_about_the_person_and_the_line_goes_on(adapter: Adapter) -> None:
    one = line(adapter)
    await adapter.refuse()
    refused = await failure(adapter, one)
    assert isinstance(refused, Refused) and str(refused) not in OURS
    assert adapter.taken() == 0
    await adapter.accept()
    await knock(adapter, one)
    assert adapter.taken() == 1
    await one.close()


async def test_a_server_that_is_away_is_our_fault_and_the_line_goes_on_when_it_is_back(adapter: Adapter) -> None:
    one = line(adapter)
    await knock(adapter, one)
    await adapter.away()
    away = await failure(adapter, one)
    assert isinstance(away, Unreached) and str(away) in OURS
    await adapter.accept()
    away_again = await _knock_or_failure(adapter, one)  # a kept connection may be found dead once
    if away_again is not None:
        await knock(adapter, one)
    assert adapter.taken() == 2
    await one.close()


async def _knock_or_failure(adapter: Adapter, line: Line) -> BaseException | None:
    try:
        await knock(adapter, line)
    except Unreached as error:
        return error
    return None


async def test_a_server_that_hangs_costs_the_lanes_limit_and_the_line_goes_on(adapter: Adapter) -> None:
    one = line(adapter, adapter.limit)
    await adapter.hang()
    hung = await failure(adapter, one)
    assert isinstance(hung, Unsure) and str(hung) == "no-answer"
    await until(lambda: adapter.under_way() == 0, what="the message under way is ended")
    await adapter.accept()
    await knock(adapter, one)
    assert adapter.taken() == 1
    await one.close()


async def test_a_server_that_dies_with_the_answer_leaves_it_unsure(adapter: Adapter) -> None:
    """The person may have been reached: a second message at once could be one too many."""
    one = line(adapter)
    await adapter.die()
    died = await failure(adapter, one)
    assert isinstance(died, Unsure) and str(died) in OURS
    await adapter.accept()
    before = adapter.taken()
    await knock(adapter, one)
    assert adapter.taken() == before + 1
    await one.close()


async def test_a_cancelled_message_leaves_nothing_running(adapter: Adapter) -> None:
    others = asyncio.all_tasks()
    channel = adapter.channel()
    await channel.open()
    await adapter.hang()
    sending = asyncio.create_task(channel.send(replace(OUT, address=adapter.address)))
    await until(lambda: adapter.under_way() > 0, what="the server has the message")
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await until(lambda: adapter.under_way() == 0, what="the server has lost the message")
    await channel.close()
    assert [task for task in asyncio.all_tasks() - others if _of_a_channel(task)] == []


def _of_a_channel(task: asyncio.Task[object]) -> bool:
    """Return whether a task runs code of a channel; the server's tasks run in the same loop."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and ("referral/channels" in code.co_filename or code.co_filename == str(DOCUMENT))


async def test_no_address_and_no_servers_word_is_logged_shown_or_counted(adapter: Adapter, caplog: pytest.LogCaptureFixture) -> None:
    """The events' words are checked where they are raised: only words of knock-reason."""
    one = line(adapter, adapter.limit)
    channel = adapter.channel()
    await knock(adapter, one)
    for behave in (adapter.refuse, adapter.die, adapter.away):
        await behave()
        await _knock_or_refusal(adapter, one)
        await adapter.accept()
    await adapter.hang()
    await _knock_or_refusal(adapter, one)
    await one.close()
    said = "".join(record.getMessage() + repr(record.__dict__) for record in caplog.records if record.name not in SERVERS)
    said += repr(channel) + repr(vars(channel)) + repr(replace(OUT, address=adapter.address)) + prometheus_client.generate_latest().decode()
    await channel.close()
    assert adapter.marker not in said and QUOTED not in said


async def _knock_or_refusal(adapter: Adapter, line: Line) -> None:
    try:
        await knock(adapter, line)
    except (Refused, Unreached) as error:
        quiet(adapter, error)


def test_the_documents_channel_has_thirty_lines() -> None:
    assert len(document_source().splitlines()) <= 30
