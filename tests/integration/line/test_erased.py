"""A case with a name that nobody else has, erased on a real line: the name, the rows and the key are nowhere, and the log still verifies.

Then the database is set back to a dump from before the erasure, which is applied again before anybody can read.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import run
from referral.cli.stack import cast, up
from referral.cli.stack.stage import Stage
from referral.client import Problem
from referral.domain.durations import DAY_US
from referral.local.config import StackConfig
from referral.local.postgres import binaries
from referral.local.stack import Stack
from referral.runtime.kafka import clients as kafka
from referral.runtime.kafka import scan
from referral.runtime.keys import case_keys as keys
from referral.runtime.keys import key_topic, service_keys
from referral.runtime.postgres import clock, database
from referral.runtime.settings import LINE
from tests.harness import callers
from tests.harness.engines import by_hand
from tests.harness.servers import prefix
from tests.harness.waiting import PATIENCE_S, until
from tests.harness.web import forms

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[3]
NAME = "Zymbylije Markerović-Ëmbël"
ANA, BEN = "desk-prizren.focal-point", "desk-prizren.back-up"
SERVICES = ("intake-1", "routing-1", "notifier-1", "audit-1", "eraser-1")


KEPT = {"intake.erasure", "intake.hold", "intake.submission", "audit.entry", "eraser.erasure", "keys.retirement"}
KEPT |= {f"{service}.{table}" for service in ("intake", "routing", "notifier") for table in ("seen", "queue")}
"""Tables in which the id of an erased case still stands: ids, digests, and ciphertext without a key."""
TABLES = text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")


class Cell(NamedTuple):
    """One value of one row, with what may have been the context of its seal."""

    table: str
    data: bytes
    contexts: tuple[bytes, ...]


async def cells(tx: AsyncConnection) -> AsyncIterator[Cell]:
    """Every value of every table of this database."""
    for schema, table in (await tx.execute(TABLES)).all():
        for row in await tx.execute(text(f'SELECT * FROM "{schema}"."{table}"')):
            plain = dict(row._mapping)
            contexts = tuple(contexts_of({name: value for name, value in plain.items() if isinstance(value, str | int)}))
            for value in plain.values():
                if isinstance(value, bytes):
                    yield Cell(f"{schema}.{table}", value, contexts)
                else:
                    yield Cell(f"{schema}.{table}", str(value).encode(), ())


def contexts_of(row: dict[str, Any]) -> Iterator[bytes]:
    """What our seals of rows are bound to: a column, or several in a row."""
    yield b""
    for value in row.values():
        yield str(value).encode()
    for parts in (("section", "version"), ("response_id", "need"), ("account", "channel"), ("reader",)):
        if set(parts) <= row.keys():
            yield "/".join(str(row[name]) for name in ("case_id", *parts) if name in row).encode()
    yield f"{row.get('case_id')}/standing".encode()
    yield f"{row.get('case_id')}/timeline/{row.get('seq')}".encode()


@cache
def opens(key: bytes, data: bytes, contexts: tuple[bytes, ...]) -> bytes:
    """What a value says under a key; empty when it does not open. Each is tried once: the same rows are looked at again and again."""
    cipher = AESGCM(key)
    for context in contexts if len(data) > 28 else ():
        try:
            return cipher.decrypt(data[:12], data[12:], context)
        except InvalidTag:
            continue
    return b""


async def found(stack: Stack, tried: list[bytes], *words: bytes) -> set[str]:
    """Tables in which any of these words stands, in clear or under one of these keys; those of a case open its file too."""
    every = {key for case in tried for key in (bytes(case), case.file if isinstance(case, keys.CaseKeys) else None) if key}

    def says(cell: Cell) -> bool:
        said = (cell.data, *(opens(key, cell.data, cell.contexts) for key in every))
        return any(word in one for one in said for word in words)

    return {cell.table async for cell in of_database(stack) if says(cell)}


async def of_database(stack: Stack) -> AsyncIterator[Cell]:
    engine = database.admin(stack.settings)
    try:
        async with engine.connect() as tx:
            async for cell in cells(tx):
                yield cell
    finally:
        await engine.dispose()


async def on_topics(stack: Stack, *words: bytes) -> set[str]:
    """Topics on which any of these words stands."""
    whole = scan.whole(stack.settings, list(kafka.wanted(stack.settings)))
    return {place[0] async for place, r in whole for word in words if word in (r.value or b"") + (r.key or b"")}


async def sql(stack: Stack, statement: str, **values: Any) -> Any:
    engine = database.admin(stack.settings)
    try:
        async with engine.connect() as tx:
            return (await tx.execute(text(statement), values)).scalar()
    finally:
        await engine.dispose()


async def case_keys(stack: Stack) -> dict[str, bytes]:
    engine = database.admin(stack.settings)
    try:
        async with engine.connect() as tx:
            ids = list((await tx.execute(text("SELECT DISTINCT case_id FROM keys.case_key"))).scalars())
            return await keys.read(stack.settings).load(tx, ids)
    finally:
        await engine.dispose()


async def command(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run `referral …`: exit code and output."""
    capfd.readouterr()
    code = await asyncio.to_thread(run, list(words))
    return code, "".join(capfd.readouterr())


