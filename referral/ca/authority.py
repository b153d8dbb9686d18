"""The folder of an authority: the root, an issuing authority for each plane, what they have signed, and their lists.

`root/` and `PLANE-N/` each hold `key.pem`, `certificate.pem` and `list.pem`; `PLANE-N/issued/` holds every certificate, so that each can be
revoked. The lists are the only record of what is revoked. The root's key is needed to begin, to replace an issuing authority and to renew
the root's own list, once a year; between them it lies in a safe.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509 import Certificate, CertificateRevocationList, ReasonFlags, RevokedCertificate

from referral.ca import bundle, files, issue, keys, leaf, names, periods, requests
from referral.ca.bundle import Bundle
from referral.ca.issue import Signer
from referral.ca.leaf import Leaf
from referral.ca.names import Name, Plane
from referral.errors import Malformed, Rejected

ROOT = "root"
KEY, CERTIFICATE, LIST, ISSUED, LISTS = "key.pem", "certificate.pem", "list.pem", "issued", "lists.url"
PUBLISHED = "published"
"""Link to the folder in which everybody may read the lists, where they are published on this machine."""
FOLDER, READABLE = 0o700, 0o755
ROOT_NAME_DIGITS = 8
"""Hexadecimal digits in a root's name, so that two stacks' roots are not taken for one another."""

DIGITS = 12
"""Hexadecimal digits of a serial number that name a certificate: lists display as many, and no two of an authority share them."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of an authority. root_key: the file of the root's key, which may be on a medium that is not there."""

    folder: Path
    root_key: Path


def place(folder: Path, root_key: Path | None = None) -> Place:
    """Return the place of an authority; without another place the root's key is in its folder."""
    folder = folder.absolute()
    return Place(folder, root_key or folder / ROOT / KEY)


def init(at: Place, now: datetime, lists: str = "") -> Certificate:
    """Make a root and the three issuing authorities, all or nothing, and return the root's certificate.

    lists: URL of this folder, at which programs that look for lists by themselves (Java) find them; it stands in every certificate.

    Rejected: the folder or the root's key exists already.
    """
    if at.root_key.exists() or (at.folder.exists() and any(at.folder.iterdir())):
        raise Rejected("exists", "CA", "an authority or the key of a root is there already, and is never overwritten")
    fresh = at.folder.with_name(at.folder.name + files.NEW)
    shutil.rmtree(fresh, ignore_errors=True)  # what a crash left; nothing was signed by it
    (fresh / ROOT).mkdir(FOLDER, parents=True)
    fresh.chmod(FOLDER)
    serial, key = x509.random_serial_number(), keys.make()
    root = Signer(issue.root(key, f"root-{leaf.number(serial)[:ROOT_NAME_DIGITS]}", serial, now), key)
    files.replace(fresh / ROOT / CERTIFICATE, bundle.joined([root.certificate]))
    _relist(fresh / ROOT, root, (), now)
    if lists:
        files.replace(fresh / LISTS, lists.encode())
    for plane in Plane:
        _begin(fresh / f"{plane}-1", root, plane, now)
    inside = at.root_key == at.folder / ROOT / KEY
    files.replace(fresh / ROOT / KEY if inside else at.root_key, keys.pem(key), files.SECRET)
    fresh.rename(at.folder)
    return root.certificate


def trusted(at: Place) -> Bundle:
    """Return the authorities that are in force, and their lists: what every program trusts. Rejected: there is no authority here."""
    folders = [at.folder / ROOT, *(folder for plane in Plane for folder in in_force(at, plane))]
    found = [certificate(folder) for folder in folders]
    return Bundle(found[0], tuple(found[1:]), tuple(_list(folder) for folder in folders))


def sign(at: Place, request: bytes, name: Name, now: datetime) -> bytes:
    """Sign a request for a holder, and return the file to hand out: the certificate, the authorities and their lists.

    The certificate is stored before it is returned, so it can always be revoked.

    Malformed: no request. Rejected: the request names somebody else, or hosts for a client.
    """
    found = requests.read(request)
    if found.name is not None and found.name != name:
        raise Rejected("another-holder", "REQUEST", f"the request is for another holder than {name}")
    with _changing(at):
        folder = _newest(at, name.plane)
        made = issue.certificate(
            signer(folder), found.key, name, found.hosts, x509.random_serial_number(), now, _list_at(at.folder, folder.name)
        )
        files.replace(folder / ISSUED / f"{leaf.number(made.serial_number)}.pem", bundle.joined([made]))
        _refreshed(at, now)
        whole = trusted(at)
    return bundle.write(Bundle(whole.root, whole.issuing, whole.lists, made))


