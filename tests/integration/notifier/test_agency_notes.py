"""Codes, tests and news of holes go out by a sender of their own, and the page says what became of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from referral.channels.email import Email, Relay
from referral.channels.lane import Lane
from services.notifier.notes.sender import Notes
from tests.harness import smtp
from tests.harness.line.notifier_stack import INBOX
from tests.harness.waiting import until
from tests.harness.web.agency_line import DUTY, Line, line, send
from tests.harness.web.world import PASSWORD, signed_in

pytestmark = pytest.mark.servers
LEASE_S = 5.0
"""A lease that outlasts two looks of the sender of notes, and that a test can wait for."""
NOTE = "SELECT attempt, extract(epoch FROM lease_until)::float8 AS ends FROM notifier.note"


@pytest.fixture
async def agency(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Line]:
    async with line(database, key_files[0]) as made:
        yield made


async def test_codes_and_tests_arrive_by_a_sender_of_their_own_and_the_page_says_what_became_of_them(agency: Line) -> None:
    await agency.person("officer", DUTY, email="marker.officer@x.example")
    async with smtp.relay() as relay:
        lane = Lane(lambda: Email(Relay("127.0.0.1", relay.port, "inbox@referral.example")), 1)
        sending = asyncio.create_task(Notes(agency.notifier.engine, agency.notifier.keys, {"email": lane}, INBOX).run())
        try:

            def ask() -> None:
                with signed_in(agency.world, "officer") as person:
                    assert "on its way" in send(person, "/me", "/me/test", channel="email").text
                    assert send(person, "/me", "/me/test", channel="sms").status_code == 422, "no such address"
                    send(person, "/me", "/me/address", channel="email", address="marker.new@x.example", password=PASSWORD)

            await asyncio.to_thread(ask)
            await until(lambda: len(relay.letters) == 3)
            said = {letter["To"]: letter["Subject"] for letter in relay.letters if letter["To"] != "marker.officer@x.example"}
            old = [letter["Subject"][:20] for letter in relay.letters if letter["To"] == "marker.officer@x.example"]
            assert sorted(old) == ["Somebody changes thi", "TEST. You asked for "], "the old address hears of it before the new one counts"
            found = re.search(r"Your code is (\d{6})\.", said["marker.new@x.example"])
            assert found is not None
            await until(lambda: _ended(agency, 3))

            def read() -> None:
                with signed_in(agency.world, "officer") as person:
                    assert ": sent. If it did not arrive, change the address." in person.get("/me").text
                    assert send(person, "/me", "/me/code", channel="email", code=found[1]).status_code == 200

            await asyncio.to_thread(read)
            relay.recipient = smtp.unknown

            def again() -> None:
                with signed_in(agency.world, "officer") as person:
                    send(person, "/me", "/me/test", channel="email")

            await asyncio.to_thread(again)
            await until(lambda: _ended(agency, 5))  # the old address was told, and refused it too

            def failed() -> None:
                with signed_in(agency.world, "officer") as person:
                    assert "could not be sent to this address" in person.get("/me").text

            await asyncio.to_thread(failed)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    left = await agency.notifier.rows("SELECT code, address FROM notifier.note")
    assert {tuple(row) for row in left} == {(None, None)}, "neither code nor address is kept"


async def test_a_note_that_takes_longer_than_its_lease_stays_with_its_sender(agency: Line) -> None:
    await agency.person("officer", DUTY, email="marker.officer@x.example")
    async with smtp.relay() as relay:
        relay.data = slow = smtp.Slow("250 OK")
        lane = Lane(lambda: Email(Relay("127.0.0.1", relay.port, "inbox@referral.example")), 1, lease=LEASE_S)

        def sender() -> asyncio.Task[None]:
            return asyncio.create_task(Notes(agency.notifier.engine, agency.notifier.keys, {"email": lane}, INBOX).run())

        def ask() -> None:
            with signed_in(agency.world, "officer") as person:
                send(person, "/me", "/me/test", channel="email")

        senders = [sender()]
        try:
            await asyncio.to_thread(ask)
            await until(slow.taken.is_set)
            senders.append(sender())
            (began,) = await agency.notifier.rows(NOTE)

            async def renewed() -> bool:
                return (await agency.notifier.rows(NOTE))[0].ends > began.ends + LEASE_S

            await until(renewed, what="the claim is renewed")
            slow.go.set()
            await until(lambda: _ended(agency, 1))
        finally:
            for one in senders:
                one.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
    assert [row.attempt for row in await agency.notifier.rows(NOTE)] == [1]
    assert len(relay.letters) == 1


async def _ended(agency: Line, count: int) -> bool:
    rows = await agency.notifier.rows("SELECT id FROM notifier.note WHERE state <> 'WAITING'")
    return len(rows) == count
