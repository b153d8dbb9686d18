"""Read and write an auditor's signed list of acknowledged findings: what an office has looked into, so that a new finding stands out. Pure.

A signed note (C2SP signed-note). Its text: a line that names this form, the log's origin, then one line for each finding: entry or `log`,
code, digest, and the reason in the office's words.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from msgspec import Struct, field

from referral.errors import Malformed, Unproven
from referral.proof.verify.report import ENDS, Finding, Report, Weight
from referral.tlog import note
from referral.tlog.note import Note
from referral.tlog.note_keys import SignerKey, VerifierKey

FORM = "referral-known-findings-v1"
LOG = "log"
"""Stands for the number of the entry where a finding is about the whole log."""
LONGEST = 200
"""Characters of a reason (ours): a sentence and the number of a file."""
ROW = re.compile(r"(0|[1-9][0-9]{0,18}|log) ([A-Z_]{1,40}) ([0-9a-f]{64}) (\S.*)")
TABLES = frozenset({"UNLOGGED"})
"""Codes of findings without an entry that an office may acknowledge: a change in the tables stays there."""
NEVER = frozenset({"trust", "checkpoint", "tree"})
"""Layers whose findings no office acknowledges: under them `verify` compares another log than the witnesses', or no further."""


class Row(Struct, frozen=True):
    """An acknowledged finding. entry: its number, or LOG. digest: of the finding. reason: in the office's words."""

    entry: str
    code: str
    digest: str
    reason: str


class Known(Struct, frozen=True):
    """A list. origin: of the log. by: name of the key that signed it."""

    origin: str
    rows: tuple[Row, ...] = ()
    by: str = ""
    digests: frozenset[tuple[str, str, str]] = field(default_factory=frozenset)

    def holds(self, found: Finding) -> bool:
        """Return whether the list acknowledges this finding, word for word."""
        return may(found) and (entry(found), found.code, digest(found)) in self.digests

    def with_rows(self, findings: Iterable[Finding], reason: str) -> Known:
        """Return the list with these findings too. Malformed: one of them is never acknowledged, or the reason is no line."""
        if not 0 < len(reason) <= LONGEST or reason != reason.strip() or not reason.isprintable():
            raise Malformed("known", f"the reason is one line of at most {LONGEST} characters")
        rows = dict.fromkeys(self.rows)
        for found in findings:
            if found.weight is Weight.NOTE:
                raise Malformed("known", f"{found.code} is a note, which no verdict holds against the log: it needs no acknowledgement")
            if not may(found):
                raise Malformed("known", f"{found.code} is never acknowledged: it is about the whole log, or nothing behind it was judged")
            rows |= {} if self.holds(found) else {Row(entry(found), found.code, digest(found), reason): None}
        return _known(self.origin, tuple(rows), self.by)

    def signed(self, key: SignerKey) -> bytes:
        """Return the list as a note with the office's signature."""
        lines = [FORM, self.origin, *(f"{row.entry} {row.code} {row.digest} {row.reason}" for row in self.rows)]
        text = "".join(f"{line}\n" for line in lines).encode()
        return Note(text, (note.sign(text, key, 0),)).encode()


def may(found: Finding) -> bool:
    """Return whether an office may acknowledge a finding: it is about one entry or the tables, and `verify` has judged all behind it."""
    return (
        found.weight > Weight.NOTE and found.layer not in NEVER and found.where != ENDS and (found.idx is not None or found.code in TABLES)
    )


def entry(found: Finding) -> str:
    """Return the entry of a finding as the list writes it."""
    return LOG if found.idx is None else str(found.idx)


def digest(found: Finding) -> str:
    """Return the digest of a finding's words: if it says more later, or another thing, it is new."""
    return hashlib.sha256("\n".join((FORM, found.code, entry(found), found.where, found.what)).encode()).hexdigest()


def parse(data: bytes, key: VerifierKey) -> Known:
    """Read a list. Malformed: it is none. Unproven: this key has not signed it."""
    held = note.parse(data)
    note.check(held, (key,))
    form, origin, *lines = [*held.text.decode().removesuffix("\n").split("\n"), ""]
    if form != FORM or not origin:
        raise Malformed("known", f"it does not begin with {FORM} and the log's name")
    rows = [ROW.fullmatch(line) for line in lines[:-1]]
    if None in rows:
        raise Malformed("known", f"line {rows.index(None) + 3} is no entry, code, digest and reason")
    return _known(origin, tuple(Row(*row.groups()) for row in rows if row), key.name)


def acknowledge(report: Report, known: Known, origin: str | None) -> None:
    """Take the acknowledged findings out of the verdict. Unproven: the list is of another log."""
    if origin is not None and origin != known.origin:
        raise Unproven("known", f"the list is of the log {known.origin}, and this is {origin}")
    report.known += [found for found in report.findings if known.holds(found)]
    report.findings = [found for found in report.findings if not known.holds(found)]


def _known(origin: str, rows: tuple[Row, ...], by: str) -> Known:
    return Known(origin, rows, by, frozenset((row.entry, row.code, row.digest) for row in rows))
