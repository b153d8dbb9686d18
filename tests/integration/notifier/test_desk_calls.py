"""A desk's telephone task names the offer that it is for, and is a question of its own: the desk is knocked, and the offer stays."""

from __future__ import annotations

import uuid

import pytest

from referral.domain.events import KnockSent, NeedsPerson, Reach
from tests.harness import smtp
from tests.harness.line.notifier_stack import WHY, Stack, ended, of, opened, sending
from tests.harness.waiting import until


def call(offer_id: str, about: str, rung: int = 0, task_id: str | None = None) -> NeedsPerson:
    task = task_id or str(uuid.uuid4())
    return NeedsPerson(why=WHY, task_id=task, desk="desk", about=about, step="police", seat=0, rung=rung, due=None, offer_id=offer_id)


@pytest.mark.parametrize(("about", "reach"), [("call", Reach.PHONE), ("tell", Reach.PHONE), ("not-told", Reach.WEB)])
async def test_the_desk_is_knocked_for_its_call_and_at_each_repeat(notifier: Stack, relay: smtp.Relay, about: str, reach: Reach) -> None:
    desk = await notifier.person("d", agency="desk", rung="desk")
    case, offer = await notifier.case(), opened(reach=reach, agency="away")
    asked = call(offer.offer_id, about)
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer, asked)
        await until(lambda: ended(notifier, 1))
        await notifier.tell(case, call(offer.offer_id, about, rung=1, task_id=asked.task_id))
        await until(lambda: ended(notifier, 2))
    knocks = of(await notifier.drain(), KnockSent)
    assert [(k.offer_id, k.task_id, k.person) for k in knocks] == [(None, asked.task_id, desk)] * 2
    rows = await notifier.rows("SELECT id, agency, task FROM notifier.asked WHERE NOT task")
    assert [(row.id, row.agency) for row in rows] == ([] if reach is Reach.PHONE else [(offer.offer_id, "away")])
