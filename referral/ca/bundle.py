"""The one file that an authority hands out: authorities, lists of revoked certificates, and perhaps a certificate, as PEM."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, CertificateRevocationList

from referral.errors import Malformed, Unproven

BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.+?-----END \1-----", re.DOTALL)
CERTIFICATE, LIST = b"CERTIFICATE", b"X509 CRL"
LONGEST = 1 << 22
"""Bytes of a file that is read: a list of ten thousand revoked certificates has a tenth of it (ours)."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Contents of a file handed out; `read` has verified that the root signed each issuing authority, and that each list is an authority's.

    leaf: the certificate of a service, an agency or an operator; None in a bundle that only brings authorities and lists.
    """

    root: Certificate
    issuing: tuple[Certificate, ...]
    lists: tuple[CertificateRevocationList, ...]
    leaf: Certificate | None = None

    @property
    def authorities(self) -> tuple[Certificate, ...]:
        """Return the root and the issuing authorities, in the order in which they are written."""
        return (self.root, *self.issuing)

    def issuer(self, certificate: Certificate) -> Certificate:
        """Return the issuing authority that signed a certificate. Unproven: none of them did."""
        for one in self.issuing:
            if signed(certificate, one):
                return one
        raise Unproven("certificate", "no issuing authority of this file has signed it")

    def revoked(self, certificate: Certificate) -> bool:
        """Return True if a list of its issuer names the certificate."""
        found = [one for one in self.lists if one.issuer == certificate.issuer]
        return any(one.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None for one in found)


def write(bundle: Bundle) -> bytes:
    """Return the bundle as PEM. A certificate comes first and its issuer second, as other programs want a chain."""
    chain = [] if bundle.leaf is None else [bundle.leaf, bundle.issuer(bundle.leaf)]
    return joined([*chain, *(one for one in bundle.authorities if one not in chain), *bundle.lists])


def joined(parts: Iterable[Certificate | CertificateRevocationList]) -> bytes:
    """Return certificates and lists as PEM, one after another."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in parts)


def read(data: bytes) -> Bundle:
    """Read and verify a bundle. Its root is not compared with anything: the caller does.

    Malformed: not these blocks, not one root, or more than one certificate of a holder. Unproven: a signature is wrong.
    """
    certificates, lists = parts(data)
    authorities = [one for one in certificates if _may_sign(one)]
    leaves = [one for one in certificates if not _may_sign(one)]
    roots = [one for one in authorities if one.issuer == one.subject]
    if len(roots) != 1 or len(leaves) > 1:
        raise Malformed("bundle", "one root, and at most one certificate of a holder, must be in the file that an authority hands out")
    issuing = tuple(one for one in authorities if one is not roots[0])
    if not signed(roots[0], roots[0]) or not all(signed(one, roots[0]) for one in issuing):
        raise Unproven("bundle", "the root of this file has not signed every authority in it")
    found = Bundle(roots[0], issuing, tuple(lists), leaves[0] if leaves else None)
    for one in lists:
        if not any(one.issuer == by.subject and _list_signed(one, by) for by in found.authorities):
            raise Unproven("bundle", "no authority of this file has signed one of its lists of revoked certificates")
    if found.leaf is not None:
        found.issuer(found.leaf)
    return found


def parts(data: bytes) -> tuple[list[Certificate], list[CertificateRevocationList]]:
    """Split PEM into certificates and lists. Malformed: another kind of block, or one that cannot be read."""
    if len(data) > LONGEST:
        raise Malformed("bundle", f"more than {LONGEST >> 20} MiB")
    certificates, lists = [], []
    try:
        for block in BLOCK.finditer(data):
            if block[1] == CERTIFICATE:
                certificates.append(x509.load_pem_x509_certificate(block[0]))
            elif block[1] == LIST:
                lists.append(x509.load_pem_x509_crl(block[0]))
            else:
                raise Malformed("bundle", "only certificates and lists of revoked certificates may be in it, never a private key")
    except ValueError:
        raise Malformed("bundle", "a certificate or list in it cannot be read") from None
    return certificates, lists


def newest(lists: Iterable[CertificateRevocationList], issuers: Iterable[Certificate]) -> tuple[CertificateRevocationList, ...]:
    """Return the newest list of each authority, by its number, in the order of the authorities. Malformed: one has none."""
    known, found = list(lists), []
    for issuer in issuers:
        of_it = [one for one in known if one.issuer == issuer.subject and _list_signed(one, issuer)]
        if not of_it:
            raise Malformed("bundle", "an authority in it has no list of revoked certificates; without it everybody is refused")
        found.append(max(of_it, key=count))
    return tuple(found)


def count(one: CertificateRevocationList) -> int:
    """Return the number of a list: each list of an authority has a higher one than the last. Malformed: it has none."""
    try:
        return one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (x509.ExtensionNotFound, ValueError):
        raise Malformed("bundle", "a list of revoked certificates has no number") from None


def signed(certificate: Certificate, issuer: Certificate) -> bool:
    """Return True if the issuer signed the certificate. Periods are not looked at."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _list_signed(one: CertificateRevocationList, issuer: Certificate) -> bool:
    key = issuer.public_key()
    return isinstance(key, EllipticCurvePublicKey) and one.is_signature_valid(key)


def _may_sign(certificate: Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False
