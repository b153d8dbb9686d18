"""Read records of the case topics: each once, in order, decoded for counting. An unreadable record is counted as such, never guessed."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from referral.errors import Malformed
from referral.runtime.loop.decode import Opened
from referral.runtime.loop.sequence import NONE, Last, Verdict, fingerprint, judge
from referral.runtime.loop.units import Place
from referral.wire import codec, seal
from referral.wire.erasure_approval import Erasers
from services.oversight.counting.projection import Courses


@dataclass(slots=True)
class RecordReader:
    """State of reading. courses: all children, from what was read. intake: those whom an erasure is believed."""

    courses: Courses
    intake: Erasers
    _met: defaultdict[str, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    _seen: dict[tuple[str, str], Last] = field(default_factory=dict)
    _time: dict[Place, int] = field(default_factory=dict)
    _closed: tuple[int, Mapping[Place, int]] = (0, {})
    _late: int = 0

    def take(self, records: Sequence[Opened], keys: Mapping[str, bytes]) -> None:
        """Take records in the order of their partitions. keys: of every case among them that is not erased.

        NewerVersion: a newer program wrote a record; nothing may be counted until that version is deployed here.
        """
        for record in records:
            place = record.taken.place
            if record.envelope is None:
                self._met["foreign" if record.reason == "foreign" else "unreadable"].append(self._time.get(place, 0))
                continue
            at = record.envelope.meta.recorded_at
            self._time[place] = at  # the time assumed for later records without one
            if word := self._one(place[0], record, keys):
                self._met[word].append(at)

    def told(self, closed: int, cut: Mapping[Place, int]) -> None:
        """Record that a release covers everything before `closed`, µs UTC.

        cut: offset up to which each partition was read. A record behind it with an earlier time is late.
        """
        self._closed, self._late = (closed, dict(cut)), 0

    def late(self) -> int:
        """Return the number of late records: of a released time, read after its release, that would have counted."""
        return self._late

    def counted(self, until: int) -> Counter[str]:
        """Return how many records before a time, µs UTC, could not be counted, by reason."""
        return +Counter({word: sum(at < until for at in times) for word, times in self._met.items()})

    def _one(self, topic: str, record: Opened, keys: Mapping[str, bytes]) -> str:
        """Note a record. Return the reason if it cannot be counted, else an empty string."""
        assert record.envelope is not None
        meta = record.envelope.meta
        case, print_ = (topic, meta.case_id), fingerprint(record.taken.record.value)
        last = self._seen.get(case, NONE)
        verdict = judge(last, meta.case_seq, print_)
        if verdict in (Verdict.REPEAT, Verdict.FORK):
            return str(verdict.value)
        body, trouble = self._body(topic, record.envelope, keys, record.taken.record.timestamp)
        if trouble == "seal":  # its sequence is unproven: accepting it would hide the true record
            return "unreadable"
        self._seen[case] = Last(meta.case_seq, print_, meta.drill)
        if verdict is Verdict.GAP:
            self._met["gap"].append(meta.recorded_at)
        if trouble:
            return trouble if trouble == "unknown-type" else "unreadable"
        if self.courses.note(topic, meta, body) and self._behind(record, meta.recorded_at):
            self._late += 1
        return ""

    def _behind(self, record: Opened, at: int) -> bool:
        """Return whether the record's time was released before the record arrived."""
        _, place, message = record.taken
        return at < self._closed[0] and message.offset >= self._closed[1].get(place, 0)

    def _body(self, topic: str, envelope: seal.Envelope, keys: Mapping[str, bytes], at: int) -> tuple[Struct | None, str]:
        """Return (body, "") · (None, "") if the key is gone · (None, reason) if it cannot be read."""
        meta = envelope.meta
        unsealed = meta.type in seal.UNSEALED
        if not unsealed and meta.case_id not in keys:
            return None, ""
        try:
            body = codec.decode(meta.type, meta.fingerprint, seal.unseal(keys.get(meta.case_id), topic, envelope))
        except Malformed as error:
            return None, error.reason
        return (None, "seal") if unsealed and not self.intake.genuine(meta.case_id, body, at) else (body, "")
