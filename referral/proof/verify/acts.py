"""List the administrators' acts, as the entries of the log say, and name those of one operator that take two. Pure."""

from __future__ import annotations

from msgspec import UNSET, Struct, field

from referral.errors import Malformed
from referral.proof.act import Act, State, parse
from referral.proof.entry import Entry, Kind
from referral.proof.heartbeat import STILL_S
from referral.proof.verify.report import AUDIT_ANSWERS, Report, Weight, finding
from referral.wire.signed import trust_lines
from referral.wire.signed.operator_word import NO_OPERATORS, Operators

ALIVE_US = STILL_S * 1_000_000
"""µs (ours) for which audit has been alive before an act that it should have logged by then counts as dated back."""
FOLLOWS = b"# follows "
"""First letters of the line by which the policy file of a log names the one before (`referral audit renew`)."""


class Acts(Struct, kw_only=True):
    """The administrators' acts of one log. It takes the entries in the order of idx."""

    report: Report
    pinned: Operators = NO_OPERATORS
    """The operators in the auditor's own policy; where it names none, those that the log names count."""
    named: Operators = NO_OPERATORS
    """Those in the newest policy file of the log so far."""
    renewed: bool = False
    """The log follows another one, whose acts it has again."""
    beats: list[int] = field(default_factory=list)
    """Times of the heartbeats of the last ALIVE_US, µs UTC, and the one before them."""
    newest: int = 0
    """Time of the newest act so far, µs UTC."""
    words: dict[str, int] = field(default_factory=dict)
    """Digest of a second operator's word → the entry of the act that used it."""
    seen: dict[tuple[str, str, State], list[Entry]] = field(default_factory=dict)
    """Operators, command and state → its entries; acts that were begun have left it once their outcome is there."""
    begun: dict[str, tuple[Act, Entry]] = field(default_factory=dict)
    """Id → an act without an outcome so far."""
    every: list[Act] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Add an entry of kind ADMINISTRATION, or take over the operators of one of kind KEYS; pass over every other."""
        if entry.kind is Kind.KEYS and entry.value:
            self._name(entry)
        if entry.kind is Kind.HEARTBEAT:
            self.beats.append(entry.logged_at)
            while len(self.beats) > 2 and self.beats[1] <= entry.logged_at - ALIVE_US:
                self.beats.pop(0)
        if entry.kind is not Kind.ADMINISTRATION or not entry.value:
            return
        try:
            act = parse(entry.value)
        except Malformed as error:
            what = f"it is said to be an administrator's act: {error}; {AUDIT_ANSWERS}"
            self.report.add_finding(finding(Weight.BAD, "BODY", entry, what))
            return
        self.every.append(act)
        began = self.begun[act.id][0] if act.id in self.begun else act
        if began is act or (began.by, began.command, began.about, began.second) != (act.by, act.command, act.about, act.second):
            self._judge(act, entry)
        if act.state is State.BEGUN:
            self.report.counts["acts"] += 1
            self.begun[act.id] = act, entry
            return
        if self.begun.pop(act.id, None) is None:
            self.report.counts["acts"] += 1
        self.seen.setdefault((act.who, act.command, act.state), []).append(entry)

    def _name(self, entry: Entry) -> None:
        """Take over the operators whom the log names from here on."""
        try:
            found = trust_lines.operators(entry.value)
        except Malformed as error:
            self.report.add_finding(finding(Weight.BAD, "BODY", entry, f"cannot be read: {error}"))
            return
        if self.named != NO_OPERATORS and found != self.named:
            what = "the log names other operators, or another time, from here on: compare them with what you were given"
            self.report.add_finding(finding(Weight.NOTE, "OPERATORS", entry, what))
        self.named, self.renewed = found, self.renewed or FOLLOWS in entry.value

    def _judge(self, act: Act, entry: Entry) -> None:
        """Name an act that takes two operators, and is not that of two."""
        operators = self.named if self.pinned == NO_OPERATORS else self.pinned
        self.newest = max(self.newest, act.at)  # acts come in the order of their transactions, so none is dated back behind another
        if (self.newest if self.renewed else entry.logged_at) // 1_000 < operators.begin(act.command):
            return
        what = act.lacks(operators)
        if act.second is not UNSET and (used := self.words.setdefault(act.second.digest, entry.idx)) != entry.idx:
            what = what or f"the word was used before, in entry {used}"
        if not self.renewed and self.beats and act.at < self.beats[0] and self.beats[-1] - self.beats[0] >= ALIVE_US:
            late = "it is dated minutes before heartbeats that stand before it, and audit logs one within seconds: a word may have ended"
            self.report.add_finding(finding(Weight.UNCHECKED, "ACT_DATED", entry, f"{act}: {late}"))
        if what:
            what = f"{act}: {what}; whoever has the administrator's password could have done it alone"
            self.report.add_finding(finding(Weight.BAD, "ACT_ALONE", entry, what))

    def finish(self) -> None:
        """Note each operator's acts, each command once, and each act without an outcome."""
        for (by, command, state), entries in self.seen.items():
            what = f"{by}: `referral {command}`{' broke off' if state is State.FAILED else ''}"
            more = f"; {len(entries)} times, last in entry {entries[-1].idx}" if len(entries) > 1 else ""
            self.report.add_finding(finding(Weight.NOTE, "ACT", entries[0], f"{what}{more}"))
        for act, entry in self.begun.values():
            what = f"{act}, and no entry says how it ended: it is under way, or the program was killed; see whether it is done"
            self.report.add_finding(finding(Weight.NOTE, "ACT_OPEN", entry, what))
