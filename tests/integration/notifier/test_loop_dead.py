"""An answer counts as soon as it is stored, also while the handler is dead: nobody who has answered is called, and it is read later."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from referral.channels import Handed, Outgoing
from referral.channels.lane import Lane
from referral.domain.events import KnockAnswered
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from tests.harness import gateway
from tests.harness.line.notifier_stack import MINUTE, Stack, of, opened, sending
from tests.harness.line.phones import NUMBER, Phones, client
from tests.harness.waiting import until

VOICE = "INSERT INTO notifier.contact (account, channel, address) VALUES (:account, 'voice', :address)"


class Ringing:
    """A telephone that everybody takes; it writes down whom it rang."""

    def __init__(self, rang: list[str]) -> None:
        self._rang = rang

    async def open(self) -> None:
        """Nothing to open."""

    async def send(self, out: Outgoing) -> Handed:
        self._rang.append(out.address)
        return Handed()

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
async def phones(notifier: Stack) -> AsyncIterator[Phones]:
    async with gateway.gateway() as server, client(notifier) as http:
        yield Phones(notifier, server, http)


@pytest.mark.parametrize(("key", "word", "called"), [("1", "LOOKS", []), ("2", "CANNOT", ["agim"])])
async def test_five_minutes_with_a_dead_handler_call_nobody_who_has_answered(
    phones: Phones, key: str, word: str, called: list[str]
) -> None:
    notifier, rang = phones.notifier, list[str]()
    for name in ("besa", "agim"):
        account = await phones.officer(name)
        address = notifier.keys.box(CONTACT_BOX).seal(NUMBER[name].encode(), contact_context(account, "voice"))
        await notifier.rows(VOICE, account=account, address=address)
    offer = opened(due=await notifier.now() + 15 * MINUTE)
    await phones.knock(offer, 2)
    await phones.reply(NUMBER["besa"], f"{key} {phones.digits('besa')}")
    await notifier.advance(5 * MINUTE)  # nobody hands the answer to the handler
    async with sending(notifier.sender_of({"voice": Lane(lambda: Ringing(rang), 2)})):
        await until(lambda: ended(notifier))
    assert rang == [NUMBER[name] for name in called]
    (answer,) = of(await notifier.drain(), KnockAnswered)
    (asked,) = await notifier.rows("SELECT state FROM notifier.asked")
    assert (answer.word, asked.state) == (word, "ANSWERED" if word == "LOOKS" else "OPEN"), "it is read when the handler lives again"


async def ended(notifier: Stack) -> bool:
    return "WAITING" not in await notifier.states()
