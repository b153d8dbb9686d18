"""One attack of one party, in a process of its own: `python -m tests.attacks.stopping.attacker`; the input's first line is its Job (JSON).

It writes one line, `begun` or `refused …`, and goes on until it is ended. It has what the party holds, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import resource
import secrets
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct

from referral.runtime import tls
from tests.attacks.stops import NO_TOKEN, NO_WRITE, PASSWORD, TLS, Attack
from tests.harness.attackers import announcer, sender, silent, statements, strangers

ELSEWHERE, HERE = "127.0.0.2", "127.0.0.1"
"""Address of another machine than the line's, and the line's own."""
CONNECTIONS = 200
"""Connections to each port."""
LENGTHS = (100_000_000, 9_437_184, 1)
SILENT = 5000
LEVELS = 500
"""Savepoints in one message to the database."""
ROW_BYTES, ROW_S = 1 << 20, 0.1
"""Bytes of a row, and seconds between two: ten megabytes a second fill a disk, and leave this one room."""
FROM = "127.7.{}.{}"
"""Addresses of strangers, in networks from which the canary never comes."""
TOWNS = ("prizren", "peje", "gjilan", "prishtine")


class Job(Struct, frozen=True, kw_only=True):
    """The knowledge and credentials of the attacker; empty: it has none.

    url: of the doors. ports: of the broker, for services, agencies and controllers. agencies: the broker's address for agencies.
    database: URL for libpq without role and password. authority: file of the line's authorities. topic: of the agency whose certificate
    it holds alone.
    identity: folder. role, password: of the database. token: of an agency. session, device: cookies. login: guessed at.
    """

    attack: Attack
    url: str
    ports: tuple[int, ...]
    agencies: str
    database: str
    authority: str
    topic: str
    login: str
    traits: dict[str, Any]
    identity: str = ""
    role: str = ""
    password: str = ""
    token: str = ""
    session: str = ""
    device: str = ""

    @property
    def context(self) -> ssl.SSLContext:
        """Return its TLS context."""
        return tls.client(Path(self.identity)) if self.identity else ssl.create_default_context(cafile=self.authority)

    @property
    def referral(self) -> dict[str, Any]:
        """Return a referral, which nobody refuses in a hurry."""
        return sender.flood({"traits": self.traits})


class Stopped(Exception):
    """The line refused. Its text is the step."""


@cache
def begun() -> None:
    """Tell, once, that the attack is under way."""
    print("begun", flush=True)


async def broker(job: Job) -> None:
    """Announce requests from another machine, of three lengths."""
    await _announce(job, ELSEWHERE, LENGTHS)


async def broker_here(job: Job) -> None:
    """Announce requests from the line's own machine, all of the largest length that is allowed."""
    await _announce(job, HERE, LENGTHS[1:2])


async def _announce(job: Job, source: str, lengths: tuple[int, ...]) -> None:
    if not job.identity:
        await _without_certificate(job)
    sent, tried = [announcer.announced(length) for length in lengths], [asyncio.Event() for _ in range(CONNECTIONS)]
    async with asyncio.TaskGroup() as group:
        for port in job.ports:
            for number, event in enumerate(tried):
                group.create_task(announcer.hold(job.context, source, port, sent[number % len(sent)], event))
        for event in tried:
            await event.wait()
        begun()


async def _without_certificate(job: Job) -> None:
    """Try every port of the broker without a certificate. Stopped: each refused it."""
    for port in job.ports:
        try:
            reader, writer = await asyncio.open_connection(HERE, port, ssl=job.context, server_hostname="localhost")
            writer.write(announcer.announced(LENGTHS[0]))
            if await reader.read() == b"":
                continue
        except (ssl.SSLError, ConnectionError):
            continue
        return
    raise Stopped(TLS)


async def _logged_in(job: Job) -> asyncpg.Connection[asyncpg.Record]:
    try:
        return await asyncpg.connect(job.database, user=job.role or "intake", password=job.password or "guessed", passfile=os.devnull)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError):
        raise Stopped(PASSWORD) from None


async def database(job: Job) -> None:
    """Take every connection that the role may have, ring every bell, and run what stopped the line, again and again."""
    held = [await _logged_in(job)]
    begun()
    with contextlib.suppress(asyncpg.TooManyConnectionsError):
        while True:
            held.append(await _logged_in(job))
    other = await held[0].fetchval("SELECT pg_backend_pid()") + 1
    listens = held[-1]
    for name in statements.HEARD:
        await listens.add_listener(name, lambda *_: None)
    while True:
        for each in statements.REFUSED.values():
            with contextlib.suppress(asyncpg.PostgresError):
                await held[0].execute(f"BEGIN; SET LOCAL work_mem = '64kB'; {each.format(other=other)}")
            await held[0].execute("ROLLBACK")
            for name in statements.HEARD:
                await held[0].execute(f"SELECT pg_notify('{name}', '{secrets.token_hex(2000)}')")


async def savepoints(job: Job) -> None:
    """Fill the server's table of locks by nested savepoints, each with a row of its own, and hold it; begin anew when the line ends it."""
    while True:
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            await _filled(await _logged_in(job), job.role)
        await asyncio.sleep(1)


async def _filled(line: asyncpg.Connection[asyncpg.Record], role: str) -> None:
    await _may_write(line, role)
    await line.execute("BEGIN")
    for batch in itertools.count():
        rows = (statements.row(role, f"{secrets.token_hex(4)}-{batch}-{n}") for n in range(LEVELS))
        try:
            await line.execute("".join(f"SAVEPOINT s; {row};" for row in rows))
            begun()
        except asyncpg.OutOfMemoryError:
            break
    while True:
        await line.execute("ROLLBACK TO SAVEPOINT s")
        await asyncio.sleep(1)


