"""The base class of all child servers: at most one child process each, and a stop that also ends a start under way."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path

from referral.local.child import SETPRIV, Child, Recipe
from referral.local.data_folder import Trouble, of_os

POLL_S = 0.1
"""Seconds (ours) between two questions whether a server is ready: each is a TLS handshake or two on both sides."""


class Server(ABC):
    """A server as a child process: Kafka, Postgres, Worker or Witness. Its methods block: with an event loop, call them from a thread.

    tries: failed starts, before the first success, after which the supervisor gives up.
    every_s: seconds between two readiness polls while it is ready; below the five for which our servers keep a connection.
    """

    tries = 1
    every_s = 4.0

    def __init__(self, log: Path) -> None:
        """Prepare a server. log: file to which every start appends the child's output."""
        self.log = log
        self.child: Child | None = None
        self._stopping = threading.Event()

    @property
    @abstractmethod
    def address(self) -> str:
        """Return the address at which it answers, once started."""

    @property
    def inner(self) -> str:
        """Return the address at which it answers operators, once started; by default the same."""
        return self.address

    @abstractmethod
    def start(self) -> str:
        """Start it (again), wait until it answers, return its address. Raises Trouble."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it answers now."""

    def stands(self) -> bool:
        """Return whether it runs and waits for an operator: it is not ready, and another start would not make it ready."""
        return False

    def why(self) -> str:
        """Return in one line why it is not ready, or has died; empty: it does not say."""
        return ""

    def stop(self) -> None:
        """Stop it in an orderly way; a start under way ends with Trouble."""
        self._stopping.set()
        if self.child is not None:
            self.child.stop()

    def _spawn(self, recipe: Recipe) -> Child:
        try:
            child = self.child = Child(recipe)
        except OSError as error:
            if error.filename == SETPRIV:
                raise Trouble(f"no {SETPRIV}: install util-linux") from error
            raise of_os(error, recipe.log.parent) from error
        if self._stopping.is_set():
            child.stop()
            raise Trouble("stopped while it started")
        return child

    def _ready(self, child: Child, name: str, seconds: float) -> str:
        """Wait until it answers or waits for an operator, and return its address. Raises Trouble."""
        deadline = time.monotonic() + seconds
        while not (self.answers() or self.stands()):
            if child.poll() is not None or time.monotonic() > deadline:
                why = self.why()
                child.stop()
                raise Trouble(f"{name} did not become ready{why and ': '}{why}; its last words are in {self.log}")
            time.sleep(POLL_S)
        return self.address

    def _tail(self) -> str:
        """Return the last 20,000 bytes of its output."""
        return self.log.read_bytes()[-20_000:].decode(errors="replace") if self.log.exists() else ""


def disk_full(tail: str) -> bool:
    """Return whether the end of a server's output reports a full disk."""
    return "No space left on device" in tail or "Disk quota exceeded" in tail
