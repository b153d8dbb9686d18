"""A short log for vectors: records of cases without a policy, signed with the keys of the vectors, and what somebody changed in it."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from referral.domain.events import KnockSent, Quarantined
from referral.proof.entry import Entry, Kind, leaf
from referral.wire import codec, headers
from referral.wire.signed import writer_signature
from services.audit.ingest import Says, ingest
from tests.harness.audit_log import Log
from tests.harness.made_log import policy
from tests.vectors.form import secret
from tests.vectors.leaves import CASE, OTHER
from tests.vectors.signatures import SERVICES

BY = "00000000-0000-4000-8000-0000000000ff"


class Short(Log):
    """A log without a bundle of the policy. Its services sign with the keys of the vectors."""

    def __post_init__(self) -> None:
        self.gone = dict[int, bytes]()

    def names(self, lines: bytes) -> None:
        self.own(Kind.KEYS, policy() + lines)

    def own(self, kind: Kind, value: bytes) -> Entry:
        self._known.now = max(self._known.now, self.now)
        self.entries += ingest([], self._known, [Says(kind, value)]).entries
        return self.entries[-1]

    def knock(self, case_id: str = CASE, seq: int = 0, *, by: str = "notifier", key: bytes = b"") -> Entry:
        """The notifier knocks. seq: another sequence than the next. by: who signs it; empty: nobody. key: another key of the case."""
        body = KnockSent(rung=0, channel="sms", again=len(self.entries), at=self.now, reference=BY)
        return self.write(case_id, body, seq, by=by, key=key)

    def write(self, case_id: str, body: Any, seq: int = 0, *, by: str = "", key: bytes = b"") -> Entry:
        place, true = (type(body).TOPIC, case_id), self.keys.get(case_id)
        if seq:
            self._seqs[place] = seq - 1
        if key:
            self.keys[case_id] = key
        self.say(case_id, body, f"00000000-0000-4000-8000-{len(self.entries):012}", OTHER, by or "notifier")
        if key and true:
            self.keys[case_id] = true
        entry = self.entries[-1]
        if by:
            told = writer_signature.sign(secret(SERVICES[by]), entry.topic, [(entry.key or b"", entry.value)])
            self.entries[-1] = structs.replace(entry, headers=(*entry.headers, *told))
        return self.entries[-1]

    def quarantined(self, of: Entry, reason: str, seq: int, reader: str = "routing", *, named: str = "", topic: str = "") -> Entry:
        """A reader refuses a record. named: another reader, whose key it is. topic: another one, on which nobody signs."""
        body = Quarantined(
            topic=of.topic,
            partition=of.partition,
            offset=of.offset,
            reader=reader,
            reason=reason,
            case_id=of.case_id,
            case_seq=seq,
            at=self.now,
            nonce=bytes(12),
            sealed=bytes(16),
            length=0,
            sha256=None,
        )
        key = f"{named or reader}/{of.topic}/{of.partition}/{of.offset}".encode()
        value, told = codec.encode(body), headers.plain(body.TYPE, id=key.decode(), source=reader, at=self.now)
        told += () if topic else writer_signature.sign(secret(SERVICES[named or reader]), body.TOPIC, [(key, value)])
        self.put(topic or body.TOPIC, 0, key, value, told)
        return self.entries[-1]

    def change(self, index: int, **other: Any) -> None:
        """Give an entry other fields than those with which it was logged."""
        self.entries[index] = structs.replace(self.entries[index], **other)

    def take_away(self, index: int) -> None:
        """Take the payload of an entry away; its leaf stays."""
        self.gone[index] = leaf(self.entries[index])
        self.change(index, value=b"", key=None, headers=())

    def written(self) -> list[dict[str, Any]]:
        """Return each entry's leaf, and its payload if that is there."""
        return [
            {"leaf": self.gone[e.idx], "payload": None}
            if e.idx in self.gone
            else {"leaf": leaf(e), "payload": {"key": e.key, "value": e.value, "headers": e.headers}}
            for e in self.entries
        ]
