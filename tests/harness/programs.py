"""Programs of ours in processes of their own, on the stack of a test: services, and commands as a person types them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from referral.local import certificates, ports
from referral.runtime.keys import case_keys, service_keys
from referral.runtime.settings import CHECKOUT, SERVICES, Settings
from tests.harness.waiting import PATIENCE_S, until


def environment(settings: Settings, **more: object) -> dict[str, str]:
    """Return the environment of a process on this stack. more: further variables, named as in Settings, or others than these."""
    told = {
        "kafka": settings.kafka,
        "database": settings.database,
        "database_passwords": settings.database_passwords,
        "master_key_file": settings.master_key_file,
        "ingress_key_file": settings.ingress_key_file,
        "intake_key_file": settings.intake_key_file,
        "trust": settings.trust,
        "policy_keys": os.pathsep.join(map(str, settings.policy_keys)),
        "operator_keys": os.pathsep.join(map(str, settings.operator_keys)),
        "topic_prefix": settings.topic_prefix,
        "drill_clock": int(settings.drill_clock),
        "tls": settings.tls,
        "log_beat_s": str(settings.log_beat_s),
    }
    return {**os.environ, **{f"REFERRAL_{name.upper()}": str(value) for name, value in (told | more).items() if value}}


async def command(settings: Settings, *words: str, typed: str = "", within: float = PATIENCE_S) -> tuple[int, str]:
    """Run `referral …` and return its exit code and output, which shows no traceback. typed: its input. within: seconds."""
    program = "import sys; from referral.cli import run; sys.exit(run(sys.argv[1:]))"
    pipe, variables = asyncio.subprocess.PIPE, environment(settings, tls=operator(settings)) | {"COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *words, cwd=CHECKOUT, env=variables, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(typed.encode()), within)
    assert b"Traceback" not in said, said.decode()
    return process.returncode or 0, said.decode()


def operator(settings: Settings) -> Path:
    """Return the identity of the operator who types commands: the one of the settings, else one beside the master key."""
    if settings.tls is not None:
        return settings.tls
    assert settings.master_key_file is not None
    folder = settings.master_key_file.parent
    certificates.ensure(folder / "ca", folder / "operators", ["operator/keeper"])
    return folder / "operators" / "keeper"


def _identity(settings: Settings, module: str) -> Path | None:
    """Return the identity of a service; of any other program that of the test itself, which stands beside it."""
    package, _, name = module.partition(".")
    return settings.tls and (settings.tls.parent / name if package == "services" and name in (*SERVICES, "watchman") else settings.tls)


def _keys(settings: Settings, module: str) -> dict[str, object]:
    """Return the keys of a program: a service has its own file, which stands beside the master key, and not that key."""
    package, _, name = module.partition(".")
    if package != "services" or name not in SERVICES or settings.master_key_file is None:
        return {}
    folder = settings.master_key_file.parent / "services"
    service_keys.write(folder, case_keys.master(settings))
    return {"master_key_file": "", "service_key_file": folder / name}


class Program:
    """`python -m …`, which may be started again.

    settings: of its next start.
    process: its last start.
    url, inner: base URLs of its two doors, at every start.
    """

    process: subprocess.Popen[bytes]

    def __init__(self, settings: Settings, *words: str, before: tuple[str, ...] = (), **more: object) -> None:
        """Take its ports. words: the module and its arguments. before: a command that runs it, such as strace. more: see environment."""
        port, within = ports.free(2)
        self.url, self.inner = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{within}"
        own = {"http": f"127.0.0.1:{port}", "inner": f"127.0.0.1:{within}", "tls": _identity(settings, words[0])} | _keys(
            settings, words[0]
        )
        self.settings, self._more = settings, {**own, **more}
        self._command = (*before, sys.executable, "-m", *words)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (it ends with this value)

    def add(self, **more: object) -> None:
        """Add variables to its environment, before its next start."""
        self._more |= more

    def start(self) -> None:
        """Start it, also after it has ended."""
        self.process = subprocess.Popen(
            self._command, cwd=CHECKOUT, env=environment(self.settings, **self._more), stdout=self._said, stderr=subprocess.STDOUT
        )

    def said(self) -> str:
        """Return all that it has written since its first start."""
        return os.pread(self._said.fileno(), os.fstat(self._said.fileno()).st_size, 0).decode()

    def runs(self) -> bool:
        """Return whether it has not ended."""
        return self.process.poll() is None

    async def answers(self, path: str = "/readyz") -> None:
        """Return when its public door answers 200."""

        async def look() -> bool:
            assert self.runs(), self.said()[-2000:]
            with suppress(httpx.HTTPError):
                return (await client.get(path)).status_code == 200
            return False

        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            await until(look, what=f"{self._command[-1]} answers {path}")

    async def ended(self) -> int:
        """Return its exit code, once it has ended by itself."""
        await until(lambda: not self.runs(), what=f"{self._command[-1]} ends")
        return int(self.process.returncode)

    async def stop(self) -> int:
        """End it politely and return its exit code."""
        self.process.terminate()
        return await self.ended()

    async def kill(self) -> None:
        """End it as suddenly as a machine dies, unless it has ended."""
        self.process.kill()
        await self.ended()


@asynccontextmanager
async def running(settings: Settings, *words: str, before: tuple[str, ...] = (), **more: object) -> AsyncIterator[Program]:
    """Run a program for the length of a block, and kill it at the end unless it has ended. See Program."""
    made = Program(settings, *words, before=before, **more)
    made.start()
    try:
        yield made
    finally:
        await made.kill()
