"""Make certificates and lists of revoked ones. Pure but for the signature: keys, serial numbers and time are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import (
    Certificate,
    CertificateRevocationList,
    DirectoryName,
    DNSName,
    GeneralName,
    IPAddress,
    ReasonFlags,
    RevokedCertificate,
    UniformResourceIdentifier,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from referral.ca import leaf, periods, requests
from referral.ca.names import Name, Plane
from referral.errors import Rejected

ORGANIZATION = "referral authorities"
NOWHERE = ip_network("192.0.2.0/32")
"""An address that nobody has (RFC 5737): the only one that an agency's or operator's certificate may name."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An authority that can sign: its certificate, and its private key, which `repr` does not show."""

    certificate: Certificate
    key: EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Signer({leaf.common(self.certificate.subject)})"


def root(key: EllipticCurvePrivateKey, name: str, serial: int, now: datetime) -> Certificate:
    """Return the root's certificate, signed by itself. name: common name, for instance root-3f9a."""
    subject = _authority(name)
    builder = _begun(subject, key.public_key(), serial, now, now + periods.ROOT).issuer_name(subject)
    builder = _signs(builder, below=1)
    return builder.add_extension(_known(key.public_key()), critical=False).sign(key, SHA256())


def issuing(
    root: Signer, key: EllipticCurvePublicKey, plane: Plane, name: str, serial: int, now: datetime, list_at: str = ""
) -> Certificate:
    """Return the certificate of a plane's issuing authority. name: common name, for instance agencies-1. list_at: URL of the root's list.

    Its name constraints hold it to the plane: to the organization in subjects and to the host part of URIs, and agencies and operators to
    no host of the network. They are not critical, because Go refuses a critical constraint on subjects; OpenSSL, Go and Java obey both
    kinds. "No host" is a permitted name and address that nobody has, `PLANE.invalid` (RFC 2606) and `NOWHERE`. RFC 5280 would exclude the
    empty name, which ends a handshake of Java with an internal error.
    """
    builder = _begun(_authority(name), key, serial, now, now + periods.ISSUING).issuer_name(root.certificate.subject)
    builder = _signs(builder, below=0).add_extension(_limits(plane), critical=False)
    if not plane.is_server:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return _finished(_listed(builder, list_at), key, root)


def certificate(
    issuer: Signer, key: EllipticCurvePublicKey, name: Name, hosts: Sequence[str], serial: int, now: datetime, list_at: str = ""
) -> Certificate:
    """Return the certificate of a service, an agency or an operator.

    Rejected: hosts for a plane that has none, or an issuing authority that ends before the certificate would.
    """
    if hosts and not name.plane.is_server:
        raise Rejected("hosts", "REQUEST", f"a certificate of {name.plane} is a client's and names no host: make the request without one")
    ends = now + periods.LEAF[name.plane]
    if ends > issuer.certificate.not_valid_after_utc:
        hint = f"the issuing authority ends before this certificate would: referral ca replace CA {name.plane}"
        raise Rejected("authority-ends", "CA", hint)
    uses = [ExtendedKeyUsageOID.SERVER_AUTH] if name.plane.is_server else []
    builder = _begun(requests.subject(name), key, serial, now, ends).issuer_name(issuer.certificate.subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([*uses, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return _finished(_listed(builder, list_at).add_extension(leaf.joined(name, hosts), critical=False), key, issuer)


def revoked(serial: int, reason: ReasonFlags, now: datetime) -> RevokedCertificate:
    """Return the entry of a list for one certificate."""
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
    return builder.add_extension(x509.CRLReason(reason), critical=False).build()


def revocations(
    issuer: Signer, entries: Iterable[RevokedCertificate], count: int, now: datetime, period: timedelta, after: datetime | None = None
) -> CertificateRevocationList:
    """Return the signed list of an authority's revoked certificates. count: number of the list, higher than that of every earlier one.

    after: begin of the list before, if there is one. Of two lists OpenSSL believes the one that begins later, and of two that begin in the
    same second the one that it read first, so each begins at least a second after the one before.
    """
    begins = now - periods.SKEW if after is None else max(now - periods.SKEW, after + timedelta(seconds=1))
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(begins).next_update(now + period)
    for entry in entries:
        builder = builder.add_revoked_certificate(entry)
    builder = builder.add_extension(x509.CRLNumber(count), critical=False)
    return builder.add_extension(_by(issuer), critical=False).sign(issuer.key, SHA256())


def _authority(name: str) -> x509.Name:
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION)
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(subject: x509.Name, key: EllipticCurvePublicKey, serial: int, now: datetime, ends: datetime) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key).serial_number(serial)
    return builder.not_valid_before(now - periods.SKEW).not_valid_after(ends)


def _signs(builder: x509.CertificateBuilder, below: int) -> x509.CertificateBuilder:
    """Add what an authority's certificate has. below: number of authorities that may stand between it and a holder."""
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
    return builder.add_extension(_usage(signs=True), critical=True)


def _listed(builder: x509.CertificateBuilder, list_at: str) -> x509.CertificateBuilder:
    """Name the URL of the issuer's list, for programs that look for it by themselves; none if it is empty."""
    if not list_at:
        return builder
    point = x509.DistributionPoint([UniformResourceIdentifier(list_at)], None, None, None)
    return builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)


def _finished(builder: x509.CertificateBuilder, key: EllipticCurvePublicKey, issuer: Signer) -> Certificate:
    return builder.add_extension(_known(key), critical=False).add_extension(_by(issuer), critical=False).sign(issuer.key, SHA256())


def _limits(plane: Plane) -> x509.NameConstraints:
    organization = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, plane.value)])
    permitted: list[GeneralName] = [DirectoryName(organization), UniformResourceIdentifier(plane.word)]
    if plane.is_server:
        return x509.NameConstraints(permitted, None)
    return x509.NameConstraints([*permitted, DNSName(leaf.nobody(plane)), IPAddress(NOWHERE)], None)


def _usage(*, signs: bool) -> x509.KeyUsage:
    """Return the uses of a key: an authority signs certificates and lists, a holder signs handshakes."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _known(key: EllipticCurvePublicKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key)


def _by(issuer: Signer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
