"""What becomes of the records that were read: entries, counted repeats, forks and gaps. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field, structs

from referral.domain.inputs import Input, Raw, Source
from referral.proof.entry import NOWHERE, SEQUENCED, Entry, Gap, Kind, digest, sort

Place = tuple[str, str, int]
"""Topic, case and sequence."""


class Known(Struct, kw_only=True):
    """What the log holds already, as far as these records touch it.

    size: entries so far. now: what `logged_at` of the next ones says, µs UTC. sequences: (topic, case) → last sequence.
    hashes: (topic, case, sequence) → SHA-256 of its value.
    open: SHA-256 of values of records without a sequence, by (topic, key). positions: those that are logged.
    own: SHA-256 of what audit itself has said, by kind, in order.
    """

    size: int = 0
    now: int = 0
    sequences: dict[tuple[str, str], int] = field(default_factory=dict)
    hashes: dict[Place, bytes] = field(default_factory=dict)
    open: dict[tuple[str, bytes], set[bytes]] = field(default_factory=dict)
    positions: set[tuple[str, int, int]] = field(default_factory=set)
    own: dict[Kind, list[bytes]] = field(default_factory=dict)


class Says(Struct, frozen=True):
    """What audit itself has to say once. type, fingerprint: of a SCHEMA."""

    kind: Kind
    value: bytes
    type: str = ""
    fingerprint: int = 0


class Read(Struct, kw_only=True):
    """entries: to append, in order. repeats: (topic, partition) → (number, last offset). alarms: the forks and gaps among the entries."""

    known: Known
    entries: list[Entry] = field(default_factory=list)
    repeats: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    alarms: list[Entry] = field(default_factory=list)

    def append(self, entry: Entry) -> None:
        """Give it the next index."""
        entry = structs.replace(entry, idx=self.known.size, logged_at=self.known.now)
        self.known.size += 1
        self.entries.append(entry)
        if entry.kind in (Kind.FORK, Kind.GAP):
            self.alarms.append(entry)

    def repeat(self, entry: Entry) -> None:
        """Count the same bytes once more."""
        times, _ = self.repeats.get((entry.topic, entry.partition), (0, 0))
        self.repeats[entry.topic, entry.partition] = (times + 1, entry.offset)


def ingest(inputs: Iterable[Input], known: Known, says: Iterable[Says] = ()) -> Read:
    """Turn records into entries, behind what audit itself has to say and has not yet; `known` follows along."""
    read = Read(known=known)
    for own in says:
        _own(own, read)
    for record in inputs:
        assert isinstance(record.body, Raw)
        position = (record.source.topic, record.source.partition, record.source.offset)
        if position not in known.positions:
            known.positions.add(position)
            entry = parse(record.source, record.body)
            if entry.kind in SEQUENCED:
                _sequenced(entry, read)
            else:
                _open(entry, read)
    return read


def _own(own: Says, read: Read) -> None:
    """A schema is said once; keys whenever they are others than before; a heartbeat each time."""
    said, sha256 = read.known.own.setdefault(own.kind, []), digest(own.value)
    if own.kind is not Kind.HEARTBEAT and sha256 in (said if own.kind is Kind.SCHEMA else said[-1:]):
        return
    said.append(sha256)
    place = {"topic": "", "partition": NOWHERE, "offset": NOWHERE, "kafka_time": 0, "key": None}
    read.append(
        Entry(idx=0, kind=own.kind, value=own.value, sha256=sha256, type=own.type, fingerprint=own.fingerprint, **place)  # type: ignore[arg-type]
    )


def _sequenced(entry: Entry, read: Read) -> None:
    known, case = read.known, (entry.topic, entry.case_id)
    place, expected = (*case, entry.case_seq), known.sequences.get(case, 0) + 1
    if known.hashes.get(place) == entry.sha256:
        read.repeat(entry)
    elif entry.case_seq < expected:
        read.append(structs.replace(entry, kind=Kind.FORK))
    else:
        if entry.case_seq > expected:
            read.append(_gap(entry, expected))
        known.sequences[case], known.hashes[place] = entry.case_seq, entry.sha256
        read.append(entry)


def _open(entry: Entry, read: Read) -> None:
    """A record of no case: it is a repeat when the same key came with the same bytes."""
    values = read.known.open.setdefault((entry.topic, entry.key or b""), set())
    if entry.sha256 in values and entry.kind is not Kind.UNREADABLE:
        read.repeat(entry)
    else:
        values.add(entry.sha256)
        read.append(entry)


def parse(source: Source, raw: Raw) -> Entry:
    """The entry of a record, not yet numbered."""
    kind, meta = sort(source.topic, source.partition, raw.key, raw.value, raw.headers)
    entry = Entry(
        idx=0,
        kind=kind,
        topic=source.topic,
        partition=source.partition,
        offset=source.offset,
        kafka_time=raw.kafka_time,
        key=raw.key,
        value=raw.value,
        headers=raw.headers,
        sha256=digest(raw.value),
    )
    if meta is None:
        return entry
    return structs.replace(
        entry,
        event_id=meta.event_id,
        type=meta.type,
        fingerprint=meta.fingerprint,
        case_id=meta.case_id,
        case_seq=meta.case_seq,
        cause_id=meta.cause_id,
        recorded_at=meta.recorded_at,
    )


def _gap(entry: Entry, expected: int) -> Entry:
    """What is logged in front of a record that shows a gap: what was expected, and what came."""
    value = Gap(topic=entry.topic, case_id=entry.case_id, expected=expected, came=entry.case_seq).encode()
    place = {"topic": entry.topic, "partition": entry.partition, "offset": entry.offset, "kafka_time": entry.kafka_time}
    return Entry(idx=0, kind=Kind.GAP, key=entry.key, value=value, sha256=digest(value), case_id=entry.case_id, **place)  # type: ignore[arg-type]
