"""Inputs of a decision: an event from a topic, the due alarm of a case, or the notice that a record was lost.

Pure values. Times are microseconds UTC (int), ids opaque strings (uuid text), collections tuples: order is part of the answer.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from referral.domain.events import CauseKind, Facts, Head, Meta

ROSTER_BOOK = "5f2a1f3e-8d0b-5c51-9a0e-6a1d0f4b7c20"
"""Case id under which every change of the roster is recorded, in one sequence. A fixed id that no case ever has."""
RECORD, DUE, LOST = CauseKind.RECORD, CauseKind.DUE, CauseKind.LOST


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The origin of an input: a Kafka position, or topic "queue" / "alarm" with partition and offset -1.

    topic: the name in topics.yaml, without the prefix of a stack.
    """

    topic: str
    partition: int = -1
    offset: int = -1


class Due(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The alarm of the case. at: the due time that was set, not the time at which the alarm fired."""

    at: int


class RecordLost(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record of this case that will never be read: quarantined, or a gap in its dense sequence."""

    topic: str
    seq: int
    reason: str


class Erased(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record of a case whose key is destroyed: its content can never be read again, and nothing more can be emitted about the case."""


class Raw(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record as it came, neither decoded nor checked: intake gets `ingress.<agency>` in this form, and audit every topic.

    agency: of an ingress topic, else empty.
    value: empty where Kafka's was null.
    kafka_time: LogAppendTime, milliseconds UTC.
    """

    agency: str = ""
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    kafka_time: int = 0


class Input(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input to handle.

    id: the cause id from which the ids of all its events are derived.
    seq: case_seq in its topic, 0 where none.
    at: when it was recorded (of an alarm: the due time), µs UTC.
    drill: the record belongs to a drill.
    """

    id: str
    case_id: str
    body: Struct
    source: Source
    seq: int = 0
    at: int = 0
    drill: bool = False

    def __repr__(self) -> str:
        at = f"{self.source.topic}[{self.source.partition}]@{self.source.offset}"
        return f"Input({type(self.body).__name__} {self.id} case={self.case_id} {at})"


@lru_cache(64)
def _bytes(id: str) -> bytes:
    """Return the sixteen bytes of an id. Cached: one cause derives many ids."""
    return bytes.fromhex(id.replace("-", ""))


VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The hex digit with its two upper bits set to 10, as RFC 9562 requires."""


def derived(cause_id: str, name: int | str) -> str:
    """Return the id of the name-th result of a cause: the same cause always yields the same id (RFC 9562 version 5)."""
    hex = hashlib.sha1(_bytes(cause_id) + str(name).encode(), usedforsecurity=False).hexdigest()
    return f"{hex[:8]}-{hex[8:12]}-5{hex[13:16]}-{VARIANT[hex[16]]}{hex[17:20]}-{hex[20:32]}"


def alarm_id(case_id: str, at: int, seq: int) -> str:
    """Return the cause id of a case's alarm. seq: the case's sequence in referral-routing when it fired, so that the next alarm differs."""
    return derived(case_id, f"due:{at}:{seq}")


# The consumer loop and the auditor's re-execution build inputs with the same three functions, so that both decide on the same values.
def record_input(meta: Meta, body: Struct, source: Source) -> Input:
    """Return the input for a record."""
    return Input(id=meta.event_id, case_id=meta.case_id, body=body, source=source, seq=meta.case_seq, at=meta.recorded_at, drill=meta.drill)


def due_input(case_id: str, at: int, seq: int) -> Input:
    """Return the input for a case's alarm. seq: the case's last sequence in referral-routing when it fired."""
    return Input(id=alarm_id(case_id, at, seq), case_id=case_id, body=Due(at=at), source=Source(topic="alarm"), at=at)


def lost_input(case_id: str, lost: RecordLost, source: Source) -> Input:
    """Return the input for a lost record. source: the position of the quarantined record, or of the record that revealed the gap."""
    name = f"lost:{lost.topic}:{lost.seq}:{source.partition}:{source.offset}"
    return Input(id=derived(case_id, name), case_id=case_id, body=lost, source=source, seq=lost.seq)


def made_input(case_id: str, body: Struct, seq: int, *, id: str, source: Source, number: int = 0, at: int = 0) -> Input:
    """Return the input that a body becomes in a world without Kafka.

    seq: the case's last sequence in referral-routing.
    id, number, at: id, sequence in its topic and time of a record, µs UTC; an alarm and a lost record have their own.
    """
    if isinstance(body, Due):
        return due_input(case_id, body.at, seq)
    if isinstance(body, RecordLost):
        return lost_input(case_id, body, source)
    return Input(id=id, case_id=case_id, body=body, source=source, seq=number, at=at)


def head_of(cause: Input, facts: Facts) -> Head:
    """Return the head that the first event of an input carries: enough to rebuild the input from the log."""
    at, body = cause.source, cause.body
    if isinstance(body, Due):
        return Head(kind=DUE, topic="", partition=-1, offset=-1, due=body.at, facts=facts)
    if isinstance(body, RecordLost):
        place = Head(kind=LOST, topic=at.topic, partition=at.partition, offset=at.offset, facts=facts)
        return replace(place, lost_seq=body.seq, lost_reason=body.reason)
    return Head(kind=RECORD, topic=at.topic, partition=at.partition, offset=at.offset, facts=facts)
