"""The log is killed, or its connections break, at every system call by which it appends, signs, keeps, asks and publishes.

Each time the next turn puts things right: never two heads of one size, never a head that the entries do not carry, nothing logged twice.
`make faults` strikes at every call; the tests at every STEP-th.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referral.proof.entry import NOWHERE
from referral.runtime.postgres.database import away
from referral.runtime.service import Batch
from referral.runtime.settings import Settings
from referral.tlog import checkpoint, merkle, note
from referral.tlog.merkle import leaf_hash
from services.audit.beat import BLOCK
from services.audit.handle import Audit
from tests.harness.line.audit_stack import KEY, Log, honest, log
from tests.harness.waiting import PATIENCE_S
from tests.unit.audit.test_ingest import record, value

pytestmark = pytest.mark.servers
STEP = int(os.environ.get("REFERRAL_KILL_STEP", "32"))
COUNT = 3
"""Records of a turn; with it the tree passes no full tile and passes one, in different turns."""
ROUNDS = 3
"""Turns after each stroke, one of which publishes (ours)."""
CALLS = ("sendto", "recvfrom")
"""What asyncio speaks to database and witnesses with. After a `recvfrom` what was asked for may be done, and the asker does not know."""
FAULTS = ("signal=SIGKILL", "error=ECONNRESET")


class Turns:
    """The process that forks turns, and the strace that strikes them."""

    def __init__(self, settings: Settings, folder: Path, urls: list[str]) -> None:
        self._told = {"database": settings.database, "master_key_file": str(settings.master_key_file), "kafka": "", "instance": "turn"}
        self._folder, self._urls = folder, urls
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, "-m", "tests.faults.log_turn"], stdin=pipe, stdout=pipe, text=True)
        self.go = folder / "go"
        os.mkfifo(self.go)

    def run(self, first: int, rule: str = "") -> int:
        """One turn, its exit code (negative: the signal). rule: of strace, what is done to it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        told = {"settings": self._told, "first": first, "count": COUNT, "urls": self._urls, "go": str(self.go)}
        self._process.stdin.write(json.dumps({**told, "said": str(self._folder / "said")}) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        tracer = None
        if rule:
            trace = ["strace", "-f", "-p", str(child), "-e", f"trace={','.join(CALLS)}", *(("-e", rule) if rule != "count" else ())]
            tracer = subprocess.Popen([*trace, "-o", str(self._folder / "calls")], stderr=subprocess.PIPE, text=True)
            assert tracer.stderr is not None and "attached" in tracer.stderr.readline()
        with self.go.open("w"):
            pass
        code = int(self._process.stdout.readline())
        if tracer is not None:
            tracer.wait(PATIENCE_S)
        return code

    def calls(self) -> dict[str, int]:
        """How often each was made in the last turn that was traced."""
        seen = (self._folder / "calls").read_text(errors="replace")
        return {call: len(re.findall(rf"\b{call}\(", seen)) for call in CALLS}

    def said(self) -> str:
        """What the last turn has logged."""
        return (self._folder / "said").read_text(errors="replace")

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)


@pytest_asyncio.fixture
async def made(bare: Settings, tmp_path: Path) -> AsyncIterator[tuple[Log, list[str]]]:
    if shutil.which("strace") is None:
        pytest.skip("system calls cannot be struck here: apt-get install strace")
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(honest(tmp_path, n)) for n in (1, 2)]
        yield await stack.enter_async_context(log(bare, urls)), urls


@pytest.fixture
def turns(made: tuple[Log, list[str]], bare: Settings, tmp_path: Path) -> Iterator[Turns]:
    started = Turns(bare, tmp_path, made[1])
    yield started
    started.end()


def goes_on(turns: Turns, first: int) -> bool:
    """Whether a turn publishes. On a busy machine a witness is late for one: the service asks again too."""
    return any(turns.run(first) == 0 for _ in range(ROUNDS))


