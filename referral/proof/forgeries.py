"""Which of the records that claim a case's sequence are its own: those whose seal opens. Who can only write to the topic forges none.

Audit keeps what it reads without a key, in the order of arrival. So a forged record may stand where a true one belongs, and the true
one be logged as its fork; here, with the key, that is put right. Where both open, whoever wrote the false one holds the case's key: then
both are handed on as branches, and re-execution says which of them the rules lead to. Of a case without a key nobody can tell.
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
    """forged: indexes of entries whose seal does not open. kinds: index → what an entry truly is that was taken for a fork.

    twins: indexes of entries that open and have topic, case and sequence with another one that opens. ahead: indexes of entries that open
    and stood in the topic before an earlier sequence of their case, which came later: its owner writes in order.
    """

    forged: frozenset[int] = frozenset()
    kinds: Mapping[int, Kind] = field(default_factory=dict)
    twins: frozenset[int] = frozenset()
    ahead: frozenset[int] = frozenset()

    def own(self, entry: Entry) -> bool:
        """Whether nothing speaks against its being the case's own."""
        return not (entry.idx in self.forged or entry.idx in self.twins or entry.idx in self.ahead)

    def put_right(self, entry: Entry) -> Entry:
        """The entry as it is meant."""
        return structs.replace(entry, kind=self.kinds[entry.idx]) if entry.idx in self.kinds else entry


def genuine(entries: Iterable[Entry], keys: Mapping[str, bytes]) -> Genuine:
    """entries: in the order of idx, all of the cases that are TORN; of others nothing is said."""
    forged, kinds, ahead = set[int](), dict[int, Kind](), set[int]()
    taken: dict[tuple[str, str], dict[int, list[int]]] = {}
    for entry in entries:
        if entry.case_id not in keys or entry.kind not in SEQUENCED | {Kind.FORK}:
            continue
        if not _opens(entry, keys[entry.case_id]):
            forged.add(entry.idx)
            continue
        of_case = taken.setdefault((entry.topic, entry.case_id), {})
        if entry.kind is Kind.FORK:
            kinds[entry.idx], _ = sort(entry.topic, entry.partition, entry.key, entry.value, entry.headers)
            if entry.case_seq not in of_case:
                ahead.update(idx for seq, places in of_case.items() if seq > entry.case_seq for idx in places)
        of_case.setdefault(entry.case_seq, []).append(entry.idx)
    twins = (idx for of_case in taken.values() for places in of_case.values() if len(places) > 1 for idx in places)
    return Genuine(forged=frozenset(forged), kinds=kinds, twins=frozenset(twins), ahead=frozenset(ahead))


def _opens(entry: Entry, key: bytes) -> bool:
    try:
        seal.unseal(key, entry.topic, seal.open(entry.value))
    except Malformed:
        return False
    return True
