"""Make real called parties for tests: a telephone (baresip), which a test answers, presses and hangs up, and what it heard."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from referral.channels.baresip import control_port, modules, netstring
from referral.local import ports
from tests.harness.waiting import until

NUMBER = "+38344000111"
"""Nobody's: made up."""


def config(folder: Path, port: int, control: tuple[str, int], extra: str) -> str:
    names = ("g711.so", "aubridge.so", "aufile.so", "sndfile.so", "srtp.so")
    return "\n".join(
        [
            "poll_method epoll",
            "net_interface 127.0.0.1",
            f"sip_listen 127.0.0.1:{port}",
            "audio_path /nonexistent",
            "audio_player aubridge,nobody",
            "audio_alert aubridge,nobody",
            f"snd_path {folder}",
            "rtp_ports 40002-49998",
            f"module_path {modules()}",
            *(f"module {name}" for name in names),
            "module_tmp account.so",
            "module_app menu.so",
            "module_app ctrl_tcp.so",
            f"ctrl_tcp_listen {control[0]}:{control[1]}",
            extra,
            "",
        ]
    )


class Telephone:
    """One telephone. port: of SIP. events: what happened to it, as (type, param)."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.events: list[tuple[str, str]] = []
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, control: tuple[str, int], process: subprocess.Popen[bytes]) -> bool:
        """Wait for the telephone to be on. False: it has ended, for somebody else has taken its port meanwhile."""

        async def open_() -> Any:
            if process.poll() is not None:
                return "ended"
            with suppress(OSError):
                return await asyncio.open_connection(*control)

        found = await until(open_, what="the telephone is on")
        if found == "ended":
            return False
        reader, self._writer = found
        self._reading = asyncio.create_task(self._read(reader))
        return True

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(EOFError, OSError):
            while True:
                size = int((await reader.readuntil(b":"))[:-1])
                told = json.loads((await reader.readexactly(size + 1))[:-1])
                if told.get("event"):
                    self.events.append((told["type"], told.get("param", "")))

    def command(self, name: str, params: str = "") -> None:
        assert self._writer is not None
        self._writer.write(netstring({"command": name, "params": params}))

    def happened(self, type: str) -> bool:
        return any(one == type for one, _ in self.events)

    async def sees(self, type: str, more: Callable[[], str] = lambda: "") -> None:
        """Return once something has happened, e.g. CALL_INCOMING. more: what else to say when it does not."""
        await until(lambda: self.happened(type), what=lambda: f"the telephone sees {type}; it saw {self.events}. {more()}")

    async def press(self, key: str) -> None:
        """Press and release a key."""
        await self.sees("CALL_ESTABLISHED")
        self.command("sndcode", key)
        self.command("sndcode", "\x04")

    async def heard(self) -> bytes:
        """Return the samples that the callee heard, once the call is over and they are written."""
        await self.sees("CALL_CLOSED")
        return bytes(await until(self._recorded, what="the telephone has written what it heard"))

    def _recorded(self) -> bytes:
        with suppress(wave.Error, EOFError, ValueError), wave.open(str(max(self.folder.glob("*-dec.wav"))), "rb") as sound:
            return sound.readframes(sound.getnframes())
        return b""


@asynccontextmanager
async def telephone(
    folder: Path, answers: str = "auto", source: str = "aubridge,nobody", extra: str = "", account: str = ""
) -> AsyncIterator[Telephone]:
    """Run a telephone of NUMBER. answers: `auto`, or `manual` for one that rings. source: what it says. extra, account: more of its
    settings and of its account line."""
    folder.mkdir(exist_ok=True)
    (folder / "contacts").touch()
    process = None
    try:
        while True:
            (port,), control = ports.free(1), control_port()
            (folder / "config").write_text(config(folder, port, control, f"audio_source {source}\n{extra}"))
            (folder / "accounts").write_text(f"<sip:{NUMBER}@127.0.0.1:{port}>;regint=0;answermode={answers}{account}\n")
            with (folder / "output").open("wb") as out:
                process = subprocess.Popen(["baresip", "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            made = Telephone(folder, port)
            if await made.connect(control, process):
                break
            assert "in use" in (folder / "output").read_text(errors="replace"), (folder / "output").read_text(errors="replace")
        yield made
    finally:
        if process is not None:
            process.kill()
            process.wait()


def absent(*programs: str) -> str:
    """Return why a test must be skipped, or nothing."""
    lacks = [program for program in programs if shutil.which(program) is None]
    return f"no {', '.join(lacks)} on this machine" if lacks else ""
