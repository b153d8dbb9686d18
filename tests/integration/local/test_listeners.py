"""Each listener of the line judges each kind of certificate, as a real process: the services' two addresses, and the broker."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from referral.ca import authority, identity
from referral.local import ports
from referral.local.kafka import PRODUCE, Kafka
from referral.runtime import http_listener
from referral.runtime.kafka import clients
from referral.runtime.settings import SERVICES, Settings
from referral.wire.signed import trust_lines
from tests.harness.certificates import BELIEVED, CASES, Case, Scene, careless, made, scene, today
from tests.harness.programs import running
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CORRELATION = b"\0\0\0\1"
"""The number of the request to the broker, which stands in its answer; to what is no TLS it answers by an alert."""
REFUSED = ""
AGENCIES = {"agency"}
"""Cases that an agency's authority has signed for an agency: at the broker they have a listener of their own, and it has them."""
STRANGERS = {"agency", "no-alternative-name"}
"""Cases that TLS believes, and that are neither an operator nor a service."""


@dataclass(frozen=True)
class Listener:
    """One address. inner: for operators and services alone."""

    name: str
    port: int
    inner: bool = False

    @property
    def is_broker(self) -> bool:
        """Return whether it speaks the broker's protocol."""
        return self.name.startswith("kafka")

    def expected(self, case: Case) -> str:
        """Return what it must answer to a client with this certificate."""
        if self.is_broker:
            believed = (case.java or case.believed)[1] and (case.name in AGENCIES) == (self.name == "kafka agencies")
            return "answers" if believed else REFUSED
        if case.as_client != BELIEVED:
            return REFUSED
        return "403" if self.inner and case.name in STRANGERS else "200"

    def asked(self, context: ssl.SSLContext | None) -> str:
        """Return its answer. context: that of the client; None: it speaks without TLS."""
        try:
            line = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            with line, context.wrap_socket(line, server_hostname="localhost") if context else line as spoken:
                spoken.sendall(PRODUCE if self.is_broker else HEALTH)
                said = spoken.recv(64)
        except (OSError, ssl.SSLError):
            return REFUSED
        if self.is_broker:
            return "answers" if said[4:8] == CORRELATION else REFUSED
        return said[9:12].decode() if said.startswith(b"HTTP/1.1 ") else REFUSED


@dataclass(frozen=True)
class World:
    """The certificates, and the listeners that judge them."""

    scene: Scene
    listeners: tuple[Listener, ...]


@pytest.fixture
async def world(settings: Settings, tmp_path: Path) -> AsyncIterator[World]:
    cases = await asyncio.to_thread(scene, tmp_path / "scene", today())
    at, own = authority.place(cases.folder / "authority"), tmp_path / "own"
    for name in ("service/kafka", "operator/keeper", *(f"service/{name}" for name in SERVICES)):
        hosts = ("localhost", "127.0.0.1") if name.startswith("service/") else ()
        place = made(at, own / name.partition("/")[2], name, today(), *hosts)
        for file in (identity.AUTHORITY, identity.REVOKED):  # with the list of the authority that has ended
            (place / file).write_bytes((cases.folder / file).read_bytes())
    broker = Kafka(tmp_path / "kafka", own / "kafka")
    try:
        mine = replace(settings, kafka=await asyncio.to_thread(broker.start), tls=own / "keeper")
        await clients.create_topics(mine)
        async with AsyncExitStack() as stack:
            found = [Listener("kafka", broker.ports.services), Listener("kafka agencies", broker.ports.agencies)]
            for service in SERVICES:
                public, inner = ports.free(2)
                more = {"http": f"https://127.0.0.1:{public}", "inner": f"https://127.0.0.1:{inner}"}
                await stack.enter_async_context(running(mine, f"services.{service}", **more, **extra(service, tmp_path)))
                found += [Listener(service, public), Listener(f"{service} inner", inner, inner=True)]
            good = careless(cases.good, server=False)
            for one in found:
                await until(lambda one=one: one.name == "kafka agencies" or one.asked(good), what=f"{one.name} answers")  # type: ignore[misc]
            yield World(cases, tuple(found))
    finally:
        await asyncio.to_thread(broker.stop)


def extra(service: str, folder: Path) -> dict[str, object]:
    """Return what only one service needs."""
    from referral.local import keyfiles
    from referral.tlog import note_keys
    from tests.harness import believed
    from tests.harness.erased import INTAKE

    if service != "audit":
        return {}
    key = keyfiles.log(folder)
    told = keyfiles.policy(note_keys.signer(key.read_bytes().strip()).verifier, ()) + trust_lines.intake_line(INTAKE.intake[0])
    return {"log_key_file": key, "trust": believed.file(folder / "trust.toml", told)}


def in_clear(port: int) -> bytes:
    """Return the whole answer to a request in clear that has a body as well."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(b'POST /v1/referrals HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n{"a":')
        said = b""
        while more := line.recv(4096):
            said += more
    return b"" if said[:2] == b"\x15\x03" else said


async def test_each_listener_judges_each_certificate(world: World) -> None:
    wrong, asked = [], 0
    for listener in world.listeners:
        for case in CASES:
            asked += 1
            said = await asyncio.to_thread(listener.asked, careless(world.scene.folder / case.name, server=False))
            if said != listener.expected(case):
                wrong.append(f"{listener.name}, {case.name}: {said or 'refused'}, must be {listener.expected(case) or 'refused'}")
    assert not wrong, wrong
    assert asked == 14 * len(CASES) >= 84
    for listener in world.listeners:
        said = await asyncio.to_thread(in_clear, listener.port)
        assert said == (b"" if listener.is_broker else http_listener.IN_CLEAR), f"{listener.name} speaks without TLS"
        older = careless(world.scene.good, server=False)
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        assert listener.asked(older) == REFUSED, f"{listener.name} speaks TLS 1.2"
        bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
        public = not listener.inner and not listener.is_broker
        assert listener.asked(bare) == ("200" if public else REFUSED), f"{listener.name}, without a certificate"
