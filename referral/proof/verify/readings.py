"""List who opened cases of the log, as its entries say. Pure."""

from __future__ import annotations

from msgspec import Struct, field

from referral.errors import Malformed
from referral.proof.entry import Entry, Kind
from referral.proof.reading import Reading, parse
from referral.proof.verify.report import AUDIT_ANSWERS, Report, Weight, finding


class Readings(Struct, kw_only=True):
    """The readings of one log. It takes the entries in the order of idx."""

    report: Report
    seen: dict[Reading, list[Entry]] = field(default_factory=dict)
    """The same reader, way and cases → its entries."""

    def take(self, entry: Entry) -> None:
        """Add an entry of kind READING; pass over every other."""
        if entry.kind is not Kind.READING or not entry.value:
            return
        self.report.counts["readings"] += 1
        try:
            self.seen.setdefault(parse(entry.value), []).append(entry)
        except Malformed as error:
            what = f"it is said to be a reading, and cannot be read: {error}; {AUDIT_ANSWERS}"
            self.report.add_finding(finding(Weight.BAD, "BODY", entry, what))

    def finish(self) -> None:
        """Note each reading once, with the number of its entries."""
        for reading, entries in self.seen.items():
            more = f"; {len(entries)} times, last in entry {entries[-1].idx}" if len(entries) > 1 else ""
            self.report.add_finding(finding(Weight.NOTE, "READ", entries[0], f"{reading}{more}"))
