"""Renew an identity whose authority is on the same machine. The authority gets a request here too, and never the key."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from referral.ca import authority, bundle, identity, keys, requests
from referral.ca.authority import Place
from referral.ca.leaf import Leaf
from referral.errors import Rejected


def renew(at: Place, place: Path, now: datetime, *, always: bool = False) -> Leaf | None:
    """Renew the identity in a folder if half of its period is over; bring it the newest authorities and lists in any case.

    Holder and hosts stay as they are. Return the facts of the new certificate, or None if it was not yet due.

    always: also before half of the period.

    Rejected: there is no identity, or it is revoked; a person must then decide and sign a request.
    """
    present = identity.read(place).leaf
    identity.install(place, bundle.write(authority.refresh(at, now)), now)
    if identity.is_revoked(place):
        raise Rejected("revoked", str(place), f"{present.name} is revoked here: request, sign and install another certificate by hand")
    if not always and not present.is_due(now):
        return None
    key = keys.make()
    answer = authority.sign(at, requests.make(key, present.name, present.hosts), present.name, now)
    return identity.install(place, answer, now, key)


def create(at: Place, place: Path, request: bytes, now: datetime) -> Leaf:
    """Sign the request of a folder on the same machine, and install the answer."""
    found = requests.read(request).name
    if found is None:
        raise Rejected("certificate-name", "REQUEST", "the request names no holder")
    made = identity.install(place, authority.sign(at, request, found, now), now)
    if made is None:
        raise Rejected("no-certificate", str(place), "the authority handed out no certificate")
    return made
