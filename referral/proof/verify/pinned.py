"""Tell which parties of a log the auditor's own policy file names, and of which the log's own word decides. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from referral.proof.verify.report import Finding, Weight
from referral.wire.signed import trust_lines

PUBLISHED = "in the file that agencies and other auditors were given (`referral audit trust compare`)"


class Party(Struct, frozen=True):
    """A kind of party. name: its word in `trust.toml`. who: in words. says: what its keys decide. ask: from whom to get them."""

    name: str
    who: str
    says: str
    ask: str


PARTIES = (
    Party(
        "writers",
        "the four services that sign their records",
        "which records are genuine",
        f"see each service's machine display its line (`referral audit writer`), and compare it with the line {PUBLISHED}",
    ),
    Party(
        "policy_keepers",
        "those who sign the policy",
        "which rules decide about a child",
        "ask both keepers, each alone: `referral policy key` displays their line",
    ),
    Party(
        "approvers",
        "those who sign erasures",
        "which case may disappear",
        "ask both approvers, each alone: `referral case key` displays their line",
    ),
    Party(
        "operators",
        "those whose acts open doors",
        "who may make accounts, tokens and certificates",
        "ask each operator alone: `referral operator key` displays their line",
    ),
    Party(
        "intake",
        "the service that signs receipts and erasures",
        "which erasure and which receipt is intake's",
        f"ask an agency, whose receipts it verifies: its line stands {PUBLISHED}",
    ),
)


def named(policy: bytes | None) -> frozenset[str]:
    """Return the names of the parties that an auditor's policy file names, in the form in which the log names them. Malformed."""
    data = policy or b""
    erasers = trust_lines.erasers(data)
    found = {
        "writers": trust_lines.writers(data).keys,
        "policy_keepers": trust_lines.policy_keepers(data).signers,
        "approvers": erasers.approvers,
        "operators": trust_lines.operators(data).keys,
        "intake": erasers.intake,
    }
    return frozenset(name for name, keys in found.items() if keys)


def findings(policy: bytes | None) -> Iterator[Finding]:
    """Yield a finding for each kind of party that the auditor's file does not name."""
    there = named(policy)
    for party in PARTIES:
        if party.name not in there:
            what = (
                f"your file names no `{party.name}` ({party.who}): the log's own word decides {party.says}, and whoever made the log"
                f" chose it. To pin them, {party.ask}"
            )
            yield Finding(weight=Weight.UNCHECKED, code="NOT_PINNED", idx=None, where=party.name, what=what)


def sources(policy: bytes | None) -> dict[str, bool]:
    """Return party → whether the auditor's own file names it, in the order of PARTIES."""
    there = named(policy)
    return {party.name: party.name in there for party in PARTIES}
