"""Records of the case topics become what they say: each once, in order. What cannot be understood is counted, never guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from referral.domain.events import Meta
from referral.errors import Malformed
from referral.runtime import erasure
from referral.runtime.keys import Keys
from referral.runtime.sequence import NONE, Last, Verdict, judge
from referral.runtime.understand import Opened, fingerprint
from referral.wire import codec, seal
from services.oversight.months import month

Note = Callable[[str, Meta, Struct | None], None]
"""Told of each record: its topic, its clear part, and its body; None where the case's key is gone."""


@dataclass(slots=True)
class Reading:
    """What was read so far. met: (word, month) → how many records, e.g. (gap, 2027-03)."""

    note: Note
    master: Keys
    met: Counter[tuple[str, str]] = field(default_factory=Counter)
    _seen: dict[tuple[str, str], Last] = field(default_factory=dict)
    _time: dict[tuple[str, int], int] = field(default_factory=dict)

    def take(self, records: Sequence[Opened], keys: Mapping[str, bytes]) -> None:
        """Take records in the order of their partitions. keys: of every case among them that is not erased.

        NewerVersion: a program that is newer than this one wrote it; nothing may be counted before this one is deployed.
        """
        for record in records:
            place = record.taken[1]
            if record.envelope is None:
                self._meet(record.reason if record.reason == "foreign" else "unreadable", self._time.get(place, 0))
                continue
            meta = record.envelope.meta
            self._time[place] = meta.recorded_at  # tells when a record was written that says no time itself
            self._one(place[0], record, meta, keys)

    def _one(self, topic: str, record: Opened, meta: Meta, keys: Mapping[str, bytes]) -> None:
        assert record.envelope is not None
        case, print_ = (topic, meta.case_id), fingerprint(record.taken[2].value)
        last = self._seen.get(case, NONE)
        verdict = judge(last, meta.case_seq, print_)
        if verdict in (Verdict.REPEAT, Verdict.FORK):
            self._meet(verdict.value, meta.recorded_at)
            return
        body, trouble = self._body(topic, record.envelope, keys)
        if trouble == "seal":  # nothing proves that its sequence is true: believing it would hide the true record
            self._meet("unreadable", meta.recorded_at)
            return
        self._seen[case] = Last(meta.case_seq, print_, meta.drill)
        if verdict is Verdict.GAP:
            self._meet("gap", meta.recorded_at)
        if trouble:
            self._meet("unknown-type" if trouble == "type" else "unreadable", meta.recorded_at)
        elif meta.drill:
            self._meet("drill", meta.recorded_at)
        else:
            self.note(topic, meta, body)

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
        return (None, "seal") if unsealed and not erasure.genuine(self.master, meta.case_id, body) else (body, "")

    def _meet(self, word: str, at: int) -> None:
        self.met[word, month(at)] += 1
