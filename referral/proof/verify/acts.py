"""List the administrators' acts, as the entries of the log say. Pure."""

from __future__ import annotations

from msgspec import Struct, field

from referral.errors import Malformed
from referral.proof.act import Act, State, parse
from referral.proof.entry import Entry, Kind
from referral.proof.verify.report import Report, Weight, finding


class Acts(Struct, kw_only=True):
    """The administrators' acts of one log. It takes the entries in the order of idx."""

    report: Report
    seen: dict[tuple[str, str, State], list[Entry]] = field(default_factory=dict)
    """Operator, command and state → its entries; acts that were begun have left it once their outcome is there."""
    begun: dict[str, tuple[Act, Entry]] = field(default_factory=dict)
    """Id → an act without an outcome so far."""
    every: list[Act] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Add an entry of kind ADMINISTRATION; pass over every other."""
        if entry.kind is not Kind.ADMINISTRATION or not entry.value:
            return
        try:
            act = parse(entry.value)
        except Malformed as error:
            self.report.add_finding(finding(Weight.BAD, "BODY", entry, f"it is said to be an administrator's act: {error}"))
            return
        self.every.append(act)
        if act.state is State.BEGUN:
            self.report.counts["acts"] += 1
            self.begun[act.id] = act, entry
            return
        if self.begun.pop(act.id, None) is None:
            self.report.counts["acts"] += 1
        self.seen.setdefault((act.by, act.command, act.state), []).append(entry)

    def finish(self) -> None:
        """Note each operator's acts, each command once, and each act without an outcome."""
        for (by, command, state), entries in self.seen.items():
            what = f"{by}: `referral {command}`{' broke off' if state is State.FAILED else ''}"
            more = f"; {len(entries)} times, last in entry {entries[-1].idx}" if len(entries) > 1 else ""
            self.report.add_finding(finding(Weight.NOTE, "ACT", entries[0], f"{what}{more}"))
        for act, entry in self.begun.values():
            what = f"{act}, and no entry says how it ended: it is under way, or the program was killed; see whether it is done"
            self.report.add_finding(finding(Weight.NOTE, "ACT_OPEN", entry, what))
