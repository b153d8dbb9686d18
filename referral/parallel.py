"""The same work on all cores: process n does every so-manieth share of it, and results come in the order of the shares."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

T = TypeVar("T")
Share = Callable[..., Iterable[Any]]
"""A function of a module: yields a number for so much progress, and each result when it is there."""
GARBAGE = 200_000
"""Objects made before the collector looks (ours): decisions make many and leave no cycles."""


def shared(share: Share, arguments: Sequence[tuple[Any, ...]], count: int, tell: Callable[[int], None], kind: type[T]) -> Iterator[T]:
    """One process for each tuple of arguments; result m of `count` is of process m modulo their number. kind: of a result.

    A process whose result waits for its turn works on nothing else, so no more than one result of each is held.
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
                    said = ready.recv()
                    if isinstance(said, kind):
                        held[pipes.index(ready)] = said
                        left[pipes.index(ready)] -= 1
                    else:
                        tell(said)
            yield held.pop(turn % jobs)
    except EOFError:
        raise RuntimeError("a process ended too early (out of memory?); try --jobs 1") from None
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _work(pipe: Connection, share: Share, given: tuple[Any, ...]) -> None:
    """What one process does. Ctrl-C is for the one who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(GARBAGE)
    for said in share(*given):
        pipe.send(said)
    pipe.close()
