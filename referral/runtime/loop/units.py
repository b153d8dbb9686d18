"""Units: what a lease gives to one instance. `p0`…`p11`, `ingress.<agency>`, or `all`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

ALL = "all"
Place = tuple[str, int]
"""(topic without the stack's prefix, partition)"""
Position = tuple[int, str]
"""(next offset, digest of the record before it; empty where there is none)"""


@dataclass(slots=True)
class Unit:
    """An owned unit. epoch: as captured at take-over. positions: committed; of the service's own topic, what is confirmed.

    careful: up to which offset records are read one at a time, because one of them may kill the process; wary: up to which batch clock
    rows and alarms are. tried: a batch of this tenure was begun. left: positions as last committed: the database must show them.

    explained: offset of the service's own topic up to which every record has its writer. suspect: the broker put a record of this service
    elsewhere than behind the last one, so somebody else wrote there.
    """

    name: str
    epoch: int
    positions: dict[Place, Position]
    careful: dict[Place, int] = field(default_factory=dict)
    wary: int | None = None
    tried: bool = False
    left: dict[Place, Position] = field(default_factory=dict)
    explained: int = 0
    suspect: bool = False

    @property
    def partition(self) -> int | None:
        """The number of a unit of the case topics."""
        return int(self.name[1:]) if self.name[0] == "p" and self.name[1:].isdigit() else None


def digest(key: bytes | None, value: bytes | None) -> str:
    """Tells a record from another one at the same place: 128 bits."""
    return hashlib.blake2b((key or b"") + b"\0" + (value or b""), digest_size=16).hexdigest()


def word(place: Place) -> str:
    """As positions are stored: topic/partition."""
    return f"{place[0]}/{place[1]}"


def place(stored: str) -> Place:
    topic, _, number = stored.rpartition("/")
    return topic, int(number)
