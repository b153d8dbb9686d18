"""A sender that dies or sleeps: each message once, or once more under the same id."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from referral.domain.events import How, KnockFailed, KnockSent, OfferClosed, RungFailed
from tests.harness import smtp
from tests.harness.line.notifier_stack import WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until

CRASHING = """
import asyncio, json, sys
from pathlib import Path
from tests.harness.line.notifier_stack import stack
async def main(url, master, port):
    async with stack(url, Path(master)) as made:
        await made.sender(port).run()
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def test_a_crash_after_the_server_took_it_repeats_it_once_under_the_same_id(
    notifier: Stack, relay: smtp.Relay, database: str, key_files: tuple[Path, Path]
) -> None:
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHING, database, str(key_files[0]), str(relay.port))

    async def take_and_kill(server: object, address: str) -> str:
        os.kill(child.pid, signal.SIGKILL)
        return "250 OK"

    relay.data = take_and_kill
    await relay.got(1)
    await child.wait()
    relay.data = smtp.accept
    assert await notifier.states() == ["WAITING"]
    async with sending(notifier.sender(relay.port), notifier.sender(relay.port)):
        held = (await notifier.rows("SELECT lease_until > clock_timestamp() AS held FROM notifier.delivery"))[0].held
        assert held and len(relay.letters) == 1
        await notifier.rows("UPDATE notifier.delivery SET lease_until = clock_timestamp()")  # a minute later
        await relay.got(2)
        await until(lambda: ended(notifier, 1))
    assert relay.letters[0]["Message-ID"] == relay.letters[1]["Message-ID"]
    assert len(relay.letters) == 2
    assert len(of(await notifier.drain(), KnockSent)) == 1


async def test_what_may_have_left_when_its_sender_died_is_said_even_if_nobody_waits_any_more(
    notifier: Stack, relay: smtp.Relay, database: str, key_files: tuple[Path, Path]
) -> None:
    await notifier.person("a")
    case, offer = await notifier.case(), opened()
    await notifier.tell(case, offer)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHING, database, str(key_files[0]), str(relay.port))

    async def take_and_kill(server: object, address: str) -> str:
        os.kill(child.pid, signal.SIGKILL)
        return "250 OK"

    relay.data = take_and_kill
    await relay.got(1)
    await child.wait()
    relay.data = smtp.accept
    await notifier.tell(case, OfferClosed(why=WHY, offer_id=offer.offer_id, how=How.DECLINED_BY_AGENCY, reason=""))
    await notifier.rows("UPDATE notifier.delivery SET lease_until = clock_timestamp()")  # a minute later
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 1))
    assert await notifier.states() == ["DROPPED"]
    (said,) = of(await notifier.drain(), KnockFailed)
    assert (said.reason, said.attempts, len(relay.letters)) == ("interrupted", 1, 1)


async def idle(notifier: Stack) -> bool:
    return await notifier.states() == ["SENT"]


async def test_a_sender_that_slept_past_its_lease_writes_nothing(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    slow, taken = asyncio.Event(), asyncio.Event()

    async def wait(server: object, address: str) -> str:
        taken.set()
        await slow.wait()
        return "550 too late"

    relay.data = wait
    async with sending(notifier.sender(relay.port)):
        await until(taken.is_set)
        relay.data = smtp.accept
        await notifier.rows("UPDATE notifier.delivery SET lease_until = clock_timestamp()")
        async with sending(notifier.sender(relay.port)):
            await relay.got(1)
            await until(lambda: ended(notifier, 1))
        slow.set()
        await until(lambda: idle(notifier))
    said = await notifier.drain()
    assert (len(of(said, KnockSent)), of(said, KnockFailed), of(said, RungFailed)) == (1, [], [])
