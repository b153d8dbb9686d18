"""The notifier as a process on real servers: from a decision on the topic to a message, and back to the topic."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from msgspec import Struct

from referral.channels.lane import LINES
from referral.domain.events import OfferAcknowledged, RungFailed
from referral.roster import changes as roster
from referral.runtime.settings import Settings
from referral.wire import codec, seal
from tests.harness import smtp
from tests.harness.line import runtime_stack
from tests.harness.line.notifier_stack import WHY, opened
from tests.harness.line.runtime_stack import Stack
from tests.harness.programs import Program, running
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
ROUTING, NOTIFICATION = "referral-routing", "referral-notification"
SECOND = 1_000_000


@pytest.fixture
async def line(settings: Settings) -> AsyncIterator[Stack]:
    async with runtime_stack.stack(settings) as made:
        account = str(uuid.uuid4())
        async with made.admin.begin() as tx:
            await roster.add_person(tx, made.keys, account=account, agency="police", rungs=["duty"], email="marker.duty@police.example")
        yield made


def process(line: Stack, port: int, name: str = "a") -> AbstractAsyncContextManager[Program]:
    """One instance for the length of a block."""
    more = {"instance": name, "smtp": f"127.0.0.1:{port}", "inbox_url": "https://inbox.example/"}
    return running(line.settings, "services.notifier", **more)


async def publish(line: Stack, case: str, *events: Struct, age: int = 0, first: int = 1) -> None:
    """Decisions of one case, as routing publishes them."""
    now = (await line.sql("SELECT runtime.clock() AS now"))[0].now
    values = [
        await line.value(case, n, event, topic=ROUTING, recorded_at=now - age, source="routing") for n, event in enumerate(events, first)
    ]
    await line.write(case, *values, topic=ROUTING)


async def said(line: Stack) -> list[Any]:
    """What the notifier's topic says, each record once."""
    records = await line.distinct(NOTIFICATION)
    envelopes = [seal.open(r.value) for r in records]
    async with line.admin.connect() as tx:
        keys = await line.keys.load(tx, {e.meta.case_id for e in envelopes})
    return [codec.decode(e.meta.type, e.meta.fingerprint, seal.unseal(keys[e.meta.case_id], NOTIFICATION, e)) for e in envelopes]


async def test_a_decision_becomes_a_message_and_the_log_says_so(line: Stack) -> None:
    reached, deaf = opened(), opened(agency="nobody-here")
    cases = [await line.case(), await line.case()]
    async with smtp.relay() as server, process(line, server.port):
        await publish(line, cases[0], reached)
        await publish(line, cases[1], deaf)
        await server.got(1)

        async def both() -> bool:
            return len(await said(line)) >= 2

        await until(both)
    told = {type(event).__name__: event for event in await said(line)}
    assert (told["KnockSent"].offer_id, told["KnockSent"].rung) == (reached.offer_id, 0)
    assert server.letters[0]["Message-ID"] == f"<{told['KnockSent'].reference}@localhost>"
    assert (told["RungFailed"].offer_id, told["RungFailed"].reason) == (deaf.offer_id, "nobody-on-duty")
    assert isinstance(told["RungFailed"], RungFailed)


async def test_a_backlog_knocks_only_for_what_still_waits(line: Stack) -> None:
    waiting = opened()
    cases = [await line.case() for _ in range(20)]
    for case in cases[1:]:
        over = opened()
        await publish(line, case, over, OfferAcknowledged(why=WHY, offer_id=over.offer_id, due=None, due_what=""), age=600 * SECOND)
    await publish(line, cases[0], waiting, age=600 * SECOND)
    async with smtp.relay() as server, process(line, server.port):
        await server.got(1)

        async def read() -> bool:
            rows = await line.sql("SELECT count(*) AS n FROM notifier.asked WHERE state = 'ANSWERED'")
            return rows[0].n == 19

        await until(read)
        assert [e.offer_id for e in await settled(line)] == [waiting.offer_id]
    assert len(server.letters) == 1


async def settled(line: Stack) -> list[Any]:
    """What was said once something was."""

    async def some() -> bool:
        return bool(await said(line))

    await until(some)
    return await said(line)


async def test_killed_twice_under_load_everybody_is_knocked_and_the_log_has_each_once(line: Stack) -> None:
    offers = [opened(agency=f"police-{n % 15}") for n in range(60)]  # so many agencies that nobody is woken often
    cases = [await line.case() for _ in offers]
    for agency in sorted({offer.agency for offer in offers}):
        async with line.admin.begin() as tx:
            await roster.add_person(tx, line.keys, account=str(uuid.uuid4()), agency=agency, rungs=["duty"], email=f"duty@{agency}.example")
    async with smtp.relay() as server:
        for round_, name in enumerate("abc"):
            async with process(line, server.port, name) as made:
                part = slice(round_ * 20, round_ * 20 + 20)
                for case, offer in zip(cases[part], offers[part], strict=True):
                    await publish(line, case, offer)
                if name != "c":
                    await server.got(len(server.letters) + 5)
                    await made.kill()
                    await line.sql("UPDATE notifier.delivery SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL")
                else:

                    async def all_said() -> bool:
                        return len(await said(line)) >= 60

                    await until(all_said)
    told = await said(line)
    assert Counter(k.offer_id for k in told) == Counter(o.offer_id for o in offers)
    copies = Counter(str(letter["Message-ID"]) for letter in server.letters)
    assert set(copies) == {f"<{k.reference}@localhost>" for k in told}
    assert max(copies.values()) <= 1 + 2, "a kill repeats at most what was under way at it"
    assert sum(n - 1 for n in copies.values()) <= 2 * LINES, "and no more than the killed process had lines"
