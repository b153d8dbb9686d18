"""The policy bundles in the log, so that each decision is judged under the rules that were in force."""

from __future__ import annotations

from bisect import bisect_left

from msgspec import Struct, field

from referral.domain.events import PolicyActivated
from referral.domain.policy import Policy, PolicyErrors, policy
from referral.domain.policy.differences import differences
from referral.errors import Malformed, NewerVersion
from referral.proof.entry import Entry, plain
from referral.proof.verify.report import Period, Report, Weight, finding
from referral.wire import agency_keys, policy_digest, policy_signature
from referral.wire.agency_keys import AgencyKeys
from referral.wire.policy_signature import NOBODY, Believed, Trusted

BEFORE = "nobody: before signatures"


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
    pinned: Trusted = NOBODY
    believed: Believed | None = None
    keys: dict[int, dict[str, AgencyKeys]] = field(default_factory=dict)
    """Number → agency → its signing keys (cached)."""

    def trust(self, entry: Entry) -> None:
        """Take over the signers that the log's own policy file names from here on, unless the auditor's names some."""
        try:
            named = policy_signature.named(entry.value)
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
            self._bad("SEQUENCE_GAP", entry, f"bundle {body.number} follows bundle {len(self.activated)}")
        else:
            self._bad("POLICY_FORGED", entry, f"bundle {body.number} is believed by nobody: {WHY[reason]}")

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
        """Return the time at which a bundle was activated, µs UTC."""
        return self.activated[number].at

    def periods(self) -> list[Period]:
        """Return the periods of the log's policies, in order. The report has the number of cases that were decided under each."""
        found, numbers = list[Period](), sorted(self.activated)
        for number in numbers:
            body, rules = self.activated[number], self.policy(number)
            until = self._begins(number + 1) if number + 1 in self.activated else None
            said = differences(self.policy(number - 1), rules) if rules else ("it cannot be read by these rules",)
            before = self.activated[number - 1].files if number - 1 in self.activated else None
            words = (*said, f"files: {policy_digest.changes(before, body.files)}")
            found.append(
                Period(
                    number=number,
                    since=self._begins(number),
                    until=until,
                    digest=body.digest,
                    signed_by=self.signers(number),
                    changes=words,
                )
            )
        return found

    def _begins(self, number: int) -> int:
        """Return the time at which the broker had a bundle, µs UTC: nobody signs its own, which counts where the log lacks the other."""
        return self.published[number - 1] or self.activated[number].at

    def _bad(self, code: str, entry: Entry, what: str) -> None:
        self.report.add_finding(finding(Weight.BAD, code, entry, what))


WHY = {
    "policy-signatures": "not two of its signers have signed it",
    "policy-predecessor": "it was signed to follow another bundle",
    "policy-early": "its signers wanted it in force later",
    "policy-signers": "it names the next signers in a form that cannot be read",
}
"""Reason for which readers pass a bundle over → in words."""
