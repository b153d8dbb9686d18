"""Start, kill and stop a system that is compared: our routing, or a peer in a process of its own with packages of its own."""

from __future__ import annotations

import asyncio
import itertools
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
from aiokafka.admin import NewTopic
from msgspec import structs

from bench.ground import admin, until
from bench.latency import SHARE
from bench.peers.work import Task
from referral.local.child import Child, Recipe
from referral.local.stack import Stack
from referral.local.supervisor import Process
from referral.runtime.kafka import clients
from referral.runtime.settings import CHECKOUT, Settings
from referral.wire import topics

PYTHON = CHECKOUT / ".venv" / "peers" / "bin" / "python"
TWO = ":2"
"""End of the name of a system that runs as two processes."""
PEERS = {
    "transactions": ("aiokafka transactions", "exactly once"),
    f"transactions{TWO}": ("aiokafka transactions, two processes", "exactly once"),
    "quix": ("Quix Streams", "exactly once"),
    "fast_stream": ("FastStream", "at least once, states in memory"),
    "bytewax": ("Bytewax", "at least once, a snapshot each second"),
    "faust": ("Faust", "at least once"),
}
"""Module of `bench.peers` → the name of the system, and what it promises."""
OURS = ("ours", "in effect once; states, places, alarms in PostgreSQL")
COMMIT_S = 1.0
"""Seconds between two commits of a peer that commits by time, at full load (ours; Quix' own default is 5)."""
TWICE = f"{OURS[0]}{TWO}"
NAMES = {OURS[0]: OURS, TWICE: ("ours, two processes", "the same"), **PEERS}
"""Every system, ours first."""
_numbers = itertools.count(1)


class System(Protocol):
    """One system on one load."""

    @property
    def sink(self) -> str:
        """Return the topic that it writes."""

    @property
    def pids(self) -> list[int]:
        """Return the processes that decide."""

    async def begin(self) -> None:
        """Start it."""

    async def settled(self) -> None:
        """Wait until its processes have divided the work."""

    async def again(self) -> None:
        """Kill it and start it again at once."""

    async def end(self) -> None:
        """End it, however."""


@dataclass
class Ours:
    """Our routing, on the line's own topics. instances: processes."""

    made: Stack
    instances: int = 1
    sink: str = field(init=False)

    def __post_init__(self) -> None:
        self.sink = self.made.settings.topic("referral-routing")

    @property
    def _processes(self) -> list[Process]:
        return [self.made[f"routing-{number + 1}"] for number in range(self.instances)]

    @property
    def pids(self) -> list[int]:
        return [process.pid or 0 for process in self._processes]

    async def begin(self) -> None:
        await asyncio.gather(*(process.start() for process in self._processes))

    async def settled(self) -> None:
        async with admin(self.made) as connection:
            await until(lambda: connection.fetchval(SHARE, self.instances, topics.PARTITIONS // self.instances))

    async def again(self) -> None:
        await asyncio.gather(*(process.hold() for process in self._processes))
        await asyncio.gather(*(process.release() for process in self._processes))

    async def end(self) -> None:
        await asyncio.gather(*(process.stop() for process in self._processes))


@dataclass
class Peer:
    """A peer, on topics of its own. Its log is beside its task, in `folder`. tasks: one of each process."""

    module: str
    tasks: list[Task]
    folder: Path
    children: list[Child] = field(default_factory=list)

    @property
    def sink(self) -> str:
        return self.tasks[0].sink

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self.children]

    async def begin(self) -> None:
        for told in self.tasks:
            file = self.folder / f"{told.name}-{told.part}.json"
            file.write_bytes(msgspec.json.encode(told))
            command = (str(PYTHON), "-P", "-m", f"bench.peers.{self.module}", str(file))
            environment = {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": ""}
            self.children.append(Child(Recipe(command, file.with_suffix(".log"), environment, stop=signal.SIGKILL, grace=1.0)))

    async def settled(self) -> None:
        """Do nothing: its partitions are divided by the task."""

    async def again(self) -> None:
        await self.end()
        await self.begin()

    async def end(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(child.stop) for child in self.children))
        self.children.clear()


async def peer(name: str, made: Stack, source: str, keys: dict[str, bytes], now: int, folder: Path, commit_s: float = COMMIT_S) -> Peer:
    """Return a peer with fresh topics for what it writes."""
    module, parts = name.removesuffix(TWO), 2 if name.endswith(TWO) else 1
    own = f"{module.replace('_', '-')}-{next(_numbers)}"
    prefix = made.config.prefix
    sink = f"{prefix}{own}"
    await create(made.settings, sink)
    if module == "transactions":
        await create(made.settings, f"{sink}-changelog", {"cleanup.policy": "compact"})
    told = Task(
        kafka=made.settings.kafka,
        identity=str(made.settings.identity()),
        source=source,
        sink=sink,
        name=f"{prefix}{own}-peer",
        folder=str(folder / f"{own}-state"),
        rules=str(made.settings.policy),
        keys={case_id: bytes(key) for case_id, key in keys.items()},
        now=now,
        commit_s=commit_s,
        parts=parts,
    )
    return Peer(module, [structs.replace(told, part=part) for part in range(parts)], folder)


async def create(settings: Settings, topic: str, config: dict[str, str] | None = None) -> None:
    """Create a topic as ours are, stamped by the broker."""
    reaching = clients.admin(settings)
    await reaching.start()
    try:
        stamped = {"message.timestamp.type": "LogAppendTime", **(config or {})}
        await reaching.create_topics([NewTopic(topic, topics.PARTITIONS, 1, topic_configs=stamped)])
    finally:
        await reaching.close()
