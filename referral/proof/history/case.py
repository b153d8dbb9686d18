"""Reconstruct one case from the log: unseal its records, group its decisions by their input, and fold them into its state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from msgspec import Struct

from referral.domain.case import Case
from referral.domain.decide import DECIDES
from referral.domain.events import CauseKind, Head, Meta
from referral.domain.evolve import evolve
from referral.domain.inputs import Input, RecordLost, Source, due_input, lost_input, record_input
from referral.errors import Malformed
from referral.proof.entry import ROUTING, SEQUENCED, Entry, Kind
from referral.wire import codec, seal
from referral.wire.compiled import READERS

STEMS = frozenset(body.TYPE.rpartition(".v")[0] for body in DECIDES if hasattr(body, "TYPE"))
DECIDED = frozenset(type_ for type_ in READERS if type_.rpartition(".v")[0] in STEMS)
"""Types of inputs that routing decides, in every version that a log may hold."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """An unsealed record of the case. body_bytes: the exact Avro body."""

    entry: Entry
    meta: Meta
    body_bytes: bytes

    @cached_property
    def body(self) -> Struct:
        """The body, decoded on first use. Malformed: the bytes are not a body of this type; NewerVersion."""
        return codec.decode(self.meta.type, self.meta.fingerprint, self.body_bytes)


class Answer(Struct, frozen=True, kw_only=True):
    """All events that one input led to, in order; never empty."""

    events: tuple[Read, ...]

    @property
    def head(self) -> Head | None:
        """The facts of the decision; None where the first event does not carry them, which no honest log has."""
        return getattr(self.events[0].body, "head", None)


def unseal(entry: Entry, key: bytes | None) -> Read:
    """Open and decode an entry of a case topic.

    Malformed: the seal does not open, or the bytes are not a body of this type; NewerVersion.
    """
    read = opened(entry, key)
    _ = read.body
    return read


def opened(entry: Entry, key: bytes | None) -> Read:
    """Open an entry of a case topic without decoding its body. Malformed: the seal does not open."""
    envelope = seal.open(entry.value)
    return Read(entry=entry, meta=envelope.meta, body_bytes=seal.unseal(key, entry.topic, envelope))


def decisions(entries: Sequence[Entry]) -> list[Entry]:
    """Return routing's events of the case, in the order of their sequence."""
    return sorted((e for e in entries if e.topic == ROUTING and e.kind is Kind.DECISION), key=lambda e: e.case_seq)


def inputs(entries: Sequence[Entry]) -> dict[tuple[str, int, int], Entry]:
    """Return the inputs that routing had to decide, by position. Disclosures and sent knocks change no case and are left out."""
    asked = (e for e in entries if e.topic != ROUTING and e.kind in SEQUENCED and e.type in DECIDED)
    return {(e.topic, e.partition, e.offset): e for e in asked}


def answers(reads: Sequence[Read]) -> Iterator[Answer]:
    """Group the decisions by their cause: consecutive events of one input form one answer."""
    for _, group in groupby(reads, key=lambda read: read.meta.cause_id):
        yield Answer(events=tuple(group))


def cause(head: Head, case_id: str, case: Case | None, found: Entry | None, key: bytes) -> Input:
    """Rebuild the input as routing had it. found: the entry at the head's position. Malformed: the log does not hold the input."""
    source = Source(topic=head.topic, partition=head.partition, offset=head.offset)
    match head.kind:
        case CauseKind.DUE if head.due is not None:
            return due_input(case_id, head.due, case.seq if case else 0)
        case CauseKind.LOST:
            lost = RecordLost(topic=head.topic, seq=head.lost_seq or 0, reason=head.lost_reason or "")
            return lost_input(case_id, lost, source)
        case CauseKind.RECORD if found is not None:
            read = unseal(found, key)
            return record_input(read.meta, read.body, source)
    raise Malformed("input-missing", "the log does not hold the input that this decision names")


def standing(entries: Sequence[Entry], key: bytes, case_id: str) -> Case | None:
    """Return the state of a case; None where nothing was decided yet.

    entries: those that had happened by the moment in question. Malformed, NewerVersion: one of them cannot be read.
    """
    case = None
    for entry in decisions(entries):
        case = evolve(case, unseal(entry, key).body, case_id)
    return case
