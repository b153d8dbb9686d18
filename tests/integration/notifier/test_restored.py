"""After a restore of the database, the log says who has answered: nobody of them is knocked again, and nothing that was said is lost."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from referral.channels import Word
from referral.domain.events import KnockAnswered, KnockDelivered, KnockFailed, KnockSent, NeedsPerson
from referral.runtime.recovery.topic_snapshot import Tape, Taped
from referral.wire import codec, seal
from referral.wire.seal import Meta
from services.notifier import deliveries, store
from services.notifier.recover import TOPIC, hook
from tests.harness.line.notifier_stack import MINUTE, WHY, Stack, opened

HOUR = 60 * MINUTE


def knock(kind: Any, asked: str, person: str, *, task: bool = False, again: int = 0, rung: int = 0, at: int = 1, **more: Any) -> Any:
    about = {"offer_id": None if task else asked, "task_id": asked if task else None}
    reference = {} if kind is KnockFailed else {"reference": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{asked} {person} {again}"))}
    number = {} if kind is KnockAnswered else {"again": again}
    return kind(**about, rung=rung, person=person, channel="email", at=at, **number, **reference, **more)


async def say(notifier: Stack, case: str, *events: Any) -> None:
    """Write the own topic's events back, as `recover` does."""
    async with notifier.engine.begin() as tx:
        await store.said(tx, [(case, event) for event in events])


async def planned(notifier: Stack) -> list[str]:
    return [row.person for row in await notifier.rows("SELECT person FROM notifier.delivery WHERE state = 'WAITING' ORDER BY id")]


async def question(notifier: Stack) -> Any:
    (row,) = await notifier.rows("SELECT * FROM notifier.asked")
    return row


