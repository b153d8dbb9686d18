"""Compute an auditor's view of a case: the timeline with the mark of every entry and the names of its codes, and the readings. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from msgspec import Struct

from referral.domain.durations import SECOND_US
from referral.domain.events import SectionDisclosed
from referral.domain.local_time import local
from referral.domain.policy import Policy as Rules
from referral.errors import Malformed, NewerVersion, Unproven
from referral.proof import lookup
from referral.proof.entry import Entry, Kind, digest, rest
from referral.proof.forgeries import ANYBODY, Believed
from referral.proof.history.case import unseal
from referral.proof.history.timeline import Line, sentence, timeline
from referral.proof.history.words import Name, Texts, as_logged, codes, without_codes
from referral.proof.lookup import UNVERIFIED
from referral.tlog import merkle, note, witness_policy
from referral.tlog.merkle import leaf_hash
from referral.tlog.witness_policy import Accepted, Policy
from referral.wire import leaf
from referral.wire.signed.erasure_approval import Erasers


class Row(Struct, frozen=True):
    """A line of the timeline.

    idx: number of the entry; None for an alarm. marks: logged, said by routing, unverified, erased, sealed, bad. at: µs UTC. day: its day
    differs from the day above. codes: behind the names in its texts, as they were logged.
    """

    idx: int | None
    at: int
    day: bool
    depth: int
    what: str
    who: str
    why: str
    passed: tuple[str, ...]
    marks: tuple[str, ...]
    codes: tuple[str, ...]


def accepted(policy: Policy, published: bytes | None) -> Accepted | None:
    """Return the published checkpoint if the policy accepts it; None: none is published, or it is not accepted."""
    try:
        return witness_policy.accept(policy, note.parse(published)) if published else None
    except Malformed:
        return None


def marks(
    entries: Sequence[Entry], leaves: Mapping[int, bytes], proofs: Mapping[int, Sequence[bytes]], by: Accepted | None
) -> dict[int, str]:
    """Return the mark of each entry by index.

    logged: the entry with this value is in the tree of the accepted checkpoint; a decision is then said by routing. unverified: no accepted
    checkpoint covers it. bad: it is not in the tree, or its value was changed.
    """
    return {entry.idx: _mark(entry, leaves[entry.idx], proofs.get(entry.idx), by) for entry in entries}


def _mark(entry: Entry, data: bytes, proof: Sequence[bytes] | None, by: Accepted | None) -> str:
    logged = leaf.decode(data)
    if digest(entry.value) != logged.sha256 or rest(entry.key, entry.headers) != logged.rest:
        return "bad"
    if by is None or proof is None or entry.idx >= by.checkpoint.size:
        return UNVERIFIED
    try:
        merkle.check_inclusion(leaf_hash(data), entry.idx, by.checkpoint.size, proof, by.checkpoint.root)
    except Unproven:
        return "bad"
    return lookup.mark(entry)


def erased(entry: Entry, erasers: Erasers) -> bool:
    """Return whether this entry is an erasure with valid signatures of intake and two persons."""
    try:
        return entry.kind is Kind.ERASURE and erasers.genuine(entry.case_id, unseal(entry, None).body, entry.kafka_time)
    except (Malformed, NewerVersion):
        return False


def rows(
    entries: Sequence[Entry],
    key: bytes | None,
    marks_by_index: Mapping[int, str],
    texts: Texts,
    believed: Believed = ANYBODY,
    name: Name = as_logged,
) -> list[Row]:
    """Return the timeline. marks_by_index: from `marks`. texts: of the reader's language. name: of codes, in that language.

    believed: those whose signature a record needs. An unreadable entry is shown as unreadable; a bad entry shows nothing else.
    """
    lines, day = [], ""
    for line in timeline(entries, key, texts, believed, name):
        today = local(line.at).strftime("%d.%m.%Y")
        lines.append(_row(line, today, today != day, marks_by_index, texts))
        day = today
    return lines


def _row(line: Line, today: str, begins: bool, marks_by_index: Mapping[int, str], texts: Texts) -> Row:
    proven = marks_by_index.get(line.idx, "") if line.idx is not None else ""
    marks = ("bad",) if "bad" in (proven, line.mark) else tuple(filter(None, (proven, line.mark)))
    what = sentence(line, today, marked=False, texts=texts)
    who, why, passed = without_codes(line.who), without_codes(line.why), tuple(map(without_codes, line.passed))
    behind = codes(what, line.who, line.why, *line.passed)
    return Row(line.idx, line.at, begins, line.depth, without_codes(what), who, why, passed, marks, behind)


def readings(entries: Sequence[Entry], key: bytes | None) -> list[list[tuple[int, SectionDisclosed]]]:
    """Return the disclosures of case-file sections with their entries, in order, those together that somebody read at once; those of an
    erased case cannot be read any more."""
    disclosed = [(entry.idx, body) for entry in entries if entry.kind is Kind.DISCLOSURE and (body := _disclosed(entry, key))]
    grouped = groupby(disclosed, key=lambda pair: (pair[1].at // SECOND_US, pair[1].agency, pair[1].by or "", pair[1].basis))
    return [list(group) for _, group in grouped]


def _disclosed(entry: Entry, key: bytes | None) -> SectionDisclosed | None:
    try:
        body = unseal(entry, key).body
    except (Malformed, NewerVersion):
        return None
    return body if isinstance(body, SectionDisclosed) else None


def names(rules: Rules | None, texts: Texts, language: str) -> Name:
    """Return the names of codes: those that staff read, and ours for codes that the policy does not name.

    target: of an instruction, a service or a decision. outcome: how a step ended, or the decision that it ended with.
    """
    if rules is None:
        return as_logged

    def name(kind: str, code: str) -> str:
        of = {"target": "agency" if "." in code else "decision", "outcome": "decision"}.get(kind, kind)
        known = code.partition(".")[0] if kind == "target" else code  # a service is named as its agency
        found, ours = rules.names(of, known, language), f"code.{kind}.{code}"
        return found if found != known else texts(ours) if texts.has(ours) else code

    return name
