"""Turn read records into log entries, counted repeats, forks and gaps. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field, structs

from referral.domain.inputs import Input, Raw, Source
from referral.proof.entry import NOWHERE, SEQUENCED, Entry, Gap, Kind, digest, sort

REPEATED = frozenset({Kind.SCHEMA, Kind.KEYS})
"""Own entries that audit states with each batch; the log holds them once."""
SeqKey = tuple[str, str, int]
"""Topic, case and sequence number."""


class Known(Struct, kw_only=True):
    """The part of the log that these records touch.

    size: entries so far. now: `logged_at` of the next ones, µs UTC. sequences: (topic, case) → last sequence.
    hashes: (topic, case, sequence) → SHA-256 of its value.
    open: SHA-256 of values of records without a sequence, by (topic, key). positions: (topic, partition, offset) of logged records.
    own: SHA-256 of audit's own entries, by kind, in order.
    """

    size: int = 0
    now: int = 0
    sequences: dict[tuple[str, str], int] = field(default_factory=dict)
    hashes: dict[SeqKey, bytes] = field(default_factory=dict)
    open: dict[tuple[str, bytes], set[bytes]] = field(default_factory=dict)
    positions: set[tuple[str, int, int]] = field(default_factory=set)
    own: dict[Kind, list[bytes]] = field(default_factory=dict)


class Says(Struct, frozen=True):
    """One of audit's own entries. type, fingerprint: of a SCHEMA."""

    kind: Kind
    value: bytes
    type: str = ""
    fingerprint: int = 0


class Ingested(Struct, kw_only=True):
    """The result of one batch.

    entries: to append, in order. repeats: (topic, partition) → (number, last offset). alarms: the forks and gaps among the entries.
    """

    known: Known
    entries: list[Entry] = field(default_factory=list)
    repeats: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    alarms: list[Entry] = field(default_factory=list)

    def append(self, entry: Entry) -> None:
        """Append an entry with the next index."""
        entry = structs.replace(entry, idx=self.known.size, logged_at=self.known.now)
        self.known.size += 1
        self.entries.append(entry)
        if entry.kind in (Kind.FORK, Kind.GAP):
            self.alarms.append(entry)

    def repeat(self, entry: Entry) -> None:
        """Count a repeated record."""
        times, _ = self.repeats.get((entry.topic, entry.partition), (0, 0))
        self.repeats[entry.topic, entry.partition] = (times + 1, entry.offset)


def ingest(inputs: Iterable[Input], known: Known, says: Iterable[Says] = ()) -> Ingested:
    """Turn records into entries, after those of audit's own entries that are not logged yet. Updates `known`."""
    read = Ingested(known=known)
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


def _own(own: Says, read: Ingested) -> None:
    """Append one of audit's own entries: a schema once, keys whenever they changed, every other kind each time."""
    logged, sha256 = read.known.own.setdefault(own.kind, []), digest(own.value)
    if own.kind in REPEATED and sha256 in (logged if own.kind is Kind.SCHEMA else logged[-1:]):
        return
    logged.append(sha256)
    place = {"topic": "", "partition": NOWHERE, "offset": NOWHERE, "kafka_time": 0, "key": None}
    read.append(
        Entry(idx=0, kind=own.kind, value=own.value, sha256=sha256, type=own.type, fingerprint=own.fingerprint, **place)  # type: ignore[arg-type]
    )


def _sequenced(entry: Entry, read: Ingested) -> None:
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


def _open(entry: Entry, read: Ingested) -> None:
    """Handle a record without a case: the same key with the same bytes is a repeat."""
    values = read.known.open.setdefault((entry.topic, entry.key or b""), set())
    if entry.sha256 in values and entry.kind is not Kind.UNREADABLE:
        read.repeat(entry)
    else:
        values.add(entry.sha256)
        read.append(entry)


def parse(source: Source, raw: Raw) -> Entry:
    """Return the entry of a record, without an index."""
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
    """Return the entry that is logged before a record that reveals a gap: the expected and the received sequence."""
    value = Gap(topic=entry.topic, case_id=entry.case_id, expected=expected, came=entry.case_seq).encode()
    place = {"topic": entry.topic, "partition": entry.partition, "offset": entry.offset, "kafka_time": entry.kafka_time}
    return Entry(idx=0, kind=Kind.GAP, key=entry.key, value=value, sha256=digest(value), case_id=entry.case_id, **place)  # type: ignore[arg-type]
