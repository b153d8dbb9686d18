"""Judge the records of the case topics for `referral doctor`, one partition number after another. Pure.

All records of a case are in partitions of one number, so memory holds the cases of one number at a time. Nothing needs a case's key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiokafka import ConsumerRecord
from msgspec import Struct, field

from referral.domain.events import CaseOpened, InputIgnored, Meta, NeedsPerson, ReferralAttached, ReferralSubmitted, ResponseSubmitted
from referral.domain.inputs import derived
from referral.errors import Malformed
from referral.proof.entry import INTAKE, ROUTING
from referral.runtime.keys import erasure_tag
from referral.runtime.loop import writer_mark
from referral.runtime.loop.sequence import NONE, Last, Verdict, fingerprint, judge
from referral.runtime.loop.units import Place
from referral.wire import seal
from referral.wire.signed.erasure_approval import Erasers

OUTCOMES = (CaseOpened.TYPE, ReferralAttached.TYPE, InputIgnored.TYPE)
ASKS = (ReferralSubmitted.TYPE, ResponseSubmitted.TYPE)


class Line(Struct, frozen=True, kw_only=True):
    """Facts of the line by which a record is judged.

    erasers, secrets: who is believed an erasure; the owner's writer secret of each topic.
    since: what is wrong with older records is counted, not named; µs UTC.
    whole: the topics are judged from their beginning; otherwise from `start` on.
    start: place → first offset that is judged; a record before it serves for its mark alone.
    began: topic → time of its first marked record, ms; an earlier one may be of the time before marks.
    decided: place → offset up to which routing has decided. known: place → offset up to which somebody had read before the database
    was read, so that what belongs to the record was there.
    waiting: partitions of which routing still has to publish something.
    owed: events for which intake has given a receipt that the log does not have.
    """

    erasers: Erasers
    secrets: Mapping[str, bytes]
    since: int
    whole: bool = True
    start: Mapping[Place, int] = {}
    began: Mapping[str, int] = {}
    decided: Mapping[Place, int] = {}
    known: Mapping[Place, int] = {}
    waiting: frozenset[int] = frozenset()
    owed: frozenset[str] = frozenset()


class Judged(Struct, kw_only=True):
    """Findings about the records.

    fetched: records that were read. count: submissions and responses that were judged. outcomes: what is wrong with them.
    sequences: number of (topic, case). torn: what is wrong with them. unread: records whose clear part cannot be read.
    foreign: records that the topic's owner did not write. older: number of such records from before `since`.
    erased, forged: cases that intake, or another writer, has recorded as erased. published: events of `owed` that are on their topic.
    unkeyed: cases without a key and without an erasure.
    """

    fetched: int = 0
    count: int = 0
    outcomes: list[str] = field(default_factory=list)
    sequences: int = 0
    torn: list[str] = field(default_factory=list)
    unread: list[tuple[Place, int]] = field(default_factory=list)
    foreign: list[tuple[Place, int]] = field(default_factory=list)
    older: int = 0
    erased: set[str] = field(default_factory=set)
    forged: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)
    unkeyed: set[str] = field(default_factory=set)


class Answered:
    """A submission or response, and what was read of routing's events for it: a few numbers, because there are very many."""

    __slots__ = ("case_id", "events", "foreign", "outcomes", "person", "type")

    def __init__(self, meta: Meta) -> None:
        self.case_id, self.type, self.events, self.outcomes, self.person, self.foreign = meta.case_id, meta.type, 0, 0, False, False

    def take(self, meta: Meta) -> None:
        """Take the next event for it. The ids of one decision's events are derived from their cause, in order."""
        self.foreign |= meta.event_id != derived(meta.cause_id, self.events)
        self.events += 1
        self.outcomes += meta.type in OUTCOMES
        self.person |= meta.type == NeedsPerson.TYPE

    def problem(self) -> str:
        """Return what is wrong with the events; empty: nothing."""
        if not self.events:
            return "no outcome"
        if self.foreign:
            return "its events are not those of one decision"
        if self.type == ReferralSubmitted.TYPE and self.outcomes != 1 and not (self.outcomes == 0 and self.person):
            return f"{self.outcomes} outcomes"
        return ""


