"""The inputs that wait for one turn of the loop: records, queue rows and due alarms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from referral.runtime.loop.reader import Taken
from referral.runtime.loop.tables import Row
from referral.runtime.loop.timers import Due
from referral.runtime.loop.units import Place, Position, digest
from referral.wire import topics


class InputKey(NamedTuple):
    """The identity of an input whose attempts are counted. For a queue row or an alarm, place and offset are made up."""

    unit: str
    place: Place
    offset: int


@dataclass(frozen=True, slots=True)
class Pending:
    """Records, queue rows and due alarms, in the order of handling.

    own: records of the service's own topic that no acknowledgement covers; their writer must be checked.
    attempt: attempt number of the single input here, or 1 for a few; 0 when attempts are not counted.
    skip: the single input here has killed the process too often, so it is set aside undecoded.
    """

    records: list[Taken] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)
    own: list[Taken] = field(default_factory=list)
    attempt: int = 0
    skip: bool = False

    def __bool__(self) -> bool:
        return bool(self.records or self.rows or self.dues or self.own)

    def key(self) -> InputKey:
        """Return the key of the first input here."""
        if self.records:
            unit, place, record = self.records[0]
            return InputKey(unit.name, place, record.offset)
        if self.rows:
            number = topics.partition(self.rows[0].case_id)
            return InputKey(f"p{number}", ("queue", number), self.rows[0].n)
        due = self.dues[0]
        return InputKey(f"p{due.partition}", (f"alarm {due.case_id}", due.partition), due.at)

    def units(self) -> frozenset[str]:
        """Return the units that these inputs belong to."""
        parts = {topics.partition(row.case_id) for row in self.rows} | {due.partition for due in self.dues}
        return frozenset({taken.unit.name for taken in (*self.records, *self.own)} | {f"p{number}" for number in parts})

    def of(self, units: frozenset[str]) -> Pending:
        """Return only the inputs of these units."""
        return replace(
            self,
            records=[t for t in self.records if t.unit.name in units],
            rows=[r for r in self.rows if f"p{topics.partition(r.case_id)}" in units],
            dues=[d for d in self.dues if f"p{d.partition}" in units],
            own=[t for t in self.own if t.unit.name in units],
        )

    def singly(self) -> Iterator[Pending]:
        """Yield the inputs one at a time, in the same order."""
        nothing = replace(self, records=[], rows=[], dues=[], own=[])
        yield from (replace(nothing, own=[t]) for t in self.own)
        yield from (replace(nothing, records=[t]) for t in self.records)
        yield from (replace(nothing, rows=[r]) for r in self.rows)
        yield from (replace(nothing, dues=[d]) for d in self.dues)

    def moved(self) -> dict[str, dict[Place, Position]]:
        """Return unit → its positions after these inputs."""
        out: dict[str, dict[Place, Position]] = {}
        for unit, place, record in {(t.unit.name, t.place): t for t in (*self.own, *self.records)}.values():
            positions = out.setdefault(unit.name, dict(unit.positions))
            positions[place] = (record.offset + 1, digest(record.key, record.value))
        return out
