"""What nobody waits for any more does not leave: answered, paused, thrown away, or its reader must not hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import How, KnockFailed, KnockSent, OfferAcknowledged, OfferClosed, OfferEscalated, RosterChanged, RungFailed
from referral.roster import changes as roster
from services.notifier import deliveries
from tests.harness import smtp
from tests.harness.line.notifier_stack import WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    "end",
    [
        OfferAcknowledged(why=WHY, offer_id="", due=None, due_what=""),
        OfferClosed(why=WHY, offer_id="", how=How.DECLINED_BY_AGENCY, reason=""),
        OfferEscalated(why=WHY, offer_id="", rung=1, due=None, due_what=""),
    ],
)
async def test_what_is_answered_between_claim_and_sending_does_not_leave(notifier: Stack, relay: smtp.Relay, end: object) -> None:
    await notifier.person("a")
    case, offer = await notifier.case(), opened()
    knocked, go = asyncio.Event(), asyncio.Event()

    async def gate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocked.set()
        await go.wait()
        inner, outer = await asyncio.open_connection("127.0.0.1", relay.port)
        await asyncio.gather(pipe(reader, outer), pipe(inner, writer))

    server = await asyncio.start_server(gate, "127.0.0.1", 0)
    async with sending(notifier.sender(server.sockets[0].getsockname()[1])):
        await notifier.tell(case, offer)
        await until(knocked.is_set)
        await notifier.tell(case, replace(end, offer_id=offer.offer_id))  # type: ignore[type-var]
        go.set()
        await until(lambda: ended(notifier, 1))
    server.close()
    assert relay.letters == []
    assert await notifier.states() == ["DROPPED"]
    assert of(await notifier.drain(), KnockSent) == []


async def test_pausing_holds_everything_back_and_resuming_sends_what_is_still_wanted(
    notifier: Stack, relay: smtp.Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    claim = deliveries.claim

    async def counted(
        tx: AsyncConnection, channel: str, most: int, lease: float, known: Sequence[str] | None, held: Sequence[int], *, ended: bool
    ) -> list[deliveries.Claimed]:
        looks.append(most)
        return await claim(tx, channel, most, lease, known, held, ended=ended)

    async def looked() -> bool:
        return len(looks) > planned_at + 3

    monkeypatch.setattr(deliveries, "claim", counted)
    await notifier.person("a")
    case, over, wanted = await notifier.case(), opened(), opened()
    async with notifier.admin.begin() as tx:
        await roster.pause(tx, "storm")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, over, wanted)
        await notifier.tell(case, OfferAcknowledged(why=WHY, offer_id=over.offer_id, due=None, due_what=""))
        planned_at = len(looks)
        await until(looked)
        assert relay.letters == []
        async with notifier.admin.begin() as tx:
            await roster.resume(tx)
        await relay.got(1)
        await until(lambda: ended(notifier, 2))
    assert sorted(await notifier.states()) == ["DROPPED", "SENT"]


async def test_what_an_operator_throws_away_is_said_of_each_and_the_next_rung_is_asked(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    case, offer = await notifier.case(), opened()
    async with notifier.change() as tx:
        await roster.pause(tx, "storm")
    await notifier.tell(case, offer)
    async with notifier.change() as tx:
        await roster.resume(tx)
        await roster.drop(tx)
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 1))
    said = await notifier.drain()
    assert [(e.offer_id, e.reason, e.attempts) for e in of(said, KnockFailed)] == [(offer.offer_id, "thrown-away", 0)]
    assert [(e.offer_id, e.rung) for e in of(said, RungFailed)] == [(offer.offer_id, 0)]
    assert [([(r.part, r.ended) for r in e.rows], e.thrown_away) for e in of(said, RosterChanged)] == [
        ([("pause", False)], 0),
        ([("pause", True)], 1),
    ]
    assert (relay.letters, await notifier.states()) == ([], ["DROPPED"])
    assert await notifier.rows("SELECT 1 FROM notifier.delivery WHERE ended_at IS NULL") == []
