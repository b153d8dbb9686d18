"""Faults of a whole line, and an operator's real telephone (baresip): each is called about and answered within 90 s of the fault."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from referral.channels import prompts
from referral.local.config import StackConfig
from referral.local.stack import Stack, stack
from referral.runtime.postgres import clock, database
from services.watchman.alarms import LOOK_S, Look, begin, look, standing
from services.watchman.look import Sources
from tests.harness.line.notifier_stack import Stack as Notifier
from tests.harness.line.notifier_stack import opened
from tests.harness.line.notifier_stack import stack as notifier_of
from tests.harness.programs import Program, running
from tests.harness.telephone import NUMBER, Telephone, telephone
from tests.harness.waiting import until
from tests.harness.watchmen import IN_TIME_S

PROGRAMS = ("baresip", "espeak-ng", "sox")
ABSENT = [program for program in PROGRAMS if shutil.which(program) is None]
pytestmark = [
    pytest.mark.servers,
    pytest.mark.xdist_group("watched line"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(ABSENT), reason=f"no {', '.join(ABSENT)} on this machine"),
]
HOURS = 24
HOUR = 3600 * 1_000_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A broker and a database of its own, and two notifiers. Not the other services: no alarm is about them."""
    data = tmp_path_factory.mktemp("line")
    async with stack(StackConfig(data=data, instances=2, drill=True, services=("notifier",))) as made:
        yield made


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prompts")
    prompts.make(folder)
    return folder


class Post:
    """A watchman and the telephone of its operators. answered: calls that ended with a key."""

    def __init__(self, watchman: Program, phone: Telephone) -> None:
        self.watchman, self.phone, self.answered = watchman, phone, 0

    async def answers(self, alarm: str, fault: Callable[[], Coroutine[Any, Any, object]]) -> float:
        """Let something fail, and answer the call about it by key 1. Return the seconds from the fault to the answer."""
        began = asyncio.get_running_loop().time()
        await fault()
        await until(lambda: alarm in self.calls(), IN_TIME_S, what=lambda: f"a call about {alarm}; {self.watchman.said()[-1500:]}")
        await self.phone.press("1")
        self.answered += 1
        line = f'referral_watchman_calls_total{{result="answered"}} {self.answered:.1f}'
        await until(lambda: self._shows(line), what="the key has counted")
        self.phone.events.clear()
        took = asyncio.get_running_loop().time() - began
        assert took <= IN_TIME_S, f"{alarm}: answered after {took:.1f} s"
        return took

    def calls(self) -> list[str]:
        """What each call was about."""
        return re.findall(r'"reason": "([a-z -]+)"[^\n]*"event": "calling"', self.watchman.said())

    async def _shows(self, line: str) -> bool:
        async with httpx.AsyncClient(timeout=30) as http:
            return line in (await http.get(f"{self.watchman.inner}/metrics")).text


@asynccontextmanager
async def posted(line: Stack, sounds: Path, folder: Path, **more: object) -> AsyncIterator[Post]:
    """A watchman that looks at the line and finds everything in order; afterwards the line is whole again."""
    people = folder / "operators.yaml"
    people.write_text(f'operators:\n  - {{language: sq, voice: "{NUMBER}"}}\n  - {{language: en, voice: "{NUMBER}"}}\n')
    people.chmod(0o600)
    async with telephone(folder / "phone") as phone:
        told = {"watchman_sip": f"127.0.0.1:{phone.port}", "watchman_sip_tls": "never", "watchman_prompts": sounds, **more}
        async with running(line.settings, "services.watchman", watchman_operators=people, instance="east", **told) as watchman:
            await watchman.answers()
            post = Post(watchman, phone)
            try:
                yield post
                assert NUMBER[1:] not in watchman.said()
                assert "trunk away" not in watchman.said(), "the telephone answers its OPTIONS"
            finally:
                for process in line.processes.values():
                    if process.state == "paused":
                        await process.resume()
                    if process.state == "down":
                        await process.release()
                async with asyncio.timeout(120):
                    for process in line.processes.values():
                        await process.ready()


async def each(line: Stack, act: str, *names: str) -> None:
    """Do one thing to several processes at once."""
    await asyncio.gather(*(getattr(line[name], act)() for name in names))


