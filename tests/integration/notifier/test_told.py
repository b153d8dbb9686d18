"""Who was told, asked as intake asks: through the door as it is served, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from msgspec import structs
from sqlalchemy.engine import make_url

from referral.local import ports
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import database
from referral.wire import told as wire
from referral.wire.told import Told
from services.intake import notifier_client
from services.notifier.told import WhoWasTold
from tests.harness import smtp
from tests.harness.line.notifier_stack import MINUTE, Stack, ended, opened, sending
from tests.harness.line.phones import client
from tests.harness.waiting import PATIENCE_S, until

HOUR = 60 * MINUTE


@pytest.fixture
async def http(notifier: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with client(notifier) as made:
        yield made


async def test_an_offer_is_counted_as_its_messages_go_and_nobody_is_named(
    notifier: Stack, relay: smtp.Relay, http: httpx.AsyncClient
) -> None:
    people = [await notifier.person(name) for name in ("a", "b", "c")]
    start = await notifier.now()
    offer = opened(due=start + HOUR)
    assert await notifier_client.told(http, notifier.keys, [offer.offer_id]) == {}, "not read yet"
    await notifier.tell(await notifier.case(), offer)
    before = (await notifier_client.told(http, notifier.keys, [offer.offer_id]) or {})[offer.offer_id]
    assert (before.people, before.waits) == (0, 3)
    async with sending(notifier.sender(relay.port)):
        await until(lambda: ended(notifier, 3))
    await notifier.rows("UPDATE notifier.delivery SET delivered_at = :at WHERE person = :person", at=start + 1, person=people[0])
    await notifier.rows("UPDATE notifier.asked SET cannot = :people", people=[people[1]])
    await notifier.rows("UPDATE notifier.delivery SET state = 'FAILED', reason = 'no-key' WHERE person = :person", person=people[2])
    body = wire.question([offer.offer_id])
    raw = await http.post(wire.PATH, content=body, headers={"authorization": f"Bearer {notifier.keys.told(body)}"})
    told = wire.answered(raw.content)[offer.offer_id]
    (row,) = await notifier.rows("SELECT next_at FROM notifier.asked")
    assert told == Told(delivered=1, delivered_at=start + 1, cannot=1, silent=1, next_at=row.next_at) and row.next_at > start
    assert raw.headers["cache-control"] == "no-store"
    assert not [word for word in (*people, "police", "marker", "duty", "email") if word in raw.text]


async def test_whoever_is_excluded_is_not_counted(notifier: Stack, relay: smtp.Relay, http: httpx.AsyncClient) -> None:
    person, offer = await notifier.person("a"), opened()
    async with sending(notifier.sender(relay.port)):
        await notifier.tell(await notifier.case(), offer)
        await until(lambda: ended(notifier, 1))
    await notifier.rows("UPDATE notifier.asked SET skip = :people", people=[person])
    assert (await notifier_client.told(http, notifier.keys, [offer.offer_id]) or {})[offer.offer_id].people == 0


async def test_a_stranger_is_told_nothing_before_the_database_is_asked(notifier: Stack) -> None:
    body, other = wire.question(["o"]), wire.question(["p"])
    address = ports.free(1)[0]
    gone = make_url(notifier.settings.database).set(host="127.0.0.1", port=address).render_as_string(hide_password=False)
    engine = database.engine(structs.replace(notifier.settings, database=gone), "notifier")
    async with client(notifier, who=WhoWasTold(engine, notifier.keys)) as http:
        nothing = await http.post("/nothing")
        strangers = ["", "Bearer ", f"Bearer {Keys(bytes(32)).told(body)}", f"Bearer {notifier.keys.told(other)}", "Bearer ë"]
        for token in strangers:
            answer = await http.post(wire.PATH, content=body, headers={"authorization": token.encode()})
            assert (answer.status_code, answer.content) == (404, nothing.content), token
        assert (await http.get(wire.PATH)).status_code == 404
        assert (await http.post(wire.PATH, content=b"x" * (wire.MOST_BYTES + 1))).status_code == 413
        known = await http.post(wire.PATH, content=body, headers={"authorization": f"Bearer {notifier.keys.told(body)}"})
        assert known.status_code == 503, "the database is away, and only a known asker learns it"
        assert await notifier_client.told(http, notifier.keys, ["o"]) is None
    await engine.dispose()


async def test_nonsense_under_the_right_key_is_refused(notifier: Stack, http: httpx.AsyncClient) -> None:
    for body in (b"", b"{}", b"\xff"):
        answer = await http.post(wire.PATH, content=body, headers={"authorization": f"Bearer {notifier.keys.told(body)}"})
        assert answer.status_code == 400


async def test_intake_does_not_wait_for_a_notifier_that_is_away_hangs_or_talks_nonsense(notifier: Stack) -> None:
    port = ports.free(1)[0]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as nobody:
        assert await notifier_client.told(nobody, notifier.keys, ["o"]) is None
    for spoken in (b"", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"):

        async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, spoken: bytes = spoken) -> None:
            writer.write(spoken)
            await reader.read()  # until intake gives up
            writer.close()

        server = await asyncio.start_server(answering, "127.0.0.1", port)
        async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=None) as hanging:
            async with asyncio.timeout(PATIENCE_S):
                assert await notifier_client.told(hanging, notifier.keys, ["o"]) is None
