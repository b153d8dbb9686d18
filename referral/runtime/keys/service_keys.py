"""Service keys: the file of keys that each service has in place of the master key, and the derivation of all of them from it.

A service's file holds its own X25519 key, the public keys of the services that it shares keys with, and one key for each purpose that is
its own. Intake wraps a case's keys for each reader under what its secret and the reader's public key yield together, so no file holds a
secret of another service. Static keys at both ends: opening costs no exchange for each case, and nobody but intake and the operator can
make a key that a reader accepts (decision 0047).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from referral import file_rights
from referral.ca import files
from referral.errors import Rejected
from referral.runtime import secret_file
from referral.runtime.settings import CHECKOUT, SERVICES
from referral.wire import topics

INTAKE = "intake"
"""The service that makes the keys of cases. It alone opens case files."""
FILE, FOLDER = "REFERRAL_SERVICE_KEY_FILE", "REFERRAL_SERVICE_KEYS"
PURPOSES: Mapping[str, str] = {
    "book": INTAKE,
    "signin": INTAKE,
    "section": INTAKE,
    "submission": INTAKE,
    "idempotency-key": INTAKE,
    "form-key": INTAKE,
    "roster-form": INTAKE,
    "shift-uid": INTAKE,
    "public-code": INTAKE,
    "public-code-check": INTAKE,
    "public-receipt": INTAKE,
    "public-note": INTAKE,
    "kept-page": INTAKE,
    "notifier-contact": "notifier",
    "notifier-note": "notifier",
    "callback": "notifier",
    "knock-code": "notifier",
    "address-code": "notifier",
    "oversight-cut": "oversight",
}
"""Purpose of a key → the one service that has it. What is stored under these keys outlives the files, so the master key yields them."""
BETWEEN: Mapping[str, str] = {"proof-of-event": "audit", "exercise-report": "audit", "who-was-told": "notifier", "roster-door": "notifier"}
"""Purpose of a token → the service that intake asks with it."""
LENT: Mapping[str, str] = {"proof-of-event": "eraser"}
"""Purpose of a token → a third service that asks with it too; its file has that key alone."""
OWN = frozenset({"quarantine", "oversight-progress"})
"""Purposes for which each service has a key of its own, from its secret."""


def derived(secret: bytes, purpose: str) -> bytes:
    """Return the key that a secret yields for one purpose: HKDF-SHA-256."""
    return HKDF(hashes.SHA256(), 32, None, b"referral/" + purpose.encode()).derive(secret)


def public(secret: bytes) -> bytes:
    """Return the public half of an X25519 secret."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


@cache
def _shared(secret: bytes, other: bytes) -> bytes:
    """Return what two services alone compute, each from its secret and the other's public key."""
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(other))


@cache
def readers() -> tuple[str, ...]:
    """Return the services that read the events of cases, as the topic cards name them."""
    cards = topics.load(CHECKOUT / "schemas" / "avro" / "topics.yaml").values()
    named = {reader for card in cards if card.sealed and card.partitions == topics.PARTITIONS for reader in card.readers}
    return tuple(service for service in SERVICES if service in named)


class ServiceKeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of one service, as its file has them.

    version: of the file's form.
    secret: its X25519 key.
    partners: service → public key. Intake's are the readers; a reader's is intake; the eraser, which opens nothing, has none.
    purposes: purpose → key, of those that are its own.
    """

    version: int
    service: str
    secret: bytes
    partners: dict[str, bytes]
    purposes: dict[str, bytes]

    def __repr__(self) -> str:
        return f"ServiceKeys({self.service})"

    @property
    def opens(self) -> tuple[str, ...]:
        """Return the readers whose wrapped keys it opens: itself; for intake, which wraps them, all; for the eraser, none."""
        return (INTAKE, *self.partners) if self.service == INTAKE else (self.service,) if self.partners else ()

    def wrapping(self, reader: str) -> bytes:
        """Return the key that wraps the keys of cases for a reader. KeyError: it is between others."""
        if self.service == reader == INTAKE:
            return derived(self.secret, "case-key/intake")
        other = reader if self.service == INTAKE else INTAKE
        return derived(_shared(self.secret, self.partners[other]), f"case-key/{reader}")

    def purpose(self, word: str) -> bytes:
        """Return the key of a purpose. LookupError: this service has none."""
        if word in OWN:
            return derived(self.secret, word)
        if (other := BETWEEN.get(word)) is not None and self.service in (INTAKE, other):
            return derived(_shared(self.secret, self.partners[other if self.service == INTAKE else INTAKE]), word)
        if word not in self.purposes:
            raise LookupError(f"{self.service} has no key for {word}: PURPOSES names who has it")
        return self.purposes[word]


class MasterKeys:
    """The operator's keys: the master key yields what every service has."""

    service = ""

    def __init__(self, master: bytes) -> None:
        if len(master) != 32:
            raise ValueError("the master key has 32 bytes")
        self._master = master
        self.of = cache(self._of)

    @property
    def opens(self) -> tuple[str, ...]:
        """Return the readers whose wrapped keys it opens: all."""
        return readers()

    def wrapping(self, reader: str) -> bytes:
        """Return the key that wraps the keys of cases for a reader."""
        return self.of(INTAKE).wrapping(reader)

    def purpose(self, word: str) -> bytes:
        """Return the key of a purpose."""
        return self.of(INTAKE).purpose(word) if word in BETWEEN else derived(self._master, word)

    def _of(self, service: str) -> ServiceKeys:
        """Return the keys of a service. The method is stored as `of`, with a cache."""
        secrets = {name: derived(self._master, f"service/{name}") for name in SERVICES}
        partners = [name for name in readers() if name != INTAKE] if service == INTAKE else [INTAKE] if service in readers() else []
        lent = {word: self.purpose(word) for word, other in LENT.items() if other == service}
        return ServiceKeys(
            version=1,
            service=service,
            secret=secrets[service],
            partners={name: public(secrets[name]) for name in partners},
            purposes={word: derived(self._master, word) for word, owner in PURPOSES.items() if owner == service} | lent,
        )


def read(path: Path) -> ServiceKeys:
    """Read a service's keys. Rejected: no such file, another content, or a file that others may read too."""
    try:
        if file_rights.exposed(path):
            hint = f"others than its owner may read the file: chmod 600 {path}; if somebody may have read it, tell your security officer"
            raise Rejected("service-key", FILE, hint)
        keys = msgspec.json.decode(path.read_bytes(), type=ServiceKeys)
    except (OSError, msgspec.MsgspecError):
        raise Rejected("service-key", FILE, f"a readable key file is needed: `referral prepare` writes them to {FOLDER}") from None
    if keys.version != 1:
        raise Rejected("service-key", FILE, "the file is of a newer release: install that one, or let `referral prepare` write it again")
    return keys


def write(folder: Path, master: MasterKeys) -> None:
    """Write the key files of a folder, each named like its service: a missing one, and one of an earlier release, which had fewer keys.

    Rejected: a file has other keys than the master key yields.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for service in SERVICES:
        keys, path = master.of(service), folder / service
        data = msgspec.json.format(msgspec.json.encode(keys)) + b"\n"
        if not path.exists():
            secret_file.write(path, data)
        elif (there := read(path)) != keys:
            if not _has_fewer(there, keys):
                hint = f"{path} was made of another master key, or by another release: if the master key is right, remove it and repeat"
                raise Rejected("service-key", FOLDER, hint)
            files.replace(path, data, files.SECRET)


def _has_fewer(there: ServiceKeys, keys: ServiceKeys) -> bool:
    """Return whether a file has the same secret, and of the other keys some and no other ones."""
    same = (there.service, there.secret) == (keys.service, keys.secret)
    return same and there.partners.items() <= keys.partners.items() and there.purposes.items() <= keys.purposes.items()
