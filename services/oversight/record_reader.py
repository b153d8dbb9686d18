"""Records of the case topics become what they say: each once, in order. What cannot be understood is counted, never guessed."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from referral.domain.events import Meta
from referral.errors import Malformed
from referral.runtime.loop.decode import Opened
from referral.runtime.loop.sequence import NONE, Last, Verdict, fingerprint, judge
from referral.runtime.loop.units import Place
from referral.wire import codec, intake_key, seal

Note = Callable[[str, Meta, Struct | None], bool]
"""Told of each record: its topic, its clear part, and its body; None where the case's key is gone. Whether it can count in a period."""


@dataclass(slots=True)
class Reading:
    """What was read so far. intake: keys by which an erasure is believed."""

    note: Note
    intake: Collection[bytes]
    _met: defaultdict[str, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    _seen: dict[tuple[str, str], Last] = field(default_factory=dict)
    _time: dict[Place, int] = field(default_factory=dict)
    _closed: tuple[int, Mapping[Place, int]] = (0, {})
    _late: int = 0

    def take(self, records: Sequence[Opened], keys: Mapping[str, bytes]) -> None:
        """Take records in the order of their partitions. keys: of every case among them that is not erased.

        NewerVersion: a program that is newer than this one wrote it; nothing may be counted before this one is deployed.
        """
        for record in records:
            place = record.taken[1]
            if record.envelope is None:
                self._met["foreign" if record.reason == "foreign" else "unreadable"].append(self._time.get(place, 0))
                continue
            at = record.envelope.meta.recorded_at
            self._time[place] = at  # tells when a record was written that says no time itself
            if word := self._one(place[0], record, keys):
                self._met[word].append(at)

    def told(self, closed: int, cut: Mapping[Place, int]) -> None:
        """A release has told everything before this time, µs UTC; each partition was read up to its cut. What comes behind it is late."""
        self._closed, self._late = (closed, dict(cut)), 0

    def late(self) -> int:
        """Records of a time that was told already, which came after it, and would have counted."""
        return self._late

    def counted(self, until: int) -> Counter[str]:
        """What was met before a time, µs UTC, and not guessed about."""
        return +Counter({word: sum(at < until for at in times) for word, times in self._met.items()})

    def _one(self, topic: str, record: Opened, keys: Mapping[str, bytes]) -> str:
        """Note it, or say what was met instead."""
        assert record.envelope is not None
        meta = record.envelope.meta
        case, print_ = (topic, meta.case_id), fingerprint(record.taken[2].value)
        last = self._seen.get(case, NONE)
        verdict = judge(last, meta.case_seq, print_)
        if verdict in (Verdict.REPEAT, Verdict.FORK):
            return str(verdict.value)
        body, trouble = self._body(topic, record.envelope, keys)
        if trouble == "seal":  # nothing proves that its sequence is true: believing it would hide the true record
            return "unreadable"
        self._seen[case] = Last(meta.case_seq, print_, meta.drill)
        if verdict is Verdict.GAP:
            self._met["gap"].append(meta.recorded_at)
        if trouble:
            return trouble if trouble == "unknown-type" else "unreadable"
        if self.note(topic, meta, body) and self._behind(record, meta.recorded_at):
            self._late += 1
        return ""

    def _behind(self, record: Opened, at: int) -> bool:
        """Whether its time was told before it came."""
        _, place, message = record.taken
        return at < self._closed[0] and message.offset >= self._closed[1].get(place, 0)

    def _body(self, topic: str, envelope: seal.Envelope, keys: Mapping[str, bytes]) -> tuple[Struct | None, str]:
        """(body, "") · (None, "") where the key is gone · (None, why it cannot be read)."""
        meta = envelope.meta
        unsealed = meta.type in seal.UNSEALED
        if not unsealed and meta.case_id not in keys:
            return None, ""
        try:
            body = codec.decode(meta.type, meta.fingerprint, seal.unseal(keys.get(meta.case_id), topic, envelope))
        except Malformed as error:
            return None, error.reason
        return (None, "seal") if unsealed and not intake_key.genuine(self.intake, meta.case_id, body) else (body, "")
