"""Attacks upon what the log has said: every change, below and above the witnessed size, without and with the log's key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import structs

from referral.cli.audit.diff import Side, compare
from referral.domain.events import ReferralSubmitted
from referral.proof.entry import Entry
from tests.attacks.ground import WITNESSED, Attack, Noticed, copy, honest, receipt, signed, verify, witnesses

NO_KEY = "below the witnessed size, without the log's key"
KEY = "below the witnessed size, with the log's key"
ABOVE = "above the witnessed size, with the log's key"
Change = Callable[[list[Entry], int], list[Entry]]


def edit(entries: list[Entry], at: int) -> list[Entry]:
    return [*entries[:at], structs.replace(entries[at], recorded_at=entries[at].recorded_at + 1), *entries[at + 1 :]]


def delete(entries: list[Entry], at: int) -> list[Entry]:
    return [*entries[:at], *entries[at + 1 :]]


def insert(entries: list[Entry], at: int) -> list[Entry]:
    return [*entries[: at + 1], entries[at], *entries[at + 1 :]]


def reorder(entries: list[Entry], at: int) -> list[Entry]:
    return [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]]


def truncate(entries: list[Entry], at: int) -> list[Entry]:
    return entries[:at]


CHANGES: dict[str, Change] = {
    "edit a leaf": edit,
    "delete an entry": delete,
    "insert an entry": insert,
    "reorder entries": reorder,
    "truncate the log": truncate,
}


def neighbours(start: int) -> int:
    """The first entry from there on whose successor is of the same case and topic."""
    entries = honest().entries
    return next(
        n for n in range(start, len(entries)) if (entries[n].case_id, entries[n].topic) == (entries[n + 1].case_id, entries[n + 1].topic)
    )


def without_key(change: Change) -> Noticed:
    """Tiles, bundles and payloads are made anew; the checkpoint stays, as nobody can sign another."""
    there = copy(change(honest().entries, neighbours(100)))
    there.checkpoint = signed()
    return {"verify": verify(there)}


def with_key(change: Change) -> Noticed:
    """The log signs what was made anew; witnesses are asked."""
    there = copy(change(honest().entries, neighbours(100)))
    there.witnesses = ()
    return {"verify": verify(there), "witness": witnesses(there, old=min(WITNESSED, len(there.leaves)))}


def above(change: Change) -> Noticed:
    """The witnesses sign, as they have not seen what stood there."""
    entries, at = honest().entries, neighbours(WITNESSED)
    there = copy(change(entries, at))
    assert not witnesses(there), "a witness cannot know what it has not seen"
    return {"verify": verify(there), "receipt": receipt(there, entries[at])}


def case_left_out() -> Noticed:
    """Audit logs no record of one case. Its holes among the offsets prove nothing, for Kafka leaves some too."""
    entries = honest().entries
    victim = next(entry for entry in reversed(entries) if entry.type == ReferralSubmitted.TYPE)
    there = copy([entry for entry in entries if entry.case_id != victim.case_id])
    return {"verify": verify(there), "the sender's receipt": receipt(there, victim)}


def backup() -> Noticed:
    """An older state comes back with its own good checkpoint: the witnesses and an auditor who was there before know a larger one."""
    old = copy(honest().entries[:200])
    return {"witness": witnesses(old, old=200), "auditor's last checkpoint": verify(old, since=signed(WITNESSED))}


def backup_continued() -> Noticed:
    """It goes on from there with other entries."""
    entries = honest().entries
    fork = copy([*entries[:200], *entries[216:]])
    return {"witness": witnesses(fork), "auditor's last checkpoint": verify(fork, since=signed(250))}


def split_view() -> Noticed:
    """Two heads of one size for two readers, who meet; a witness that has signed the one is asked for the other."""
    entries = honest().entries
    one, other = copy(), copy(edit(entries, 310))
    sides = [Side(name, None, len(entries), there.tree.checkpoint().root) for name, there in (("one", one), ("other", other))]
    logs = [Side(name, there, len(entries), there.tree.checkpoint().root) for name, there in (("one", one), ("other", other))]
    found = compare(*logs)
    assert found["first"] == 310
    told = {"diff of two heads": compare(*sides)["says"], "diff of two logs": found["says"].replace("\n", "; ")}
    return {**told, "witness": witnesses(other, len(entries))}


def attacks() -> Iterator[Attack]:
    for what, change in CHANGES.items():
        yield Attack(what=what, power=NO_KEY, must=("verify",), run=partial(without_key, change))
        yield Attack(what=what, power=KEY, must=("verify", "witness"), run=partial(with_key, change))
        only_outside = change is truncate
        yield Attack(what=what, power=ABOVE, must=("receipt",) if only_outside else ("verify",), run=partial(above, change))
    yield Attack(what="all records of one case left out (N7)", power=ABOVE, must=("the sender's receipt",), run=case_left_out)
    must = ("witness", "auditor's last checkpoint")
    yield Attack(what="restore an old backup", power="operator", must=must, run=backup)
    yield Attack(what="restore an old backup and go on", power="with the log's key", must=must, run=backup_continued)
    must = ("diff of two heads", "diff of two logs", "witness")
    yield Attack(what="two heads of one size (split view)", power="with the log's key", must=must, run=split_view)
