"""One case as the log holds it: its records unsealed, its decisions grouped by the input that they answer.

How a case stood at some moment: the fold of its decisions up to there.
"""

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

DECIDED = frozenset(body.TYPE for body in DECIDES if hasattr(body, "TYPE"))


@dataclass(frozen=True, kw_only=True)
class Read:
    """A record of the case, unsealed. body_bytes: the exact Avro body."""

    entry: Entry
    meta: Meta
    body_bytes: bytes

    @cached_property
    def body(self) -> Struct:
        """What it says, decoded when it is asked for. Malformed: it is no such body; NewerVersion."""
        return codec.decode(self.meta.type, self.meta.fingerprint, self.body_bytes)


class Answer(Struct, frozen=True, kw_only=True):
    """All events that one input led to, in order; never empty."""

    events: tuple[Read, ...]

    @property
    def head(self) -> Head | None:
        """What was decided upon; None where the first event does not carry it, which no honest log has."""
        return getattr(self.events[0].body, "head", None)


def unseal(entry: Entry, key: bytes | None) -> Read:
    """Open an entry of a case topic, and decode it. Malformed: the seal does not fit or the body is no such body; NewerVersion."""
    read = opened(entry, key)
    _ = read.body
    return read


def opened(entry: Entry, key: bytes | None) -> Read:
    """Open an entry of a case topic; its body is not looked at yet. Malformed: the seal does not fit."""
    envelope = seal.open(entry.value)
    return Read(entry=entry, meta=envelope.meta, body_bytes=seal.unseal(key, entry.topic, envelope))


def decisions(entries: Sequence[Entry]) -> list[Entry]:
    """What routing said of the case, in its own order."""
    return sorted((e for e in entries if e.topic == ROUTING and e.kind is Kind.DECISION), key=lambda e: e.case_seq)


def inputs(entries: Sequence[Entry]) -> dict[tuple[str, int, int], Entry]:
    """What routing had to decide upon, by position; a disclosure or a knock sent changes no case."""
    asked = (e for e in entries if e.topic != ROUTING and e.kind in SEQUENCED and e.type in DECIDED)
    return {(e.topic, e.partition, e.offset): e for e in asked}


def answers(reads: Sequence[Read]) -> Iterator[Answer]:
    """Group the decisions by their cause: the events of one input stand together."""
    for _, group in groupby(reads, key=lambda read: read.meta.cause_id):
        yield Answer(events=tuple(group))


def cause(head: Head, case_id: str, case: Case | None, found: Entry | None, key: bytes) -> Input:
    """The input again, as routing had it. found: the entry at the head's position. Malformed: it cannot be made from the log."""
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
    """None: nothing was decided yet. entries: those that had happened. Malformed, NewerVersion: one that cannot be read."""
    case = None
    for entry in decisions(entries):
        case = evolve(case, unseal(entry, key).body, case_id)
    return case
