"""Make one telephone call with one process of baresip (BSD), driven over its control port: JSON in netstrings on this machine.

One process per call: nothing is shared between calls, a crash costs one call, and ending the process hangs up. The process ends with ours,
even when ours is killed. Its output names the callee, so it goes nowhere; it gets the password by the control port, never by a file.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import randbelow
from typing import Any

from referral.channels.prompts import write

PROGRAMS = {"baresip": "baresip-core", "setpriv": "util-linux"}
"""Programs of a call, and the Debian package of each."""
MODULES = tuple(Path(place, "baresip/modules") for place in ("/usr/lib", "/usr/local/lib"))
FOLDER = "call-"
"""Begins the name of a call's folder in the directory of temporary files."""
NEEDED = ("g711.so", "aufile.so", "aubridge.so", "srtp.so", "menu.so", "ctrl_tcp.so")
"""Modules of baresip that a call needs; all are in Debian's baresip-core."""
START_SECONDS = 4.0
"""Limit for the process to start and answer; it takes 0.1 s on an idle machine."""
END_SECONDS = 4.0
"""Time for the process to say good-bye to the other side before it is killed: SIP repeats a lost BYE after 0.5, 1.5 and 3.5 s."""
LONGEST = 1 << 20
"""Bytes of one message from baresip; it writes some hundred."""
TLS = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = strict
[strict]
VerifyMode = Peer
MinProtocol = TLSv1.2
"""
"""Settings of OpenSSL that refuse a server without a certificate of our authority: baresip 1.0 asks for none by itself (baresip#1122)."""


class Ended(Exception):
    """The process has ended or does not answer. Says nothing about the callee."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to the call. type: as baresip names it, e.g. CALL_RINGING. param: the key, or the reason of an end."""

    type: str
    param: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of one process.

    local: our address towards the trunk.
    account: the line that baresip takes, with its password.
    authority: file with the certificates that may vouch for the trunk, or None without TLS.
    sound: samples that the callee hears first.
    """

    local: str
    account: str = field(repr=False)
    authority: Path | None
    sound: bytes = field(repr=False)


def modules() -> Path | None:
    """Return the folder of baresip's modules; None: not all of NEEDED are there."""
    return next((place for place in MODULES if all((place / name).exists() for name in NEEDED)), None)


def config(setup: Setup, control: str, sound: Path) -> str:
    """Return the configuration file of one process. control: host:port of its control port."""
    lines = [
        "poll_method epoll",
        f"net_interface {setup.local}",
        f"sip_listen {setup.local}:0",
        "call_max_calls 1",
        "audio_path /nonexistent",  # no ring tones
        f"audio_source aufile,{sound}",
        "audio_player aubridge,nobody",
        "audio_alert aubridge,nobody",
        "rtp_ports 10000-40000",
        f"module_path {modules()}",
        *(f"module{'_app' if name in ('menu.so', 'ctrl_tcp.so') else ''} {name}" for name in NEEDED),
        f"ctrl_tcp_listen {control}",
    ]
    if setup.authority is not None:
        lines += [f"sip_cafile {setup.authority}", "sip_verify_server yes"]
    return "\n".join(lines) + "\n"


def control_port() -> tuple[str, int]:
    """Return an address for a control port that no other call has: a random one of the 16 million loopback addresses, and a free port.

    Two processes must never be confused: a key that one person pressed would count for another.
    """
    host = f"127.{1 + randbelow(254)}.{randbelow(256)}.{1 + randbelow(254)}"
    with socket.socket() as probe:
        probe.bind((host, 0))
        return host, probe.getsockname()[1]


def netstring(value: Mapping[str, str]) -> bytes:
    """Encode a message for the control port."""
    text = json.dumps(value).encode()
    return b"%d:%b," % (len(text), text)


def _held_folder() -> tuple[tempfile.TemporaryDirectory[str], int]:
    """Make the folder of a call. Return it and the descriptor that holds its lock: the kernel releases that with our process."""
    while True:
        folder = tempfile.TemporaryDirectory(prefix=FOLDER, ignore_cleanup_errors=True)
        try:
            held = os.open(folder.name, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # a sweep was faster
            continue
        fcntl.flock(held, fcntl.LOCK_EX)
        if Path(folder.name).exists():
            return folder, held
        os.close(held)  # a sweep was faster


def sweep() -> None:
    """Remove the folders of calls whose process was killed: sound and settings, no number. A folder that a living process holds stays."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        try:
            found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # ended meanwhile, or another user's
            continue
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # held
            continue
        finally:
            os.close(found)


class Call:
    """One process, from start to end."""

    def __init__(self) -> None:
        self._folder, self._held = _held_folder()
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._answers: asyncio.Queue[bool] = asyncio.Queue()

    async def start(self, setup: Setup) -> None:
        """Start the process and give it its account. Raises Ended."""
        folder, (host, port) = Path(self._folder.name), control_port()
        sound = self._recorded("call.wav", setup.sound)
        self._written("config", config(setup, f"{host}:{port}", sound).encode())
        variables = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}
        if setup.authority is not None:
            variables["OPENSSL_CONF"] = str(self._written("openssl.cnf", TLS.encode()))
        nowhere = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "TERM", "--", "baresip", "-f", str(folder)),
            stdin=nowhere,
            stdout=nowhere,
            stderr=nowhere,
            cwd=folder,
            env=variables,
            start_new_session=True,  # Ctrl-C at our terminal must not cut a call that we let end
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                reader = await self._connected(host, port)
        except TimeoutError:
            raise Ended from None
        self._reading = asyncio.create_task(self._read(reader))
        await self._command("uanew", setup.account)

    async def dial(self, uri: str) -> None:
        """Call somebody. Raises Ended."""
        await self._command("dial", uri)

    async def play(self, sound: bytes) -> None:
        """Let the callee hear something else from now on. Raises Ended."""
        await self._command("ausrc", f"aufile,{self._recorded('then.wav', sound)}")

    async def event(self, until: float) -> Event | None:
        """Return the next event, or None at that time of the loop's clock, s. Raises Ended."""
        try:
            async with asyncio.timeout_at(until):
                event = await self._events.get()
        except TimeoutError:
            return None
        if event is None:
            raise Ended
        return event

    def hang_up(self) -> None:
        """Ask the process to hang up and end; returns at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()

    async def end(self) -> None:
        """Hang up, wait for the process to end, and remove its files."""
        self.hang_up()
        try:
            if self._process is not None:
                await self._gone(self._process)
        finally:
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.wait({self._reading})
            if self._writer is not None:
                self._writer.close()
            self._folder.cleanup()
            os.close(self._held)

    async def _gone(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        except asyncio.CancelledError:  # somebody cannot wait for the good-bye
            process.kill()
            raise

    async def _connected(self, host: str, port: int) -> asyncio.StreamReader:
        """Connect to the control port as soon as it is open."""
        assert self._process is not None
        while self._process.returncode is None:
            try:
                reader, self._writer = await asyncio.open_connection(host, port)
                return reader
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
        raise Ended

    async def _command(self, name: str, params: str) -> None:
        assert self._writer is not None
        self._writer.write(netstring({"command": name, "params": params}))
        try:
            async with asyncio.timeout(START_SECONDS):
                done = await self._answers.get()
        except TimeoutError:
            done = False
        if not done:
            raise Ended

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Sort what the process says into events of the call and answers to commands, until it ends."""
        try:
            while True:
                size = int((await reader.readuntil(b":"))[:-1])
                if size > LONGEST:
                    return
                told: dict[str, Any] = json.loads((await reader.readexactly(size + 1))[:-1])
                if told.get("response"):
                    self._answers.put_nowait(bool(told.get("ok")))
                elif told.get("class") == "call":
                    self._events.put_nowait(Event(str(told.get("type")), str(told.get("param", ""))))
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            return
        finally:
            self._events.put_nowait(None)
            self._answers.put_nowait(False)

    def _recorded(self, name: str, samples: bytes) -> Path:
        file = Path(self._folder.name, name)
        write(file, samples)
        return file

    def _written(self, name: str, content: bytes) -> Path:
        file = Path(self._folder.name, name)
        file.write_bytes(content)
        return file


def absent() -> list[str]:
    """Return the Debian packages that a call needs and this machine lacks."""
    lacks = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    return lacks if lacks or modules() is not None else [PROGRAMS["baresip"]]
