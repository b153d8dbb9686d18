"""Deliveries on a real database and a real mail server: each message once, none that nobody waits for, no failure unsaid."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import roster
from referral.domain.events import CaseChanged, How, KnockFailed, KnockSent, OfferAcknowledged, OfferClosed, OfferEscalated, RungFailed
from referral.domain.events import Traits as Traits_
from services.notifier import deliveries, results, send
from services.notifier.channels import email
from services.notifier.message import compose
from tests import smtp
from tests.contract.notifier_stack import MINUTE, WHY, Stack, of, opened, sending, stack, until


@pytest.fixture
async def notifier(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Stack]:
    async with stack(database, key_files[0]) as made:
        yield made


@pytest.fixture
async def relay() -> AsyncIterator[smtp.Relay]:
    async with smtp.relay() as made:
        yield made


async def ended(notifier: Stack, count: int) -> bool:
    states = await notifier.states()
    return len(states) == count and "WAITING" not in states


async def test_everybody_on_duty_gets_one_message_in_their_language(notifier: Stack, relay: smtp.Relay) -> None:
    languages = ("sq", "sr-Latn", "sr-Cyrl", "en")
    people = [await notifier.person(f"p-{language}".lower(), language=language) for language in languages]
    case = await notifier.case()
    offer = opened(step="interview-of-the-child", agency="police", role="police-thbs", service="marker-service")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await relay.got(4)
        await until(lambda: ended(notifier, 4))
    told = of(await notifier.drain(), KnockSent)
    assert Counter(k.person for k in told) == Counter(people)
    assert {(k.offer_id, k.task_id, k.rung, k.again, k.channel) for k in told} == {(offer.offer_id, None, 0, 0, "email")}
    by_person = dict(zip(relay.recipients, relay.letters, strict=True))
    for language, knock in ((lang, k) for k in told for lang, p in zip(languages, people, strict=True) if p == k.person):
        letter = by_person[f"marker.p-{language.lower()}@police.example"]
        said = compose(language, knock.reference, "https://inbox.example/", False)
        assert (str(letter["Subject"]), letter.get_content().replace("\r\n", "\n")) == (said.subject, said.text)
        assert letter["Message-ID"] == f"<{knock.reference}@referral.example>"
        for mark in (case, offer.offer_id, "interview", "police-thbs", "marker-service"):
            assert mark not in letter.as_string()
    assert "marker" not in repr(told)


async def test_a_drill_says_so(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a", language="en")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened(), drill=True)
        await relay.got(1)
    assert str(relay.letters[0]["Subject"]).startswith("DRILL: ")


async def test_addresses_are_sealed_at_rest(notifier: Stack) -> None:
    account = await notifier.person("a")
    stored = (await notifier.rows("SELECT address FROM notifier.contact"))[0].address
    assert b"marker" not in bytes(stored)
    opened_ = notifier.keys.box(send.CONTACT_BOX)[1](bytes(stored), send.contact_context(account, "email"))
    assert opened_ == b"marker.a@police.example"
    assert roster.BOX == send.CONTACT_BOX


async def test_two_senders_send_each_delivery_once(notifier: Stack, relay: smtp.Relay) -> None:
    for n in range(3):
        await notifier.person(f"p{n}")
    cases = [await notifier.case() for _ in range(20)]
    for case in cases:
        await notifier.tell(case, opened(), opened())
    async with sending(notifier.sender(relay.port), notifier.sender(relay.port), notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 120), 60)
    assert len(relay.letters) == 120
    assert set(Counter(str(letter["Message-ID"]) for letter in relay.letters).values()) == {1}
    assert len(of(await notifier.drain(), KnockSent)) == 120


async def test_nothing_is_planned_twice_for_one_question(notifier: Stack) -> None:
    await notifier.person("a")
    case, offer = await notifier.case(), opened()
    await notifier.tell(case, offer)
    await notifier.rows("UPDATE notifier.asked SET rounds = '{}', next_at = 0")  # as after a rebuild from the log
    await notifier.tell(case, opened(offer.offer_id))
    assert await notifier.states() == ["WAITING"]


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
        await asyncio.wait_for(knocked.wait(), 10)
        await notifier.tell(case, replace(end, offer_id=offer.offer_id))  # type: ignore[type-var]
        go.set()
        await until(lambda: ended(notifier, 1))
    server.close()
    assert relay.letters == []
    assert await notifier.states() == ["DROPPED"]
    assert of(await notifier.drain(), KnockSent) == []


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_a_rung_whose_every_channel_refuses_fails_once(notifier: Stack, relay: smtp.Relay) -> None:
    relay.recipient = smtp.unknown
    for n in range(4):
        await notifier.person(f"p{n}")
    case, offer = await notifier.case(), opened()
    async with sending(notifier.sender(relay.port), notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await until(lambda: ended(notifier, 4))
    said = await notifier.drain()
    assert [(e.offer_id, e.rung, e.reason) for e in of(said, RungFailed)] == [(offer.offer_id, 0, "all-channels-failed")]
    assert [(e.reason, e.attempts) for e in of(said, KnockFailed)] == [("refused", 1)] * 4
    assert "marker" not in repr(said)


async def test_one_who_can_be_reached_keeps_the_rung(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("good")
    await notifier.person("bad")

    async def only_good(server: object, address: str) -> str:
        return "250 OK" if "good" in address else f"550 {address}"

    relay.recipient = only_good
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        await until(lambda: ended(notifier, 2))
    said = await notifier.drain()
    assert (len(of(said, KnockSent)), len(of(said, KnockFailed)), of(said, RungFailed)) == (1, 1, [])


async def attempts(notifier: Stack, count: int) -> bool:
    rows = await notifier.rows("SELECT attempt, lease_until FROM notifier.delivery")
    return all(row.attempt == count and row.lease_until is None for row in rows)


async def test_what_is_put_off_is_tried_again_and_arrives(notifier: Stack, relay: smtp.Relay) -> None:
    relay.recipient = smtp.later
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        await until(lambda: attempts(notifier, 1))
        assert await notifier.states() == ["WAITING"]
        relay.recipient = smtp.accept
        await notifier.advance(results.RETRY_SECONDS[0] * results.SECOND)
        await relay.got(1)
        await until(lambda: ended(notifier, 1))
    assert len(of(await notifier.drain(), KnockSent)) == 1


@pytest.mark.parametrize("answer", [smtp.later, smtp.hang, smtp.hang_up])
async def test_a_relay_that_never_takes_it_fails_the_rung_after_named_attempts(
    notifier: Stack, relay: smtp.Relay, answer: smtp.Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "ANSWER_SECONDS", 0.2)
    relay.recipient = answer
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        for n, gap in enumerate(results.RETRY_SECONDS, 1):
            await until(lambda n=n: attempts(notifier, n))  # type: ignore[misc]
            assert await notifier.states() == ["WAITING"]
            await notifier.advance(gap * results.SECOND)
        await until(lambda: ended(notifier, 1))
    said = await notifier.drain()
    assert [e.attempts for e in of(said, KnockFailed)] == [len(results.RETRY_SECONDS) + 1]
    assert [e.reason for e in of(said, RungFailed)] == ["all-channels-failed"]


async def test_pausing_holds_everything_back_and_resuming_sends_what_is_still_wanted(
    notifier: Stack, relay: smtp.Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    claim = deliveries.claim

    async def counted(tx: AsyncConnection, most: int) -> list[deliveries.Claimed]:
        looks.append(most)
        return await claim(tx, most)

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


async def test_what_waits_can_be_thrown_away(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    async with notifier.admin.begin() as tx:
        await roster.drop(tx)
    assert await notifier.states() == ["DROPPED"]


async def test_a_person_disabled_or_excluded_after_planning_hears_nothing(notifier: Stack, relay: smtp.Relay) -> None:
    disabled, excluded = await notifier.person("a"), await notifier.person("b")
    case, offer = await notifier.case(), opened()
    await notifier.tell(case, offer)
    async with notifier.admin.begin() as tx:
        await roster.set_disabled(tx, disabled, True)
    traits = Traits_(**{n: () if n in ("languages", "flags") else "" for n in Traits_.__struct_fields__})
    await notifier.tell(case, CaseChanged(why=WHY, traits=traits, excluded=(f"staff:{excluded}", "relation:parent")))
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 2))
    assert relay.letters == []
    assert [e.reason for e in of(await notifier.drain(), RungFailed)] == ["all-channels-failed"]
    later = opened()
    await notifier.tell(case, later)
    assert [e.reason for e in of(notifier.said, RungFailed) if e.offer_id == later.offer_id] == ["all-excluded"]


CRASHING = """
import asyncio, json, sys
from pathlib import Path
from tests.contract.notifier_stack import stack
async def main(url, master, port):
    async with stack(url, Path(master)) as made:
        await made.sender(port).run()
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def test_a_crash_after_the_server_took_it_repeats_it_once_under_the_same_id(
    notifier: Stack, relay: smtp.Relay, database: str, key_files: tuple[Path, Path]
) -> None:
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHING, database, str(key_files[0]), str(relay.port))

    async def take_and_kill(server: object, address: str) -> str:
        os.kill(child.pid, signal.SIGKILL)
        return "250 OK"

    relay.data = take_and_kill
    await relay.got(1, 60)
    await child.wait()
    relay.data = smtp.accept
    assert await notifier.states() == ["WAITING"]
    async with sending(notifier.sender(relay.port), notifier.sender(relay.port)):
        held = (await notifier.rows("SELECT lease_until > clock_timestamp() AS held FROM notifier.delivery"))[0].held
        assert held and len(relay.letters) == 1
        await notifier.rows("UPDATE notifier.delivery SET lease_until = clock_timestamp()")  # a minute later
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
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHING, database, str(key_files[0]), str(relay.port))

    async def take_and_kill(server: object, address: str) -> str:
        os.kill(child.pid, signal.SIGKILL)
        return "250 OK"

    relay.data = take_and_kill
    await relay.got(1, 60)
    await child.wait()
    relay.data = smtp.accept
    await notifier.tell(case, OfferClosed(why=WHY, offer_id=offer.offer_id, how=How.DECLINED_BY_AGENCY, reason=""))
    await notifier.rows("UPDATE notifier.delivery SET lease_until = clock_timestamp()")  # a minute later
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 1))
    assert await notifier.states() == ["DROPPED"]
    (said,) = of(await notifier.drain(), KnockFailed)
    assert (said.reason, said.attempts, len(relay.letters)) == ("interrupted", 1, 1)