async def holds(made: Log, records: int, urls: list[str]) -> None:
    """Every head that anybody has seen is the head of these entries, and they are the records, each once."""
    async with made.engine.connect() as tx:
        rows = (await tx.execute(text('SELECT leaf, "offset" FROM audit.entry ORDER BY idx'))).all()
        head = (await tx.execute(text("SELECT size, root FROM audit.head"))).one()
        signed = (await tx.execute(text("SELECT size, root, note FROM audit.checkpoint"))).all()
    assert [row.offset for row in rows if row.offset != NOWHERE] == list(range(1, records + 1)), "the others are cover"
    frontier, roots = merkle.Frontier(), {0: merkle.EMPTY}
    for row in rows:
        frontier = merkle.append(frontier, [leaf_hash(row.leaf)])
        roots[frontier.size] = frontier.root
    assert (head.size, head.root) == (len(rows), roots[len(rows)])
    for size, root, data in signed:
        said, _ = checkpoint.verify(note.parse(data), [KEY.verifier])
        assert said == checkpoint.Checkpoint(KEY.name, size, root) and root == roots[size]
    for url in urls:
        answer = await made.client.get(f"{url}/checkpoint/{hashlib.sha256(KEY.name.encode()).hexdigest()}")
        said, _ = checkpoint.verify(note.parse(answer.content), [KEY.verifier])
        assert said.root == roots[said.size]
    accepted = await made.published()
    assert accepted is not None and accepted.checkpoint.size % BLOCK == 0
    assert accepted.checkpoint.root == roots[len(rows)]


async def test_struck_at_any_call_the_log_goes_on_as_if_nothing_had_been(made: tuple[Log, list[str]], turns: Turns) -> None:
    database, urls = made
    first = itertools.count(1, COUNT)
    assert await asyncio.to_thread(turns.run, next(first), "count") == 0
    calls = turns.calls()
    assert calls["sendto"] > 20, calls
    struck = 0
    for fault, call in itertools.product(FAULTS, CALLS):
        for number in range(1 + struck % STEP, calls[call] + 1, STEP):
            start = next(first)
            code = await asyncio.to_thread(turns.run, start, f"inject={call}:{fault}:when={number}")
            assert code != 0 or fault != "signal=SIGKILL" or turns.calls()[call] < number, (fault, call, number)
            assert await asyncio.to_thread(goes_on, turns, start), (fault, call, number, turns.said())
            await holds(database, start + COUNT - 1, urls)
            struck += code != 0
    assert struck >= max(20 // STEP, 1)


async def test_two_writers_at_once_leave_one_tree(made: tuple[Log, list[str]]) -> None:
    database, urls = made
    await database.append(5)

    async def again() -> bool:
        other = Log(database.engine, database.policy, database.client, offset=5)
        try:
            await other.append(4)
        except Exception as error:
            assert "entry_pkey" in str(error), error
            return False
        return True

    assert sum(await asyncio.gather(*(again() for _ in range(4)))) >= 1
    assert await database.publisher().round()
    await holds(database, 9, urls)


async def test_a_full_disk_of_the_database_stops_the_log_and_changes_nothing(made: tuple[Log, list[str]], tmp_path: Path) -> None:
    """ENOSPC where PostgreSQL makes a table longer; what WAL does on a full disk is PostgreSQL's own promise."""
    database, urls = made
    await database.append(2)
    large = [record(value(n), n, told=[("padding", os.urandom(40_000))]) for n in range(3, 40)]
    with pytest.raises(DBAPIError) as told:
        async with database.engine.begin() as tx:
            pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            rule = ["-e", "trace=pwritev,fallocate", "-e", "inject=pwritev,fallocate:error=ENOSPC"]
            tracer = subprocess.Popen(["strace", "-p", str(pid), *rule, "-o", "/dev/null"], stderr=subprocess.PIPE, text=True)
            assert tracer.stderr is not None and "attached" in tracer.stderr.readline()
            try:
                await Audit(lambda _: None).handle(tx, Batch(now=3, inputs=tuple(large), keys={}, owned=frozenset({"all"})))
            finally:
                tracer.terminate()
                tracer.wait(PATIENCE_S)
    assert getattr(told.value.orig, "sqlstate", None) == "53100" and away(told.value), "the loop waits and tries again"
    database.offset = 2
    await database.append(3)
    assert await database.publisher().round()
    await holds(database, 5, urls)
