"""A knock goes to whoever is on duty at the moment: not to who has left, and to who comes on, at once."""

from __future__ import annotations

from datetime import datetime

from referral.domain.durations import SECOND_US
from referral.domain.events import KnockFailed, KnockSent, OfferEscalated, RungFailed
from referral.domain.local_time import LOCAL
from referral.roster import changes as roster
from services.notifier import blame
from tests.harness import smtp
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until
from tests.integration.notifier.test_fails import attempts

HOUR = 60 * MINUTE


async def now(notifier: Stack) -> int:
    return int((await notifier.rows("SELECT runtime.clock() AS now"))[0].now)


async def on_duty(notifier: Stack, name: str, starts: int, ends: int) -> str:
    """Somebody of the rung with one shift, in µs from now."""
    account, at = await notifier.person(name), await now(notifier)
    sql = "INSERT INTO notifier.single (account, agency, rung, starts, ends) VALUES (:account, 'police', 'duty', :starts, :ends)"
    await notifier.rows(sql, account=account, starts=at + starts, ends=at + ends)
    return account


async def knocked(notifier: Stack) -> list[str]:
    return [k.person for k in of(await notifier.drain(), KnockSent)]


class Busy:
    """A relay that asks to come back later. tries: how often it was asked, which is more than once where the machine is slow."""

    def __init__(self) -> None:
        self.tries = 0

    async def __call__(self, server: object, address: str) -> str:
        self.tries += 1
        return await smtp.later(server, address)


async def test_a_retry_goes_to_whoever_has_come_on_and_not_to_who_has_left(notifier: Stack, relay: smtp.Relay) -> None:
    await on_duty(notifier, "leaves", -HOUR, 2 * MINUTE)
    comes = await on_duty(notifier, "comes", 2 * MINUTE, HOUR)
    case, relay.recipient = await notifier.case(), (busy := Busy())
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, opened(due=await now(notifier) + 24 * HOUR))
        await until(lambda: attempts(notifier, 1))
        assert notifier.alarms[case] is not None and notifier.alarms[case] <= await now(notifier) + 2 * MINUTE, (
            "the shift's start is an alarm"
        )
        relay.recipient = smtp.accept
        await notifier.advance(2 * MINUTE)
        await until(lambda: ended(notifier, 1))
        await notifier.due(case)
        await until(lambda: ended(notifier, 2))
    assert await knocked(notifier) == [comes]
    assert relay.recipients == ["marker.comes@police.example"]
    assert [(e.reason, e.attempts) for e in of(notifier.said, KnockFailed)] == [("server-busy", busy.tries)]


async def test_whoever_comes_on_is_knocked_at_the_start_of_the_shift_and_nobody_twice(notifier: Stack, relay: smtp.Relay) -> None:
    first = await on_duty(notifier, "first", -HOUR, HOUR)
    second = await on_duty(notifier, "second", 10 * MINUTE, HOUR)
    case = await notifier.case()
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, opened(due=await now(notifier) + 24 * HOUR))
        await relay.got(1)
        await notifier.advance(10 * MINUTE)
        await notifier.due(case)
        await relay.got(2)
        await until(lambda: ended(notifier, 2))
    assert await knocked(notifier) == [first, second]


async def test_an_absence_told_to_one_who_was_told_already_wakes_another(notifier: Stack, relay: smtp.Relay) -> None:
    absent, other = await notifier.person("a"), await notifier.person("b")
    async with notifier.change() as tx:
        await roster.add_absence(tx, account=other, begin="2020-01-01 00:00", end="2090-01-01 00:00")
    case = await notifier.case()
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, opened())
        await relay.got(1)
        await until(lambda: ended(notifier, 1))
        async with notifier.change() as tx:
            await roster.add_absence(tx, account=absent, begin="2020-01-01 00:00", end="2090-01-01 00:00")
            ((number,),) = await notifier.rows("SELECT id FROM notifier.absence")
            await roster.end(tx, "absence", number)
        await alarm(notifier, case)
        await relay.got(2)
        await until(lambda: ended(notifier, 2))
    assert await knocked(notifier) == [absent, other]
    assert of(notifier.said, RungFailed) == []


