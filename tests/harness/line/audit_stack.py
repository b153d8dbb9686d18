"""A log on a real database with witnesses on real sockets: honest ones, and all others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Receive, Scope, Send

from referral.cli.audit import witness
from referral.cli.audit.witness import Heads
from referral.domain.inputs import Input
from referral.local import keyfiles
from referral.runtime import http_connection, http_server
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import database
from referral.runtime.service import Batch
from referral.runtime.settings import Settings
from referral.tlog import note, witness_policy
from referral.tlog.note_keys import COSIGNATURE, ED25519, SignerKey, VerifierKey
from referral.tlog.witness_policy import Accepted, Policy
from services.audit import checkpoints, witnesses
from services.audit.handle import Audit
from services.audit.publisher import Publisher
from services.audit.readings import Readings
from tests.harness.audit_records import record, value
from tests.harness.engines import beginning

KEY = SignerKey("log.example/made-up", ED25519, bytes(32))
MASTER = Keys(bytes(32))
"""Of audit and of whoever asks it for proofs."""
KEYS = [SignerKey(f"witness-{n}.example", COSIGNATURE, bytes([n]) * 32) for n in (1, 2, 3)]


OWNED = text(
    "INSERT INTO audit.lease (unit, owner, lease_until, epoch, positions) VALUES ('all', :me, 'infinity', 1, '{}')"
    " ON CONFLICT (unit) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until"
)

RELEASED = text("UPDATE audit.lease SET owner = NULL, lease_until = '-infinity' WHERE owner = 'test'")


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The address of an application while the block runs."""
    bound = http_server.listen("127.0.0.1", 0)
    server = uvicorn.Server(http_connection.config(app, None, lifespan="off", timeout_graceful_shutdown=0))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task


@asynccontextmanager
async def honest(folder: Path, number: int, log: VerifierKey = KEY.verifier) -> AsyncIterator[str]:
    """A witness as an agency runs it; what it has cosigned stays in the folder."""
    heads = Heads(folder / f"heads-{number}")
    try:
        async with serving(witness.application(heads, {log.name: [log]}, KEYS[number - 1])) as url:
            yield url
    finally:
        heads.close()


def answering(status: int, body: bytes, *, endless: bool = False, silent: bool = False) -> ASGIApp:
    """A witness that always answers this, with a cookie; endless: and goes on for a megabyte; silent: never."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if silent:
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": status, "headers": [(b"set-cookie", b"a=b")]})
        await send({"type": "http.response.body", "body": body, "more_body": endless})
        for _ in range(1000 if endless else 0):
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})

    return app


def policy(urls: list[str]) -> Policy:
    """Most of these witnesses must have cosigned."""
    told = [(f"w{n}", key.verifier, url) for n, (key, url) in enumerate(zip(KEYS, urls, strict=False), 1)]
    return witness_policy.parse(keyfiles.policy(KEY.verifier, told))


@dataclass
class Log:
    """One database's log. publisher: as its process has it. offset: of the next record."""

    engine: AsyncEngine
    policy: Policy
    client: httpx.AsyncClient
    not_ready: dict[str, str] = field(default_factory=dict)
    offset: int = 0

    def publisher(self) -> Publisher:
        """The publisher of a log without a beat: each round that finds something new fills up a block and signs it."""
        return Publisher(self.engine, KEY, self.policy, "test", self.client, Audit(lambda _: None, (), self.not_ready), 0)

    async def append(self, count: int, make: Callable[[int], Input] | None = None) -> None:
        """One batch of records that continue one case."""
        numbers = range(self.offset + 1, self.offset + count + 1)
        inputs = tuple((make or (lambda n: record(value(n), n)))(n) for n in numbers)
        self.offset += count
        async with self.engine.begin() as tx:
            audit = Audit(lambda _: None, (), self.not_ready)
            await audit.handle(tx, Batch(now=self.offset, inputs=inputs, keys={}, owned=frozenset({"all"})))

    async def published(self) -> Accepted | None:
        """What anybody would believe of this log."""
        async with self.engine.connect() as tx:
            found = await checkpoints.cosigned(tx)
        return witness_policy.accept(self.policy, note.parse(found.cosigned)) if found and found.cosigned else None


@asynccontextmanager
async def recording(settings: Settings, engine: AsyncEngine) -> AsyncIterator[Readings]:
    """Audit as the owner of this log, which records readings while the block runs."""
    async with beginning(database.admin(settings)) as tx:
        await tx.execute(OWNED, {"me": settings.instance})
    readings = Readings(engine, settings, Audit(lambda _: None))
    task = asyncio.create_task(readings.run())
    try:
        yield readings
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def log(settings: Settings, urls: list[str]) -> AsyncIterator[Log]:
    """The log of this database, asking these witnesses."""
    engine = database.engine(settings, "audit")
    async with witnesses.client(settings.tls) as client:
        try:
            async with engine.begin() as tx:
                await tx.execute(OWNED, {"me": "test"})
            yield Log(engine, policy(urls), client)
            async with engine.begin() as tx:
                await tx.execute(RELEASED)
        finally:
            await engine.dispose()