async def test_notifiers_killed_and_then_the_broker(line: Stack, sounds: Path, tmp_path: Path) -> None:
    async with posted(line, sounds, tmp_path) as post:
        dead = await post.answers("notifier-dead", lambda: each(line, "hold", "notifier-1", "notifier-2"))
        broker = await post.answers("broker-away", line["kafka"].hold)
        assert post.calls() == ["notifier-dead", "broker-away"], "what was taken is not called about again"
        print(f"answered after the fault: notifiers killed {dead:.0f} s, broker {broker:.0f} s")


@pytest.mark.long
async def test_notifiers_stopped(line: Stack, sounds: Path, tmp_path: Path) -> None:
    async with posted(line, sounds, tmp_path) as post:
        took = await post.answers("notifier-dead", lambda: each(line, "pause", "notifier-1", "notifier-2"))
        print(f"answered after the fault: notifiers stopped {took:.0f} s")


@pytest.mark.long
async def test_a_database_that_is_killed(line: Stack, sounds: Path, tmp_path: Path) -> None:
    async with posted(line, sounds, tmp_path) as post:
        took = await post.answers("database-away", line["postgres"].hold)
        assert post.calls() == ["database-away"], "one outage is one alarm"
        print(f"answered after the fault: database killed {took:.0f} s")


@pytest.mark.long
async def test_a_database_that_is_frozen(line: Stack, sounds: Path, tmp_path: Path) -> None:
    """Every process of it is stopped: connections stay open, and nothing answers."""
    frozen: list[int] = []

    async def freeze() -> None:
        await line["postgres"].pause()
        frozen.extend(_children(line["postgres"].pid or 0))
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)

    async with posted(line, sounds, tmp_path) as post:
        try:
            took = await post.answers("database-away", freeze)
            assert post.calls() == ["database-away"]
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        print(f"answered after the fault: database frozen {took:.0f} s")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.long
async def test_the_notifiers_trunk_is_cut(line: Stack, sounds: Path, tmp_path: Path) -> None:
    """Another telephone stands for the trunk of the notifier; the watchman calls through its own."""
    async with AsyncExitStack() as cut:
        trunk = await cut.enter_async_context(telephone(tmp_path / "trunk"))
        async with posted(line, sounds, tmp_path, watchman_trunks=f"udp:127.0.0.1:{trunk.port}") as post:
            took = await post.answers("channel-away", cut.aclose)
            print(f"answered after the fault: trunk cut {took:.0f} s")


@pytest.mark.long
async def test_a_queue_that_does_not_empty(line: Stack, sounds: Path, tmp_path: Path) -> None:
    """The mail relay is away, and a hundred offers wait."""
    own = line.settings
    notifier = notifier_of(own.database, own.master_key_file, own.database_passwords)
    async with posted(line, sounds, tmp_path) as post, notifier as made:
        await line.mailbox.stop()
        try:
            took = await post.answers("nobody-knocked", lambda: _offers(made, 100))
        finally:
            await line.mailbox.start()
        print(f"answered after the fault: queue {took:.0f} s")
        await until(lambda: _knocked(made), what="everything is sent once the relay is back")


async def _offers(made: Notifier, count: int) -> None:
    await made.person("officer")
    for _ in range(count):
        await made.tell(await made.case(), opened())


async def _knocked(made: Notifier) -> bool:
    return {*await made.states()} == {"SENT"}


async def test_a_quiet_day_of_the_drill_clock(line: Stack) -> None:
    """A jump of an hour makes everything late until the notifier has looked; the watchman calls nobody for it."""
    sources, admin = Sources(line.settings), database.admin(line.settings)
    watch, at = begin(0.0), 0.0
    try:
        for _ in range(HOURS):
            async with admin.begin() as tx:
                await clock.advance(tx, line.settings, HOUR)
            for _ in range(3):  # right after the jump, and twice more, as often as the notifier needs
                counters, ends = await until(lambda: _seen(sources), what="both answer")
                at += LOOK_S
                watch = look(watch, Look(at, counters, ends))
                assert standing(watch, at) == standing(watch, at + LOOK_S - 1) == ()
                await until(lambda: _settled(sources), what="the notifier has caught up")
    finally:
        await sources.close()
        await admin.dispose()


async def _seen(sources: Sources) -> Any:
    counters, ends = await sources.look()
    return (counters, ends) if counters is not None and ends is not None else None


async def _settled(sources: Sources) -> bool:
    counters, _ = await sources.look()
    return counters is not None and counters.late < 1 and counters.unknocked == 0
