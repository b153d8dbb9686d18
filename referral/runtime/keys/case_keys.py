"""Case keys: create, load, wrap and destroy one random key per case, and derive service keys, under a master key outside the database.

Deleting the row of a case's key erases the case.
"""

from __future__ import annotations

import hashlib
import hmac as hmac_
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Malformed, Rejected
from referral.runtime import secret_file
from referral.runtime.keys.secret_box import SecretBox
from referral.runtime.postgres import bulk
from referral.wire.seal import Key

OTHERS = 0o077
"""Permission bits that a key file must not have: a reader of the file can open every case."""
KEY = bulk.Table("keys.case_key", {"case_id": "text", "wrapped": "bytea"})
_KEEP = text("INSERT INTO keys.case_key (case_id, wrapped) VALUES (:id, :wrapped) ON CONFLICT DO NOTHING")
WRAPPED = text("SELECT case_id, wrapped FROM keys.wrapped(CAST(:ids AS text[]))")
_ERASE = text("SELECT keys.erase(CAST(:ids AS text[]))")


class Keys:
    """The keys that the master key wraps or derives. One per process, made in wiring by `read`."""

    def __init__(self, master: bytes) -> None:
        if len(master) != 32:
            raise ValueError("the master key has 32 bytes")
        self._master = master
        self._case = SecretBox("case-key", self._purpose("case-key"))
        self._derived = cache(self._purpose)  # one entry per purpose: a handful of words in the code

    def _purpose(self, purpose: str) -> bytes:
        return HKDF(hashes.SHA256(), 32, None, b"referral/" + purpose.encode()).derive(self._master)

    async def create(self, tx: AsyncConnection, case_id: str) -> bytes:
        """Create a new case's key and store it in the caller's transaction."""
        return (await self.create_all(tx, [case_id]))[case_id]

    async def create_all(self, tx: AsyncConnection, ids: Iterable[str]) -> dict[str, bytes]:
        """Create and store a key for each new case, in one round trip. Return case id → key."""
        keys = self.made(ids)
        await bulk.write(tx, {KEY: self.rows(keys)})
        return keys

    def made(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return a random key for each case; nothing is stored until the caller writes their `rows`."""
        return {case_id: os.urandom(32) for case_id in ids}

    def rows(self, keys: Mapping[str, bytes]) -> list[bulk.Row]:
        """Return the rows of KEY, each key wrapped."""
        return [{"case_id": case_id, "wrapped": self._wrap(case_id, key)} for case_id, key in keys.items()]

    async def book(self, tx: AsyncConnection, book_id: str) -> bytes:
        """Return and store the key of a book, which is no case. It is derived, so that a restored database gets the same key again."""
        key = self.hmac("book", book_id.encode())
        await tx.execute(_KEEP, {"id": book_id, "wrapped": self._wrap(book_id, key)})
        return key

    def _wrap(self, case_id: str, key: bytes) -> bytes:
        return self._case.seal(key, case_id.encode())

    async def load(self, tx: AsyncConnection, ids: Iterable[str]) -> dict[str, bytes]:
        """Return case id → key. A case without a key is erased, or never existed."""
        rows = (await tx.execute(WRAPPED, {"ids": list(ids)})).all()
        return {case_id: self._unwrap(case_id, wrapped) for case_id, wrapped in rows}

    def unwrap(self, wrapped: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return case id → key for wrapped keys from the key topic. A key that does not open is left out."""
        keys = {}
        for case_id, value in wrapped.items():
            try:
                keys[case_id] = self._unwrap(case_id, value)
            except (Rejected, ValueError):
                continue
        return keys

    def _unwrap(self, case_id: str, wrapped: bytes) -> bytes:
        try:
            return Key(self._case.open(wrapped, case_id.encode()))
        except Malformed:
            raise Rejected("master-key", "REFERRAL_MASTER_KEY_FILE", "it is not the key that this database was made with") from None

    def opens(self, case_id: str, wrapped: bytes) -> bool:
        """Return whether this is the case's key, wrapped by this master key."""
        try:
            self._case.open(wrapped, case_id.encode())
        except Malformed:
            return False
        return True

    def hmac(self, purpose: str, *parts: bytes) -> bytes:
        """Return HMAC-SHA-256 of the parts under a key for this purpose. Each part's length is included, so no two lists are equal."""
        digest = hmac_.new(self._derived(purpose), digestmod=hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def lookup(self, event_id: str) -> str:
        """Return the token for which audit returns the proof of one event. The id alone is not enough: ids of decisions can be computed."""
        return self.hmac("proof-of-event", event_id.encode()).hex()

    def told(self, question: bytes) -> str:
        """Return the token with which intake asks the notifier exactly this question (`wire.told`)."""
        return self.hmac("who-was-told", question).hex()

    def roster(self, request: bytes) -> str:
        """Return the token with which intake sends the notifier exactly this question about, or change of, the roster (`wire.roster`)."""
        return self.hmac("roster-door", request).hex()

    def exercise(self, case_id: str) -> str:
        """Return the token for which audit returns the report of one exercise."""
        return self.hmac("exercise-report", case_id.encode()).hex()

    def callback(self, channel: str) -> str:
        """Return the secret part of the path at which the providers of a channel report what came back."""
        return self.hmac("callback", channel.encode())[:16].hex()

    def box(self, purpose: str) -> SecretBox:
        """Return the box for one kind of a service's rows."""
        return SecretBox(purpose, self._derived(purpose))


async def erase(tx: AsyncConnection, ids: Iterable[str]) -> None:
    """Destroy the keys of these cases, so that none of their event bodies can be read again."""
    await tx.execute(_ERASE, {"ids": list(ids)})


def read(path: Path) -> Keys:
    """Read the master key: 64 hexadecimal digits. Rejected: no such file, another content, or a file that others may read too."""
    try:
        if path.stat().st_mode & OTHERS:
            hint = f"others than its owner may read the file: chmod 600 {path}; if somebody may have read it, tell your security officer"
            raise Rejected("master-key", "REFERRAL_MASTER_KEY_FILE", hint)
        return Keys(bytes.fromhex(path.read_text("ascii").strip()))
    except (OSError, ValueError):
        raise Rejected("master-key", "REFERRAL_MASTER_KEY_FILE", "a readable file with 64 hexadecimal digits is needed") from None


def signing(path: Path | None) -> Ed25519PrivateKey:
    """Read intake's signing key: Ed25519, PKCS 8 in PEM. Rejected: no such file, or another content."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None) if path else None
    except (OSError, ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        hint = "intake signs with a key of its own: name a readable Ed25519 private key, PKCS 8 in PEM (`referral audit key` makes it)"
        raise Rejected("intake-key", "REFERRAL_INTAKE_KEY_FILE", hint)
    return key


def write(path: Path) -> None:
    """Write a new master key that only its owner may read. FileExistsError: there is one, and it is never overwritten."""
    secret_file.write(path, os.urandom(32).hex().encode() + b"\n")
