"""Read records of the case topics: each once, in order, decoded for counting. An unreadable record is counted as such, never guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern

from msgspec import Struct

from referral.domain.durations import HOUR_US
from referral.errors import Malformed
from referral.runtime.loop.decode import Opened
from referral.runtime.loop.sequence import NONE, Last, Verdict, fingerprint, judge
from referral.runtime.loop.units import Place, place, word
from referral.wire import codec, seal
from referral.wire.signed.erasure_approval import Erasers
from services.oversight.counting.projection import TOPICS, Courses


@dataclass(slots=True)
class RecordReader:
    """State of reading. courses: all children, from what was read. intake: those whom an erasure is believed."""

    courses: Courses
    intake: Erasers
    changed: set[str] = field(default_factory=set)
    """Cases of which a record was read since somebody emptied this set."""
    met: dict[str, dict[int, int]] = field(default_factory=dict)
    """Word → hour → records that could not be counted."""
    _seen: dict[tuple[str, str], Last] = field(default_factory=dict)
    _time: dict[Place, int] = field(default_factory=dict)
    _closed: tuple[int, Mapping[Place, int]] = (0, {})
    _late: int = 0

    def take(self, records: Sequence[Opened], keys: Mapping[str, bytes]) -> None:
        """Take records in the order of their partitions. keys: of every case among them that is not erased.

        NewerVersion: a newer program wrote a record; nothing may be counted until that version is deployed here.
        """
        for record in records:
            there = record.taken.place
            if record.envelope is None:
                self._meet("foreign" if record.reason == "foreign" else "unreadable", self._time.get(there, 0))
                continue
            at = record.envelope.meta.recorded_at
            self._time[there] = at  # the time assumed for later records without one
            self.changed.add(record.envelope.meta.case_id)
            if reason := self._one(there[0], record, keys):
                self._meet(reason, at)

    def told(self, closed: int, cut: Mapping[Place, int], late: int = 0) -> None:
        """Record that a release covers everything before `closed`, µs UTC.

        cut: offset up to which each partition was read. A record behind it with an earlier time is late.
        late: such records that were read already.
        """
        self._closed, self._late = (closed, dict(cut)), late

    def late(self) -> int:
        """Return the number of late records: of a released time, read after its release, that would have counted."""
        return self._late

    def counted(self, until: int) -> Counter[str]:
        """Return how many records before a time, µs UTC, could not be counted, by reason."""
        return +Counter({what: sum(n for hour, n in hours.items() if hour < until // HOUR_US) for what, hours in self.met.items()})

    def reset(self) -> None:
        """Forget everything that was read."""
        self.courses, self._seen, self._time, self.met = Courses(), {}, {}, {}

    def dump(self, case_id: str) -> tuple[list[tuple[str, int, bytes, bool]], int | None, bytes | None]:
        """Return what is known of a case: the last record of each topic, when it was erased (as `Courses.erased`), and its state."""
        seen = [(topic, *last) for topic in sorted(TOPICS) if (last := self._seen.get((topic, case_id))) is not None]
        return seen, self.courses.erased(case_id), self.courses.dump(case_id)

    def load(self, case_id: str, seen: Iterable[tuple[str, Last]], erased: int | None, state: bytes | None) -> None:
        """Take what `dump` returned, before a record of the case is read. msgspec.DecodeError: it is something else."""
        self._seen.update(((intern(topic), case_id), last) for topic, last in seen)
        if erased is not None:
            self.courses.erase(case_id, erased)
        elif state is not None:
            self.courses.load(case_id, state)

    def dump_all(self) -> tuple[dict[str, int], dict[int, int], dict[str, dict[int, int]]]:
        """Return what is known of all cases together: the time of each partition's last record, and the records that do not count."""
        return {word(place): at for place, at in self._time.items()}, dict(self.courses.drills), self.met

    def load_all(self, times: Mapping[str, int], drills: Mapping[int, int], met: dict[str, dict[int, int]]) -> None:
        """Take what `dump_all` returned."""
        self._time = {place(name): at for name, at in times.items()}
        self.courses.drills, self.met = Counter(drills), met

    def _meet(self, what: str, at: int) -> None:
        hours = self.met.setdefault(what, {})
        hours[at // HOUR_US] = hours.get(at // HOUR_US, 0) + 1

    def _one(self, topic: str, record: Opened, keys: Mapping[str, bytes]) -> str:
        """Note a record. Return the reason if it cannot be counted, else an empty string."""
        assert record.envelope is not None
        meta = record.envelope.meta
        case, print_ = (topic, meta.case_id), fingerprint(record.taken.record.value)
        last = self._seen.get(case, NONE)
        verdict = judge(last, meta.case_seq, print_)
        if verdict in (Verdict.REPEAT, Verdict.FORK, Verdict.FAR):
            return str(verdict.value)
        body, trouble = self._body(topic, record.envelope, keys, record.taken.record.timestamp)
        if trouble == "seal":  # its sequence is unproven: accepting it would hide the true record
            return "unreadable"
        self._seen[case] = Last(meta.case_seq, print_, meta.drill)
        if verdict is Verdict.GAP:
            self._meet("gap", meta.recorded_at)
        if trouble:
            return trouble if trouble == "unknown-type" else "unreadable"
        if self.courses.note(topic, meta, body) and self._behind(record, meta.recorded_at):
            self._late += 1
        return ""

    def _behind(self, record: Opened, at: int) -> bool:
        """Return whether the record's time was released before the record arrived."""
        _, there, message = record.taken
        return at < self._closed[0] and message.offset >= self._closed[1].get(there, 0)

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
