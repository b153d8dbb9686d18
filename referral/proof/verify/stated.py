"""Check what audit itself states in a log: its schemas, its cover, and each gap before the record that shows it. Pure."""

from __future__ import annotations

from msgspec import DecodeError, Struct, json

from referral.proof import cover
from referral.proof.entry import Entry, Gap, Kind, digest
from referral.proof.verify.report import AUDIT_ANSWERS, Report, Weight, finding
from referral.wire.schema.definition import SchemaError
from referral.wire.schema.load import fingerprint_of

EMPTY = ("", "", 0, 0, "", 0)


class Stated(Struct, kw_only=True):
    """The check of audit's own statements. It takes the entries in the order of idx."""

    report: Report
    gap: Entry | None = None
    """The entry before, if it is a GAP: the next one must be the record that shows it."""

    def take(self, entry: Entry) -> None:
        """Check one entry, and that it is the record that the GAP before it speaks of."""
        if self.gap is not None:
            self._shown(self.gap, entry)
        self.gap = entry if entry.kind is Kind.GAP else None
        if not entry.value and digest(b"") != entry.sha256:  # the value is gone, which `Completeness` reports
            return
        if entry.kind is Kind.COVER and not cover.fits(entry.value):
            what = f"it is said to be cover, and has {len(entry.value)} bytes instead of {cover.BYTES}: something is hidden in it"
            self._bad("BODY", entry, what)
        elif entry.kind is Kind.SCHEMA:
            self._schema(entry)

    def passed(self) -> None:
        """Pass over the next entry, which an earlier run has checked."""
        self.gap = None

    def _schema(self, entry: Entry) -> None:
        try:
            found = fingerprint_of(entry.value)
        except SchemaError as error:
            self._bad("BODY", entry, f"it is said to be a schema, and is none: {error}")
            return
        if found != entry.fingerprint:
            self._bad("BODY", entry, f"it is the schema {found:#x}, and is said to be {entry.fingerprint:#x}: no body is of it")

    def _shown(self, gap: Entry, after: Entry) -> None:
        """Check that a gap stands before its record, and says of it what is true."""
        meta = (gap.event_id, gap.type, gap.fingerprint, gap.case_seq, gap.cause_id, gap.recorded_at)
        if _place(gap) != _place(after) or gap.headers or meta != EMPTY:
            self._bad("META_DIFFERS", gap, "a gap stands before the record that shows it, and this is not at the place of the next one")
        if not gap.value and digest(b"") != gap.sha256:
            return
        try:
            said = json.decode(gap.value, type=Gap)
        except DecodeError as error:
            self._bad("BODY", gap, f"it is said to be a gap, and cannot be read: {error}")
            return
        if gap.key != after.key and after.value:
            self._bad("META_DIFFERS", gap, "a gap has the key of the record that shows it, and this has another")
        if (said.topic, said.case_id, said.came) != (after.topic, after.case_id, after.case_seq) or not 0 < said.expected < said.came:
            what = f"it says that {said.came} came instead of {said.expected}, and the next entry has sequence {after.case_seq} of its case"
            self._bad("META_DIFFERS", gap, what)

    def _bad(self, code: str, entry: Entry, what: str) -> None:
        self.report.add_finding(finding(Weight.BAD, code, entry, f"{what}; {AUDIT_ANSWERS}"))


def _place(entry: Entry) -> tuple[str, int, int, int, str]:
    return entry.topic, entry.partition, entry.offset, entry.kafka_time, entry.case_id
