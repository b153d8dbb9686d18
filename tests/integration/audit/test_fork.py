"""A log that was set back, or that goes another way than the one its witnesses have seen: it says so and does not run."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.engine import make_url
from starlette.types import Receive, Scope, Send

from referral.cli.audit import witness
from referral.errors import Misconfigured
from referral.local import keyfiles, ports
from referral.proof.act import parse
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.tlog import checkpoint, merkle, note, tile_layout, witness_policy
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from referral.wire.signed import trust, trust_lines
from services.audit import checkpoints
from services.audit.__main__ import main
from tests.harness import believed, two_operators
from tests.harness.engines import by_hand
from tests.harness.erased import INTAKE
from tests.harness.line.audit_stack import KEY, KEYS, Log, answering, honest, log, serving
from tests.harness.programs import command
from tests.harness.waiting import until
from tests.unit.audit.test_ingest import record, value

pytestmark = [pytest.mark.servers, pytest.mark.kafka]
PEOPLE = ("policy_keepers.", "operators.", "approvers = ", "writers = ")


@asynccontextmanager
async def backup(settings: Settings) -> AsyncIterator[Settings]:
    """A copy of the database as it is now."""
    url = make_url(settings.database)
    plain = settings.database.replace("postgresql+asyncpg://", "postgresql://", 1).replace(f"/{url.database}", "/postgres", 1)
    connection = await asyncpg.connect(plain)
    name = f"{url.database}_copy"
    try:
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", url.database)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {url.database}")
        yield structs.replace(settings, database=url.set(database=name).render_as_string(hide_password=False))
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


async def grown(made: Log, count: int) -> None:
    await made.append(count)
    assert await made.publisher().round()


async def test_an_old_copy_is_refused_and_so_is_another_continuation_of_it(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, honest(tmp_path, 2) as two:
        urls = [one, two]
        async with log(bare, urls) as made:
            await grown(made, 10)
        async with backup(bare) as copy:
            async with log(bare, urls) as made:
                made.offset = 10
                await grown(made, 20)
                await made.publisher().check()
                assert not made.not_ready
            async with log(copy, urls) as old:
                old.offset = 10
                with pytest.raises(
                    Misconfigured, match="has cosigned 192 entries, this log has 96, and shows it with this log's own signature"
                ):
                    await old.publisher().check()
                old.not_ready.clear()
                await old.append(100, lambda n: record(value(n, rung=9), n))  # a longer one, with other entries
                async with asyncio.timeout(60):
                    with pytest.raises(Misconfigured, match="288 entries do not continue the 192 that it has cosigned, and shows it"):
                        while True:  # a witness that answers too late is asked again
                            await old.publisher().round()
                assert old.not_ready["fork"], "readiness says it too"


async def test_who_only_says_so_is_not_believed_unless_no_quorum_is_left(bare: Settings, tmp_path: Path) -> None:
    more = answering(409, b"999\n")
    async with honest(tmp_path, 1) as one, serving(more) as liar, serving(more) as second:
        async with log(bare, [one, liar, "http://127.0.0.1:9"]) as made:
            await made.append(3)
            await made.publisher().check()
            assert not made.not_ready, "two of three can still cosign"
        async with log(bare, [one, liar, second]) as made:
            with pytest.raises(Misconfigured, match="without those who say so there is no quorum"):
                await made.publisher().check()


@pytest.mark.parametrize("size", [0, 3])
async def test_a_liar_who_shows_what_every_log_has_signed_stops_nothing(bare: Settings, tmp_path: Path, size: int) -> None:
    async def liar(scope: Scope, receive: Receive, send: Send) -> None:
        seen = note if scope["method"] == "GET" else b"no\n"
        await send({"type": "http.response.start", "status": 200 if scope["method"] == "GET" else 422, "headers": []})
        await send({"type": "http.response.body", "body": seen})

    async with honest(tmp_path, 1) as one, honest(tmp_path, 2) as two, serving(liar) as three, log(bare, [one, two, three]) as made:
        async with made.engine.connect() as tx:
            note = Checkpoint(KEY.name, 0, merkle.EMPTY).sign(KEY).encode()
            if size:
                await made.append(size)
                note = Checkpoint(KEY.name, size, (await checkpoints.head(tx)).root).sign(KEY).encode()
        await made.publisher().check()
        for count in (1, 7):
            await grown(made, count)
        assert not made.not_ready and await made.published() is not None


async def test_an_empty_database_beside_witnesses_that_know_the_log_is_refused(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, backup(bare) as empty:
        async with log(bare, [one]) as made:
            await grown(made, 1)
        async with log(empty, [one]) as fresh:
            with pytest.raises(Misconfigured, match="has cosigned 96 entries, this log has 0"):
                await fresh.publisher().check()


async def test_after_a_restore_a_new_log_begins_that_says_which_one_it_follows(bare: Settings, tmp_path: Path) -> None:
    """As docs/operators.md says it: the old one is exported, the new one quotes what a witness has seen of it last."""
    old, policy, note_file = tmp_path / "old", tmp_path / "new.toml", tmp_path / "last.note"
    async with honest(tmp_path, 1) as one:
        async with log(bare, [one]) as made:
            await grown(made, 10)
        async with backup(bare) as copy:
            async with log(bare, [one]) as made:
                made.offset = 10
                await grown(made, 20)
                answer = await made.client.get(f"{one}/checkpoint/{hashlib.sha256(KEY.name.encode()).hexdigest()}")
                note_file.write_bytes(answer.content)
            (tmp_path / "policy").write_bytes(keyfiles.policy(KEY.verifier, [("w1", KEYS[0].verifier, one)]))

            both = structs.replace(copy, kafka="127.0.0.1:9", operator_keys=two_operators.key_files(tmp_path)[:2])
            both = structs.replace(both, trust=believed.also(copy, tmp_path / "two.toml", two_operators.LINES))

            async def referral(*words: str, stack: Settings = both) -> tuple[int, str]:
                return await command(stack, "audit", *words)

            code, said = await referral("export", str(old), "--witnesses", str(tmp_path / "policy"))
            assert code == 0, said
            code, said = await referral("key", "--name", "log.example/after", "--key", str(tmp_path / "new.key"), "--trust", str(policy))
            assert code == 0, said
            renew = ("renew", "--export", str(old), "--trust", str(policy), "--last", str(note_file))
            code, said = await referral(*renew)
            assert code == 1 and "`policy_keepers` is missing" in said, "whoever begins a new log forgets nobody"
            people = [line for line in both.trust.read_text().splitlines(keepends=True) if line.startswith(PEOPLE)]  # type: ignore[union-attr]
            before = policy.read_bytes() + "".join(people).encode()
            believed.file(policy, (tmp_path / "policy").read_bytes())
            code, said = await referral(*renew)
            assert code == 1 and "same-log" in said
            policy.write_bytes(before)
            code, said = await referral(*renew, stack=structs.replace(both, operator_keys=both.operator_keys[:1]))
            assert code == 1 and "Ask another operator to run `referral operator word keeper --key FILE -- audit renew" in said, said
            code, said = await referral(*renew, "--json")
            assert code == 0 and json.loads(said)["size"] == 192 and json.loads(said)["deleted"] == 96, said
            assert witness_policy.parse(trust.read(policy.read_bytes()).witness_policy).logs[0].name == "log.example/after"
            quoted = [line.removeprefix("#   ") for line in policy.read_text().splitlines() if line.startswith("#   ")]
            assert quoted == note_file.read_text().splitlines(), "whoever reads the first entries can check the old log's signature"
            async with by_hand(copy) as tx:
                acts = (await tx.execute(text("SELECT value, idx FROM audit.act"))).all()
                assert [(parse(row.value).command, row.idx) for row in acts] == [("audit renew", None)], "the new log gets it"
                assert parse(acts[0].value).lacks(two_operators.OPERATORS) == ""
            async with log(copy, []) as fresh:
                await fresh.append(3)
                async with fresh.engine.connect() as tx:
                    assert (await tx.execute(text("SELECT size FROM audit.head"))).scalar_one() == 3
            code, said = await referral(*renew)
            assert code == 0, "a log that nobody has published yet may be begun again"


@pytest.mark.parametrize("signed", [0, 5])
async def test_a_head_that_somebody_wrote_into_the_table_is_not_signed(bare: Settings, signed: int) -> None:
    async with log(bare, []) as made:
        if signed:
            await made.append(signed)
            assert await made.publisher().round()
        await made.append(3)
        async with made.engine.begin() as tx:
            await tx.execute(text("UPDATE audit.head SET root = sha256('another history')"))
        with pytest.raises(Misconfigured, match="is not what the log holds"):
            await made.publisher().round()
        async with made.engine.connect() as tx:
            assert (await tx.execute(text("SELECT count(*) FROM audit.checkpoint"))).scalar_one() == (2 if signed else 0)


def another_history(heads: Path, size: int) -> None:
    """What a witness holds to whom a program with the log's key has shown another continuation."""
    made = Checkpoint(KEY.name, size, bytes(32)).sign(KEY)
    note_ = Note(made.text, (*made.signatures, note.sign(made.text, KEYS[1], 1))).encode()
    with contextlib.closing(sqlite3.connect(heads)) as file, file:
        file.execute(witness.KEEP, (KEY.name, size, bytes(32), note_))


