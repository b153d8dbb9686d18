"""Spread work over processes, one per core: process n takes every n-th share, and results are yielded in the order of the shares."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

T = TypeVar("T")
Share = Callable[..., Iterable[Any]]
"""A module's function that yields an int for each step of progress, and each result when it is ready."""
GARBAGE = 200_000
"""New objects that trigger a garbage collection (ours): decisions create many objects and no cycles."""


def shared(share: Share, arguments: Sequence[tuple[Any, ...]], count: int, tell: Callable[[int], None], kind: type[T]) -> Iterator[T]:
    """Run `share` in one process for each tuple of arguments, and yield the results in order.

    share: the work of one process.
    arguments: one tuple for each process.
    count: number of results; result m comes from process m modulo the number of processes.
    tell: receives the progress.
    kind: class of a result; everything else that `share` yields is progress.

    At most one result of each process is held in memory: a process whose result waits for its turn blocks.
    RuntimeError: a process ended too early.
    """
    context, jobs = multiprocessing.get_context("spawn"), len(arguments)
    pipes: list[Connection] = []
    processes = []
    try:
        for given in arguments:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(theirs, share, given), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        left = [len(range(number, count, jobs)) for number in range(jobs)]
        held: dict[int, T] = {}
        for turn in range(count):
            while turn % jobs not in held:
                for ready in wait([pipe for number, pipe in enumerate(pipes) if left[number] and number not in held]):
                    assert isinstance(ready, Connection)
                    message = ready.recv()
                    if isinstance(message, kind):
                        held[pipes.index(ready)] = message
                        left[pipes.index(ready)] -= 1
                    else:
                        tell(message)
            yield held.pop(turn % jobs)
    except EOFError:
        raise RuntimeError("a process ended too early (out of memory?); try --jobs 1") from None
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(pipe: Connection, share: Share, given: tuple[Any, ...]) -> None:
    """Run the share of one process and send what it yields. Ignore Ctrl-C, which the parent process handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(GARBAGE)
    for message in share(*given):
        pipe.send(message)
    pipe.close()