async def test_whoever_cannot_is_not_called_again_and_the_other_one_is(notifier: Stack) -> None:
    besa, agim = await notifier.person("besa"), await notifier.person("agim")
    case, offer = await notifier.case(), opened(due=await notifier.now() + HOUR)
    sent = [knock(KnockSent, offer.offer_id, person) for person in (besa, agim)]
    await say(notifier, case, *sent, knock(KnockAnswered, offer.offer_id, besa, word=Word.CANNOT))
    await notifier.tell(case, offer, age=MINUTE)  # the offer is read again from the log
    await notifier.due(case)
    assert await planned(notifier) == [] and (await question(notifier)).cannot == [besa]
    await notifier.advance(HOUR // 2)
    await notifier.due(case)
    assert await planned(notifier) == [agim]


async def test_all_who_cannot_fail_the_rung_after_a_restore_too(notifier: Stack) -> None:
    besa = await notifier.person("besa")
    case, offer = await notifier.case(), opened()
    await say(notifier, case, knock(KnockSent, offer.offer_id, besa), knock(KnockAnswered, offer.offer_id, besa, word=Word.CANNOT))
    await notifier.tell(case, offer, age=MINUTE)
    await notifier.due(case)
    assert await planned(notifier) == [] and [event.reason for event in notifier.said] == ["all-cannot"]


async def test_an_answered_round_of_a_desks_task_is_not_sent_again_and_the_next_repeat_is(notifier: Stack) -> None:
    besa, agim = await notifier.person("besa", agency="desk"), await notifier.person("agim", agency="desk")
    case, task = await notifier.case(), str(uuid.uuid4())
    needs = NeedsPerson(why=WHY, task_id=task, desk="desk", about="no-candidate", step="", seat=-1, rung=0, due=None)
    await say(notifier, case, knock(KnockSent, task, besa, task=True), knock(KnockAnswered, task, besa, task=True, word=Word.LOOKS))
    await notifier.tell(case, needs, age=MINUTE)
    await notifier.due(case)
    assert await planned(notifier) == [] and (await question(notifier)).state == "ANSWERED", "agim was not told: besa looks"
    await notifier.tell(case, needs)
    assert sorted(await planned(notifier)) == sorted([besa, agim])


async def test_who_could_not_is_asked_again_by_the_next_repeat_of_a_desks_task(notifier: Stack) -> None:
    besa = await notifier.person("besa", agency="desk")
    case, task = await notifier.case(), str(uuid.uuid4())
    needs = NeedsPerson(why=WHY, task_id=task, desk="desk", about="no-candidate", step="", seat=-1, rung=2, due=None)
    sent = {"task": True, "rung": 2}
    await say(notifier, case, knock(KnockSent, task, besa, **sent), knock(KnockAnswered, task, besa, **sent, word=Word.CANNOT))
    await notifier.tell(case, needs, age=MINUTE)
    await notifier.due(case)
    assert await planned(notifier) == [] and (await question(notifier)).cannot == [besa]
    await notifier.tell(case, needs)
    assert await planned(notifier) == [besa] and (await question(notifier)).cannot == []
    (delivery,) = await notifier.rows("SELECT id FROM notifier.delivery WHERE state = 'WAITING'")
    async with notifier.engine.begin() as tx:
        (claimed,) = await deliveries.claim(tx, "email", 1, 60)
        (check,) = await deliveries.check(tx, [claimed])
    assert claimed.id == delivery.id and check is not None and check.wanted


@pytest.mark.parametrize("word", Word)
async def test_a_copy_from_before_the_answer_learns_it_before_anything_is_sent(notifier: Stack, word: Word) -> None:
    besa, agim = await notifier.person("besa"), await notifier.person("agim")
    case, offer = await notifier.case(), opened(due=await notifier.now() + HOUR)
    await notifier.tell(case, offer)  # the copy: planned, and nothing sent yet
    answer = knock(KnockAnswered, offer.offer_id, besa, word=word)
    await say(notifier, case, *(knock(KnockSent, offer.offer_id, person) for person in (besa, agim)), answer)
    row = await question(notifier)
    assert (row.state, row.cannot) == (("ANSWERED", []) if word is Word.LOOKS else ("OPEN", [besa]))
    assert await planned(notifier) == []
    await say(notifier, case, answer)  # `recover` may run twice
    assert await question(notifier) == row


async def test_what_was_delivered_and_what_came_back_as_lost_is_written_back(notifier: Stack) -> None:
    besa, agim = await notifier.person("besa"), await notifier.person("agim")
    case, offer = await notifier.case(), opened()
    told = [knock(KnockSent, offer.offer_id, person) for person in (besa, agim)]
    lost = knock(KnockFailed, offer.offer_id, agim, at=3, reason="undelivered", attempts=1)
    await say(notifier, case, *told, knock(KnockDelivered, offer.offer_id, besa, at=2), lost)
    rows = await notifier.rows("SELECT person, state, reason, reference, delivered_at FROM notifier.delivery")
    assert {row.person: tuple(row)[1:] for row in rows} == {
        besa: ("SENT", None, told[0].reference, 2),
        agim: ("FAILED", "undelivered", told[1].reference, None),
    }


async def test_an_answer_of_somebody_who_was_excluded_later_counts_for_nothing(notifier: Stack) -> None:
    besa, agim = await notifier.person("besa"), await notifier.person("agim")
    case, offer = await notifier.case(), opened(skip=(f"staff:{besa}",))
    await say(notifier, case, knock(KnockSent, offer.offer_id, besa), knock(KnockAnswered, offer.offer_id, besa, word=Word.LOOKS))
    await notifier.tell(case, offer, age=MINUTE)
    await notifier.due(case)
    assert await planned(notifier) == [agim]


async def test_the_hook_reads_every_word_of_our_topic(notifier: Stack) -> None:
    """As `recover` runs it: sealed records, in the topic's order, as an administrator."""
    besa, agim = await notifier.person("besa"), await notifier.person("agim")
    case, offer = await notifier.case(), opened()
    events = [knock(KnockSent, offer.offer_id, person) for person in (besa, agim)]
    events += [knock(KnockDelivered, offer.offer_id, besa, at=2), knock(KnockAnswered, offer.offer_id, besa, word=Word.CANNOT, at=3)]
    async with notifier.admin.begin() as tx:
        await tx.execute(text("SET LOCAL search_path = notifier, runtime"))
        keys = await notifier.keys.load(tx, [case])
        tape = Tape(keys=keys)
        tape.records[TOPIC] = [taped(case, keys[case], event, number) for number, event in enumerate(events, 1)]
        assert await hook(tx, notifier.settings, each(tape)) == {"knocks written down": 4}
    rows = await notifier.rows("SELECT person, state, reason, word, delivered_at FROM notifier.delivery")
    assert {tuple(row) for row in rows} == {(besa, "FAILED", "cannot", "CANNOT", 2), (agim, "SENT", None, None, None)}


async def each(*tapes: Tape) -> AsyncIterator[Tape]:
    for tape in tapes:
        yield tape


def taped(case: str, key: bytes, event: Any, number: int) -> Taped:
    """A record of our topic."""
    type_ = event.TYPE
    ids = {"event_id": str(uuid.uuid4()), "case_id": case, "case_seq": number, "cause_id": str(uuid.uuid4())}
    meta = Meta(**ids, type=type_, fingerprint=codec.fingerprint(type_), recorded_at=1, source="notifier", drill=False)
    value = seal.seal(key, TOPIC, meta, codec.encode(event), number.to_bytes(12, "big"))
    return Taped(place=(TOPIC, 0), offset=number, key=case.encode(), value=value, meta=meta)
