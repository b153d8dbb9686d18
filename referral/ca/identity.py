"""The identity of a program: a folder with its key and certificate, the authorities that it trusts, and the lists of revoked certificates.

`identity.pem`: private key, certificate and the certificate of its issuer, in one file, so that one rename replaces all of it.
`authority.pem`: the root first, then the issuing authorities. OpenSSL and Go take all of it as trusted. Java must be given the root alone
(`roots`): it ends a chain at the first certificate that it trusts, and then looks neither at its list nor at its name constraints.
`revoked.pem`: the newest list of each authority of `authority.pem`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from referral.ca import bundle, files, keys, leaf, requests
from referral.ca.bundle import Bundle
from referral.ca.leaf import Leaf
from referral.ca.names import Name
from referral.errors import Malformed, Rejected, Unproven

IDENTITY, AUTHORITY, REVOKED = "identity.pem", "authority.pem", "revoked.pem"
REQUEST_KEY, REQUEST = "request-key.pem", "request.pem"
"""The new key and the request for it, while they wait for the authority's answer; `install` takes them away."""
FOLDER = 0o700


@dataclass(frozen=True, slots=True)
class Identity:
    """A folder that holds an identity, and the facts of its certificate."""

    place: Path
    leaf: Leaf


def read(place: Path) -> Identity:
    """Read the identity in a folder.

    Whoever loads `identity.pem` by `ssl.SSLContext.load_cert_chain` must try once more on `ssl.SSLError` (key values mismatch): that
    function opens the file twice, for the certificate and for the key, and a renewal between the two replaces it.

    Rejected: there is none, or others than its owner may read the key. Malformed: the file holds something else.
    """
    data = files.secret(place / IDENTITY)
    certificates, _ = bundle.parts(b"".join(block[0] for block in bundle.BLOCK.finditer(data) if block[1] == bundle.CERTIFICATE))
    if not certificates or not keys.same(keys.read(data).public_key(), keys.public(certificates[0].public_key())):
        raise Malformed("identity", f"{place / IDENTITY} does not hold a private key and its certificate")
    return Identity(place, leaf.of(certificates[0]))


def due(place: Path, now: datetime) -> bool:
    """Return True if the identity in a folder must be renewed: half of its period is over, or there is none that can be used."""
    try:
        return read(place).leaf.is_due(now)
    except (Rejected, Malformed):
        return True


def roots(place: Path) -> bytes:
    """Return the root alone, as PEM, for programs that must be given no issuing authority (Java)."""
    try:
        return bundle.joined([bundle.parts((place / AUTHORITY).read_bytes())[0][0]])
    except (OSError, IndexError):
        raise Rejected("no-authority", str(place), "no authorities are here: referral ca install") from None


def lists_end(place: Path) -> datetime:
    """Return the instant at which the first list of revoked certificates ends; from then on nobody is believed."""
    return min(one.next_update_utc or one.last_update_utc for one in _trusted(place).lists)


def root_fingerprint(place: Path) -> str:
    """Return the fingerprint of the root that a folder trusts."""
    return fingerprint(_trusted(place).root)


def fingerprint(root: x509.Certificate) -> str:
    """Return the SHA-256 of a root's certificate, by which two people compare roots by telephone."""
    digits = root.fingerprint(SHA256()).hex()
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def request(place: Path, name: Name | None = None, hosts: Sequence[str] = ()) -> bytes:
    """Make a new key in a folder and return the request for its certificate; the identity in use stays as it is.

    name, hosts: those of the present identity if not given.
    """
    if name is None:
        present = read(place).leaf
        name, hosts = present.name, hosts or present.hosts
    place.mkdir(FOLDER, parents=True, exist_ok=True)
    key = keys.make()
    made = requests.make(key, name, hosts)
    with files.locked(place):
        files.replace(place / REQUEST_KEY, keys.pem(key), files.SECRET)
        files.replace(place / REQUEST, made)
    return made


