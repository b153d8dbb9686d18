"""Start the frozen engines of `engines/`, each in a process of its own, and put the verifier's questions to them (docs/decisions/0086)."""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import yaml
from msgspec import msgpack

import referral
from referral.domain.events import PolicyActivated
from referral.domain.policy import ENGINE
from referral.proof import engines
from referral.proof.engines import EngineAway, FrozenEngine

ANSWER_S = 60
"""Seconds for one answer (ours): a policy compiles within 3 s on the slowest machine that was tried, a decision takes a millisecond."""
CHECKOUT = Path(referral.__path__[0]).parent
"""Root of this program, with its `engines/` and `policy/`."""
CHILD = Path(__file__).with_name("engine_child.py")
LIBRARIES = tuple(dict.fromkeys(str(Path(str(module.__file__)).parents[1]) for module in (msgspec, yaml)))
"""Folders of the libraries that an engine imports: this program's."""


def named(activated: Mapping[int, PolicyActivated]) -> dict[int, str]:
    """Return version → SHA-256 of each frozen engine that counts for a log with these believed bundles."""
    return engines.named(own(), activated)


def own() -> dict[int, str]:
    """Return the frozen engines of this program: the file in the policy that it ships with."""
    return engines.read((CHECKOUT / "policy" / engines.FILE).read_bytes())


class FrozenEngines:
    """The frozen engines that a log's policy names. A context: leaving it ends their processes. names: of `named`."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._started: dict[str, tuple[EngineProcess, FrozenEngine]] = {}

    def of(self, version: int) -> FrozenEngine:
        """Return the engine of a version, in a process that is started at its first use. EngineAway."""
        name = self._names.get(version)
        if name is None:
            newest = f"this program has {min(self._names, default=ENGINE)} to {ENGINE}, and no policy in the log names another"
            raise EngineAway(f"{newest}: take a newer program")
        if name not in self._started:
            process = EngineProcess(_found(version, name))
            self._started[name] = process, FrozenEngine(process.ask)
        return self._started[name][1]

    def __enter__(self) -> FrozenEngines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process, _ in self._started.values():
            process.close()
        self._started.clear()


def _found(version: int, digest: str) -> Path:
    """Return the program's file with this digest. Nothing outside the program, and nothing of an export, is ever run. EngineAway."""
    for path in sorted((CHECKOUT / "engines").glob("*.zip")):
        if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return path
    what = f"the policy names the program {digest[:16]} for it, and none in engines/ of this program has that digest"
    raise EngineAway(f"{what}: take a program that has it; if this one has a file for engine {version}, ask who changed it")


class EngineProcess:
    """The process of one engine. walls: what stands between it and the world, in its own words."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-I", "-S", "-B", str(CHILD), str(path), *LIBRARIES]
        quiet = {"PATH": "", "LANG": "C.UTF-8"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=quiet, cwd="/", close_fds=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._questions, self._answers, self._buffer = self._process.stdin, self._process.stdout.fileno(), b""
        self.walls: tuple[str, ...] = tuple(self._answer()["walls"])

    def ask(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put one question. EngineAway: no answer came."""
        data = msgpack.encode(question)
        try:
            self._questions.write(len(data).to_bytes(4, "big") + data)
            self._questions.flush()
        except OSError:
            raise EngineAway("its process has ended (out of memory?)") from None
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> Mapping[str, Any]:
        length = int.from_bytes(self._read(4), "big")
        found: Mapping[str, Any] = msgpack.decode(self._read(length))
        return found

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            ready, _, _ = select.select([self._answers], [], [], ANSWER_S)
            part = os.read(self._answers, 1 << 16) if ready else b""
            if not part:
                raise EngineAway("its process has ended (out of memory?)" if ready else f"its process gave no answer in {ANSWER_S} seconds")
            self._buffer += part
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data