async def test_a_sender_that_slept_past_its_lease_writes_nothing(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    slow, taken = asyncio.Event(), asyncio.Event()

    async def wait(server: object, address: str) -> str:
        taken.set()
        await slow.wait()
        return "550 too late"

    relay.data = wait
    async with sending(notifier.sender(relay.port)):
        await asyncio.wait_for(taken.wait(), 10)
        relay.data = smtp.accept
        await notifier.rows("UPDATE notifier.delivery SET lease_until = clock_timestamp()")
        async with sending(notifier.sender(relay.port)):
            await relay.got(1)
            await until(lambda: ended(notifier, 1))
        slow.set()
        await until(lambda: idle(notifier))
    said = await notifier.drain()
    assert (len(of(said, KnockSent)), of(said, KnockFailed), of(said, RungFailed)) == (1, [], [])


async def idle(notifier: Stack) -> bool:
    return await notifier.states() == ["SENT"]


async def test_nothing_of_an_address_is_logged(notifier: Stack, relay: smtp.Relay, capfd: pytest.CaptureFixture[str]) -> None:
    relay.recipient = smtp.unknown
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        await until(lambda: ended(notifier, 1))
    out = capfd.readouterr()
    assert "marker" not in out.out + out.err
    assert "marker" not in json.dumps([str(r) for r in await notifier.rows("SELECT * FROM notifier.delivery")])


async def test_the_commit_of_a_plan_wakes_the_sender(notifier: Stack, relay: smtp.Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "POLL_SECONDS", 30.0)
    await notifier.person("a")
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), opened())
        await relay.got(1, 5)
        for _ in range(5):
            await notifier.tell(await notifier.case(), opened())
        await relay.got(6, 5)


