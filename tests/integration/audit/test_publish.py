"""From committed to published on a real database, with witnesses over real sockets: in order, once, and whatever a witness answers."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.types import Receive, Scope, Send

from referral.domain.inputs import derived
from referral.errors import Malformed
from referral.runtime.settings import Settings
from referral.tlog import note, proof_file, witness, witness_policy
from referral.tlog.merkle import leaf_hash
from referral.wire import leaf
from services.audit import checkpoints
from services.audit.api import application
from tests.harness.engines import by_hand
from tests.harness.line.audit_stack import KEYS, MASTER, Log, answering, honest, log, serving

pytestmark = pytest.mark.servers


async def heads(log: Log) -> list[tuple[int, bytes]]:
    async with log.engine.connect() as tx:
        return [(row.size, row.root) for row in await tx.execute(text("SELECT size, root FROM audit.checkpoint ORDER BY size"))]


async def size_of(log: Log) -> int:
    async with log.engine.connect() as tx:
        return int((await tx.execute(text("SELECT size FROM audit.head"))).scalar_one())


async def test_what_is_committed_is_signed_once_cosigned_and_served(bare: Settings, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(honest(tmp_path, n)) for n in (1, 2, 3)]
        made = await stack.enter_async_context(log(bare, urls))
        door = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(application(made.engine, MASTER)), base_url="http://log")
        )
        assert (await door.get("/checkpoint")).json()["code"] == "not-logged-yet"
        publisher = made.publisher()
        await publisher.check()
        for count in (1, 299, 1000):
            await made.append(count)
            before = await made.published()
            assert before is not None and before.checkpoint.size < await size_of(made)
            assert await publisher.round()
            accepted = await made.published()
            assert accepted is not None and accepted.checkpoint.size == await size_of(made) and len(accepted.witnesses) >= 2
            assert await publisher.round()
        assert [size for size, _ in await heads(made)] == [0, 96, 480, 1536], "filled up to whole blocks of 96"

        shown = await door.get("/checkpoint")
        served = witness_policy.accept(made.policy, note.parse(shown.content))
        assert served.checkpoint == accepted.checkpoint
        assert served.witnesses.keys() >= accepted.witnesses.keys(), "a witness that is late is added to what is published"
        async with made.engine.connect() as tx:
            row = (await tx.execute(text("SELECT event_id, leaf FROM audit.entry WHERE idx = 257"))).one()
        answer = await door.get(f"/proofs/{row.event_id}", headers=shows(row.event_id))
        proof = proof_file.parse(answer.content)
        assert proof.index == 257 and proof.extra == row.leaf and leaf.decode(proof.extra).event_id == row.event_id
        assert proof_file.check(proof, leaf_hash(row.leaf), made.policy).checkpoint == accepted.checkpoint
        for path, status in (("0/004", 200), ("0/005", 200), ("1/000.p/6", 200), ("0/006", 404), ("0/5", 404), ("entries/000", 401)):
            assert (await door.get(f"/tile/{path}")).status_code == status, path
        assert (await door.get("/tile/entries/000")).headers["www-authenticate"].startswith("Bearer "), "RFC 9110, 11.6.1"
        assert len((await door.get("/tile/0/005.p/7")).content) == 7 * 32, "a narrower tile is the beginning of a wider one"
        await made.append(1)
        assert (await door.get("/tile/0/006.p/1")).status_code == 404, "what is not signed yet is no stranger's business"
        async with made.engine.connect() as tx:
            event_id = (await tx.execute(text("SELECT event_id FROM audit.entry ORDER BY idx DESC LIMIT 1"))).scalar_one()
        later = await door.get(f"/proofs/{event_id}", headers=shows(event_id))
        assert (later.status_code, later.json()["code"], later.headers["retry-after"]) == (404, "not-logged-yet", "1")


def shows(event_id: str) -> dict[str, str]:
    """What somebody shows who may ask for the proof of this event."""
    return {"Authorization": f"Bearer {MASTER.lookup(event_id)}"}


async def test_a_proof_tells_a_stranger_nothing_also_not_whether_an_id_that_can_be_computed_is_logged(
    bare: Settings, tmp_path: Path
) -> None:
    async with honest(tmp_path, 1) as one, log(bare, [one]) as made:
        await made.append(3)
        await made.publisher().round()
        async with made.engine.begin() as tx:
            ids = (await tx.execute(text("SELECT event_id FROM audit.entry ORDER BY idx"))).scalars().all()
        async with by_hand(bare) as tx:
            auditor = {"name": "committee", "hash": hashlib.sha256(b"auditor").digest()}
            await tx.execute(text("INSERT INTO audit.reader (name, hash, made_at) VALUES (:name, :hash, runtime.clock())"), auditor)
        strangers = ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer \u00e9".encode("latin-1")}, shows(ids[1]))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application(made.engine, MASTER)), base_url="http://log") as door:
            for headers in strangers:
                there, not_there = [await door.get(f"/proofs/{id}", headers=headers) for id in (ids[0], derived(ids[0], 5))]
                assert (there.status_code, there.content, there.headers) == (401, not_there.content, not_there.headers)
                assert there.headers["www-authenticate"] == "Bearer" and there.json()["code"] == "no-token"
            for headers in (shows(ids[0]), {"Authorization": "Bearer auditor"}):
                assert (await door.get(f"/proofs/{ids[0]}", headers=headers)).status_code == 200


async def test_two_publishers_at_once_sign_one_root_for_a_size(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, honest(tmp_path, 2) as two, log(bare, [one, two]) as made:
        first, second = made.publisher(), made.publisher()
        for count in (3, 4, 5):
            await made.append(count)
            await asyncio.gather(first.round(), second.round())
        while not (await first.round() and await second.round()):
            await asyncio.sleep(0)
        assert [size for size, _ in await heads(made)] == [0, 96, 192, 288]
        assert not made.not_ready, "another instance that is quicker is no fork"


async def ahead_of_time(scope: Scope, receive: Receive, send: Send) -> None:
    """A witness with a good signature of a time that no calendar has."""
    body = b""
    while scope["method"] == "POST" and (message := await receive()):
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    signed = note.sign(witness.parse(body).signed.text, KEYS[2], 2**62).line if body else b""
    await send({"type": "http.response.start", "status": 200 if signed else 404, "headers": []})
    await send({"type": "http.response.body", "body": signed})


LIES = {
    "its clock is ahead of all calendars": ahead_of_time,
    "it is away": None,
    "it never answers": answering(200, b"", silent=True),
    "its answer has no end": answering(200, b"", endless=True),
    "it answers an empty page": answering(200, b""),
    "it answers another's signature": answering(200, b"\xe2\x80\x94 w.example AAAAAAAA\n"),
    "it signs with a broken signature": answering(200, note.Signature(KEYS[2].name, KEYS[2].verifier.id, bytes(72)).line),
    "it says that it has seen more": answering(409, b"999999999\n"),
    "it says that it has seen what cannot be": answering(409, b"+1\n"),
    "it says that nothing continues": answering(422, b"no\n"),
    "it breaks": answering(500, b"oops"),
    "its address is none": None,
}


@pytest.mark.parametrize("lie", LIES)
async def test_one_witness_that_lies_is_slow_or_dead_stops_nothing(bare: Settings, tmp_path: Path, lie: str) -> None:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(honest(tmp_path, n)) for n in (1, 2)]
        app = LIES[lie]
        nowhere = "http://127.0.0.1:port" if lie == "its address is none" else "http://127.0.0.1:9"
        urls.append(await stack.enter_async_context(serving(app)) if app else nowhere)
        made = await stack.enter_async_context(log(bare, urls))
        publisher = made.publisher()
        await made.append(5)
        await publisher.check()
        for count in (1, 7):
            await made.append(count)
            assert await publisher.round()
            accepted = await made.published()
            assert accepted is not None and accepted.checkpoint.size == await size_of(made) and set(accepted.witnesses) == {"w1", "w2"}
        assert not made.not_ready and not made.client.cookies, "nothing of a witness's answers piles up"


async def test_without_a_quorum_entries_are_appended_and_signed_and_nothing_is_published(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, log(bare, [one, "http://127.0.0.1:9", "http://127.0.0.1:9"]) as made:
        publisher = made.publisher()
        await publisher.check()
        for count in (2, 3):
            await made.append(count)
            assert not await publisher.round()
        assert [size for size, _ in await heads(made)] == [0, 96, 192] and await made.published() is None


async def test_a_witness_that_is_asked_each_second_does_not_fill_the_note_while_others_are_away(bare: Settings) -> None:
    async with log(bare, ["http://127.0.0.1:9"] * 3) as made:
        publisher = made.publisher()
        await made.append(1)
        assert not await publisher.round()
        async with made.engine.connect() as tx:
            plain = note.parse((await checkpoints.of_size(tx, 96)).note)
        for seconds in range(1, 120):
            await publisher._keep(96, note.Note(plain.text, (note.sign(plain.text, KEYS[0], seconds),)))
        assert await made.published() is None
        await publisher._keep(96, note.Note(plain.text, (note.sign(plain.text, KEYS[1], 120),)))
        accepted = await made.published()
        assert accepted is not None and accepted.witnesses == {"w1": 119, "w2": 120}


async def test_a_damaged_tree_takes_no_further_leaf_and_names_the_tile(bare: Settings) -> None:
    async with log(bare, []) as made:
        await made.append(300)
        for damage, named in (
            ("SET data = set_byte(data, 40, get_byte(data, 40) # 1) WHERE number = 1", "tile/0/001.p/44 (leaves 256 to 299)"),
            ("SET data = substr(data, 1, 100) WHERE number = 1", "tile/0/001.p/44"),
        ):
            async with by_hand(bare) as tx:
                await tx.execute(text("ALTER TABLE audit.tile DISABLE TRIGGER only_longer"))
                await tx.execute(text(f"UPDATE audit.tile {damage}"))
            with pytest.raises(Malformed, match="tile") as told:
                await made.append(1)
            assert named in str(told.value) and named in made.not_ready["tree"]


async def test_tiles_only_grow_and_a_checkpoint_stays(bare: Settings, subtests: pytest.Subtests) -> None:
    async with log(bare, []) as made:
        await made.append(3)
        assert await made.publisher().round()
        for statement in (
            "UPDATE audit.tile SET data = '\\x00'",
            "DELETE FROM audit.tile",
            "UPDATE audit.checkpoint SET root = ''",
            "DELETE FROM audit.checkpoint",
        ):
            with subtests.test(statement):
                with pytest.raises(DBAPIError, match=r"only grows|permission denied"):
                    async with made.engine.begin() as tx:
                        await tx.execute(text(statement))
                with pytest.raises(DBAPIError, match=r"only grows|append-only"):
                    async with by_hand(bare) as tx:
                        await tx.execute(text(statement))
