"""What all our child servers have in common: at most one child, and a stop that also wins against a start under way."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path

from referral.local.child import Child, Recipe
from referral.local.data_folder import Trouble, of_os


class Server(ABC):
    """Kafka, Postgres or Worker. Its methods block: call them from a thread where an event loop runs.

    tries: starts that may fail before the first that succeeds; what is wrong then will not go away by itself.
    """

    tries = 1

    def __init__(self, log: Path) -> None:
        """log: where the child's output goes, added to at every start."""
        self.log = log
        self.child: Child | None = None
        self._stopping = threading.Event()

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it answers, once started."""

    @property
    def inner(self) -> str:
        """Where it answers operators, once started; as a rule the same."""
        return self.address

    @abstractmethod
    def start(self) -> str:
        """Start it (again), wait until it answers, return its address. Raises Trouble."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it answers now."""

    def stands(self) -> bool:
        """Whether it runs, and waits for an operator: it is not ready, and no start will make it so."""
        return False

    def stop(self) -> None:
        """End it in order; a start under way ends with Trouble."""
        self._stopping.set()
        if self.child is not None:
            self.child.stop()

    def _spawn(self, recipe: Recipe) -> Child:
        try:
            child = self.child = Child(recipe)
        except OSError as error:
            raise of_os(error, recipe.log.parent) from error
        if self._stopping.is_set():
            child.stop()
            raise Trouble("stopped while it started")
        return child

    def _ready(self, child: Child, name: str, seconds: float) -> str:
        """Wait until it answers; where it is then. Raises Trouble."""
        deadline = time.monotonic() + seconds
        while not (self.answers() or self.stands()):
            if child.poll() is not None or time.monotonic() > deadline:
                child.stop()
                raise Trouble(f"{name} did not get ready; its last words are in {self.log}")
            time.sleep(0.05)
        return self.address

    def _tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_bytes()[-20_000:].decode(errors="replace") if self.log.exists() else ""


def disk_full(tail: str) -> bool:
    """Whether a server's last words say so."""
    return "No space left on device" in tail or "Disk quota exceeded" in tail
