"""A sender that dies or sleeps: each message once, or once more under the same id."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from referral.channels import Handed, Outgoing
from referral.channels.lane import Lane
from referral.domain.events import How, KnockFailed, KnockSent, OfferClosed, RungFailed
from services.notifier import wakeup
from tests.harness import smtp
from tests.harness.line.notifier_stack import WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until

CRASHING = """
import asyncio, json, signal, sys
from pathlib import Path
from tests.harness.line.notifier_stack import stack
async def main(url, master, port, lease):
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    async with stack(url, Path(master)) as made:
        await made.sender(port, lease=lease).run()
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
"""
SHORT_S = 3.0
"""A lease that a test can wait for."""
UNTIL = "SELECT attempt, extract(epoch FROM lease_until)::float8 AS ends, lease_until > clock_timestamp() AS lasts FROM notifier.delivery"
OVER = "UPDATE notifier.delivery SET lease_until = clock_timestamp()"


async def test_a_crash_after_the_server_took_it_repeats_it_once_under_the_same_id(
    notifier: Stack, relay: smtp.Relay, database: str, key_files: tuple[Path, Path]
) -> None:
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHING, database, str(key_files[0]), str(relay.port), str(SHORT_S))

    async def take_and_kill(server: object, address: str) -> str:
        os.kill(child.pid, signal.SIGKILL)
        return "250 OK"

    relay.data = take_and_kill
    await relay.got(1)
    await child.wait()
    relay.data = smtp.accept
    assert await notifier.states() == ["WAITING"]
    async with sending(notifier.sender(relay.port), notifier.sender(relay.port)):
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
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHING, database, str(key_files[0]), str(relay.port), str(SHORT_S))

    async def take_and_kill(server: object, address: str) -> str:
        os.kill(child.pid, signal.SIGKILL)
        return "250 OK"

    relay.data = take_and_kill
    await relay.got(1)
    await child.wait()
    relay.data = smtp.accept
    await notifier.tell(case, OfferClosed(why=WHY, offer_id=offer.offer_id, how=How.DECLINED_BY_AGENCY, reason=""))
    await notifier.rows(OVER)
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 1))
    assert await notifier.states() == ["DROPPED"]
    (said,) = of(await notifier.drain(), KnockFailed)
    assert (said.reason, said.attempts, len(relay.letters)) == ("interrupted", 1, 1)


async def idle(notifier: Stack) -> bool:
    return await notifier.states() == ["SENT"]


async def test_a_sender_that_slept_past_its_lease_writes_nothing(
    notifier: Stack, relay: smtp.Relay, database: str, key_files: tuple[Path, Path]
) -> None:
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    relay.data = slow = smtp.Slow("550 too late")
    words = (database, str(key_files[0]), str(relay.port), str(SHORT_S))
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHING, *words, stderr=asyncio.subprocess.DEVNULL)
    try:
        await until(slow.taken.is_set)
        child.send_signal(signal.SIGSTOP)
        relay.data = smtp.accept
        async with sending(notifier.sender(relay.port)):
            await relay.got(1)
            await until(lambda: ended(notifier, 1))
        slow.go.set()
    finally:
        child.send_signal(signal.SIGCONT)
        child.send_signal(signal.SIGTERM)  # it ends what is under way
        await child.wait()
    said = await notifier.drain()
    assert (len(of(said, KnockSent)), of(said, KnockFailed), of(said, RungFailed)) == (1, [], [])
    assert await notifier.states() == ["SENT"]


class Travelling:
    """A channel whose message is under way until a test lets it `go`."""

    def __init__(self) -> None:
        self.taken, self.go, self.sent = asyncio.Event(), asyncio.Event(), 0

    async def open(self) -> None:
        pass

    async def send(self, out: Outgoing) -> Handed:
        self.taken.set()
        await self.go.wait()
        self.sent += 1
        return Handed()

    async def close(self) -> None:
        pass


LONG_S = 6.0
"""A lease that a sender on a slow machine renews in time, and that a test can wait for."""


async def test_a_message_that_takes_longer_than_its_lease_stays_with_its_sender(notifier: Stack) -> None:
    """Also while its process is asked to stop."""
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    channel = Travelling()
    lanes = {"email": Lane(lambda: channel, 1, seconds=600.0, stop=600.0, lease=LONG_S)}
    slower = asyncio.create_task(notifier.sender_of(lanes).run())
    await until(channel.taken.is_set)

    async def renewed(since: float) -> bool:
        return (await notifier.rows(UNTIL))[0].ends > since + LONG_S

    async with sending(notifier.sender_of(lanes)):
        began = (await notifier.rows(UNTIL))[0].ends
        await until(lambda: renewed(began), what="the claim is renewed")
        slower.cancel()
        began = (await notifier.rows(UNTIL))[0].ends
        await until(lambda: renewed(began), what="the claim is renewed while its sender stops")
        channel.go.set()
        await asyncio.wait({slower})
        await until(lambda: ended(notifier, 1))
    assert [(row.attempt, row.ends) for row in await notifier.rows(UNTIL)] == [(1, None)]
    assert channel.sent == 1


async def test_a_claim_that_ended_while_the_database_was_away_is_not_taken_by_its_own_sender(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    relay.data = slow = smtp.Slow("250 OK")
    async with sending(notifier.sender(relay.port)):
        await until(slow.taken.is_set)
        await notifier.rows(OVER)
        async with notifier.engine.begin() as tx:
            wakeup.ring(tx)

        async def held() -> bool:
            return (await notifier.rows(UNTIL))[0].lasts

        await until(held, what="the claim is renewed")
        slow.go.set()
        await until(lambda: ended(notifier, 1))
    assert [row.attempt for row in await notifier.rows(UNTIL)] == [1]
    assert len(relay.letters) == 1
