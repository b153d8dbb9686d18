"""Units: the shares of a service's input that a lease assigns to one instance: `p0`…`p11`, `ingress.<agency>`, or `all`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

ALL = "all"
Place = tuple[str, int]
"""(topic without the stack's prefix, partition)"""
Position = tuple[int, str]
"""(next offset, digest of the record before it; empty without one)"""


@dataclass(slots=True)
class Unit:
    """An owned unit.

    epoch: the lease's epoch at take-over.
    positions: committed positions; for the service's own topic, the confirmed one.
    records_alone_until: place → offset up to which records are handled a few at a time, because one of them may kill the process.
    few: number of records that are handled together then: one, and tenure.GROWTH times as many each time, unless `singly`.
    singly: a process died while it was careful, so its few are handled one at a time.
    rows_alone_until: batch clock, µs, up to which queue rows and alarms are handled one at a time for the same reason; None: not.
    first_batch_started: the first batch of this tenure was started.
    committed: positions as this instance committed them last; the database must show them.
    explained: offset of the service's own topic up to which the writer of every record is known.
    suspect: the broker stored a record of this service not directly behind the last one, so somebody else wrote there.
    """

    name: str
    epoch: int
    positions: dict[Place, Position]
    records_alone_until: dict[Place, int] = field(default_factory=dict)
    few: int = 1
    singly: bool = False
    rows_alone_until: int | None = None
    first_batch_started: bool = False
    committed: dict[Place, Position] = field(default_factory=dict)
    explained: int = 0
    suspect: bool = False

    @property
    def partition(self) -> int | None:
        """Return the partition number of a case-topic unit; None for another unit."""
        return int(self.name[1:]) if self.name[0] == "p" and self.name[1:].isdigit() else None


def digest(key: bytes | None, value: bytes | None) -> str:
    """Return the 128-bit digest that distinguishes a record from another one at the same offset."""
    return hashlib.blake2b((key or b"") + b"\0" + (value or b""), digest_size=16).hexdigest()


def word(place: Place) -> str:
    """Return a place as lease.positions stores it: topic/partition."""
    return f"{place[0]}/{place[1]}"


def place(stored: str) -> Place:
    """Return the place that `word` wrote."""
    topic, _, number = stored.rpartition("/")
    return topic, int(number)
