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


class Genuine(Struct, kw_only=True):
    """entries: the log, a true record that was taken for a fork being what it is. forged: indexes of those whose seal does not open."""

    entries: list[Entry]
    forged: set[int] = field(default_factory=set)


def genuine(entries: Iterable[Entry], keys: Mapping[str, bytes]) -> Genuine:
    """Look at the cases in which audit saw a fork or a gap; all else is as it was logged."""
    out = Genuine(entries=list(entries))
    torn = {e.case_id for e in out.entries if e.kind in (Kind.FORK, Kind.GAP)} & keys.keys()
    taken: set[tuple[str, str, int]] = set()
    for n, entry in enumerate(out.entries):
        if entry.case_id not in torn or entry.kind not in SEQUENCED | {Kind.FORK}:
            continue
        place = (entry.topic, entry.case_id, entry.case_seq)
        if not _opens(entry, keys[entry.case_id]):
            out.forged.add(entry.idx)
        elif entry.kind is not Kind.FORK:
            taken.add(place)
        elif place not in taken:
            taken.add(place)
            kind, _ = sort(entry.topic, entry.partition, entry.key, entry.value, entry.headers)
            out.entries[n] = structs.replace(entry, kind=kind)
    return out


def _opens(entry: Entry, key: bytes) -> bool:
    try:
        seal.unseal(key, entry.topic, seal.open(entry.value))
    except Malformed:
        return False
    return True