def revoke(at: Place, what: str, reason: ReasonFlags, now: datetime) -> list[Leaf]:
    """Revoke a certificate by its serial number, or every certificate of a holder that has not ended; return them.

    what: service/NAME, agency/NAME, operator/NAME, or the first digits of a number, at least 12. Rejected: there is none in force.
    """
    name = names.parse(what) if "/" in what else None
    wanted = what.lower().replace(":", "")
    if name is None and len(wanted) < DIGITS:
        raise Rejected("number", "WHAT", f"give a holder, or at least the first {DIGITS} digits of a serial number")
    done = []
    with _changing(at):
        for plane in Plane:
            for folder in in_force(at, plane):
                known = _list(folder)
                held = [one for one in issued(folder) if name == one.name or (name is None and one.number.startswith(wanted))]
                hit = [one for one in held if one.not_after > now and known.get_revoked_certificate_by_serial_number(one.serial) is None]
                if hit:
                    _relist(folder, signer(folder), (*known, *(issue.revoked(one.serial, reason, now) for one in hit)), now)
                    done += hit
        if not done:
            raise Rejected("unknown-certificate", "WHAT", "no certificate of this number or holder is in force: referral ca list CA --all")
        _refreshed(at, now)
    return done


def publish(at: Place, folder: Path) -> None:
    """Make a folder beside the authority that everybody may read, with its lists alone, and keep it up to date from now on.

    A broker finds the lists there without a right to see the authority's folder, which holds keys.
    """
    with _changing(at):
        _readable(folder)
        (at.folder / PUBLISHED).symlink_to(os.path.relpath(folder, at.folder))
        for one in (at.folder / ROOT, *(one for plane in Plane for one in in_force(at, plane))):
            _published(one)


def relist(at: Place, now: datetime) -> None:
    """Sign every list anew whose key is here, and the root's if its key is."""
    with _changing(at):
        for folder in _with_keys(at):
            _relist(folder, signer(folder, _key_of(at, folder)), tuple(_list(folder)), now)


def refresh(at: Place, now: datetime) -> Bundle:
    """Sign anew the lists of which half is over, and return what every program trusts."""
    with _changing(at):
        _refreshed(at, now)
        return trusted(at)


def replace(at: Place, plane: Plane, now: datetime) -> Certificate:
    """Make another issuing authority for a plane, which signs from now on. The older one stays trusted until `end`.

    Rejected: the root's key is not here.
    """
    with _changing(at):
        root = signer(at.folder / ROOT, at.root_key)
        number = max(_number(folder) for folder in _all(at, plane)) + 1
        _begin(at.folder / f"{plane}-{number}", root, plane, now)
        _refreshed(at, now)
        return certificate(at.folder / f"{plane}-{number}")


def end(at: Place, name: str, now: datetime) -> Certificate:
    """Take an issuing authority out of trust: the root revokes it, and its key is destroyed.

    name: for instance services-1. Rejected: it is unknown, has ended already, or is the only one of its plane.
    """
    with _changing(at):
        of_plane = [folder for plane in Plane for folder in in_force(at, plane) if name.rpartition("-")[0] == plane]
        if name not in [folder.name for folder in of_plane]:
            raise Rejected("unknown-authority", "NAME", "no issuing authority in force has this name: referral ca list CA")
        if len(of_plane) == 1:
            raise Rejected("last-authority", "NAME", "it is the only one of its plane: referral ca replace, then renew what it signed")
        root, gone = at.folder / ROOT, certificate(at.folder / name)
        entry = issue.revoked(gone.serial_number, ReasonFlags.superseded, now)
        _relist(root, signer(root, at.root_key), (*_list(root), entry), now)
        (at.folder / name / KEY).unlink(missing_ok=True)
        return gone


def in_force(at: Place, plane: Plane) -> list[Path]:
    """Return the folders of a plane's issuing authorities that the root has not revoked, the oldest first."""
    gone = _list(at.folder / ROOT)
    kept = [
        folder for folder in _all(at, plane) if gone.get_revoked_certificate_by_serial_number(certificate(folder).serial_number) is None
    ]
    if not kept:
        raise Rejected("no-authority", "CA", f"no issuing authority of {plane} is in this folder: referral ca init")
    return kept


def issued(folder: Path) -> list[Leaf]:
    """Return what an issuing authority has signed, the oldest first."""
    found = [leaf.read(path.read_bytes()) for path in (folder / ISSUED).glob("*.pem")]
    return sorted(found, key=lambda one: (one.not_before, one.serial))


