"""Turn Kafka records, queue rows and due alarms into inputs: parse the envelope, check the case sequence, decrypt and decode.

Duplicates are dropped, gaps and forks are reported; nothing is skipped silently.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aiokafka import ConsumerRecord
from msgspec import Struct

from referral.domain.events import EVENTS
from referral.domain.inputs import Erased, Input, Raw, RecordLost, Source, due_input, lost_input, record_input
from referral.errors import Malformed
from referral.runtime import observe
from referral.runtime.kafka.fetched import Undecodable
from referral.runtime.loop import quarantine
from referral.runtime.loop.pending import Pending
from referral.runtime.loop.quarantine import Refused
from referral.runtime.loop.quarantine import record as refused
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.sequence import NONE, Seen, Verdict, fingerprint, judge
from referral.runtime.loop.tables import Row
from referral.runtime.loop.units import ALL, Place
from referral.runtime.postgres import queue
from referral.runtime.service import Outcome, Service
from referral.wire import codec, seal, topics
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.writer_signature import NO_WRITERS, Writers

_POSITION = uuid.UUID("8f0c2f0e-54f7-4b1c-9d53-0c9f0f2c9a11")  # any fixed UUID: namespace of the ids of records that have no event id


@dataclass(slots=True)
class Opened:
    """A record of a case topic with its parsed envelope; without one, reason is a word of the list quarantine-reason."""

    taken: Taken
    envelope: seal.Envelope | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch in its transaction, between the fence and the commit.

    pending: its records, queue rows and alarms, of the units in held.
    held: units that are still ours.
    now: batch clock, µs.
    keys: case id → case key, of every case here; a case without a key is erased.
    seen: last sequence of every case here, in each topic, after the records that were decoded.
    read: the part of seen that these records changed.
    inputs: the handler's inputs, in order.
    refused: entries for the quarantine.
    """

    pending: Pending
    held: frozenset[str]
    now: int
    keys: Mapping[str, bytes] = field(repr=False)
    seen: Seen
    read: Seen = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    refused: tuple[Refused, ...] = ()


def decode(state: BatchState, opened: list[Opened], intake: Erasers, service: Service) -> BatchState:
    """Return the batch with all its inputs: records of case topics, undecoded records, queue rows and due alarms, in this order.

    opened: its records of case topics.
    intake: those whom an erasure is believed.

    NewerVersion: deploy this consumer first; nothing of the batch is applied.
    """
    records = _decode_records(opened, state.seen, state.keys, intake, service.name)
    undecoded, unread = _undecoded(state.pending, service.one_unit)
    queued, deadly = _queued(state.pending, state.keys)
    inputs = (*state.inputs, *records.inputs, *undecoded, *queued)
    seen = state.seen | records.read
    dues = () if state.pending.skip else _dues(state.pending, {i.case_id for i in inputs}, service.writes or "", seen)
    return replace(
        state,
        seen=seen,
        read=state.read | records.read,
        inputs=(*inputs, *dues),
        refused=(*state.refused, *records.refused, *unread, *deadly),
    )


@dataclass(slots=True)
class _Records:
    """The decoded records of case topics: inputs, quarantine entries, and the last sequences that they change."""

    inputs: list[Input] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    read: Seen = field(default_factory=dict)


def open_all(taken: list[Taken], unread: bool, writers: Writers = NO_WRITERS) -> list[Opened]:
    """Parse the envelopes; no key of a case is needed.

    unread: the records have killed the process before, so refuse them without parsing.
    writers: the services' public keys. A record that its writer did not sign is refused whole: it takes no sequence and says nothing.
    """
    return [Opened(t, None, "kills-process") if unread else _open(t, writers) for t in taken]


def _open(taken: Taken, writers: Writers) -> Opened:
    """Parse one envelope, and check that topic, key, partition, sequence and signature fit it."""
    _, place, record = taken
    if isinstance(record, Undecodable):
        return Opened(taken, None, record.reason)
    try:
        envelope = seal.open(record.value or b"")
    except Malformed as error:
        return Opened(taken, None, error.reason)
    meta = envelope.meta
    struct = EVENTS.get(meta.type)
    wrong_topic = struct is not None and place[0] != struct.TOPIC  # type: ignore[attr-defined]
    if wrong_topic or record.key != meta.case_id.encode() or topics.partition(meta.case_id) != place[1] or meta.case_seq < 1:
        return Opened(taken, None, "foreign")
    if not writers.wrote(place[0], record.key, record.value, record.headers, record.timestamp):
        return Opened(taken, None, "not-signed")
    return Opened(taken, envelope)


def raw(taken: Taken) -> Input:
    """Return the undecoded record as an input: for ingress topics, and for every record of a service with one unit."""
    _, place, record = taken
    body = Raw(
        agency=place[0].removeprefix(topics.INGRESS) if place[0].startswith(topics.INGRESS) else "",
        key=record.key,
        value=record.value or b"",
        headers=tuple((name, value or b"") for name, value in record.headers),
        kafka_time=record.timestamp,
    )
    name = f"{place[0]}/{place[1]}/{record.offset}"
    return Input(id=str(uuid.uuid5(_POSITION, name)), case_id="", body=body, source=_source(place, record))