async def test_repeats_follow_the_alarm_and_end_with_the_answer(notifier: Stack, relay: smtp.Relay) -> None:
    await notifier.person("a")
    case = await notifier.case()
    now = (await notifier.rows("SELECT runtime.clock() AS now"))[0].now
    offer = opened(due=now + 15 * MINUTE)
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(case, offer)
        await relay.got(1)
        await notifier.advance(5 * MINUTE)
        await notifier.due(case)
        await relay.got(2)
        await notifier.tell(case, OfferAcknowledged(why=WHY, offer_id=offer.offer_id, due=None, due_what=""))
    assert notifier.alarms[case] is None
    await until(lambda: ended(notifier, 2))
    assert [(k.again) for k in of(await notifier.drain(), KnockSent)] == [0, 1]


async def test_what_was_decided_long_ago_knocks_only_when_everything_is_read(notifier: Stack) -> None:
    await notifier.person("a")
    answered, waiting = await notifier.case(), await notifier.case()
    over, wanted = opened(), opened()
    old = 10 * MINUTE
    await notifier.tell(answered, over, age=old)
    await notifier.tell(waiting, wanted, age=old)
    assert await notifier.states() == []  # the answer may stand in the next batch
    await notifier.tell(answered, OfferAcknowledged(why=WHY, offer_id=over.offer_id, due=None, due_what=""), age=old)
    assert notifier.alarms[answered] is None
    await notifier.due(waiting)  # the loop fires it once it has read to the end
    assert [row.asked for row in await notifier.rows("SELECT asked FROM notifier.delivery")] == [wanted.offer_id]
