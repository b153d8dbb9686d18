"""The report of a verification: its findings, its verdict and its exit code."""

from __future__ import annotations

from collections import Counter
from enum import IntEnum
from typing import Any

from msgspec import Struct, field, structs

from referral.proof.entry import Entry


class Weight(IntEnum):
    """NOTE: information, not held against the log. UNCHECKED: this could not be proven either way. BAD: the log is not what it claims."""

    NOTE = 0
    UNCHECKED = 1
    BAD = 2


LAYERS = {
    "trust": ("NOT_PINNED",),
    "checkpoint": ("CHECKPOINT", "QUORUM", "SIGNATURE", "NO_CHECKPOINT", "FORKED", "TRUNCATED", "ABOVE"),
    "tree": ("TILE", "BUNDLE", "ROOT", "HEAD", "LEAF"),
    "payload": ("HASH_DIFFERS", "REST_DIFFERS", "PAYLOAD", "PAYLOAD_GONE", "PAYLOAD_ERASED", "FILE_DIFFERS"),
    "search columns": ("COLUMN_DIFFERS",),
    "order": ("INDEX_GAP", "ORDER", "CLOCK_BACK", "SEQUENCE_GAP", "SEQUENCE_AHEAD", "FORK", "DISOWNED", "GAP_LOGGED", "LOST"),
    "clocks": (
        "LOGGED_AHEAD",
        "LOGGED_EARLY",
        "RECORDED_AHEAD",
        "RECORDED_BACK",
        "RECORDED_LATE",
        "STALE",
        "STOOD_STILL",
        "PAUSED",
        "BROKER_AWAY",
        "NOT_READ",
        "DRILL_CHANGED",
        "ACTIVATED_AT",
    ),
    "record": (
        "META_DIFFERS",
        "READ",
        "ACT",
        "ACT_OPEN",
        "UNLOGGED",
        "ACT_ALONE",
        "ACT_DATED",
        "OPERATORS",
        "UNREADABLE",
        "FOREIGN",
        "SEAL",
        "BODY",
        "ERASED",
        "ERASURE_FORGED",
        "ERASURE_OPEN",
        "ERASURE_KEY",
        "ERASURE_COUNT",
        "INTAKE_KEY",
        "KEY_GONE",
        "NEWER_VERSION",
        "POLICY_FORGED",
        "POLICY_SIGNERS",
        "WRITER",
        "WRITER_KEYS",
        "ERASURE_ALONE",
        "APPROVERS",
    ),
    "signature": (
        "SIGNED_OTHERWISE",
        *(f"SIGNATURE_{word}" for word in ("WRONG", "KEY_UNKNOWN", "KEY_LATER", "KEY_REVOKED", "KEY_NEW", "REUSED", "EARLY", "MISSING")),
    ),
}
"""The layer of each code, from the outside to the inside; every other code is about a decision."""
LAYER = {code: layer for layer, codes in LAYERS.items() for code in codes}


AUDIT_ANSWERS = "answerable: audit, which alone writes it"
"""End of a finding about an entry of audit's own."""
ENDS = "nothing after it was judged"
"""Place of a finding at which the walk over the entries ends."""


class Finding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finding. idx: the entry, None for the log as a whole. code: a stable word. where: position, case and type; never contents."""

    weight: Weight
    code: str
    idx: int | None
    where: str
    what: str
    case_id: str = ""

    @property
    def layer(self) -> str:
        return LAYER.get(self.code, "decision")

    def place(self) -> int:
        """Return the sort key: findings about the whole log come first."""
        return -1 if self.idx is None else self.idx

    def __str__(self) -> str:
        return f"{'the log' if self.idx is None else f'entry {self.idx}'}: {self.layer}: {self.code}: {self.what} ({self.where})"


def finding(weight: Weight, code: str, entry: Entry | None, what: str) -> Finding:
    """Return a finding that points at an entry."""
    if entry is None:
        return Finding(weight=weight, code=code, idx=None, where="log", what=what)
    where = f"{entry.topic}[{entry.partition}]@{entry.offset} {entry.type or entry.kind} case {entry.case_id or '-'} seq {entry.case_seq}"
    return Finding(weight=weight, code=code, idx=entry.idx, where=where, what=what, case_id=entry.case_id)


SHORT_US = 86_400_000_000
"""A policy that another one followed within a day (ours) is named: for so long a changed signing key does not count."""


class Period(Struct, frozen=True, kw_only=True):
    """The time in which one policy bundle was in force. since, until: µs UTC; None: it still is. changes: in words, to the one before."""

    number: int
    since: int
    until: int | None
    digest: str
    signed_by: str
    changes: tuple[str, ...]

    @property
    def short(self) -> bool:
        """Return True if another bundle followed within a day."""
        return self.until is not None and self.until - self.since < SHORT_US


class Suspicion(Struct, frozen=True, kw_only=True):
    """Something that routing has not done in a partition. It becomes `proven` if routing acted there on a limit later than `after`, µs UTC;
    else `otherwise`, if anything."""

    partition: int
    after: int
    proven: Finding
    otherwise: Finding | None


class Report(Struct, kw_only=True):
    """The verdict. counts: name → number of things examined.

    periods: of the policies. decided: number of a bundle → the cases that were decided under it, of those that could be read.
    known: findings that the auditor has acknowledged. They are no part of the verdict.
    suspicions: those that only all cases together settle. alarms: partition → the latest limit on which routing has acted there, µs UTC.
    """

    findings: list[Finding] = field(default_factory=list)
    known: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    periods: list[Period] = field(default_factory=list)
    decided: Counter[int] = field(default_factory=Counter)
    suspicions: list[Suspicion] = field(default_factory=list)
    alarms: dict[int, int] = field(default_factory=dict)

    def add_finding(self, finding: Finding) -> None:
        self.findings.append(finding)

    def add(self, other: Report) -> None:
        """Add the findings and counts of another report."""
        self.findings += other.findings
        self.counts += other.counts
        self.periods += other.periods
        self.decided += other.decided
        self.suspicions += other.suspicions
        for partition, due in other.alarms.items():
            self.alarms[partition] = max(due, self.alarms.get(partition, 0))

    def first_bad(self) -> Finding | None:
        """Return the bad finding that comes first in the log."""
        return min((f for f in self.findings if f.weight is Weight.BAD), key=Finding.place, default=None)

    def exit_code(self) -> int:
        """Return 0 for good, 1 for bad, 3 for not fully checked."""
        worst = max((f.weight for f in self.findings), default=Weight.NOTE)
        return {Weight.NOTE: 0, Weight.UNCHECKED: 3, Weight.BAD: 1}[worst]

    def as_json(self) -> dict[str, Any]:
        first = self.first_bad()
        return {
            "verdict": {0: "good", 1: "bad", 3: "not fully checked"}[self.exit_code()],
            "first_bad": first.idx if first else None,
            "layer": first.layer if first else None,
            "counts": dict(self.counts),
            "policies": [{**structs.asdict(p), "short": p.short, "cases": self.decided[p.number]} for p in self.periods],
            "findings": [_words(found) for found in self.findings],
            "known": [_words(found) for found in self.known],
        }


def _words(found: Finding) -> dict[str, Any]:
    return {**structs.asdict(found), "weight": found.weight.name.lower(), "layer": found.layer}
