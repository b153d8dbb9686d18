"""A log to attack, the powers of who attacks it, and those who should notice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from msgspec import Struct, structs
from rich.progress import Progress

from referral.proof import archive
from referral.proof.archive import Archive
from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import Entry
from referral.proof.verify.report import Weight
from referral.tlog import merkle, witness
from tests.harness.audit_archive import Rows, long_log
from tests.harness.audit_log import Log
from tests.harness.made_log import LOG, NOW, ORIGIN, WITNESSES

WITNESSED = 300
"""What a quorum has seen when the attack begins; the entries above it are seen by nobody but the log."""
Noticed = dict[str, str]
"""Who looked → what they said; empty where they had nothing to say."""


WHEN = {
    "verify": "when somebody runs it",
    "verify names the forged one": "when somebody runs it",
    "verify names the record taken away": "when somebody runs it",
    "diff of two heads": "when somebody runs it",
    "diff of two logs": "when somebody runs it",
    "doctor": "when somebody runs it",
    "recover": "when somebody runs it",
    "monitor": "at its next look",
    "witness": "at the next checkpoint",
    "auditor's last checkpoint": "when it is compared",
    "receipt": "when its holder checks it",
    "the sender's receipt": "after ten minutes",
    "owner": "within a second",
    "ingest": "when audit reads it",
    "audit's log": "when audit reads it",
    "every reader": "when it reads it",
    "reader of the topic": "when it reads it",
    "readers of the topic": "when they read it",
    "verify lists it": "when somebody runs it",
    "replay": "when somebody runs it",
    "verify --known": "when somebody runs it",
    "auditor's page": "when somebody looks",
    "auditor with receipt and salt": "when somebody compares them with the log",
    "nobody": "never",
}
"""Witness of an attack → after how long it notices. All others refuse the act itself, or tell it as it happens."""
AT_ONCE = "at once"


class Attack(Struct, frozen=True, kw_only=True):
    """what: in words. power: of the attacker. must: who has to notice. may: who looked too; `run` gives what each said.

    blamed: the party that the first of them names as answerable, in its own words; empty: it names none.
    """

    what: str
    power: str
    must: tuple[str, ...]
    run: Callable[[], Noticed]
    blamed: str = ""


class Copy(Rows):
    """An export: it ends at its checkpoint, and nothing in it but the entries says where they are."""

    checkpoint: bytes | None = None
    """Another one than its own."""

    def read(self, path: str) -> bytes | None:
        if path.partition("/")[0] in (archive.HEAD, "columns", "case_id", "event_id"):
            return None
        if path == archive.CHECKPOINT and self.checkpoint is not None:
            return self.checkpoint
        return super().read(path)


@cache
def honest() -> Log:
    return long_log()


def copy(entries: Sequence[Entry] | None = None) -> Copy:
    """An export with these entries, numbered and hashed anew."""
    return Copy(numbered(honest().entries if entries is None else entries))


def numbered(entries: Sequence[Entry]) -> list[Entry]:
    return [structs.replace(entry, idx=index) for index, entry in enumerate(entries)]


def signed(size: int | None = None) -> bytes:
    """The honest log's checkpoint with its witnesses."""
    there = copy()
    there.published = len(there.leaves) if size is None else size
    return there.read(archive.CHECKPOINT) or b""


def verify(there: Archive, *, keys: dict[str, bytes] | None = None, since: bytes | None = None) -> str:
    """What `audit verify` says of it, if anything is bad or could not be checked."""
    asked = VerifyOptions(keys=honest().keys if keys is None else keys, since=since)
    report = judge(there, asked, Progress(disable=True)).report
    worst = max((f for f in report.findings if f.weight > Weight.NOTE), key=lambda f: (f.weight, -f.place()), default=None)
    return "" if worst is None else str(report.first_bad() or worst)


def witnesses(there: Rows, seen: int = WITNESSED, old: int | None = None, base: Rows | None = None) -> str:
    """What a witness answers to this log that has seen `seen` entries of the honest one; empty: it signs. old: what it is told to know.

    base: another honest log.
    """
    last, now, old = (base or copy()).tree.checkpoint(seen), there.tree, seen if old is None else old
    size = len(now.entries)
    hashes = merkle.consistency(now.nodes, old, size) if 0 < old <= size else []
    body = witness.body(old, hashes, now.signed(witnesses=()))
    answer = witness.answer(body, {ORIGIN: [LOG.verifier]}, {ORIGIN: last}, WITNESSES[:1], NOW)
    return "" if answer.status == 200 else f"HTTP {answer.status}: {answer.body.decode().strip()}"


def receipt(there: Archive, entry: Entry) -> str:
    """What an agency says that holds the receipt of an event which was above the witnessed size."""
    size, _ = archive.head(there, archive.trusted(there, None))
    found = archive.find(there, size, "event_id", entry.event_id)
    return (
        "" if found else f"event {entry.event_id[:8]}… has a receipt and a record at {entry.topic}@{entry.offset}, and no entry of the log"
    )