def certificate(folder: Path) -> Certificate:
    """Return the certificate of an authority. Rejected: none is there."""
    try:
        return x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
    except OSError:
        raise Rejected("no-authority", "CA", "no authority is in this folder: referral ca init") from None
    except ValueError:
        raise Malformed("certificate", f"{folder / CERTIFICATE} cannot be read") from None


def signer(folder: Path, key: Path | None = None) -> Signer:
    """Return an authority with its key. Rejected: the key is not here, or readable by others."""
    return Signer(certificate(folder), keys.read(files.secret(key or folder / KEY)))


def revocations(folder: Path) -> CertificateRevocationList:
    """Return the list of an authority."""
    return _list(folder)


@contextmanager
def _changing(at: Place) -> Iterator[None]:
    """Let one process at a time change an authority. Rejected: there is none here."""
    certificate(at.folder / ROOT)
    with files.locked(at.folder):
        yield


def _begin(folder: Path, root: Signer, plane: Plane, now: datetime) -> None:
    """Make the folder of an issuing authority beside its place, and rename it: it is there as a whole or not at all."""
    fresh = folder.with_name(folder.name + files.NEW)
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / ISSUED).mkdir(FOLDER, parents=True)
    fresh.chmod(FOLDER)
    key, list_at = keys.make(), _list_at(folder.parent, ROOT)
    made = Signer(issue.issuing(root, key.public_key(), plane, folder.name, x509.random_serial_number(), now, list_at), key)
    files.replace(fresh / KEY, keys.pem(key), files.SECRET)
    files.replace(fresh / CERTIFICATE, bundle.joined([made.certificate]))
    _relist(fresh, made, (), now)
    fresh.rename(folder)


def _relist(folder: Path, by: Signer, entries: Sequence[RevokedCertificate], now: datetime) -> None:
    """Sign the next list of an authority. Its number is that of the last one and 1."""
    path = folder / LIST
    before = _list(folder) if path.exists() else None
    number, after = (1, None) if before is None else (bundle.count(before) + 1, before.last_update_utc)
    period = periods.ROOT_LIST if folder.name == ROOT else periods.LIST
    files.replace(path, bundle.joined([issue.revocations(by, entries, number, now, period, after)]))
    _published(folder)


def _published(folder: Path) -> None:
    """Copy the list of an authority to where everybody may read it, if there is such a folder."""
    if (folder.parent / PUBLISHED).is_dir():
        place = folder.parent / PUBLISHED / folder.name.removesuffix(files.NEW)
        _readable(place)
        files.replace(place / LIST, (folder / LIST).read_bytes())


def _readable(folder: Path) -> None:
    """Make a folder, if it is not there, that everybody may read whatever this process's mask is."""
    if not folder.is_dir():
        folder.mkdir()
        folder.chmod(READABLE)


def _refreshed(at: Place, now: datetime) -> None:
    """Sign anew each list of which half is over and whose key is here."""
    for folder in _with_keys(at):
        known = _list(folder)
        ends = known.next_update_utc or known.last_update_utc
        if now >= known.last_update_utc + (ends - known.last_update_utc) / 2:
            _relist(folder, signer(folder, _key_of(at, folder)), tuple(known), now)


def _list_at(folder: Path, name: str) -> str:
    """Return the URL of an authority's list; empty: no certificate names one. folder: of all authorities. name: for instance agencies-1."""
    try:
        return f"{(folder / LISTS).read_text()}/{name}/{LIST}"
    except FileNotFoundError:
        return ""


def _with_keys(at: Place) -> Iterator[Path]:
    for folder in (at.folder / ROOT, *(one for plane in Plane for one in in_force(at, plane))):
        if _key_of(at, folder).exists():
            yield folder


def _key_of(at: Place, folder: Path) -> Path:
    return at.root_key if folder.name == ROOT else folder / KEY


def _all(at: Place, plane: Plane) -> list[Path]:
    return sorted((one for one in at.folder.glob(f"{plane}-*") if not one.name.endswith(files.NEW)), key=_number)


def _newest(at: Place, plane: Plane) -> Path:
    return in_force(at, plane)[-1]


def _number(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _list(folder: Path) -> CertificateRevocationList:
    try:
        return x509.load_pem_x509_crl((folder / LIST).read_bytes())
    except OSError:
        raise Rejected("no-authority", "CA", "no authority is in this folder: referral ca init") from None
    except ValueError:
        raise Malformed("list", f"{folder / LIST} cannot be read") from None