async def page(stack: Stack, login: str, password: str, *paths: str) -> str:
    """What somebody who signs in reads on these pages, all of it."""

    def read() -> str:
        url, tls = stack.url("intake"), callers.browser(stack)
        with httpx.Client(base_url=url, follow_redirects=True, timeout=PATIENCE_S, verify=tls) as browser:
            forms.sign_in(browser, login, password)
            return "".join(browser.get(path).text for path in paths)

    return await asyncio.to_thread(read)


def dump(stack: Stack, *words: str) -> None:
    """Run a program of PostgreSQL against the stack's server."""
    url = make_url(stack.settings.database)
    where = ["-h", str(url.query["host"]), "-U", str(url.username)]
    password = {**os.environ, "PGPASSFILE": str(url.query["passfile"])}
    subprocess.run([str(binaries() / words[0]), *where, *words[1:]], check=True, capture_output=True, env=password)


async def test_an_erased_case_is_readable_nowhere_also_after_a_restore_and_the_log_verifies(
    tmp_path: Path, kafka: str, ca: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    config = StackConfig(data=tmp_path / "data", kafka=kafka, ca=ca, prefix=prefix(), drill=True, services=(*LINE, "eraser"))
    async with up.running(config) as stack:
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        people = cast.load(config.data)
        stage = Stage(stack, people)
        case_id, other = await asyncio.to_thread(begun, stage)
        key = (await case_keys(stack))[case_id]
        wrapped = [bytes(form) for form in await sql(stack, "SELECT array_agg(wrapped) FROM keys.case_key WHERE case_id = :c", c=case_id)]
        assert len(wrapped) == len(service_keys.readers())
        assert "intake.section" in await found(stack, [key], NAME.encode())  # so the search finds what is there
        assert await found(stack, [keys.master(stack.settings).wrapping("intake")], key) == {"keys.case_key"}

        async def person(login: str, *words: str) -> tuple[int, str]:
            monkeypatch.setattr("sys.stdin", io.StringIO(people.password + "\n"))
            return await command(capfd, "case", *words, "--login", login, "--password-stdin", "--json")

        code, said = await person(ANA, "erase", case_id, "--basis", "storage-ended")
        assert code == 1 and "held" in said and "open" in said
        await asyncio.to_thread(ended, stage, case_id)
        await until(lambda: sql(stack, "SELECT closed_at FROM intake.casefile WHERE case_id = :c", c=case_id))
        assert (await person(ANA, "hold", case_id, "--basis", "court-order"))[0] == 0
        code, said = await person(ANA, "erase", case_id, "--basis", "storage-ended")
        assert code == 1 and "held" in said and "court-order" in said
        assert (await person(ANA, "lift", case_id, "--basis", "court-order"))[0] == 1
        assert (await person(BEN, "lift", case_id, "--basis", "court-order"))[0] == 0
        code, said = await person(ANA, "erase", case_id, "--basis", "storage-ended")
        assert (code, json.loads(said)["state"]) == (0, "REQUESTED")
        assert (await person(ANA, "erase", case_id, "--approve"))[0] == 1
        await asyncio.to_thread(dump, stack, "pg_dump", "-Fc", "-f", str(tmp_path / "old"), "referral")

        assert [one["case_id"] for one in json.loads((await person(BEN, "erasures"))[1])] == [case_id]
        code, said = await person(BEN, "erase", case_id, "--approve")
        assert (code, json.loads(said)["state"]) == (0, "APPROVED")
        await stack["eraser-1"].kill()
        await stack["eraser-1"].ready()
        await until(lambda: sql(stack, RETIRED, c=case_id))
        assert case_id not in await case_keys(stack), "it opens for nobody at once"
        with pytest.raises(Problem, match="404"):
            await asyncio.to_thread(stage.agency("police-prizren").case, case_id)
        assert "intake.section" in await found(stack, [key], NAME.encode()), "for a day it can be brought back"
        await a_day_later(stack, case_id)
        code, said = await person(BEN, "erase", case_id)
        assert (code, json.loads(said)["state"]) == (0, "ERASED")

        await gone(stack, case_id, key, wrapped)
        shown = await page(stack, ANA, people.password, "/inbox", f"/tasks/{case_id}")
        shown += await page(stack, "police-prizren.duty-officer", people.password, "/inbox")
        assert NAME not in shown and case_id not in shown
        for agency in ("school-drita", "police-prizren", "desk-prizren"):
            with pytest.raises(Problem, match="404"):
                await asyncio.to_thread(stage.agency(agency).case, case_id)
        shown = await for_auditors(stack, capfd, tmp_path, case_id, other)
        assert NAME not in shown and "The case is erased: nobody can tell any more who read it." in shown and "erased" in shown
        assert not any(NAME in str(mail.message) or case_id in str(mail.message) for mail in stack.mailbox.mails)
        assert not any(NAME in file.read_text("utf-8", "replace") for file in (config.data / "log").iterdir())
        await judged(capfd, case_id)

        for name in SERVICES:
            await stack[name].stop()
        for words in (("dropdb", "--force", "referral"), ("createdb", "referral"), ("pg_restore", "-d", "referral", str(tmp_path / "old"))):
            await asyncio.to_thread(dump, stack, *words)
        assert "intake.section" in await found(stack, [key], NAME.encode()) and other in await case_keys(stack)
        starting = asyncio.create_task(stack["intake-1"].start())
        url = stack.url("intake")

        async def applied() -> bool:
            async with callers.client(stack, base_url=url, timeout=20) as client:
                try:
                    answer = await client.get(f"/v1/cases/{case_id}", headers={"Authorization": f"Bearer {people.tokens['desk-prizren']}"})
                    ready = await client.get(f"{stack.inner('intake')}/readyz")  # asked behind it: what is still red was red before
                    not_ready = ready.json()["not_ready"]
                except httpx.TransportError:
                    return False
                assert answer.status_code == (503 if "erasures" in not_ready else 404) or answer.status_code == 503
                return "erasures" not in not_ready

        await until(applied)
        assert (await command(capfd, "recover"))[0] == 0
        assert case_id not in await case_keys(stack)
        await starting
        for name in SERVICES[1:]:
            await stack[name].start()
        await a_day_later(stack, case_id)
        await gone(stack, case_id, key, wrapped)
        assert other in await case_keys(stack)
        await judged(capfd, case_id)


RETIRED = "SELECT at FROM keys.retirement WHERE case_id = :c AND NOT erased"


async def a_day_later(stack: Stack, case_id: str) -> None:
    """The second step of its erasure, once the first has been taken."""
    await until(lambda: sql(stack, RETIRED, c=case_id))
    async with by_hand(stack.settings) as tx:
        await clock.advance(tx, stack.settings, DAY_US)
    await until(lambda: sql(stack, "SELECT destroyed_at FROM intake.erasure WHERE case_id = :c", c=case_id))


def begun(stage: Stage) -> tuple[str, str]:
    """Two cases that the police have accepted and read, the first with the name: (the one to erase, another)."""
    body = json.loads((ROOT / "examples" / "referral.json").read_text("utf-8"))
    made = []
    for name in (NAME, "Somebody Else (made up)"):
        body["file"]["identity"]["name"] = name
        case_id = stage.agency("school-drita").submit(body)["case_id"]
        stage.offered("police-prizren", case_id, "police")
        assert name in json.dumps(stage.agency("police-prizren").file(case_id), ensure_ascii=False)
        stage.answers("police-prizren", case_id, "police", "ACCEPT")
        stage.agency("police-prizren").write(case_id, "narrative", {"text": f"{name} said so. Made up."})
        made.append(case_id)
    return made[0], made[1]


def ended(stage: Stage, case_id: str) -> None:
    """The desk closes the case."""
    stage.agency("desk-prizren").instruct(case_id, {"word": "CLOSE", "reason": "error"})


async def gone(stack: Stack, case_id: str, key: bytes, wrapped: list[bytes]) -> None:
    """Neither name nor key is anywhere, with every key that is left and even with the one that was; nor any row of the case file."""
    left = list((await case_keys(stack)).values())
    assert key not in left and isinstance(key, keys.CaseKeys) and key.file is not None
    master = keys.read(stack.settings)
    own = [keys.master(stack.settings).wrapping(reader) for reader in service_keys.readers()]
    own += [master._derived(purpose) for purpose in ("case-key", "notifier-contact", "quarantine")]
    assert await found(stack, [*left, *own, key], NAME.encode(), NAME[:10].encode()) == set()
    assert await found(stack, own, key, key.file, *wrapped) == set()
    assert await on_topics(stack, NAME.encode(), key, key.file) == set()
    assert case_id not in await key_topic.read(stack.settings)
    rows = {cell.table async for cell in of_database(stack) if cell.data == case_id.encode()}
    assert rows - KEPT == set()


async def for_auditors(stack: Stack, capfd: pytest.CaptureFixture[str], folder: Path, case_id: str, other: str) -> str:
    """The auditor's page of the case. An export with every key that there is holds neither its key nor its name; a verdict says erased."""
    _, token = await command(capfd, "audit", "token", "ombudsperson", "--json")
    async with httpx.AsyncClient(
        base_url=stack.url("audit"), timeout=20, headers={"Accept-Language": "en"}, verify=callers.browser(stack)
    ) as browser:
        await browser.post("/auditor/signin", data={"token": json.loads(token)["token"]})
        page = await browser.get(f"/auditor/cases/{case_id}")
    export, reader = str(folder / "export"), str(folder / "auditor.key")
    assert (await command(capfd, "audit", "reader", reader))[0] == 0
    code, said = await command(capfd, "audit", "export", export, "--case", case_id, "--for", f"{reader}.pub")
    assert code == 1 and "unknown-case" in said
    code, said = await command(capfd, "audit", "export", export, "--all-cases", "--for", f"{reader}.pub", "--json")
    assert (code, json.loads(said)["keys"]) == (0, 2), "the other case's, and the roster's own"
    files = [file.read_bytes() for file in Path(export).rglob("*") if file.is_file()]
    assert len(files) > 5 and not any(NAME.encode() in data for data in files)
    code, said = await command(capfd, "audit", "verify", export, "--key", reader, "--json")
    assert code in (0, 3), said  # 3: nobody named the log's witnesses
    assert "erased under entry" in said
    code, said = await command(capfd, "audit", "replay", export, "--case", case_id, "--key", reader, "--json")
    assert code == 0 and NAME not in said and "have the case erased (storage-ended)" in said
    assert (await command(capfd, "audit", "replay", export, "--case", other, "--key", reader))[0] == 0
    assert page.status_code == 200
    return page.text


async def judged(capfd: pytest.CaptureFixture[str], case_id: str) -> None:
    """The log is whole and says erased; doctor finds nothing to do about erasures and keys."""
    code, output = await command(capfd, "audit", "verify", "--json")
    report = json.loads(output)
    assert code == 0, report
    erased = [f for f in report["findings"] if f["code"] == "ERASED"]
    assert [f["case_id"] for f in erased] == [case_id] and f"erased under entry {erased[0]['idx']} (storage-ended)" in erased[0]["what"]
    code, output = await command(capfd, "audit", "replay", "--case", case_id, "--json")
    lines = json.loads(output)["lines"]
    assert code == 0 and {line["mark"] for line in lines} == {"erased", "logged"} and NAME not in output
    assert "have the case erased (storage-ended)" in lines[-1]["what"]

    async def well() -> bool:
        _, output = await command(capfd, "doctor", "--json")
        results = {check["name"]: check for check in json.loads(output)["checks"]}
        return all(results[name]["result"] == "good" for name in ("erasures", "keys", "conservation", "sequences"))

    await until(well)
