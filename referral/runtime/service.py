"""The interface that a service author implements: one `Handler`, and one `Service` that names the topics read and written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import Input


@dataclass(frozen=True, slots=True)
class Batch:
    """The inputs of one transaction.

    now: batch clock, µs UTC.
    inputs: in order.
    keys: case id → case key; a case without a key is erased.
    owned: names of the units that this instance owns.
    """

    now: int
    inputs: tuple[Input, ...]
    keys: Mapping[str, bytes]
    owned: frozenset[str]


@dataclass(slots=True)
class Outcome:
    """The results of a batch: committed together with its positions, then published."""

    emitted: list[tuple[Input, Struct]] = field(default_factory=list)
    alarms: dict[str, int | None] = field(default_factory=dict)
    queued: list[tuple[str, Struct, str]] = field(default_factory=list)
    refused: list[tuple[Input, str]] = field(default_factory=list)
    rests: dict[str, float] = field(default_factory=dict)

    def emit(self, cause: Input, *events: Struct) -> None:
        """Emit events on the service's topic. Their ids are derived from the cause and their order."""
        self.emitted += ((cause, event) for event in events)

    def wake(self, case_id: str, at: int | None) -> None:
        """Set the case's one alarm (µs UTC), or clear it with None."""
        self.alarms[case_id] = at

    def enqueue(self, case_id: str, body: Struct, *, id: str) -> None:
        """Put work for another partition, or for a later batch, into this service's own queue. id: idempotency key; a repeat is ignored."""
        self.queued.append((case_id, body, id))

    def quarantine(self, record: Input, reason: str) -> None:
        """Quarantine a record of `ingress.<agency>` that cannot be understood. reason: a word of the list quarantine-reason."""
        self.refused.append((record, reason))

    def rest(self, topic: str, seconds: float) -> None:
        """Let a topic `ingress.<agency>` rest after this batch: its agency sends more than it may, and nothing of it is refused."""
        self.rests[topic] = seconds


Handle = Callable[[AsyncConnection, Batch], Awaitable[Outcome]]


class Handler(Protocol):
    """The handler of a service: a frozen dataclass, whose fields are what it needs beside the batch."""

    def handle(self, tx: AsyncConnection, batch: Batch, /) -> Awaitable[Outcome]:
        """Handle the inputs of one transaction. Raises: the loop tries them one at a time, and the one that raises again in `fallback`."""

    @property
    def fallback(self) -> Handle | None:
        """The method for one input, alone and in a new transaction, for which `handle` has raised; None: the loop retries for ever."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the loop runs it.

    reads: topics whose records it handles.
    handler: handles each batch.
    writes: the one topic that it writes, if any.
    ingress: it reads the ingress topics too.
    agencies: returns the agencies whose `ingress.<agency>` it reads; None: not known yet. Without it, it reads all of them.
    one_unit: it reads everything in one order (audit).
    waits_for: views (partition, oldest) of inputs inside other services that must be read before a later alarm may fire.
    hears: channel of PostgreSQL → called at each notification there, and when the connection is made: one may have been missed.
    not_ready: returns further reasons why the service is not ready: reason → what an operator can do.
    """

    name: str
    reads: tuple[str, ...]
    handler: Handler
    writes: str | None = None
    ingress: bool = False
    agencies: Callable[[], Collection[str] | None] | None = None
    one_unit: bool = False
    waits_for: tuple[str, ...] = ()
    hears: Mapping[str, Callable[[], None]] = field(default_factory=lambda: MappingProxyType({}))
    not_ready: Callable[[], Mapping[str, str]] = dict
