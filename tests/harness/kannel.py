"""Kannel, and two SMSCs of other projects behind it: npm's `smpp` and jSMPP's simulator. Each is a process of its own on free ports."""

from __future__ import annotations

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import json

from referral.channels.gateway import Provider
from referral.local import jars, ports
from referral.local.data_folder import default_jars
from tests.harness import npm
from tests.harness.moved import TAKEN, listens, moved
from tests.harness.waiting import until

SMSC = Path(__file__).parent / "smsc"
PASSWORD = "made-up-password"
CONF = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
smsbox-port = {inner}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
dlr-storage = internal
store-type = file
store-location = {folder}/kannel.store
log-file = {folder}/bearerbox.log
log-level = 1

group = smsc
smsc = smpp
smsc-id = operator
host = 127.0.0.1
port = {smsc}
smsc-username = j
smsc-password = jpwd
system-type = ""
transceiver-mode = true
reconnect-delay = 1
{more}
group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {inner}
sendsms-port = {port}
sendsms-interface = 127.0.0.1
http-request-retry = 100
http-queue-delay = 1
log-file = {folder}/smsbox.log
log-level = 2

group = sendsms-user
username = notifier
password = {password}
max-messages = 1

group = sms-service
keyword = default
catch-all = true
get-url = "{replies}?from=%p&text=%b&charset=%C"
max-messages = 0
omit-empty = true
"""


def needs(*programs: str) -> None:
    """Skip with a reason where a program is not installed."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"no {program} here: Debian's kannel, nodejs, npm and a Java runtime are needed")


def library() -> Path:
    """Return the folder of the SMSC's npm library."""
    return npm.installed(SMSC)


@dataclass
class Smsc:
    """The SMSC of npm's `smpp`. said: what it printed, JSON by line."""

    folder: Path
    port: int
    process: Process | None = None
    said: list[dict[str, Any]] = field(default_factory=list)
    reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, also after it was killed."""
        self.process = await asyncio.create_subprocess_exec(
            "node", str(SMSC / "smsc.mjs"), str(self.port), cwd=self.folder, stdin=PIPE, stdout=PIPE, stderr=sys.stderr
        )
        self.reading = asyncio.create_task(self._read(self.process))
        before = len(self.said)
        await until(lambda: any("listens" in line for line in self.said[before:]), what="the SMSC listens")

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.said.append(json.decode(line))

    def tell(self, **told: Any) -> None:
        """Tell it what to do from now on, or at once."""
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(json.encode(told) + b"\n")

    def taken(self) -> list[dict[str, Any]]:
        """Return the messages that it took, or refused."""
        return [line for line in self.said if "to" in line]

    async def kill(self) -> None:
        """End it as suddenly as a machine dies."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        if self.reading is not None:
            await self.reading


@asynccontextmanager
async def node(folder: Path) -> AsyncIterator[Smsc]:
    """npm's SMSC on a free port; the library is in this folder."""
    made = Smsc(folder, ports.free(1)[0])
    await made.start()
    try:
        yield made
    finally:
        await made.kill()


@asynccontextmanager
async def process(command: Sequence[str], folder: Path) -> AsyncIterator[Process]:
    """Any program for the length of a block; what it prints goes to a file in the folder."""
    with (folder / f"{Path(command[0]).name}.out").open("wb") as out:
        made = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=out, stderr=out)
        try:
            yield made
        finally:
            with suppress(ProcessLookupError):
                made.kill()
            await made.wait()


@asynccontextmanager
async def jsmpp(folder: Path) -> AsyncIterator[int]:
    """jSMPP's SMSC simulator on a free port, which it yields. It answers ids in hexadecimal, and sends receipts with decimal ones."""
    port = ports.free(1)[0]
    path = await asyncio.to_thread(jars.classpath, jars.parse((SMSC / "jars.lock").read_text()), default_jars())
    command = ("java", f"-Djsmpp.simulator.port={port}", "-cp", path, "org.jsmpp.examples.SMPPServerSimulator")
    async with process(command, folder) as program:
        await _listens(program, port, folder / "java.out")
        yield port


@dataclass
class Kannel:
    """A running Kannel. port: of sendsms."""

    folder: Path
    port: int
    admin: int
    programs: tuple[Process, ...] = ()

    def kill(self) -> None:
        """End both programs as suddenly as a machine dies."""
        for program in self.programs:
            program.kill()

    def provider(self, receipts: str, **changes: Any) -> Provider:
        """Return the settings by which the notifier reaches it."""
        url = f"http://127.0.0.1:{self.port}/cgi-bin/sendsms"
        values: dict[str, Any] = {"name": "sms-1", "url": url, "user": "notifier", "password": PASSWORD, "sender": "1234"}
        return Provider(**(values | {"receipts": receipts} | changes))

    async def status(self) -> str:
        """Return what its operator sees."""
        async with httpx.AsyncClient() as http:
            with suppress(httpx.HTTPError):
                return (await http.get(f"http://127.0.0.1:{self.admin}/status.txt", params={"password": PASSWORD})).text
        return ""

    async def connected(self, yes: bool = True) -> None:
        """Return when it is connected to its SMSC, or is not any more."""

        async def look() -> bool:
            status = await self.status()
            return "SMSC connections" in status and ("(online " in status) is yes

        await until(look, what=f"Kannel is {'connected' if yes else 'not connected'}")


@asynccontextmanager
async def kannel(folder: Path, smsc: int, replies: str, more: str = "") -> AsyncIterator[Kannel]:
    """Kannel in front of one SMSC. replies: URL of our door for replies. more: lines of its group `smsc`."""
    folder.mkdir(exist_ok=True)

    def start() -> AbstractAsyncContextManager[Kannel]:
        admin, inner, port = ports.free(3)
        conf = CONF.format(admin=admin, inner=inner, port=port, smsc=smsc, password=PASSWORD, folder=folder, replies=replies, more=more)
        return configured(folder, conf, Kannel(folder, port, admin), inner)

    async with moved(start) as made:
        yield made


@asynccontextmanager
async def configured(folder: Path, conf: str, made: Kannel, inner: int) -> AsyncIterator[Kannel]:
    """Kannel with this configuration. inner: port of its bearerbox for its smsbox."""
    file = folder / "kannel.conf"
    file.write_text(conf)
    async with process(("bearerbox", str(file)), folder) as bearerbox:
        for port in (inner, made.admin):  # without the second it goes on
            await _listens(bearerbox, port, folder / "bearerbox.out")
        async with process(("smsbox", str(file)), folder) as smsbox:
            await _listens(smsbox, made.port, folder / "smsbox.out")
            made.programs = (smsbox, bearerbox)
            await made.connected()
            yield made


async def _listens(program: Process, port: int, out: Path) -> None:
    """Return when a program listens on a port: without a connection, as jSMPP waits half a minute for the words of whoever connects."""

    def look() -> bool:
        said = out.read_text(errors="replace")
        lost = [line for line in said.splitlines() if TAKEN.search(line)]
        assert program.returncode is None and not lost, "\n".join([f"port {port}", *lost, said[-2000:]])
        return listens(program.pid, port)

    await until(look, what=f"port {port} listens")
