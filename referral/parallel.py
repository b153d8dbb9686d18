"""Spread work over processes, one per core: process n takes every n-th share, and results are yielded in the order of the shares.

Not concurrent.futures, which ends only when the running work has ended. Leaving this iterator (Ctrl-C, an early verdict) ends all
processes at once, and a result that waits for its turn blocks its process, which bounds the memory.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

T = TypeVar("T")
Advance = Callable[[int], None]
"""Receives a number of further steps done."""
GARBAGE = 200_000
"""New objects that trigger a garbage collection (ours): decisions create many objects and no cycles."""


def shared(share: Callable[..., Iterable[T]], arguments: Sequence[tuple[Any, ...]], count: int, advance: Advance) -> Iterator[T]:
    """Run `share` in one process for each tuple of arguments, and yield the results in order.

    share: the work of one process, a module's function. It gets its arguments and, as the last one, an `Advance` for its progress.
    arguments: one tuple for each process.
    count: number of results; result m comes from process m modulo the number of processes.
    advance: receives the progress of all processes.

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
                    steps, results = ready.recv()
                    if steps:
                        advance(steps)
                    for result in results:
                        held[pipes.index(ready)] = result
                        left[pipes.index(ready)] -= 1
            yield held.pop(turn % jobs)
    except EOFError:
        raise RuntimeError("a process ended too early (out of memory?); try --jobs 1") from None
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(pipe: Connection, share: Callable[..., Iterable[T]], given: tuple[Any, ...]) -> None:
    """Run the share of one process and send pairs (steps, results). Ignore Ctrl-C, which the parent process handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(GARBAGE)
    for result in share(*given, lambda steps: pipe.send((steps, ()))):
        pipe.send((0, (result,)))
    pipe.close()
