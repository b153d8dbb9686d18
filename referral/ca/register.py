"""The register of an authority: its authorities, lists and certificates, each with its end and what an operator must do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from referral.ca import authority, bundle, leaf, periods
from referral.ca.authority import Place
from referral.ca.leaf import Leaf
from referral.ca.names import Plane


class Kind(StrEnum):
    """A kind of row."""

    AUTHORITY = "authority"
    LIST = "list"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that ends.

    number: serial number, or that of a list.
    do: what the operator must do; empty if nothing.
    """

    kind: Kind
    name: str
    number: str
    ends: datetime
    state: str
    do: str = ""


def rows(at: Place, now: datetime, *, every: bool) -> list[Row]:
    """Return the register. every: older certificates of a holder too, and those of retired holders."""
    root = at.folder / authority.ROOT
    found = [_authority(root, now, periods.LIST_WARNING, "make another authority; bring it to everybody"), _list(root, now)]
    for plane in Plane:
        folders = authority.in_force(at, plane)
        for folder in folders:
            margin = periods.LEAF[plane] + periods.LIST_WARNING
            row = _authority(folder, now, margin, f"referral ca replace CA {plane}")
            older = Row(row.kind, row.name, row.number, row.ends, "replaced", f"once unused: referral ca replace CA {row.name} --end")
            found += [row if folder is folders[-1] else older, _list(folder, now)]
        held = [(one, folder) for folder in folders for one in authority.issued(folder)]
        found += [row for row in _certificates(held, now) if every or row.state not in ("older", "retired")]
    return found


def left(ends: datetime, now: datetime) -> str:
    """Return the time that is left, in the two largest units that a tired person needs."""
    if ends <= now:
        return "0"
    minutes = int((ends - now).total_seconds()) // 60
    days, hours = divmod(minutes // 60, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"


def _authority(folder: Path, now: datetime, margin: timedelta, do: str) -> Row:
    found = authority.certificate(folder)
    state = _state(found.not_valid_after_utc, now, margin)
    number = leaf.number(found.serial_number)
    return Row(Kind.AUTHORITY, leaf.common(found.subject), number, found.not_valid_after_utc, state, do if state != "good" else "")


def _list(folder: Path, now: datetime) -> Row:
    found = authority.revocations(folder)
    ends = found.next_update_utc or found.last_update_utc
    state = _state(ends, now, periods.LIST_WARNING)
    key = " --root-key FILE" if folder.name == authority.ROOT else ""
    do = f"referral ca crl CA{key}, and install it everywhere" if state != "good" else ""
    return Row(Kind.LIST, folder.name, str(bundle.count(found)), ends, state, do)


def _certificates(held: list[tuple[Leaf, Path]], now: datetime) -> Iterator[Row]:
    """Yield the certificates of a plane by holder, the newest of each first."""
    held.sort(key=lambda one: (one[0].name, -one[0].not_before.timestamp(), one[0].serial))
    before = None
    for one, folder in held:
        revoked = authority.revocations(folder).get_revoked_certificate_by_serial_number(one.serial) is not None
        state = "older" if one.name == before else _of(one, now)
        state = "revoked" if revoked and state != "retired" else state
        do = _do(one) if state in ("ends soon", "ended") else ""
        yield Row(Kind.CERTIFICATE, str(one.name), one.number, one.not_after, state, do)
        before = one.name


def _of(one: Leaf, now: datetime) -> str:
    if now >= one.not_after + periods.RETIRED:
        return "retired"
    return _state(one.not_after, now, periods.SERVICE_WARNING if one.name.plane is Plane.SERVICES else periods.LEAF_WARNING)


def _do(one: Leaf) -> str:
    if one.name.plane is Plane.SERVICES:
        return "its renewal does not work: referral ca renew, or request and sign"
    return "ask for its next request: referral ca request"


def _state(ends: datetime, now: datetime, margin: timedelta) -> str:
    if ends <= now:
        return "ended"
    return "ends soon" if ends - now < margin else "good"
