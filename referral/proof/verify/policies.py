"""The policy bundles in the log, so that each decision is judged under the rules that were in force."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct, field

from referral.domain.durations import SECOND_US
from referral.domain.events import PolicyActivated
from referral.domain.policy import Policy, PolicyErrors, policy
from referral.domain.policy.differences import differences
from referral.errors import Malformed, NewerVersion
from referral.proof.act import Act
from referral.proof.engines import Rules
from referral.proof.entry import Entry, digest, plain
from referral.proof.verify.report import Finding, Period, Report, Weight, finding
from referral.wire import policy_digest
from referral.wire.act_table import MAKES
from referral.wire.signed import agency_keys, trust_lines
from referral.wire.signed.agency_keys import AgencyKeys
from referral.wire.signed.policy_signature import NO_SIGNERS, Believed, Trusted

BEFORE = "nobody: before signatures"
DATED_US = 60 * SECOND_US
"""A minute (ours), as for every clock (`verify/clocks.TOLERANCE_US`): `policy activate` stores its bundle within seconds."""


class Bundles(Struct, kw_only=True):
    """The bundles of a log: number → bundle, and number → compiled policy (cached).

    pinned: the signers in the auditor's own policy; where it names none, those that the log names count.
    """

    report: Report
    activated: dict[int, PolicyActivated] = field(default_factory=dict)
    compiled: dict[int, Policy] = field(default_factory=dict)
    logged: list[int] = field(default_factory=list)
    """Indexes of the entries of bundles 1, 2, 3 …"""
    published: list[int] = field(default_factory=list)
    """Times at which the broker had bundles 1, 2, 3 …, µs UTC."""
    stored: list[int] = field(default_factory=list)
    """Times at which audit logged bundles 1, 2, 3 …, µs UTC."""
    begun: list[int] = field(default_factory=list)
    """Times from which bundles 1, 2, 3 … were in force, µs UTC, as the log itself tells (`begins`)."""
    pinned: Trusted = NO_SIGNERS
    believed: Believed | None = None
    spoilt: int | None = None
    """Index of the first POLICY entry whose value is gone, or is not the logged one: that is the finding, and what lacks it follows."""
    keys: dict[int, dict[str, AgencyKeys]] = field(default_factory=dict)
    """Number → agency → its signing keys (cached)."""

    def trust(self, entry: Entry) -> None:
        """Take over the signers that the log's own policy file names from here on, unless the auditor's names some."""
        try:
            named = trust_lines.policy_keepers(entry.value)
        except Malformed as error:
            self._bad("BODY", entry, f"cannot be read: {error}")
            return
        if self.pinned.signers or not named.signers:
            return
        if self.believed is None:
            self._begin(named)
        elif named != self.believed.trusted:
            what = "the log names other signers of the policy, or pins other bundles, from here on: compare them with what you were given"
            self.report.add_finding(finding(Weight.NOTE, "POLICY_SIGNERS", entry, what))
            self._begin(named)

    def _begin(self, trusted: Trusted) -> Believed:
        """Believe these signers from here on, and the bundles that were believed before."""
        before, self.believed = self.believed, Believed(trusted=trusted)
        for body in self.activated.values():
            if self.believed.take(body):
                self.believed.digests[body.number] = body.digest
                self.believed.signed[body.number] = before.signed[body.number] if before else ()
        return self.believed

    def take(self, entry: Entry) -> None:
        """Store the bundle of an entry of kind POLICY, if its number is the next one and two signers signed it."""
        if digest(entry.value) != entry.sha256 and self.spoilt is None:
            self.spoilt = entry.idx
        if not entry.value:
            return
        try:
            body = plain(entry)
        except (Malformed, NewerVersion) as error:
            self._bad("BODY", entry, f"cannot be read: {error}")
            return
        if not isinstance(body, PolicyActivated):
            self._bad("BODY", entry, "its kind is POLICY, but its value is not a policy bundle")
            return
        if self.believed is None and self.pinned.signers:
            self._begin(self.pinned)
        if reason := self._unsigned(body) if self.believed is None else self.believed.take(body):
            self._refused(entry, body, reason)
            return
        self.activated[body.number] = body
        self.logged.append(entry.idx)
        self.published.append(entry.kafka_time * 1000)
        self.stored.append(entry.logged_at)
        self.begun.append(max(begins(body, entry), self.begun[-1] if self.begun else 0))
        self.report.counts["policy bundles"] += 1

    def _unsigned(self, body: PolicyActivated) -> str:
        """Judge a bundle where neither the auditor nor the log has named a signer: a log of before there were signatures."""
        known = self.activated.get(body.number)
        if known is not None:
            return "repeated" if known == body else "policy-sequence"
        if body.number != len(self.activated) + 1:
            return "policy-sequence"
        return "" if policy_digest.digest(body.files) == body.digest else "policy-digest"

    def _refused(self, entry: Entry, body: PolicyActivated, reason: str) -> None:
        if reason == "repeated":
            return
        if reason == "policy-digest":
            self._bad("HASH_DIFFERS", entry, f"bundle {body.number} does not hold the files that its digest names")
        elif reason == "policy-sequence" and body.number in self.activated:
            self._bad("FORK", entry, f"bundle {body.number} was activated before with another content")
        elif reason == "policy-sequence":
            because = "" if self.spoilt is None else f": it follows from entry {self.spoilt}, whose bytes are not the logged ones"
            self._bad("SEQUENCE_GAP", entry, f"bundle {body.number} follows bundle {len(self.activated)}{because}")
        else:
            self._bad("POLICY_FORGED", entry, f"bundle {body.number} is believed by nobody: {WHY[reason]}")

    def lost(self, number: int | None) -> bool:
        """Return whether a bundle may be missing because the bytes of an entry were changed or taken away: nobody decided wrongly by it."""
        return self.spoilt is not None and number not in self.activated

    def policy(self, number: int | None) -> Policy | None:
        """Return the compiled rules of a bundle with the procedures of all earlier ones; None where the log does not hold it."""
        if number is None or number not in self.activated:
            return None
        if number not in self.compiled:
            try:
                self.compiled[number] = policy.compile(self.activated[number].files, self.policy(number - 1))
            except PolicyErrors:
                return None
        return self.compiled[number]

    def until(self, number: int | None) -> list[Rules]:
        """Return the files of a bundle and of those before it, the oldest first; none where the log does not hold it."""
        if number is None or number not in self.activated:
            return []
        return [*self.until(number - 1), Rules(str(number), str(number - 1), self.activated[number].files)]

    def signing(self, number: int, agency: str) -> AgencyKeys | None:
        """Return the signing keys of an agency under a bundle, with the times from which they count; None: it never had one."""
        if number < 1:
            return None
        if number not in self.keys:
            self.signing(number - 1, agency)
            rules, before = self.policy(number), self.keys.get(number - 1, {})
            published = self.published[number - 1] if number <= len(self.published) else 0
            self.keys[number] = agency_keys.after(before, agency_keys.listed(rules.agencies), published) if rules else before
        return self.keys[number].get(agency)

    def signers(self, number: int) -> str:
        """Return who signed a bundle, in words."""
        return " and ".join(self.believed.signed.get(number, ()) if self.believed else ()) or BEFORE

    def at(self, idx: int) -> int:
        """Return the number of the newest bundle whose entry precedes this index; 0 where none does."""
        return bisect_left(self.logged, idx)

    def since(self, number: int) -> int:
        """Return the time from which a bundle was in force, µs UTC, as the log itself tells."""
        return self.begun[number - 1]

    def dated(self, acts: Sequence[Act], *, drill: bool, whole: bool) -> None:
        """Compare the time that each bundle says of its activation with those of the log: nobody signs it.

        acts: of the log. drill: its clock is ahead of the broker's. whole: all acts were read. Honest causes of an early time are a broker
        or a routing that was away, and kept the bundle waiting; then the act of the command is as early.
        """
        commands = dict[str, int]()
        for act in acts:
            for subject in act.about if act.command in MAKES["policy"] else ():
                commands[subject] = min(act.at, commands.get(subject, act.at))
        for number, body in self.activated.items():
            came, stored = self.published[number - 1], self.stored[number - 1]
            latest, acted = max(came, stored if drill else 0), commands.get(f"policy:{number}")
            said = f"bundle {number} says that it came into force"
            if latest and body.at > latest + DATED_US:
                late = (body.at - latest) // SECOND_US
                self._dated(Weight.BAD, number, f"{said} {late} s after the log had it: {NOT_SIGNED}")
            elif acted is not None and body.at < acted - DATED_US:
                early = (acted - body.at) // SECOND_US
                self._dated(Weight.BAD, number, f"{said} {early} s before `policy activate` was called: {NOT_SIGNED}")
            elif acted is None and whole and came and body.at < came - DATED_US:
                early = (came - body.at) // SECOND_US
                what = f"{said} {early} s before the broker had it, and no act says when it was activated: it waited, or {NOT_SIGNED}"
                self._dated(Weight.UNCHECKED, number, what)

    def _dated(self, weight: Weight, number: int, what: str) -> None:
        where, idx = f"bundle {number}", self.logged[number - 1]
        self.report.add_finding(Finding(weight=weight, code="ACTIVATED_AT", idx=idx, where=where, what=what))

    def periods(self) -> list[Period]:
        """Return the periods of the log's policies, in order. The report has the number of cases that were decided under each."""
        found, numbers = list[Period](), sorted(self.activated)
        for number in numbers:
            body, rules = self.activated[number], self.policy(number)
            until = self.since(number + 1) if number + 1 in self.activated else None
            said = differences(self.policy(number - 1), rules) if rules else ("it cannot be read by these rules",)
            before = self.activated[number - 1].files if number - 1 in self.activated else None
            words = (*said, f"files: {policy_digest.changes(before, body.files)}")
            found.append(
                Period(
                    number=number,
                    since=self.since(number),
                    until=until,
                    digest=body.digest,
                    signed_by=self.signers(number),
                    changes=words,
                )
            )
        return found

    def _bad(self, code: str, entry: Entry, what: str) -> None:
        self.report.add_finding(finding(Weight.BAD, code, entry, what))


def begins(body: PolicyActivated, entry: Entry) -> int:
    """Return the time from which a bundle was in force, µs UTC: when the broker had it, whatever it says itself.

    A drill's clock is ahead of the broker's, and what it says is between the broker's time and the log's.
    """
    came = entry.kafka_time * 1000
    return min(max(body.at, came), max(entry.logged_at, came)) or body.at


NOT_SIGNED = "routing wrote another time than that of its clock, or somebody changed its table; no signer signs this time"
WHY = {
    "policy-signatures": "not two of its signers have signed it",
    "policy-predecessor": "it was signed to follow another bundle",
    "policy-early": "its signers wanted it in force later",
    "policy-signers": "it names the next signers in a form that cannot be read",
}
"""Reason for which readers pass a bundle over → in words."""
