"""The authority of a run: who the programs of its tests are, and whom the broker that they share believes.

One folder holds the authority (`ca`) and an identity for each program (`identities/<name>`), as a stack's data folder does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from referral.ca import authority, files, names
from referral.ca.names import Plane
from referral.local import certificates


def make(folder: Path) -> None:
    """Make the authority and the identities of our programs."""
    certificates.ensure(ca(folder), identities(folder))


def ca(folder: Path) -> Path:
    """Return the folder of the authority itself."""
    return folder / "ca"


def identities(folder: Path) -> Path:
    """Return the folder of the identities."""
    return folder / "identities"


def identity(folder: Path, name: str) -> Path:
    """Return the identity of a holder, for instance agency/school-drita; make it if it is missing."""
    holder = names.parse(name)
    into = folder / "agencies" if holder.plane is Plane.AGENCIES else identities(folder)  # an agency may have a service's name
    with files.locked(identities(folder)):
        return certificates.give(authority.place(ca(folder)), into, holder, datetime.now(UTC))