def _decode_records(opened: list[Opened], seen: Seen, keys: Mapping[str, bytes], intake: Erasers, service: str) -> _Records:
    """Decide for each record, in order: input, repeat, or quarantine. The arguments are those of `decode`; service: its name."""
    out = _Records()
    for item in opened:
        _, place, record = item.taken
        if item.envelope is None:
            out.refused.append(refused(item.taken, item.reason))
            continue
        meta = item.envelope.meta
        at = (place[0], meta.case_id)
        print_ = fingerprint(record.value)
        last = out.read.get(at) or seen.get(at, NONE)
        verdict = judge(last, meta.case_seq, print_)
        if verdict is Verdict.REPEAT:
            observe.REPEATS.labels(service, place[0]).inc()
            continue
        body, reason = _body(item.envelope, place[0], keys, intake, record.timestamp)
        if reason == "seal":
            # The sequence of such a record is unproven; applying it would make the genuine records look like repeats or forks.
            out.refused.append(refused(item.taken, reason))
            if verdict is Verdict.NEXT:  # it may be a damaged genuine record, and then no other record will have this sequence
                out.inputs.append(_lost(item, place[0], meta.case_seq, reason))
            continue
        if verdict in (Verdict.FORK, Verdict.FAR):  # no program can decide which of two records is genuine: apply neither, a person decides
            _forked(verdict, service, place, record)
            if not isinstance(body, Erased):
                out.inputs.append(_lost(item, place[0], meta.case_seq, verdict.value))
            continue
        if verdict is Verdict.GAP:
            out.inputs.append(_lost(item, place[0], last.seq + 1, "gap"))
            observe.LOST.labels(service, place[0]).inc()
        out.read[at] = last.after(meta.case_seq, print_, meta.drill)
        if body is None:
            out.refused.append(refused(item.taken, reason, meta))
            out.inputs.append(_lost(item, place[0], meta.case_seq, reason))
        else:
            out.inputs.append(record_input(meta, body, _source(place, record)))
    return out


def _body(envelope: seal.Envelope, topic: str, keys: Mapping[str, bytes], intake: Erasers, at: int) -> tuple[Struct | None, str]:
    """Return (body, "") or (None, the word of quarantine-reason). at: LogAppendTime, ms."""
    meta = envelope.meta
    if meta.type not in seal.UNSEALED and meta.case_id not in keys:
        return Erased(), ""
    try:
        body = codec.decode(meta.type, meta.fingerprint, seal.unseal(keys.get(meta.case_id), topic, envelope))
        if meta.type in seal.UNSEALED and not intake.genuine(meta.case_id, body, at):
            return None, "seal"
        return body, ""
    except Malformed as error:
        return None, error.reason


def _lost(item: Opened, topic: str, seq: int, reason: str) -> Input:
    """Return the input that reports a lost record to the case."""
    _, place, record = item.taken
    assert item.envelope is not None
    return lost_input(item.envelope.meta.case_id, RecordLost(topic=topic, seq=seq, reason=reason), _source(place, record))


def _forked(verdict: Verdict, service: str, place: Place, record: ConsumerRecord) -> None:
    """Count and log a fork."""
    observe.FORKS.labels(service, place[0]).inc()
    observe.log().error(verdict.value, service=service, topic=place[0], partition=place[1], offset=record.offset)


def _source(place: Place, record: ConsumerRecord) -> Source:
    return Source(topic=place[0], partition=place[1], offset=record.offset)


def _undecoded(pending: Pending, one_unit: bool) -> tuple[list[Input], list[Refused]]:
    """Return records of ingress topics, or of a service with one unit, as (undecoded inputs, quarantine entries)."""
    taken = [t for t in pending.records if t.unit.partition is None]
    if pending.skip:
        return [], [refused(t, "kills-process") for t in taken]
    if one_unit:  # audit logs undecodable batches too, because the topic holds them
        return [raw(t) for t in taken], []
    torn = [refused(t, t.record.reason) for t in taken if isinstance(t.record, Undecodable)]
    return [raw(t) for t in taken if not isinstance(t.record, Undecodable)], torn


def _queued(pending: Pending, keys: Mapping[str, bytes]) -> tuple[list[Input], list[Refused]]:
    """Return the queue rows as (inputs, quarantine entries of those that have killed the process too often), without erased cases."""
    if pending.skip:
        return [], [_deadly(row) for row in pending.rows]
    out = []
    for row in pending.rows:
        try:
            plain = queue.unseal(row.body, row.id, keys.get(row.case_id))
        except Malformed:
            if row.case_id in keys:
                raise
            continue
        body = codec.decode(row.type, row.fingerprint, plain)
        out.append(Input(id=row.id, case_id=row.case_id, body=body, source=Source(topic="queue"), at=row.at, drill=row.drill))
    return out, []


def _deadly(row: Row) -> Refused:
    """Return the quarantine entry of a queue row that kills the process."""
    number = topics.partition(row.case_id)
    return Refused(f"p{number}", ("queue", number), row.n, row.body, "kills-process", row.case_id)


def _dues(pending: Pending, busy: set[str], writes: str, seen: Seen) -> list[Input]:
    """Return the due alarms of cases without another input in this batch (busy): such an input may set the alarm anew.

    The cause id of an alarm contains the case's last sequence.
    """
    return [due_input(d.case_id, d.at, seen.get((writes, d.case_id), NONE).seq) for d in pending.dues if d.case_id not in busy]


def refused_by_handler(pending: Pending, outcome: Outcome) -> list[Refused]:
    """Return the quarantine entries of the ingress records that the handler refused."""
    if not outcome.refused:
        return []
    by_place = {(*t.place, t.record.offset): t for t in pending.records if t.unit.name != ALL}
    return [
        quarantine.record(by_place[i.source.topic, i.source.partition, i.source.offset], reason)
        for i, reason in outcome.refused
        if (i.source.topic, i.source.partition, i.source.offset) in by_place
    ]
