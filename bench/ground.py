"""Start the ground of every figure: one real broker and one real database per run, and on them a fresh line with real service processes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from referral.cli.stack import up
from referral.local import certificates
from referral.local.config import StackConfig
from referral.local.kafka import Kafka
from referral.local.postgres import Postgres
from referral.local.stack import Stack
from referral.runtime.postgres import database
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest
from services.routing.policy_publisher import once
from tests.harness import waiting

PATIENCE_S = 600.0
"""Longest wait for anything that is measured (ours): a longer one is a failure."""
ENOUGH = 10_000
"""Places of every service on a measured line: the most that a policy can say. No measurement refers so many children to one region."""
PLACES = re.compile(rb"(?<=places: )\d+")
_numbers = itertools.count(1)


def say(text: str) -> None:
    """Print progress, beside the table."""
    sys.stderr.write(f"  {time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


MANY = ("max_connections=400",)
"""Twice the connections of a country's server (ours): eight processes of routing, as `bench.instances` starts, need more than its share."""


class Ground:
    """The servers of a run. kafka: bootstrap address. postgres: the administrator's URL. folder: scratch, deleted at the end.

    broker, base: their processes, where a measurement asks for them.
    """

    def __init__(self, kafka: str, postgres: str, folder: Path, broker: int = 0, base: int = 0) -> None:
        self.kafka, self.postgres, self.folder, self.ca = kafka, postgres, folder, folder / "ca"
        self.broker, self.base = broker, base

    @contextlib.asynccontextmanager
    async def line(self, *services: str, instances: int = 1, witnesses: int = 0, handset: bool = False) -> AsyncIterator[Stack]:
        """Start these services on a fresh database and fresh topics, with a policy in force. A drill, so that hours pass in seconds."""
        name = f"bench_{next(_numbers)}"
        connection = await asyncpg.connect(self.postgres.replace("+asyncpg", ""))
        try:
            await connection.execute(f"CREATE DATABASE {name}")
            url = make_url(self.postgres).set(database=name).render_as_string(hide_password=False)
            data = self.folder / name
            config = StackConfig(
                data=data,
                policy=plenty(self.folder / f"{name}-policy"),
                kafka=self.kafka,
                ca=self.ca,
                database=url,
                prefix=f"{name}.",
                services=services,
                instances=instances,
                witnesses=witnesses,
                drill=True,
                handset=handset,
            )
            async with up.running(config) as made:
                await in_force(made)
                yield made
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            await connection.close()


def plenty(folder: Path) -> Path:
    """Write the checkout's policy into a folder, with places for everybody, and return the folder."""
    for name, data in policy_digest.read(CHECKOUT / "policy").items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PLACES.sub(b"%d" % ENOUGH, data) if name.startswith("directory/") else data)
    return folder


@contextlib.asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Start embedded servers, as `referral up` does, for the duration of the block."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    certificates.ensure(folder / "ca", folder / "identities")
    broker = Kafka(folder / "kafka", folder / "identities" / certificates.KAFKA)
    base = Postgres(folder / "postgres", settings=MANY)
    try:
        addresses = await asyncio.gather(asyncio.to_thread(broker.start), asyncio.to_thread(base.start))
        pids = (server.child.pid if server.child else 0 for server in (broker, base))
        yield Ground(*addresses, folder, *pids)
    finally:
        await asyncio.gather(asyncio.to_thread(broker.stop), asyncio.to_thread(base.stop))
        shutil.rmtree(folder, ignore_errors=True)


async def in_force(made: Stack) -> None:
    """Publish the policy as routing does, whether or not routing runs."""
    engine = database.engine(made.settings, "routing", size=1)
    try:
        while await once(made.settings, engine):
            pass
    finally:
        await engine.dispose()


@contextlib.asynccontextmanager
async def admin(made: Stack) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Connect to the line's database as its administrator."""
    connection = await asyncpg.connect(made.settings.database.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


async def until(what: Callable[[], Awaitable[Any]], every: float = 0.2) -> Any:
    """Return the first true answer; look seldom, since a look costs what is measured. AssertionError: there was none within PATIENCE_S."""
    return await waiting.until(what, PATIENCE_S, pause=every)