async def _may_write(line: asyncpg.Connection[asyncpg.Record], role: str) -> None:
    """Check that a role may write at all. Stopped: it may not."""
    if role not in statements.ROWS:
        try:
            await line.execute("CREATE TEMPORARY TABLE t AS SELECT 1")
        except asyncpg.InsufficientPrivilegeError:
            raise Stopped(NO_WRITE) from None


async def stored(job: Job) -> None:
    """Store as many bytes as the credential may: rows of its role, referrals of its agency, records of its topic, or a member's forms."""
    if job.role:
        await _rows(job)
    elif job.session:
        await _forms(job)
    elif job.topic:
        await _records(job)
    else:
        await _referrals(job)


async def _rows(job: Job) -> None:
    """Write rows in a transaction that never ends: they take their room, and no loop finds them."""
    line = await _logged_in(job)
    await _may_write(line, job.role)
    await line.execute("BEGIN")
    while True:
        await line.execute(statements.ROWS[job.role], secrets.token_hex(16), os.urandom(ROW_BYTES))
        begun()
        await asyncio.sleep(ROW_S)


async def _referrals(job: Job) -> None:
    async with httpx.AsyncClient(base_url=job.url, verify=job.context, timeout=60) as http:
        answer = await sender.send(http, job.token or "guessed", job.referral)
        if answer.status_code == 401:
            raise Stopped(NO_TOKEN)
        if answer.status_code == 403:
            raise Stopped(f"403 {answer.json()['code']}")
        begun()
        await strangers.for_ever(lambda: sender.send_for_ever(http, job.token, job.referral))


async def _records(job: Job) -> None:
    """Write to the agency's own topic as fast as the broker lets it, records that nobody can open."""
    producer = AIOKafkaProducer(bootstrap_servers=job.agencies, security_protocol="SSL", ssl_context=job.context, max_request_size=1 << 20)
    await producer.start()
    while True:
        with contextlib.suppress(KafkaError):
            await producer.send_and_wait(job.topic, os.urandom(ROW_BYTES // 2), partition=0, headers=[("ce_id", secrets.token_bytes(8))])
            begun()


async def _forms(job: Job) -> None:
    """Send the form for a referral in the person's name, three at once, as fast as they are answered."""
    async with strangers.browser(job.url, HERE, job.context) as http, asyncio.TaskGroup() as group:
        http.cookies.set("__Host-session", job.session)
        for _ in range(sender.AT_ONCE):
            group.create_task(strangers.for_ever(lambda: strangers.report(http, TOWNS[0], begun, 0.0)))


async def connections(job: Job) -> None:
    """Hold connections: silent ones of a stranger; with a certificate, half a head behind it; with a cookie, after a page. Whoever does it
    from the canary's own address has that address's allowance in common with it (decision 0083)."""
    port = int(job.url.rpartition(":")[2])
    if not job.identity and not job.session:
        resource.setrlimit(resource.RLIMIT_NOFILE, (SILENT + 500, SILENT + 500))
        silent.run(port, SILENT, begun)
    cookie = f"Cookie: __Host-session={job.session}\r\n\r\n" if job.session else ""
    sent = f"GET /inbox HTTP/1.1\r\nHost: localhost\r\n{cookie}".encode()
    tried = [asyncio.Event() for _ in range(CONNECTIONS)]
    async with asyncio.TaskGroup() as group:
        for event in tried:
            group.create_task(announcer.hold(job.context, ELSEWHERE, port, sent, event))
        for event in tried:
            await event.wait()
        begun()


async def guesses(job: Job) -> None:
    """Guess passwords at one login, from everywhere, or with the mark of that person's own browser."""
    addresses = [ELSEWHERE] * 8 if job.device else strangers.networks(strangers.COUNT, FROM)
    await _everybody(job, addresses, lambda http, _: strangers.guess(http, job.login, begun))


async def crowd(job: Job) -> None:
    """Send reports, half of them for one town."""
    addresses = strangers.networks(strangers.COUNT, FROM)
    await _everybody(job, addresses, lambda http, n: strangers.report(http, TOWNS[n % 4 if n % 2 else 0], begun))


async def flood(job: Job) -> None:
    """Send reports five times as fast."""
    addresses = strangers.networks(strangers.COUNT, FROM)
    await _everybody(job, addresses, lambda http, n: strangers.report(http, TOWNS[n % 4], begun, strangers.FLOOD_S))


async def _everybody(job: Job, addresses: list[str], act: Callable[[httpx.AsyncClient, int], Awaitable[None]]) -> None:
    async def one(address: str, number: int) -> None:
        async with strangers.browser(job.url, address, job.context, job.device) as http:
            await strangers.for_ever(lambda: act(http, number))

    async with asyncio.TaskGroup() as group:
        for number, address in enumerate(addresses):
            group.create_task(one(address, number))


async def none(_: Job) -> None:
    """Do nothing."""
    begun()
    await asyncio.Event().wait()


ACTS = {
    Attack.NONE: none,
    Attack.BROKER: broker,
    Attack.BROKER_HERE: broker_here,
    Attack.DATABASE: database,
    Attack.SAVEPOINTS: savepoints,
    Attack.BYTES: stored,
    Attack.CONNECTIONS: connections,
    Attack.GUESSES: guesses,
    Attack.CROWD: crowd,
    Attack.FLOOD: flood,
}


def _ends_with_its_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


async def main() -> None:
    """Run the job."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    threading.Thread(target=_ends_with_its_parent, daemon=True).start()
    try:
        await ACTS[job.attack](job)
    except Stopped as step:
        print(f"refused {step}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
