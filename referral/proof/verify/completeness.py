"""Check without any key that a log is complete: every index, every topic position, every sequence, and the hash of every value."""

from __future__ import annotations

from msgspec import Struct, field

from referral.domain.events import Quarantined
from referral.errors import Malformed, NewerVersion
from referral.proof.entry import NOWHERE, OWN, OWNERS, ROUTING, SEQUENCED, Entry, Headers, Kind, digest, plain, sort
from referral.proof.forgeries import SealVerdict, unwritten
from referral.proof.history.case import unseal
from referral.proof.verify.report import Report, Weight, finding
from referral.wire.signed import erasure_approval, trust_lines, writer_signature
from referral.wire.signed.erasure_approval import NO_ERASERS, Erasers
from referral.wire.signed.writer_signature import NO_WRITERS, Writers

NAMED = 1_000
"""Missing sequences that are reported one by one before an entry (ours): a case has some hundred."""

PLACELESS = ("", NOWHERE, NOWHERE, 0, None, ())
NOTHING = ("", "", 0, "", 0, "", 0)


class Completeness(Struct, kw_only=True):
    """The completeness check. It takes the entries once, in the order of idx. judged: the verdict on the cases with torn sequences."""

    report: Report
    judged: SealVerdict = field(default_factory=SealVerdict)
    size: int = 0
    at: int = 0
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    sequences: dict[tuple[str, str], int] = field(default_factory=dict)
    gaps: list[tuple[range, Entry]] = field(default_factory=list)
    """Missing sequences, and the entry that reveals them; a forged entry may claim any number."""
    lost: set[tuple[str, str, int]] = field(default_factory=set)
    """(topic, case, sequence) of records that a quarantine record accounts for."""
    disowned: set[tuple[str, int, int]] = field(default_factory=set)
    """(topic, partition, offset) of records that the topic's owner declares it did not write (docs/decisions/0020)."""
    missing: list[Entry] = field(default_factory=list)
    """Entries whose value is gone; the tree still has its digest."""
    erasures: list[Entry] = field(default_factory=list)
    """Entries that record the erasure of a case."""
    unsealed: set[tuple[str, int, int]] = field(default_factory=set)
    """(topic, partition, offset) of records that a reader refused for their seal; for an erasure, for intake's signature."""
    refused: dict[tuple[str, int, int], str] = field(default_factory=dict)
    """(topic, partition, offset) of records that routing set aside → the reason."""
    doubtful: set[tuple[str, int, int]] = field(default_factory=set)
    """(topic, partition, offset) of records that are no event of their case, or stand where another one does."""
    pinned: Erasers = NO_ERASERS
    """Intake's keys and the approvers in the auditor's own policy; where it names none of one kind, those that the log names count."""
    named: Erasers = NO_ERASERS
    """The same of the newest policy file of the log so far."""
    writers: Writers = NO_WRITERS
    """Keys of the services in the auditor's own policy; where it names none, the keys that the log names count."""
    said: Writers = NO_WRITERS
    """Keys of the services in the newest policy file of the log so far."""
    unwritten: dict[int, str] = field(default_factory=dict)
    """Index of a record that its one writer did not sign → its case."""
    unsigned: dict[int, str] = field(default_factory=dict)
    """Index of an erasure that intake did not sign → the reason."""
    alone: dict[int, str] = field(default_factory=dict)
    """Index of an erasure that intake signed, and two persons did not → the reason."""

    def take(self, entry: Entry) -> None:
        """Check one entry against those before it, and against its value."""
        missing = not entry.value and digest(b"") != entry.sha256
        if missing:
            self.missing.append(entry)
        elif digest(entry.value) != entry.sha256:
            self._bad("HASH_DIFFERS", entry, "the value is not the one that was logged")
        if entry.kind is Kind.KEYS and not missing:
            self._named(entry)
        if entry.kind is Kind.ERASURE and not missing:
            self._signed(entry)
        self._written(entry)
        if entry.kind not in OWN and not missing:
            self._meta(entry)
            if entry.kind is Kind.QUARANTINE and entry.idx not in self.judged.forged and entry.idx not in self.unwritten:
                self._quarantined(entry)
        self.place(entry)

    def place(self, entry: Entry) -> None:
        """Check only the position of an entry, not its value."""
        self.report.counts["entries"] += 1
        self._index(entry)
        if entry.kind in OWN:
            self._own(entry)
            return
        self._position(entry)
        if entry.idx in self.unwritten or not self.judged.own(entry) or entry.kind in (Kind.FORK, Kind.UNREADABLE, Kind.FOREIGN):
            self.doubtful.add((entry.topic, entry.partition, entry.offset))
        if entry.kind is Kind.ERASURE:
            self.erasures.append(entry)
        if entry.idx in self.unwritten:  # `take` has said so
            return
        if entry.idx in self.judged.forged:
            self._bad("SEAL", entry, "the seal does not open under the case's key: forged, or changed; the case's own records are others")
            return
        if entry.idx in self.judged.ahead:
            what = "it stood in the topic before an earlier sequence of its case: its owner writes in order, so somebody else wrote this"
            self._bad("SEQUENCE_AHEAD", entry, what)
            return
        if entry.idx in self.judged.twins:  # re-execution finds which of the two is false
            self._twin(entry)
            return
        match entry.kind:
            case Kind.FORK:
                self._bad("FORK", entry, "this sequence exists already, with other bytes: two writers, or a forged record")
            case Kind.UNREADABLE:
                self._note("UNREADABLE", entry, "the topic holds a record that is not of this system")
            case Kind.FOREIGN:
                self._note(
                    "FOREIGN", entry, "it names this case, but has another key, or is in a partition or topic that does not belong to it"
                )
            case kind if kind in SEQUENCED:
                self._sequence(entry)

    def finish(self) -> None:
        """Report the gaps and missing values that nothing accounts for, and the erasures that intake or two persons did not sign."""
        erased: dict[str, int] = {}
        for entry in self.erasures:
            if entry.idx in self.unsigned:
                self._bad("ERASURE_FORGED", entry, self.unsigned[entry.idx])
            elif entry.idx in self.alone:
                self._bad("ERASURE_ALONE", entry, f"{self.alone[entry.idx]}: whoever has intake's key could have written it alone")
            elif (entry.topic, entry.partition, entry.offset) in self.unsealed:
                self._bad("ERASURE_FORGED", entry, "a reader refused it: intake did not sign it")
            elif self._genuine(entry):
                erased.setdefault(entry.case_id, entry.idx)
        for entry in self.missing:
            if entry.case_id in erased and entry.kind is not Kind.ERASURE:
                self._note("PAYLOAD_ERASED", entry, f"the value is gone: erased under entry {erased[entry.case_id]}")
            else:
                self._bad("PAYLOAD_GONE", entry, "the value is gone, and no erasure says why: somebody took it away")
        for missing, entry in self.gaps:
            for seq in missing[:NAMED]:
                if (entry.topic, entry.case_id, seq) in self.lost:
                    self._lost(entry, seq)
                else:
                    self._bad("SEQUENCE_GAP", entry, f"sequence {seq} of this case in {entry.topic} is missing before this entry")
            if missing[NAMED:]:
                self._bad("SEQUENCE_GAP", entry, f"and the sequences up to {missing[-1]} with it")

    def _lost(self, entry: Entry, seq: int) -> None:
        """Report a missing record that was quarantined. Of a missing decision nobody can say what should follow, and routing signs both."""
        what = f"sequence {seq} of {entry.topic} was quarantined"
        if entry.topic == ROUTING:
            answers = "answerable: routing, which signs both; ask its operator for it"
            what = f"{what}: a decision is missing, so those behind it cannot all be judged; {answers}"
            self.report.add_finding(finding(Weight.UNCHECKED, "LOST", entry, what))
        else:
            self._note("LOST", entry, what)

    def _genuine(self, erasure: Entry) -> bool:
        """Return whether nothing shows that somebody else than intake wrote an erasure. A value that is gone shows no signature."""
        others = self.judged.forged | self.judged.ahead | self.unwritten.keys()
        place = (erasure.topic, erasure.partition, erasure.offset)
        return erasure.idx not in others and place not in self.disowned and bool(erasure.value)

    def _bad(self, code: str, entry: Entry, what: str) -> None:
        self.report.add_finding(finding(Weight.BAD, code, entry, what))

    def _note(self, code: str, entry: Entry, what: str) -> None:
        self.report.add_finding(finding(Weight.NOTE, code, entry, what))

    def _named(self, entry: Entry) -> None:
        """Take over the keys that verify erasures from here on."""
        try:
            found, writers = trust_lines.erasers(entry.value), trust_lines.writers(entry.value)
        except Malformed as error:
            self._bad("BODY", entry, f"cannot be read: {error}")
            return
        if self.named.intake and found.intake != self.named.intake:
            what = "the log names other keys of intake from here on: compare them with what you were given"
            self._note("INTAKE_KEY", entry, what)
        if self.named.approvers and found.approvers != self.named.approvers:
            what = "the log names other approvers of erasures from here on: compare them with what you were given"
            self._note("APPROVERS", entry, what)
        if self.said != NO_WRITERS and writers != self.said:
            what = "the log names other keys of the services, or another time, from here on: compare them with what you were given"
            self._note("WRITER_KEYS", entry, what)
        self.named, self.said = found, writers

    def _written(self, entry: Entry) -> None:
        """Check that the record's one writer signed it, under a key that counts here."""
        writers = self.said if self.writers == NO_WRITERS else self.writers
        if unwritten(entry, writers):
            self.unwritten[entry.idx] = entry.case_id
            who = writer_signature.writer(entry.topic, entry.key)
            self._bad(
                "WRITER",
                entry,
                f"{who}, which alone writes such records, did not sign it: somebody else wrote it",
            )

    def _signed(self, entry: Entry) -> None:
        """Check that intake signed the erasure, under a key that counts here, and two persons with it."""
        try:
            body = unseal(entry, None).body
        except (Malformed, NewerVersion) as error:
            self.unsigned[entry.idx] = f"it cannot be read, so its author is unknown: {error}"
            return
        mine, log = self.pinned, self.named
        found = Erasers(
            intake=mine.intake or log.intake,
            approvers=mine.approvers or log.approvers,
            since=mine.since if mine.approvers else max(mine.since, log.since),
        )
        if getattr(body, "signature", None) is None:
            self.unsigned[entry.idx] = "it has no signature of intake: whoever has the master key and the broker could have written it"
            return
        if not found.intake:
            what = "neither the log nor your policy names a key of intake: it cannot be checked that intake signed it"
            self.report.add_finding(finding(Weight.UNCHECKED, "ERASURE_KEY", entry, what))
        elif not erasure_approval.genuine(found.intake, entry.case_id, body):
            self.unsigned[entry.idx] = "it is signed with another key than intake's, or says another thing than was signed"
            return
        if what := found.lacks(entry.case_id, body, entry.kafka_time):
            self.alone[entry.idx] = what

    def _index(self, entry: Entry) -> None:
        if entry.idx != self.size:
            self._bad("INDEX_GAP", entry, f"entry {self.size} is missing or out of order before this one")
        self.size = entry.idx + 1
        if entry.logged_at < self.at:
            self._bad("CLOCK_BACK", entry, "its logging time is before that of the previous entry")
        self.at = max(self.at, entry.logged_at)

    def _own(self, entry: Entry) -> None:
        if entry.kind is Kind.GAP:
            self._note("GAP_LOGGED", entry, "audit saw here that a sequence was missing")
        elif _place(entry) != PLACELESS or _repeats(entry) != NOTHING:
            self._bad("META_DIFFERS", entry, "audit itself says this, and yet it names a record")
        elif entry.kind is Kind.COVER:
            self.report.counts["cover entries"] += 1

    def _position(self, entry: Entry) -> None:
        """Check that the offsets of a partition rise. Kafka itself leaves holes between them, so holes prove nothing."""
        place = (entry.topic, entry.partition)
        if entry.offset <= self.offsets.get(place, -1):
            self._bad("ORDER", entry, f"offset {entry.offset} comes after {self.offsets[place]} of the same partition")
        self.offsets[place] = max(entry.offset, self.offsets.get(place, -1))

    def _meta(self, entry: Entry) -> None:
        """Check that the meta in the entry is the meta in the value."""
        kind, meta = sort(entry.topic, entry.partition, entry.key, entry.value, entry.headers)
        true = meta and (meta.event_id, meta.type, meta.fingerprint, meta.case_id, meta.case_seq, meta.cause_id, meta.recorded_at)
        if kind != entry.kind and entry.kind is not Kind.FORK:
            self._bad("META_DIFFERS", entry, f"the value is of kind {kind}")
        elif _repeats(entry) != (true or NOTHING):
            self._bad("META_DIFFERS", entry, "the value belongs to another event, case or sequence")

    def _sequence(self, entry: Entry) -> None:
        place = (entry.topic, entry.case_id)
        last = self.sequences.get(place, 0)
        if entry.case_seq <= last:
            self._bad("ORDER", entry, f"sequence {entry.case_seq} comes after {last}")
            return
        if entry.case_seq > last + 1:
            self.gaps.append((range(last + 1, entry.case_seq), entry))
        self.sequences[place] = entry.case_seq

    def _twin(self, entry: Entry) -> None:
        """Count a sequence that exists twice as present."""
        place = (entry.topic, entry.case_id)
        if entry.case_seq == self.sequences.get(place, 0) + 1:
            self.sequences[place] = entry.case_seq

    def _quarantined(self, entry: Entry) -> None:
        self.report.counts["quarantined"] += 1
        try:
            body = plain(entry)
        except (Malformed, NewerVersion) as error:
            self._bad("BODY", entry, f"cannot be read: {error}")
            return
        if isinstance(body, Quarantined) and entry.key != f"{body.reader}/{body.topic}/{body.partition}/{body.offset}".encode():
            self._bad(
                "META_DIFFERS", entry, "it speaks for another reader, or of another record, than its key names: it accounts for nothing"
            )
            return
        if isinstance(body, Quarantined) and body.reader == OWNERS[ROUTING]:
            self.refused[body.topic, body.partition, body.offset] = body.reason
        if isinstance(body, Quarantined) and body.reason == "seal":
            self.unsealed.add((body.topic, body.partition, body.offset))
        if isinstance(body, Quarantined) and body.reason == "foreign" and body.reader == OWNERS.get(body.topic):
            self.disowned.add((body.topic, body.partition, body.offset))
        elif isinstance(body, Quarantined) and body.case_id:
            self.lost.add((body.topic, body.case_id, body.case_seq))


def _repeats(entry: Entry) -> tuple[str, str, int, str, int, str, int]:
    """Return what a leaf repeats of its record's meta. A schema's entry names the type there, which no record has."""
    type_, fingerprint = ("", 0) if entry.kind is Kind.SCHEMA else (entry.type, entry.fingerprint)
    return entry.event_id, type_, fingerprint, entry.case_id, entry.case_seq, entry.cause_id, entry.recorded_at


def _place(entry: Entry) -> tuple[str, int, int, int, bytes | None, Headers]:
    return entry.topic, entry.partition, entry.offset, entry.kafka_time, entry.key, entry.headers
