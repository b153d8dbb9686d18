"""Kill a process by SIGKILL before any one change that it makes to files, or any one step in a database or at a broker: every way in
which a crash can leave them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from sqlalchemy import Engine, Pool, event

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.chmod", "os.rmdir", "shutil.rmtree", "subprocess.Popen")
MOST = 200
"""More changes than any command makes (ours)."""


def strikes(work: Callable[[], object], after: Callable[[int], object], *, database: bool = False, every: int = 1) -> int:
    """Run `work` in a child that is killed before its 1st, 2nd … change of files, until it ends alive; `after` looks at each remains.

    database: also before each statement and each commit, after each commit, and before each request to a broker.

    every: 2: before its 1st, 3rd …, for work with hundreds of changes.

    Return how often it was killed. `work` must be able to begin anew each time.
    """
    for times, number in enumerate(count(1, every)):
        assert times < MOST, "it never ends"
        alive = _child(work, number, database)
        after(number)
        if alive:
            return times
    raise AssertionError


def _child(work: Callable[[], object], number: int, database: bool) -> bool:
    """Return True if the child ended by itself. A fork: the child has what the test has made, and takes milliseconds."""
    child = os.fork()
    if not child:
        code = 1
        try:
            _strike(number, database)
            work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), f"the {number}th run failed by itself"
    return status == 0


def _strike(number: int, database: bool) -> None:
    """Kill this process before its `number`th change of files, or step in a database."""
    seen = count(1)

    def step(*_: object) -> None:
        if next(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    if database:
        for name in ("before_cursor_execute", "commit"):
            event.listen(Engine, name, step)
        event.listen(Pool, "reset", step)  # after a commit, when the connection goes back
        sends = AIOKafkaConnection.send

        def send(*given: Any, **more: Any) -> Any:
            step()
            return sends(*given, **more)

        AIOKafkaConnection.send = send  # in the child alone

    def hook(change: str, arguments: tuple[object, ...]) -> None:
        writes = change == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if change in CHANGES or writes:
            step()

    sys.addaudithook(hook)
