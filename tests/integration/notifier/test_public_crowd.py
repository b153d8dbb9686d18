"""Many reports from the public page at once: the officer of the desk is woken once, and nothing is lost."""

from __future__ import annotations

import uuid

import pytest

from referral.domain.events import KnockSent, NeedsPerson, PersonNotNeeded
from services.intake.public.limits import CROWD_IN_ALL
from services.notifier.crowd import GATHER
from tests.harness import smtp
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack, ended, of, sending
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
DAY = 24 * 60 * MINUTE


def report(due: int, desk: str = "desk", task_id: str | None = None, rung: int = 0) -> NeedsPerson:
    """A task to confirm what nobody vouches for."""
    task = task_id or str(uuid.uuid4())
    return NeedsPerson(why=WHY, task_id=task, desk=desk, about="confirm-referral", step="", seat=-1, rung=rung, due=due)


async def sent(notifier: Stack, count: int) -> bool:
    return (await notifier.states()).count("SENT") == count


async def test_a_crowd_wakes_the_desk_once(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("d", agency="desk", rung="desk")
    await notifier.person("e", agency="above", rung="desk")
    cases = [(await notifier.case(), report(await notifier.now() + 15 * MINUTE)) for _ in range(CROWD_IN_ALL)]
    async with sending(notifier.sender(relay.port)):
        for case, task in cases:
            await notifier.tell(case, task)
        await until(lambda: sent(notifier, 1))
        assert len(await notifier.states()) == CROWD_IN_ALL, "each has its knock, which waits"
        await notifier.advance(GATHER - MINUTE)
        for case, task in cases:
            await notifier.tell(case, report(await notifier.now() + 15 * MINUTE, "above", task.task_id, rung=1))
        await until(lambda: sent(notifier, 2))
    knocks = of(await notifier.drain(), KnockSent)
    assert len(relay.letters) == 2, "the desk once, and once the body above it that got them all a quarter of an hour later"
    assert {knock.task_id for knock in knocks} == {cases[0][1].task_id}


async def test_what_was_held_back_leaves_after_a_quarter_of_an_hour(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("d", agency="desk", rung="desk")
    async with sending(notifier.sender(relay.port)):
        for _ in range(3):
            await notifier.tell(await notifier.case(), report(await notifier.now() + 60 * MINUTE))
        await until(lambda: sent(notifier, 1))
        await notifier.advance(GATHER + MINUTE)
        await until(lambda: ended(notifier, 3))
    assert len(of(await notifier.drain(), KnockSent)) == 3, "each case's log says that somebody was told"


@pytest.mark.parametrize("how", ["settled", "another desk", "a drill", "quieter before"])
async def test_nothing_else_holds_a_knock_back(notifier: Stack, relay: smtp.Relay, how: str) -> None:
    await notifier.by_day()
    await notifier.person("d", agency="desk", rung="desk")
    await notifier.person("o", agency="other", rung="desk")
    due, case = await notifier.now() + 15 * MINUTE, await notifier.case()
    first = report(await notifier.now() + DAY if how == "quieter before" else due, "other" if how == "another desk" else "desk")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, first, drill=how == "a drill")
        await until(lambda: sent(notifier, 1))
        if how == "settled":
            await notifier.tell(case, PersonNotNeeded(why=WHY, task_id=first.task_id, how="refused"))
        await notifier.tell(await notifier.case(), report(due))
        await until(lambda: sent(notifier, 2))
    assert len(relay.letters) == 2
