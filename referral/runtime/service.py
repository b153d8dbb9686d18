"""What a service author writes, and nothing else: one function `handle`, and one line that names what it reads and writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import Input


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction handles. now: batch clock, µs UTC. keys: case id → case key; a case without one is erased."""

    now: int
    inputs: tuple[Input, ...]
    keys: Mapping[str, bytes]
    owned: frozenset[str]


@dataclass(slots=True)
class Outcome:
    """What a batch leads to; committed with its positions, then published."""

    emitted: list[tuple[Input, Struct]] = field(default_factory=list)
    alarms: dict[str, int | None] = field(default_factory=dict)
    queued: list[tuple[str, Struct, str]] = field(default_factory=list)
    refused: list[tuple[Input, str]] = field(default_factory=list)

    def emit(self, cause: Input, *events: Struct) -> None:
        """Say events on the service's topic, as the next ones of this cause: ids are derived from it, in this order."""
        self.emitted += ((cause, event) for event in events)

    def wake(self, case_id: str, at: int | None) -> None:
        """Set the case's one alarm, or clear it with None."""
        self.alarms[case_id] = at

    def enqueue(self, case_id: str, body: Struct, *, id: str) -> None:
        """Put work for another partition (or a later batch) into this service's own queue; the same id is taken once."""
        self.queued.append((case_id, body, id))

    def quarantine(self, record: Input, reason: str) -> None:
        """This record of `ingress.<agency>` cannot be understood; reason is a word of the list quarantine-reason."""
        self.refused.append((record, reason))


Handle = Callable[[AsyncConnection, Batch], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Service:
    """One service. reads: topics whose records it handles. writes: the one topic it writes, if any.

    ingress: it also reads every `ingress.<agency>`; one_unit: a single order over everything (audit).
    agencies: whose `ingress.<agency>` are read; None while nobody knows. Without it all are.
    waits_for: the view (partition, oldest) whose older rows must be read before an alarm may fire.
    fallback: handles one input, alone and in a new transaction, for which `handle` has raised; without it the loop tries for ever.
    against: what else speaks against being ready, word → what an operator can do.
    """

    name: str
    reads: tuple[str, ...]
    handle: Handle
    writes: str | None = None
    ingress: bool = False
    agencies: Callable[[], Collection[str] | None] | None = None
    one_unit: bool = False
    waits_for: str | None = None
    fallback: Handle | None = None
    against: Callable[[], Mapping[str, str]] = dict
