"""Keys of certificates: P-256 only, which every TLS library on both sides has, stored as PKCS 8 in PEM (Kafka reads no other form)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from referral.errors import Malformed


def make() -> EllipticCurvePrivateKey:
    """Return a new key."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: EllipticCurvePrivateKey) -> bytes:
    """Return the private key as PEM. It is never encrypted: a service has to start without a person."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read(data: bytes) -> EllipticCurvePrivateKey:
    """Read a private key from PEM. Malformed: no key, or not of P-256."""
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError):
        raise Malformed("private-key", "a PKCS 8 key in PEM without a passphrase is needed") from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Malformed("private-key", "only P-256 keys are used")
    return key


def public(key: object) -> EllipticCurvePublicKey:
    """Return a public key if it is one of P-256. Malformed: another kind, for instance RSA."""
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Malformed("public-key", "only P-256 keys are signed: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256")
    return key


def same(one: EllipticCurvePublicKey, other: EllipticCurvePublicKey) -> bool:
    """Return True if both are the same public key."""
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    return one.public_bytes(*form) == other.public_bytes(*form)
