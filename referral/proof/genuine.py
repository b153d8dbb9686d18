"""Which of the records that claim a case's sequence are its own: those whose seal opens. Who can only write to the topic forges none.

Audit keeps what it reads without a key, in the order of arrival. So a forged record may stand where a true one belongs, and the true
one be logged as its fork; here, with the key, that is put right. Of a case without a key nobody can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field, structs

from referral.errors import Malformed
from referral.proof.entry import SEQUENCED, Entry, Kind, sort
from referral.wire import seal

TORN = (Kind.FORK, Kind.GAP)
"""What audit logged where a sequence was not the next one: the cases to look at."""


class Genuine(Struct, frozen=True, kw_only=True):
    """forged: indexes of entries whose seal does not open. kinds: index → what an entry truly is that was taken for a fork."""

    forged: frozenset[int] = frozenset()
    kinds: Mapping[int, Kind] = field(default_factory=dict)

    def put_right(self, entry: Entry) -> Entry:
        """The entry as it is meant."""
        return structs.replace(entry, kind=self.kinds[entry.idx]) if entry.idx in self.kinds else entry


def genuine(entries: Iterable[Entry], keys: Mapping[str, bytes]) -> Genuine:
    """entries: in the order of idx, all of the cases that are TORN; of others nothing is said."""
    forged, kinds = set(), {}
    taken: set[tuple[str, str, int]] = set()
    for entry in entries:
        if entry.case_id not in keys or entry.kind not in SEQUENCED | {Kind.FORK}:
            continue
        place = (entry.topic, entry.case_id, entry.case_seq)
        if not _opens(entry, keys[entry.case_id]):
            forged.add(entry.idx)
        elif entry.kind is not Kind.FORK:
            taken.add(place)
        elif place not in taken:
            taken.add(place)
            kinds[entry.idx], _ = sort(entry.topic, entry.partition, entry.key, entry.value, entry.headers)
    return Genuine(forged=frozenset(forged), kinds=kinds)


def _opens(entry: Entry, key: bytes) -> bool:
    try:
        seal.unseal(key, entry.topic, seal.open(entry.value))
    except Malformed:
        return False
    return True
