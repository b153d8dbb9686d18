"""The key with which a service signs its records, and the writers whom it believes: both read once, from its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from referral.errors import Rejected
from referral.runtime import trust_file
from referral.runtime.keys import case_keys
from referral.runtime.settings import Settings
from referral.wire.signed import writer_signature
from referral.wire.signed.writer_signature import OWNERS, Writers

Sign = Callable[[Sequence[tuple[bytes, bytes]]], list[list[tuple[str, bytes]]]]
"""Takes the (key, value) of each record of one publication on one topic, and returns the headers that each record gets."""
SignerOf = Callable[[str], Sign]
"""Takes a topic without prefix, and returns what signs records there."""


def unsigned(records: Sequence[tuple[bytes, bytes]]) -> list[list[tuple[str, bytes]]]:
    """Return no header for any record."""
    return [[] for _ in records]


def writers(settings: Settings) -> Writers:
    """Return the writers whom this process believes. Rejected: as `trust_file.read`."""
    return trust_file.read(settings).writers


def signer(settings: Settings, service: str) -> SignerOf:
    """Return how a service signs. It adds nothing for a service that writes no topic, and while `trust.toml` has `writers = "off"`.

    Rejected: the file names writers, and the service has no key, another one than is named, or one with an end; every reader would refuse
    its records.
    """
    known = writers(settings)
    if not known.keys or service not in OWNERS.values():
        return lambda _: unsigned
    path = settings.writer_key_file
    try:
        key = case_keys.signing(path)
    except Rejected:
        raise _refused("name a readable Ed25519 private key, PKCS 8 in PEM (`referral audit writer` makes it)") from None
    if key.public_key().public_bytes_raw() not in known.keys[service]:
        raise _refused(f"`trust.toml` names another key of {service}: bring its line `writers.{service}` and this file together")
    if key.public_key().public_bytes_raw() in known.ends:
        raise _refused(f"`trust.toml` ends this key of {service}: give the service the key that it names first")
    return lambda topic: lambda records: [[header] for header in writer_signature.sign(key, topic, records)]


def _refused(hint: str) -> Rejected:
    return Rejected("writer-key", "REFERRAL_WRITER_KEY_FILE", f"readers refuse a record that its writer has not signed: {hint}")
