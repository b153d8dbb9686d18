"""Separate a case's own records from forged ones: only a record whose seal opens is its own.

Audit stores records without a key, in the order of arrival. So a forged record may occupy a sequence, and the true record be logged as
its fork; with the case's key, this module corrects that. A writer without the key can forge nothing. Where both seals open, the forger
holds the case's key: both records are passed on as branches, and re-execution finds the one that the rules lead to. Without the key of
the case, the two cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field, structs

from referral.errors import Malformed
from referral.proof.entry import OWN, SEQUENCED, Entry, Kind, digest, sort
from referral.wire import seal
from referral.wire.signed.writer_signature import NO_WRITERS, Writers

TORN = (Kind.FORK, Kind.GAP)
"""Kinds that audit logs where a sequence was not the next one. Cases with such entries are examined here."""


class Believed(Struct, frozen=True):
    """The services whose signature a record of the log needs.

    pinned: their keys in the reader's own policy. said: (index, keys) of each policy file of the log, in order; where the reader's own
    names no writer, the newest of them before a record counts.
    """

    pinned: Writers = NO_WRITERS
    said: tuple[tuple[int, Writers], ...] = ()

    def unwritten(self, entry: Entry) -> bool:
        """Return whether the one writer of this record did not sign it."""
        newest = next((writers for idx, writers in reversed(self.said) if idx < entry.idx), NO_WRITERS)
        return unwritten(entry, newest if self.pinned == NO_WRITERS else self.pinned)


ANYBODY = Believed()
"""Believed where no policy names writers: no record needs a signature."""


class SealVerdict(Struct, frozen=True, kw_only=True):
    """The verdict on the records of torn cases.

    forged: indexes of entries whose seal does not open, or that their writer did not sign.
    kinds: index → true kind of an entry that was logged as a fork.
    twins: indexes of entries that open and share topic, case and sequence with another one that opens.
    ahead: indexes of entries that open but came before an earlier sequence of their case in the topic; their owner writes in order.
    """

    forged: frozenset[int] = frozenset()
    kinds: Mapping[int, Kind] = field(default_factory=dict)
    twins: frozenset[int] = frozenset()
    ahead: frozenset[int] = frozenset()

    def own(self, entry: Entry) -> bool:
        """Return True if nothing shows that the entry is not the case's own."""
        return not (entry.idx in self.forged or entry.idx in self.twins or entry.idx in self.ahead)

    def genuine(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries without the forged ones, each with its true kind."""
        return [self.corrected(entry) for entry in entries if entry.idx not in self.forged]

    def corrected(self, entry: Entry) -> Entry:
        """Return the entry with its true kind."""
        return structs.replace(entry, kind=self.kinds[entry.idx]) if entry.idx in self.kinds else entry


def unwritten(entry: Entry, writers: Writers) -> bool:
    """Return whether the one writer of this record did not sign it. Audit's own entries, and a value that is gone, show no signature."""
    gone = not entry.value and digest(b"") != entry.sha256
    asked = entry.kind not in OWN and not gone
    return asked and not writers.wrote(entry.topic, entry.key, entry.value, entry.headers, entry.kafka_time)


def judge(entries: Sequence[Entry], key: bytes | None, believed: Believed) -> SealVerdict:
    """Judge the records of one case as `verify` does. entries: all of the case, in the order of idx. key: None where it is not there."""
    found = {entry.idx: entry.case_id for entry in entries if believed.unwritten(entry)}
    if not found and not any(entry.kind in TORN for entry in entries):
        return SealVerdict()
    return judge_seals(entries, {entry.case_id: key for entry in entries if key}, found)


def judge_seals(entries: Iterable[Entry], keys: Mapping[str, bytes], unwritten: Mapping[int, str] | None = None) -> SealVerdict:
    """Judge the records of torn cases. entries: all entries of the TORN cases, in the order of idx.

    unwritten: index of a record that its one writer did not sign → its case. It is forged, whether its seal opens or not, and the others of
    the case are signed, so no key is needed to believe them.
    """
    unwritten = unwritten or {}
    signed = set(unwritten.values())
    forged, kinds, ahead = set[int](), dict[int, Kind](), set[int]()
    seen: dict[tuple[str, str], dict[int, list[int]]] = {}
    for entry in entries:
        if entry.idx in unwritten:
            forged.add(entry.idx)
            continue
        key = keys.get(entry.case_id)
        if (key is None and entry.case_id not in signed) or entry.kind not in SEQUENCED | {Kind.FORK}:
            continue
        if key is not None and not _opens(entry, key):
            forged.add(entry.idx)
            continue
        of_case = seen.setdefault((entry.topic, entry.case_id), {})
        if entry.kind is Kind.FORK and key is None and entry.case_seq in of_case:
            continue  # both are signed, and nobody can decide again which is true: it stays what audit saw
        if entry.kind is Kind.FORK:
            kinds[entry.idx], _ = sort(entry.topic, entry.partition, entry.key, entry.value, entry.headers)
            if entry.case_seq not in of_case:
                ahead.update(idx for seq, places in of_case.items() if seq > entry.case_seq for idx in places)
        of_case.setdefault(entry.case_seq, []).append(entry.idx)
    twins = (idx for of_case in seen.values() for places in of_case.values() if len(places) > 1 for idx in places)
    return SealVerdict(forged=frozenset(forged), kinds=kinds, twins=frozenset(twins), ahead=frozenset(ahead))


def _opens(entry: Entry, key: bytes) -> bool:
    try:
        seal.unseal(key, entry.topic, seal.open(entry.value))
    except Malformed:
        return False
    return True