def install(place: Path, data: bytes, now: datetime, key: EllipticCurvePrivateKey | None = None) -> Leaf | None:
    """Put what an authority handed out into a folder: a certificate, or authorities and lists alone. Return the certificate's facts.

    The lists are written first, the identity last: at each moment the folder holds an identity that works, the old or the new one.
    A list that is older than the one in the folder never replaces it.

    key: the certificate's private key; by default that of `request`, or the one in use.

    Rejected: another root than before, a certificate for another holder, ended, revoked, or for a key that is not here.
    """
    found = bundle.read(data)
    place.mkdir(FOLDER, parents=True, exist_ok=True)
    with files.locked(place):
        trusted = _merged(place, found)
        chain = _identity(place, trusted, key, now) if trusted.leaf is not None else None
        for name, held in ((REVOKED, bundle.joined(trusted.lists)), (AUTHORITY, bundle.joined(trusted.authorities))):
            if not (place / name).exists() or (place / name).read_bytes() != held:
                files.replace(place / name, held)  # each is two writes to the disk, and a stack has eleven folders
        if chain is None or trusted.leaf is None:
            return None
        files.replace(place / IDENTITY, chain, files.SECRET)
        for rest in (REQUEST_KEY, REQUEST):
            (place / rest).unlink(missing_ok=True)
        return leaf.of(trusted.leaf)


def is_revoked(place: Path) -> bool:
    """Return True if a list in the folder names the folder's own certificate."""
    certificates, _ = bundle.parts((place / IDENTITY).read_bytes().partition(b"-----END PRIVATE KEY-----")[2])
    return _trusted(place).revoked(certificates[0])


def _trusted(place: Path) -> Bundle:
    """Return the authorities and lists of a folder. Rejected: it has none."""
    try:
        return bundle.read((place / AUTHORITY).read_bytes() + (place / REVOKED).read_bytes())
    except OSError as error:
        hint = f"no authorities and lists are here ({error.strerror}): referral ca install"
        raise Rejected("no-authority", str(place), hint) from None


def _merged(place: Path, found: Bundle) -> Bundle:
    """Return what was handed out with the newest lists, and without authorities that the root has revoked."""
    lists = list(found.lists)
    if (place / AUTHORITY).exists():
        root = bundle.parts((place / AUTHORITY).read_bytes())[0][0]
        if root != found.root:
            hint = "another root signed this file than the one that this folder trusts; if that is meant, begin with an empty folder"
            raise Rejected("another-root", str(place), hint)
        if (place / REVOKED).exists():
            lists += bundle.parts((place / REVOKED).read_bytes())[1]
    of_root = bundle.newest(lists, [found.root])
    kept = tuple(one for one in found.issuing if of_root[0].get_revoked_certificate_by_serial_number(one.serial_number) is None)
    return Bundle(found.root, kept, bundle.newest(lists, (found.root, *kept)), found.leaf)


def _identity(place: Path, trusted: Bundle, key: EllipticCurvePrivateKey | None, now: datetime) -> bytes:
    """Return the content of `identity.pem`, or refuse a certificate that would not work."""
    certificate = trusted.leaf
    if certificate is None:
        raise Malformed("bundle", "no certificate is in it")
    facts, where = leaf.of(certificate), str(place)
    if not facts.not_before <= now < facts.not_after:
        raise Rejected("not-now", where, "the certificate has ended or has not begun; if it is new, one of the two clocks is wrong")
    if (place / IDENTITY).exists() and read(place).leaf.name != facts.name:
        raise Rejected("another-holder", where, f"the folder holds the identity of {read(place).leaf.name}; use another folder")
    try:
        issuer = trusted.issuer(certificate)
    except Unproven:
        raise Rejected("authority-ended", where, "its issuing authority was replaced and has ended; ask for another certificate") from None
    if trusted.revoked(certificate):
        raise Rejected("revoked", where, "the certificate is revoked; ask for another one")
    own = _key(place, certificate) if key is None else key
    return keys.pem(own) + bundle.joined([certificate, issuer])


def _key(place: Path, certificate: x509.Certificate) -> EllipticCurvePrivateKey:
    """Return the private key that belongs to a certificate: that of the last request, or the one in use."""
    for name in (REQUEST_KEY, IDENTITY):
        if (place / name).exists():
            key = keys.read(files.secret(place / name))
            if keys.same(key.public_key(), keys.public(certificate.public_key())):
                return key
    raise Rejected("another-key", str(place), "the certificate is for a key that is not here: send the last request.pem of this folder")
