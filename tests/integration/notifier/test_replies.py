"""Replies as people write them: each counts or is answered, and forged ones take no answer away. On a real database, through the door."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from referral.channels.lane import Line
from referral.domain.events import KnockAnswered
from services.notifier.answers import code
from services.notifier.guesses import TRIES, WAITS_US
from services.notifier.notes.sender import Notes
from services.notifier.told import WhoWasTold
from tests.harness.line.notifier_stack import INBOX, MINUTE, of, opened
from tests.harness.line.phones import NUMBER, Phones

EN = {"Accept-Language": "en"}
WRITTEN = [
    ("1 {}", "LOOKS"),
    ("1{}", "LOOKS"),
    ("Po {}.", "LOOKS"),
    ("DA, {}", "LOOKS"),
    ("yes {}", "LOOKS"),
    ("2 {}", "CANNOT"),
    ("jo {}", "CANNOT"),
    ("1 {} = po e shikoj", "LOOKS"),
    ("po e shikoj {}", "LOOKS"),
    ("gledam {}", "LOOKS"),
    ("ne mogu {}", "CANNOT"),
    ("I am looking {}", "LOOKS"),
    ("1 {} faleminderit", "LOOKS"),
    ("2 {} = nuk mundem", "CANNOT"),
    ("Nuk mundem {}", "CANNOT"),
    ("1 {}\nSent from my Galaxy A52", "LOOKS"),
    ("1 {}\n-- \nArta M., Policia Prizren, +383 44 000 001", "LOOKS"),
    ("{}", None),
    ("1", None),
    ("ok", None),
    ("ok {}", None),
    ("po", None),
]
"""The replies that people would send to "1 4711 = po e shikoj, 2 4711 = nuk mundem", and what each means; None: it is answered."""


async def hints(phones: Phones) -> list[Any]:
    """The messages back to people, oldest first."""
    return await phones.notifier.rows("SELECT * FROM notifier.note ORDER BY id")


def wrong(phones: Phones, by: int = 1) -> str:
    return f"{(int(phones.digits('besa')) + by) % 10_000:04}"


async def answers(phones: Phones) -> list[tuple[str, str]]:
    return [(k.word, k.offer_id) for k in of(await phones.notifier.drain(), KnockAnswered)]


@pytest.mark.parametrize(("words", "means"), WRITTEN)
async def test_each_reply_counts_or_is_answered(phones: Phones, words: str, means: str | None) -> None:
    _, offer = await phones.told("besa")
    await phones.reply(NUMBER["besa"], words.format(phones.digits("besa")))
    counted, told = await answers(phones), await hints(phones)
    assert (counted, len(told)) == (([], 1) if means is None else ([(means, offer.offer_id)], 0))


async def test_what_is_not_understood_is_answered_once_with_the_digits_and_no_fact(phones: Phones) -> None:
    await phones.told("besa")
    digits, before = phones.digits("besa"), len(phones.server.requests)
    for words in ("ok", f"{digits}", "po?", f"1 {digits} 2 {digits}", "x" * 3000):
        await phones.reply(NUMBER["besa"], words)
    line = Line(phones.lane())
    while await Notes(phones.notifier.engine, phones.notifier.keys, {"sms": phones.lane()}, INBOX).send("sms", line):
        pass
    await line.close()
    (sent,) = phones.server.requests[before:]
    assert sent.told["to"] == NUMBER["besa"]
    assert sent.told["text"] == f"Nuk u kuptua. Shkruani 1 {digits} = po e shikoj, ose 2 {digits} = nuk mundem."
    assert await answers(phones) == []
    await phones.reply(NUMBER["besa"], sent.told["text"].partition("Shkruani ")[2].partition(",")[0])
    assert [word for word, _ in await answers(phones)] == ["LOOKS"]


async def test_a_stranger_and_whoever_has_no_open_message_is_told_nothing(phones: Phones) -> None:
    await phones.told("besa")
    await phones.officer("agim")
    digits, before = phones.digits("besa"), await phones.everything()
    for number in ("+38344000009", NUMBER["agim"]):
        await phones.reply(number, f"1 {digits}")
        await phones.reply(number, "ok")
    await phones.notifier.rows("UPDATE notifier.asked SET state = 'ANSWERED'")
    await phones.reply(NUMBER["besa"], f"1 {digits}")  # late: a colleague has answered
    await phones.reply(NUMBER["besa"], "ok")
    await phones.notifier.rows("UPDATE notifier.asked SET state = 'OPEN'")
    assert (await hints(phones), await phones.everything()) == ([], before)


async def test_forged_digits_make_replies_wait_and_void_none(phones: Phones) -> None:
    """Five texts with a forged sender. The officer reads that replies wait; ten minutes later hers count."""
    _, offer = await phones.told("besa")
    for n in range(TRIES):
        await phones.reply(NUMBER["besa"], f"1 {wrong(phones, n + 1)}")
    await phones.reply(NUMBER["besa"], f"1 {phones.digits('besa')}")
    await phones.reply(NUMBER["besa"], f"1 {phones.digits('besa')}")
    assert await answers(phones) == []
    assert [note.words for note in await hints(phones)] == ["unclear", "blocked", "blocked"], "of each, few"
    (told,) = (await WhoWasTold(phones.notifier.engine, phones.notifier.keys)._read([offer.offer_id])).values()
    assert told.blocked == 1
    await phones.notifier.advance(WAITS_US)
    await phones.reply(NUMBER["besa"], f"1 {phones.digits('besa')}")
    assert await answers(phones) == [("LOOKS", offer.offer_id)]


async def test_wrong_digits_on_the_page_cost_replies_nothing_and_the_other_way_round(phones: Phones) -> None:
    _, first = await phones.told("besa")
    page = f"/k/{phones.reference('besa')}"
    for left in (*range(TRIES - 1, 0, -1), 0, 0):
        shown = (await phones.http.post(page, data={"digits": wrong(phones), "word": "1"}, headers=EN)).text
        assert (f"These are not the digits. {left} " if left else "takes no answer any more") in shown
    shown = (await phones.http.post(page, data={"digits": phones.digits("besa"), "word": "1"}, headers=EN)).text
    assert "takes no answer any more" in shown and await answers(phones) == []
    await phones.reply(NUMBER["besa"], f"1 {phones.digits('besa')}")
    assert await answers(phones) == [("LOOKS", first.offer_id)]
    await phones.notifier.advance(MINUTE)
    second = opened()
    await phones.knock(second, 1)
    for n in range(TRIES):
        await phones.reply(NUMBER["besa"], f"1 {wrong(phones, n + 1)}")
    shown = (await phones.http.post(f"/k/{phones.reference('besa')}", data={"digits": phones.digits("besa"), "word": "1"}, headers=EN)).text
    assert "Your answer counts" in shown and (await answers(phones))[1:] == [("LOOKS", second.offer_id)]


async def test_with_several_open_messages_the_digits_pick_one_and_a_wrong_reply_is_one_try(phones: Phones) -> None:
    _, first = await phones.told("besa")
    digits = phones.digits("besa")
    for _ in range(3):
        await phones.notifier.advance(MINUTE)
        await phones.knock(opened(), 1)
    codes = [code(phones.notifier.keys, row.reference) for row in await phones.notifier.rows("SELECT reference FROM notifier.delivery")]
    other = next(guess for n in range(10_000) if (guess := f"{n:04}") not in codes)
    await phones.reply(NUMBER["besa"], f"1 {other}")
    assert [(row.tries) for row in await phones.notifier.rows("SELECT tries FROM notifier.guess")] == [1]
    await phones.reply(NUMBER["besa"], f"1 {digits}")
    assert await answers(phones) == [("LOOKS", first.offer_id)]


async def test_of_two_messages_with_the_same_digits_a_reply_answers_the_newer_one(phones: Phones) -> None:
    await phones.told("besa")
    await phones.notifier.advance(MINUTE)
    second = opened()
    await phones.knock(second, 1)
    digits = phones.digits("besa")
    same = next(made for n in range(200_000) if code(phones.notifier.keys, made := str(uuid.UUID(int=n))) == digits)
    await phones.notifier.rows(
        "UPDATE notifier.delivery SET reference = :same WHERE reference <> :newest", same=same, newest=phones.reference("besa")
    )
    await phones.reply(NUMBER["besa"], f"1 {digits}")
    assert await answers(phones) == [("LOOKS", second.offer_id)]
