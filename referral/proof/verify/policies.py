"""The policy bundles in the log, so that each decision is judged under the rules that were in force."""

from __future__ import annotations

from bisect import bisect_left

from msgspec import Struct, field

from referral.domain.events import PolicyActivated
from referral.domain.policy import Policy, PolicyErrors, policy
from referral.errors import Malformed, NewerVersion
from referral.proof.entry import Entry, plain
from referral.proof.verify.report import Report, Weight, finding
from referral.wire import policy_digest


class Bundles(Struct, kw_only=True):
    """The bundles of a log: number → bundle, and number → compiled policy (cached)."""

    report: Report
    activated: dict[int, PolicyActivated] = field(default_factory=dict)
    compiled: dict[int, Policy] = field(default_factory=dict)
    logged: list[int] = field(default_factory=list)
    """Indexes of the entries of bundles 1, 2, 3 …"""

    def take(self, entry: Entry) -> None:
        """Store the bundle of an entry of kind POLICY, if its digest is right and its number is the next one."""
        try:
            body = plain(entry)
        except (Malformed, NewerVersion) as error:
            self._bad("BODY", entry, f"cannot be read: {error}")
            return
        if not isinstance(body, PolicyActivated):
            self._bad("BODY", entry, "its kind is POLICY, but its value is not a policy bundle")
            return
        known = self.activated.get(body.number)
        if known is not None:
            if known != body:
                self._bad("FORK", entry, f"bundle {body.number} was activated before with another content")
        elif body.number != len(self.activated) + 1:
            self._bad("SEQUENCE_GAP", entry, f"bundle {body.number} follows bundle {len(self.activated)}")
        elif policy_digest.digest(body.files) != body.digest:
            self._bad("HASH_DIFFERS", entry, f"bundle {body.number} does not hold the files that its digest names")
        else:
            self.activated[body.number] = body
            self.logged.append(entry.idx)
            self.report.counts["policy bundles"] += 1

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

    def at(self, idx: int) -> int:
        """Return the number of the newest bundle whose entry precedes this index; 0 where none does."""
        return bisect_left(self.logged, idx)

    def since(self, number: int) -> int:
        """Return the time at which a bundle was activated, µs UTC."""
        return self.activated[number].at

    def _bad(self, code: str, entry: Entry, what: str) -> None:
        self.report.add_finding(finding(Weight.BAD, code, entry, what))
