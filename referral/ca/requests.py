"""Make and read a request for a certificate (PKCS 10). It carries the public key alone, so an authority never sees a private one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from referral.ca import keys, leaf
from referral.ca.names import Name
from referral.errors import Malformed


@dataclass(frozen=True, slots=True)
class Request:
    """A request, signed by the key that it names. name: None if it names no holder, as one made by another program may."""

    name: Name | None
    hosts: tuple[str, ...]
    key: EllipticCurvePublicKey


def subject(name: Name) -> x509.Name:
    """Return the subject of a holder. Kafka makes its principal of it, so an issuing authority is held to the organization too."""
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, name.plane.value)
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, name.name)])


def make(key: EllipticCurvePrivateKey, name: Name, hosts: Sequence[str]) -> bytes:
    """Return a request as PEM. Rejected: a host that is none."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(name))
    return builder.add_extension(leaf.joined(name, hosts), critical=False).sign(key, SHA256()).public_bytes(Encoding.PEM)


def read(data: bytes) -> Request:
    """Read a request. Malformed: none, not signed by its own key, a key that is not P-256, or names of another kind."""
    try:
        found = x509.load_pem_x509_csr(data)
    except ValueError:
        raise Malformed("request", "a request for a certificate (PKCS 10) in PEM is needed") from None
    key = keys.public(found.public_key())
    if not found.is_signature_valid:
        raise Malformed("request", "it is not signed by the key that it names")
    try:
        entries = list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        entries = []
    except ValueError:
        raise Malformed("request", "its extensions cannot be read") from None
    named, hosts = leaf.split(entries)
    if len(named) > 1:
        raise Malformed("request", "it names more than one holder")
    return Request(named[0] if named else None, hosts, key)
