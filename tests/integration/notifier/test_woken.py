"""Somebody is woken: the e-mail, the SMS, the telephone until a key is pressed, and what becomes of an answer. On a real database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from referral.channels import Handed, Outgoing, Refused, Unreached, Word
from referral.channels.lane import Lane
from referral.domain.events import (
    How,
    KnockAnswered,
    KnockFailed,
    KnockSent,
    OfferAccepted,
    OfferAcknowledged,
    OfferClosed,
    OfferReopened,
    RungFailed,
)
from referral.roster import changes as roster
from services.notifier.plan import LAST_CALL
from services.notifier.send import Sender
from tests.harness.line.notifier_stack import WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until

MINUTE = 60 * 1_000_000
NUMBER = {"besa": "+38344000001", "agim": "+38344000002"}
SINGLE = "INSERT INTO notifier.single (account, agency, rung, starts, ends) VALUES (:a, 'police', 'duty', :s, :e)"
WANTED = "SELECT 1 FROM notifier.delivery d JOIN notifier.asked a ON a.id = d.asked WHERE d.state = 'WAITING' AND a.state = 'OPEN'"


@dataclass
class Phone:
    """A made-up telephone line: what is handed over, and what each number does when it rings; the last action goes on for ever."""

    does: dict[str, list[Word | Exception]] = field(default_factory=dict)
    taken: list[Outgoing] = field(default_factory=list)
    ringing: dict[str, int] = field(default_factory=dict)
    most: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    async def open(self) -> None:
        return

    async def send(self, out: Outgoing) -> Handed:
        self.taken.append(out)
        self.ringing[out.address] = self.ringing.get(out.address, 0) + 1
        self.most = max(self.most, self.ringing[out.address])
        try:
            await self.hold.wait()
        finally:
            self.ringing[out.address] -= 1
        acts = self.does.get(out.address, [])
        act = acts.pop(0) if len(acts) > 1 else acts[0] if acts else None
        if isinstance(act, Exception):
            raise act
        return Handed(act)

    async def close(self) -> None:
        return

    def calls(self, name: str) -> int:
        return sum(out.address == NUMBER[name] for out in self.taken)


def lanes(notifier: Stack, **phones: Phone) -> Sender:
    return notifier.sender_of({name: Lane(lambda phone=phone: phone, 30) for name, phone in phones.items()})  # type: ignore[misc]


async def officer(notifier: Stack, name: str, *channels: str) -> str:
    account = await notifier.person(name, email=False)
    async with notifier.admin.begin() as tx:
        numbers = dict.fromkeys(channels, NUMBER[name])
        await roster.add_person(tx, notifier.keys, account=account, agency="police", rungs=["duty"], **numbers)
    return account


async def soon(notifier: Stack, minutes: int = 15) -> int:
    return await notifier.now() + minutes * MINUTE


async def put_off(notifier: Stack, reason: str) -> bool:
    return bool(await notifier.rows("SELECT 1 FROM notifier.delivery WHERE reason = :reason AND lease_until IS NULL", reason=reason))


async def test_the_telephone_rings_after_two_minutes_and_again_until_a_key_is_pressed(notifier: Stack) -> None:
    besa = await officer(notifier, "besa", "sms", "voice")
    sms, voice = Phone(), Phone({NUMBER["besa"]: [Unreached("no-key"), Word.LOOKS]})
    offer = opened(due=await soon(notifier))
    async with sending(lanes(notifier, sms=sms, voice=voice)):
        await notifier.tell(await notifier.case(), offer)
        await until(lambda: sms.calls("besa") == 1)
        assert voice.taken == []
        await notifier.advance(2 * MINUTE)
        await until(lambda: voice.calls("besa") == 1)
        await until(lambda: put_off(notifier, "no-key"))
        await notifier.advance(3 * MINUTE)
        await until(lambda: ended(notifier, 2))
    said = await notifier.drain()
    assert [(k.person, k.channel, k.word, k.offer_id) for k in of(said, KnockAnswered)] == [(besa, "voice", "LOOKS", offer.offer_id)]
    assert [k.channel for k in of(said, KnockSent)] == ["sms", "voice"] and of(said, RungFailed) == []
    (asked,) = await notifier.rows("SELECT state FROM notifier.asked")
    assert asked.state == "ANSWERED", "nobody is called again while routing has not said so"


async def test_an_answer_in_the_inbox_ends_what_was_still_to_ring(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms", "voice")
    sms, voice = Phone(), Phone()
    case, offer = await notifier.case(), opened(due=await soon(notifier))
    async with sending(lanes(notifier, sms=sms, voice=voice)):
        await notifier.tell(case, offer)
        await until(lambda: sms.calls("besa") == 1)
        await notifier.tell(case, OfferAcknowledged(why=WHY, offer_id=offer.offer_id, by=None, due=None, due_what=""))
        await notifier.advance(5 * MINUTE)
        await until(lambda: ended(notifier, 2))
    assert (sorted(await notifier.states()), voice.taken) == (["DROPPED", "SENT"], [])


async def test_a_wrong_number_brings_the_next_channel_at_once_and_then_the_next_rung(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms", "voice")
    sms, voice = Phone({NUMBER["besa"]: [Refused("wrong-number")]}), Phone({NUMBER["besa"]: [Refused("wrong-number")]})
    offer = opened(due=await soon(notifier))
    async with sending(lanes(notifier, sms=sms, voice=voice)):
        await notifier.tell(await notifier.case(), offer)
        await until(lambda: ended(notifier, 2))
    said = await notifier.drain()
    assert [(k.channel, k.reason) for k in of(said, KnockFailed)] == [("sms", "wrong-number"), ("voice", "wrong-number")]
    assert [(k.offer_id, k.reason) for k in of(said, RungFailed)] == [(offer.offer_id, "all-channels-failed")]


async def test_five_calls_without_a_key_and_the_rung_has_failed(notifier: Stack) -> None:
    await officer(notifier, "besa", "voice")
    voice = Phone({NUMBER["besa"]: [Unreached("rings-out")]})
    async with sending(lanes(notifier, voice=voice)):
        await notifier.tell(await notifier.case(), opened(due=await soon(notifier, 90)))
        await notifier.advance(2 * MINUTE)
        for count in range(1, 6):
            await until(lambda count=count: voice.calls("besa") == count)
            if count < 5:
                await until(lambda: put_off(notifier, "rings-out"))
                await notifier.advance(3 * MINUTE)
        await until(lambda: ended(notifier, 1))
    said = await notifier.drain()
    assert [(k.reason, k.attempts) for k in of(said, KnockFailed)] == [("rings-out", 5)]
    assert [k.reason for k in of(said, RungFailed)] == ["all-channels-failed"]


async def test_a_reminder_that_reaches_nobody_fails_no_rung_and_leaves_the_last_one(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms")
    sms = Phone({NUMBER["besa"]: [Unreached("server-away")]})
    case, offer = await notifier.case(), opened(due=await soon(notifier))
    async with sending(lanes(notifier, sms=sms)):
        await notifier.tell(case, offer)
        await until(lambda: put_off(notifier, "server-away"))
        due = await soon(notifier, 60)
        await notifier.tell(case, OfferAcknowledged(why=WHY, offer_id=offer.offer_id, by=None, due=due, due_what="accept"))
        sms.does[NUMBER["besa"]] = [Refused("wrong-number")]
        await notifier.advance(31 * MINUTE)
        await notifier.due(case)
        await until(lambda: ended(notifier, 2))
    assert of(await notifier.drain(), RungFailed) == []
    (asked,) = await notifier.rows("SELECT next_at FROM notifier.asked")
    assert asked.next_at == due - LAST_CALL


async def test_a_done_that_is_taken_back_is_reminded_of_before_its_limit(notifier: Stack) -> None:
    await officer(notifier, "besa", "sms")
    case, offer = await notifier.case(), opened(due=await soon(notifier))
    due = await soon(notifier, 60)
    taken = OfferAccepted(why=WHY, offer_id=offer.offer_id, by=None, late=False, due=due, due_what="complete")
    await notifier.tell(case, offer, taken)
    await notifier.tell(case, OfferClosed(why=WHY, offer_id=offer.offer_id, how=How.COMPLETED, reason=""))
    again = {"track_id": case, "step": "health", "arrived": False, "done_at": None}
    await notifier.tell(case, OfferReopened(why=WHY, offer_id=offer.offer_id, by=None, due=due, due_what="complete", **again))
    (asked,) = await notifier.rows("SELECT state, taken, closed_at, next_at FROM notifier.asked")
    assert (asked.state, asked.taken, asked.closed_at) == ("ANSWERED", True, None) and asked.next_at < due
    sms = Phone({})
    async with sending(lanes(notifier, sms=sms)):
        await notifier.advance(31 * MINUTE)
        await notifier.due(case)
        await until(lambda: sms.calls("besa") == 1)


async def test_i_cannot_by_everybody_fails_the_rung_at_once(notifier: Stack) -> None:
    await officer(notifier, "besa", "voice")
    await officer(notifier, "agim", "voice")
    voice = Phone({number: [Word.CANNOT] for number in NUMBER.values()})
    async with sending(lanes(notifier, voice=voice)):
        await notifier.tell(await notifier.case(), opened(due=await soon(notifier)))
        await notifier.advance(2 * MINUTE)
        await until(lambda: ended(notifier, 2))
    said = await notifier.drain()
    assert [k.word for k in of(said, KnockAnswered)] == ["CANNOT", "CANNOT"]
    assert [k.reason for k in of(said, RungFailed)] == ["all-cannot"]


async def test_a_shift_that_ends_before_the_telephone_rings_takes_the_call_to_the_next(notifier: Stack) -> None:
    """Handover in the middle of a knock: the SMS went to who was on duty, the call goes to who is."""
    besa, agim = await officer(notifier, "besa", "sms", "voice"), await officer(notifier, "agim", "voice")
    begin = await notifier.now() - MINUTE
    for account, starts, ends in ((besa, begin, begin + 2 * MINUTE), (agim, begin + 2 * MINUTE, begin + 600 * MINUTE)):
        await notifier.rows(SINGLE, a=account, s=starts, e=ends)
    sms, voice = Phone(), Phone({NUMBER["agim"]: [Word.LOOKS]})
    case = await notifier.case()
    async with sending(lanes(notifier, sms=sms, voice=voice)):
        await notifier.tell(case, opened(due=await soon(notifier)))
        await until(lambda: sms.calls("besa") == 1)
        await notifier.advance(MINUTE + MINUTE // 2)  # her shift has ended, and no call is due that the sender would look at meanwhile
        await notifier.due(case)
        await notifier.advance(2 * MINUTE)
        await until(lambda: voice.calls("agim") == 1)
        await until(lambda: ended(notifier, 3))
    assert voice.calls("besa") == 0
    assert [k.person for k in of(await notifier.drain(), KnockAnswered)] == [agim]


async def test_a_thousand_offers_one_officer(notifier: Stack) -> None:
    """One call under way, one SMS a minute and five in a quarter of an hour, the first at once, and every offer's knock is said."""
    await officer(notifier, "besa", "sms", "voice")
    sms, voice = Phone(), Phone({NUMBER["besa"]: [Word.LOOKS]})
    voice.hold.clear()
    due = await soon(notifier)
    offers = [opened(due=due) for _ in range(1000)]
    case = await notifier.case()
    async with sending(lanes(notifier, sms=sms, voice=voice)):
        await notifier.tell(case, offers[0])
        await until(lambda: sms.calls("besa") == 1)
        await notifier.tell(case, *offers[1:])
        await notifier.advance(2 * MINUTE)
        await until(lambda: voice.calls("besa") == 1)
        await until(lambda: sms.calls("besa") == 2)
        await until(lambda: carried(notifier), what="the second SMS carries them all")
        assert voice.calls("besa") == 1
        voice.hold.set()
        await until(lambda: answered(notifier, len(offers)))
        said = await notifier.drain()
        await until(lambda: quiet(notifier))
    assert {k.offer_id for k in of(said, KnockAnswered)} == {offer.offer_id for offer in offers}
    assert {k.offer_id for k in of(said, KnockSent) if k.channel == "voice"} == {offer.offer_id for offer in offers}
    assert (voice.most, voice.calls("besa")) == (1, 1)


async def carried(notifier: Stack) -> bool:
    return not await notifier.rows("SELECT 1 FROM notifier.delivery WHERE channel = 'sms' AND state = 'WAITING'")


async def answered(notifier: Stack, count: int) -> bool:
    (row,) = await notifier.rows("SELECT count(*) AS n FROM notifier.queue WHERE type = 'knock-answered.v1'")
    return bool(row.n == count)


async def quiet(notifier: Stack) -> bool:
    """Whether nothing waits for a question that is still open."""
    return not await notifier.rows(WANTED)
