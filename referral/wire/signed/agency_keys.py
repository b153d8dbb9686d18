"""Decide when an agency's signing key begins to count: at once if an older key of it signed the new one, else after a day. Pure.

Whoever changes the policy for ten seconds can list a key of their own for an agency: for a day nothing that is signed with it counts. The
duty to sign is lifted as slowly. A key that is taken out ends at once. Times are the broker's, which no service and no drill sets.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from referral.domain.durations import DAY_US
from referral.domain.policy.directory import Agency, Signing, SigningKey
from referral.wire.signed import statements
from referral.wire.signed.statements import Kind

DELAY_US = DAY_US
"""Time (ours) after which a changed key counts: by then somebody at the agency, a desk or an auditor has been at work, and can object."""


class AgencyKeys(Struct, frozen=True):
    """The keys of an agency that has or had one.

    keys: each listed key → time from which it counts, µs UTC of the broker; 0: at once.
    must: the newest bundle says that the agency must sign.
    must_until: until then it must sign, whatever the newest bundle says.
    """

    keys: Mapping[SigningKey, int]
    must: bool
    must_until: int = 0

    def at(self, now: int) -> Signing:
        """Return the rules that hold at this time, µs UTC."""
        counting = tuple(key for key, since in self.keys.items() if since <= now)
        return Signing(must=self.must or now < self.must_until, keys=counting)

    def later(self, now: int) -> Mapping[SigningKey, int]:
        """Return the listed keys that do not count yet."""
        return {key: since for key, since in self.keys.items() if since > now}


def statement(key: SigningKey) -> bytes:
    """Return the bytes that an older key of an agency signs to vouch for a new one. The key's id holds the agency's name."""
    return statements.write(Kind.AGENCY_KEY, key.id, rest=key.public)


def listed(agencies: Mapping[str, Agency]) -> dict[str, Signing]:
    """Return agency → its signing rules, as the directory lists them."""
    return {id: agency.signing for id, agency in agencies.items()}


def after(before: Mapping[str, AgencyKeys], listed: Mapping[str, Signing], at: int) -> dict[str, AgencyKeys]:
    """Return the keys of every agency after a bundle.

    before: after the bundle before it. listed: agency → its signing rules in this bundle. at: time at which the broker had it, µs UTC.
    """
    agencies = [*before, *(agency for agency, signing in listed.items() if signing.keys and agency not in before)]
    return {agency: _after(before.get(agency), listed.get(agency, Signing()), at) for agency in agencies}


def _after(before: AgencyKeys | None, listed: Signing, at: int) -> AgencyKeys:
    if before is None:  # no bundle ever listed a key of this agency: nobody's key is replaced
        return AgencyKeys(dict.fromkeys(listed.keys, 0), listed.must)
    counting = before.at(at).keys
    keys = {
        key: before.keys[key] if key in before.keys else 0 if _vouched(key, counting, listed.vouched) else at + DELAY_US
        for key in listed.keys
    }
    lifted = before.must and not listed.must
    return AgencyKeys(keys, listed.must, at + DELAY_US if lifted else before.must_until)


def _vouched(key: SigningKey, older: tuple[SigningKey, ...], signatures: tuple[bytes, ...]) -> bool:
    return any(statements.holds(old.public, signature, statement(key)) for old in older for signature in signatures)