async def test_a_fork_ends_the_writing_and_not_the_reading(settings: Settings, tmp_path: Path) -> None:
    """Audit ended, and with it the hashes by which everybody else could have proven the split view."""
    (tmp_path / "log.key").write_bytes(KEY.encode() + b"\n")
    policy = tmp_path / "policy"
    async with honest(tmp_path, 1) as one, honest(tmp_path, 2) as two, httpx.AsyncClient(timeout=30) as client:
        told = keyfiles.policy(KEY.verifier, [(f"w{n}", KEYS[n - 1].verifier, url) for n, url in ((1, one), (2, two))])
        believed.file(policy, told + trust_lines.intake_line(INTAKE.intake[0]))
        port, inner = ports.free(2)
        url, within = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{inner}"
        here = structs.replace(
            settings, log_key_file=tmp_path / "log.key", trust=policy, http=f"127.0.0.1:{port}", inner=f"127.0.0.1:{inner}"
        )

        async def answered(path: str, status: int, word: str) -> httpx.Response:
            async def look() -> httpx.Response | None:
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.get((within if path == "/readyz" else url) + path)
                    return answer if answer.status_code == status and word in answer.text else None
                return None

            return await until(look, what=f"{path} answers {status} with {word}")

        async def stands_still_and_shows(size: int) -> None:
            not_ready = (await answered("/readyz", 503, "own signature")).json()["not_ready"]
            assert "shows it with this log's own signature" in not_ready["fork"] and not_ready.keys() == {"fork"}
            shown = checkpoint.parse(note.parse((await answered("/checkpoint", 200, KEY.name)).content).text)
            assert shown.size == size
            for tile in tile_layout.for_spans(merkle.consistency_spans(1, size), size):
                assert (await client.get(f"{url}/{tile.path}")).status_code == 200

        running = asyncio.create_task(main(here))
        try:
            size = 0
            while not size:  # the empty tree is signed first; then comes a heartbeat, with what audit says of itself
                published = await answered("/checkpoint", 200, KEY.name)
                size = checkpoint.parse(note.parse(published.content).text).size
            another_history(tmp_path / "heads-2", size + 1)
            writer = clients.producer(settings)
            await writer.start()
            await writer.send_and_wait(settings.topic("referral-notification"), b"x", key=b"x", partition=0)
            await writer.stop()
            await stands_still_and_shows(size)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        again = asyncio.create_task(main(here))
        try:
            await stands_still_and_shows(size)
        finally:
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)