class Lane:
    """The records of one partition number, while they are read: those of intake first, then the others' in any order."""

    def __init__(self, line: Line, judged: Judged) -> None:
        self._line, self._judged = line, judged
        self._last: dict[tuple[str, str], Last] = {}
        self._asked: dict[str, Answered] = {}
        self.known: set[str] = set()
        """Cases whose key was there when the database was read."""

    @property
    def cases(self) -> list[str]:
        """Return the cases that have a record here."""
        return sorted({case_id for _, case_id in self._last})

    def take(self, place: Place, record: ConsumerRecord) -> None:
        """Judge one record."""
        found, line = self._judged, self._line
        found.fetched += 1
        if record.offset < line.start.get(place, 0):
            return
        recent = record.timestamp * 1000 >= line.since
        marked = writer_mark.carries(line.secrets[place[0]], record.value, record.headers)
        foreign = not marked and record.timestamp >= line.began.get(place[0], record.timestamp + 1)
        if foreign:
            if not recent:
                found.older += 1
                return
            found.foreign.append((place, record.offset))
        try:
            meta = seal.open(record.value or b"").meta
        except Malformed:
            found.unread.append((place, record.offset))
            return
        if meta.type in seal.UNSEALED:
            self._erased(place, record, meta.case_id, recent)
        if self._next(place[0], meta, record.value):
            if not foreign:  # intake owes nothing for what somebody else wrote, and has not published it
                self._new(place, record.offset, meta, recent)
            if place[0] == ROUTING and (asked := self._asked.get(meta.cause_id)) is not None:
                asked.take(meta)

    def _erased(self, place: Place, record: ConsumerRecord, case_id: str, recent: bool) -> None:
        erasers = self._line.erasers
        if not erasers.intake or erasure_tag.signed_erasure(erasers, place[0], record.value, record.timestamp) is not None:
            self._judged.erased.add(case_id)
        elif recent:
            self._judged.forged.add(case_id)

    def _next(self, topic: str, meta: Meta, value: bytes) -> bool:
        """Follow the case's sequence. Return whether the record is new. Of a part of a topic, a case's first record begins its sequence."""
        where, digest = (topic, meta.case_id), fingerprint(value)
        last = self._last.get(where, NONE if self._line.whole else Last(meta.case_seq - 1, b""))
        verdict = judge(last, meta.case_seq, digest)
        if verdict in (Verdict.GAP, Verdict.FAR):
            self._judged.torn.append(f"{topic} case {meta.case_id}: {last.seq + 1} is missing before {meta.case_seq}")
        elif verdict is Verdict.FORK:
            self._judged.torn.append(f"{topic} case {meta.case_id}: sequence {meta.case_seq} exists twice with other bytes (fork)")
        if verdict in (Verdict.NEXT, Verdict.GAP):
            self._last[where] = last.after(meta.case_seq, digest)
        return verdict in (Verdict.NEXT, Verdict.GAP, Verdict.FAR)

    def _new(self, place: Place, offset: int, meta: Meta, recent: bool) -> None:
        if offset < self._line.known.get(place, 0):
            self.known.add(meta.case_id)
        if place[0] != INTAKE:
            return
        if meta.event_id in self._line.owed:
            self._judged.published.add(meta.event_id)
        if meta.type in ASKS and offset < self._line.decided.get(place, 0) and (recent or self._line.whole):
            self._asked[meta.event_id] = Answered(meta)

    def end(self, number: int, keys: set[str], written: Iterable[tuple[str, str, str, int]]) -> None:
        """Judge what needs all records of the number.

        keys: those of the cases here that have a key. written: (service, topic, case, sequence) up to which a service says it has written.
        """
        found = self._judged
        for event_id, asked in self._asked.items():
            if asked.case_id in found.erased or (not asked.events and number in self._line.waiting):
                continue
            found.count += 1
            if problem := asked.problem():
                found.outcomes.append(f"{asked.type} {event_id} of case {asked.case_id}: {problem}")
        for service, topic, case_id, seq in written:
            ends = self._last.get((topic, case_id), NONE).seq
            if ends < seq and (self._line.whole or ends):
                found.torn.append(f"{topic} case {case_id}: {service} wrote up to {seq}, the topic ends at {ends}")
        found.sequences += len(self._last)
        found.unkeyed |= self.known - keys - found.erased