async def alarm(notifier: Stack, case: str) -> None:
    """The alarm that a change of the roster has set goes off."""
    rows = await notifier.rows("SELECT at FROM notifier.alarm WHERE case_id = :case", case=case)
    notifier.alarms[case] = rows[0].at
    await notifier.due(case)


async def test_where_only_the_disabled_one_was_told_the_rung_fails_at_once(notifier: Stack, relay: smtp.Relay) -> None:
    gone = await notifier.person("a")
    case = await notifier.case()
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, opened())
        await relay.got(1)
        await until(lambda: ended(notifier, 1))
        async with notifier.change() as tx:
            await roster.set_disabled(tx, gone, True)
        await alarm(notifier, case)
    assert [(e.rung, e.reason) for e in of(await notifier.drain(), RungFailed)] == [(0, "nobody-on-duty")]


async def test_a_shift_that_ends_takes_nobodys_answer_away(notifier: Stack, relay: smtp.Relay) -> None:
    account = await notifier.person("a")
    at = await now(notifier)
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[datetime.fromtimestamp(at / 1e6, LOCAL).weekday()]
    async with notifier.change() as tx:
        await roster.add_shift(tx, account=account, rung="duty", written=f"{day} 00:00-24:00")
    case = await notifier.case()
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, opened(due=at + 60 * 24 * HOUR))
        await relay.got(1)
        await until(lambda: ended(notifier, 1))
    await notifier.advance(26 * HOUR)
    await notifier.due(case)
    assert of(await notifier.drain(), RungFailed) == [], "whoever was told may still answer; the next round finds the hole"


async def test_one_who_comes_back_before_the_next_round_is_knocked_after_all(notifier: Stack, relay: smtp.Relay) -> None:
    account, relay.recipient = await notifier.person("a"), smtp.later
    case = await notifier.case()
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, opened())
        await until(lambda: attempts(notifier, 1))
        async with notifier.change() as tx:
            await roster.set_disabled(tx, account, True)
        await notifier.advance(int(blame.FIRST_SECONDS) * SECOND_US)
        await until(lambda: ended(notifier, 1))
        relay.recipient = smtp.accept
        async with notifier.change() as tx:
            await roster.set_disabled(tx, account, False)
        await alarm(notifier, case)
        await relay.got(1)
        await until(lambda: ended(notifier, 1))
    assert await knocked(notifier) == [account]


async def test_what_was_tried_and_is_overtaken_by_an_escalation_is_said(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    await notifier.person("b", rung="back-up")
    case, offer, relay.recipient = await notifier.case(), opened(), (busy := Busy())
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await until(lambda: attempts(notifier, 1))
        relay.recipient = smtp.accept
        await notifier.tell(case, OfferEscalated(why=WHY, offer_id=offer.offer_id, rung=1, due=None, due_what=""))
        await until(lambda: ended(notifier, 2))
    assert [(e.rung, e.reason, e.attempts) for e in of(await notifier.drain(), KnockFailed)] == [(0, "server-busy", busy.tries)]
    assert await notifier.rows("SELECT 1 FROM notifier.delivery WHERE state = 'DROPPED' AND ended_at IS NULL") == []


async def test_an_attempt_that_fails_after_it_was_overtaken_is_said(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    await notifier.person("b", rung="back-up")
    case, offer = await notifier.case(), opened()

    async def overtaken(server: object, address: str) -> str:
        relay.data = smtp.accept
        await notifier.tell(case, OfferEscalated(why=WHY, offer_id=offer.offer_id, rung=1, due=None, due_what=""))
        return "451 come back later"

    relay.data = overtaken
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await until(lambda: ended(notifier, 2))
    assert [(e.rung, e.reason, e.attempts) for e in of(await notifier.drain(), KnockFailed)] == [(0, "server-busy", 1)]
    assert await notifier.rows("SELECT 1 FROM notifier.delivery WHERE state = 'DROPPED' AND ended_at IS NULL") == []
