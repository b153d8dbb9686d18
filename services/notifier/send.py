"""Send planned deliveries: claim one, check that it is still wanted, hand it to a channel, write its result.

At most one message per delivery, plus one that was under way when a process died: its claim, renewed meanwhile, keeps other senders away,
the attempt number rejects a late result, and no transaction is open during network calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from types import MappingProxyType

from sqlalchemy.ext.asyncio import AsyncEngine

from referral.channels import Handed, Outgoing, Refused, Unreached, Unsure
from referral.channels.lane import Lane, Line
from referral.channels.message import OTHERWISE
from referral.domain.case_number import case_number
from referral.errors import Malformed
from referral.runtime import observe
from referral.runtime.background import attempt, back_off
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.postgres import database
from referral.runtime.postgres.group_commit import Together
from services.notifier import deliveries, grouping, wakeup
from services.notifier.answers import code
from services.notifier.deliveries import Claimed, DeliveryCheck
from services.notifier.delivery_results import Kind, Result, Results
from services.notifier.grouping import Ahead
from services.notifier.hush import Hush
from services.notifier.metrics import Figures
from services.notifier.steps import WAKES
from services.notifier.wakeup import Bell

GIVE_UP = 5
"""Attempts (ours) after which a message is abandoned if its sender has died in the last one: the message may be what kills senders."""
POLL_SECONDS = 1.0
"""Seconds (ours) between two looks, for all lanes together, at what no notification tells: retries fall due and leases expire."""
REST_SECONDS = 60.0
"""Longest wait of a lane (ours), should a look and a notification both have failed."""
NOTHING = Handed()
"""Of an attempt whose message nobody took."""
NOTHING_AHEAD = Ahead((), unconfirmed=True)
"""Of a message that says no number: what it says of its own question is true of all that it names."""
LOOK_SECONDS = 5.0
"""Limit of one look (ours): a connection that died silently must not keep claims from being renewed; the next look takes another one."""
CALM_SECONDS = 5.0
"""Time after a look that failed (ours) in which ended claims are left alone: the database was away, for other senders too, and each renews
its own first."""
RECORD_SECONDS = (0.2, 1.0, 3.0, 10.0)
"""Gaps between attempts to write a result while the database is away; the last one repeats."""


class Sender:
    """Sender of all channels; runs until cancelled.

    lanes: by channel, each with lines of its own. inbox: address of the sign-in page. answer: address of the page for answers, or empty.
    most: messages a day, by channel that has a cap. hush: when exercises wake nobody; None in a stack for drills alone.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        keys: Keys,
        lanes: Mapping[str, Lane],
        inbox: str,
        figures: Figures,
        answer: str = "",
        most: Mapping[str, int] = MappingProxyType({}),
        hush: Hush | None = None,
    ) -> None:
        self._engine, self._keys, self._inbox, self._answer = engine, keys, inbox, answer
        self._hush = hush
        self._contacts = keys.box(CONTACT_BOX)
        self._reading = database.single(engine)
        self._check_batched = Together(self._check_now)
        self._write_batched = Together(Results(engine, keys, figures, most).write)
        self._lanes = lanes
        self._bell = Bell(engine)
        self._held: dict[Claimed, float] = {}
        self._calm_from = float("-inf")

    async def run(self) -> None:
        """Run every lane by itself, so that none waits for another."""
        beside = [asyncio.create_task(self._bell.listen()), asyncio.create_task(self._look())]
        lanes = [asyncio.create_task(self._run(name, lane, self._bell.ear())) for name, lane in self._lanes.items()]
        try:
            done, _ = await asyncio.wait(lanes, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a lane ends by an error alone
        finally:
            for task in lanes:  # once: a second time cuts the calls that the first one lets end
                task.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)  # what is under way needs its claim until it has ended
            for task in beside:
                task.cancel()

    async def _look(self) -> None:
        """Renew what is under way, and ring when something has fallen due, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not await attempt(self._look_once, "deliveries not looked at", service="notifier"):
                self._calm_from = monotonic() + CALM_SECONDS

    async def _look_once(self) -> None:
        async with asyncio.timeout(LOOK_SECONDS), self._reading.connect() as tx:
            if self._held:
                await deliveries.renew(tx, self._held)
            ripe = await deliveries.ripe(tx)
        if ripe:
            self._bell.ring()

    async def _run(self, name: str, lane: Lane, ear: asyncio.Event) -> None:
        """Claim as many deliveries as there are free lines, each time the bell rings."""
        lines = [Line(lane) for _ in range(lane.lines)]
        idle: asyncio.Queue[Line] = asyncio.Queue()
        for line in lines:
            idle.put_nowait(line)
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                free = [await idle.get()]
                while not idle.empty():
                    free.append(idle.get_nowait())
                for delivery in await self._claim(name, len(free)):
                    work = asyncio.create_task(self._work(delivery, lane.lease, free.pop(), idle))
                    under_way.add(work)
                    work.add_done_callback(under_way.discard)
                for line in free:
                    idle.put_nowait(line)
                if free:
                    await wakeup.heard(ear, REST_SECONDS)
        finally:
            if under_way:  # a sent message without a written result would be sent again
                await asyncio.wait(under_way, timeout=lane.stop)
            await asyncio.gather(*(line.close() for line in lines))

    async def _claim(self, channel: str, most: int) -> list[Claimed]:
        try:
            async with self._reading.connect() as tx:  # one statement, which is a transaction of its own
                strays = [*self._lanes] if channel == next(iter(self._lanes)) else None  # the first lane ends deliveries without a lane
                held, lease = [c.id for c in self._held], self._lanes[channel].lease
                return await deliveries.claim(tx, channel, most, lease, strays, held, ended=monotonic() >= self._calm_from)
        except Exception as error:
            observe.log().warning("claim failed", kind=type(error).__name__)
            await asyncio.sleep(1)
            return []

    async def _work(self, claimed: Claimed, lease: float, line: Line, idle: asyncio.Queue[Line]) -> None:
        """Process one delivery from claim to result. Never raises.

        A delivery without a written result is repeated when its claim ends.
        """
        self._held[claimed] = lease
        try:
            await self._deliver(claimed, line)
        except Exception as error:
            observe.log().error("delivery failed", case_id=claimed.case_id, kind=type(error).__name__)
        finally:
            del self._held[claimed]
            idle.put_nowait(line)

    async def _deliver(self, claimed: Claimed, line: Line) -> None:
        if claimed.thrown:
            return await self._record(claimed, Kind.THROWN)
        addresses = self._addresses(claimed)
        if claimed.channel not in self._lanes or not addresses:
            here = claimed.channel in self._lanes
            return await self._record(claimed, Kind.FAILED, "no-address" if here else "no-channel")
        if claimed.lapsed and claimed.attempt > GIVE_UP:  # claimed again and again without a result
            return await self._record(claimed, Kind.FAILED, "gave-up")
        try:
            if (
                claimed.attempt > 1
                and (check := await self._check_batched(claimed))
                and check.held
                and (end := _end(check)) not in (None, Kind.HELD)
            ):
                return await self._record(claimed, end, leaves=check.leaves)  # even if the channel's server is away
            await line.open()
            check = await self._check_batched(claimed)
            if check is None or not check.held:
                return None
            if (end := _end(check)) is not None:
                return await self._record(claimed, end, leaves=check.leaves)
            ahead = await self._ahead(claimed, check.now)
            handed = await self._hand_over(claimed, addresses, line, check, ahead or NOTHING_AHEAD)
        except Refused as refused:
            return await self._record(claimed, Kind.FAILED, str(refused))
        except Unreached as away:
            return await self._record(claimed, Kind.UNSURE if isinstance(away, Unsure) else Kind.LATER, str(away))
        return await self._record(claimed, Kind.SENT, handed=handed, carried=ahead.ids if ahead else None)

    async def _ahead(self, claimed: Claimed, now: int) -> Ahead | None:
        """Return what an SMS or a call will stand for besides, which it says; None: a message that says no number."""
        if claimed.channel not in WAKES:
            return None
        async with self._reading.connect() as tx:
            return await grouping.ahead(tx, claimed, now)

    async def _hand_over(self, claimed: Claimed, addresses: Sequence[str], line: Line, check: DeliveryCheck, ahead: Ahead) -> Handed:
        """Send one message to each address, the former one first, until somebody presses a key. It is enough that one takes it."""
        handed: list[Handed] = []
        failed: list[Refused | Unreached] = []
        for number, address in enumerate(addresses):
            try:
                if number:
                    later = await self._check_batched(claimed)  # a call took its time
                    if later is None or not later.held or _end(later) is not None:
                        break
                    await line.open()
                handed.append(await line.send(self._outgoing(claimed, address, check, ahead)))
                if handed[-1].word is not None:
                    break
            except (Refused, Unreached) as error:
                failed.append(error)
        if not handed:
            raise next((error for error in failed if isinstance(error, Unreached)), failed[0])
        return handed[-1]

    def _outgoing(self, claimed: Claimed, address: str, check: DeliveryCheck, ahead: Ahead) -> Outgoing:
        return Outgoing(
            address=address,
            reference=claimed.reference,
            code=code(self._keys, claimed.reference),
            language=claimed.language or OTHERWISE,
            drill=claimed.drill,
            inbox=self._inbox,
            answer=self._answer,
            at=check.now,
            case=case_number(claimed.case_id),
            waiting=1 + len(ahead.ids),
            urgent=check.urgent,
            unconfirmed=check.unconfirmed and ahead.unconfirmed,
        )

    def _addresses(self, claimed: Claimed) -> list[str]:
        """Return where a message goes: the address before a change, while it counts, and the present one."""
        found = []
        for sealed in (claimed.former, claimed.address):
            with suppress(Malformed):
                if sealed is not None:
                    found.append(self._contacts.open(sealed, contact_context(claimed.person, claimed.channel)).decode())
        return found

    async def _check_now(self, claimed: Sequence[Claimed]) -> list[DeliveryCheck | None]:
        async with self._reading.connect() as tx:
            checks = await deliveries.check(tx, claimed, self._hush)
            if any(check is not None and not check.held for check in checks):  # the database was away, and nobody has taken over
                await deliveries.renew(tx, self._held)
                checks = await deliveries.check(tx, claimed, self._hush)
            return checks

    async def _record(
        self,
        claimed: Claimed,
        kind: Kind,
        reason: str = "",
        handed: Handed = NOTHING,
        leaves: int = 0,
        carried: tuple[int, ...] | None = None,
    ) -> None:
        """Write the result, however long the database is away: without it, a sent message would be sent once more."""
        for pause in back_off(RECORD_SECONDS):
            try:
                await self._write_batched(Result(claimed, kind, reason, handed.word, handed.provider, leaves, carried))
                return
            except Exception as error:
                if pause == RECORD_SECONDS[-1] and not database.away(error):
                    raise
                observe.log().warning("result not written", kind=type(error).__name__)
                await asyncio.sleep(pause)


def _end(check: DeliveryCheck) -> Kind | None:
    """Return why a message must not be sent now; None: it may be sent."""
    if check.paused:
        return Kind.HELD
    if not check.open:
        return Kind.UNWANTED
    if not check.wanted:
        return Kind.LEFT
    return Kind.EARLY if check.leaves > check.now else None
