"""Case keys: create, load, wrap and destroy two random keys per case, one for its events and one for its file.

Each reader has a wrapped form of its own; only intake's holds the file's key. Deleting the rows of a case's keys erases the case.
The eraser alone can (services/eraser).
"""

from __future__ import annotations

import hashlib
import hmac as hmac_
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral import file_rights
from referral.errors import Malformed, Rejected
from referral.runtime import secret_file
from referral.runtime.keys import service_keys
from referral.runtime.keys.secret_box import SecretBox
from referral.runtime.keys.service_keys import INTAKE, MasterKeys, ServiceKeys
from referral.runtime.postgres import bulk
from referral.runtime.settings import Settings
from referral.wire.seal import Key

MASTER = "REFERRAL_MASTER_KEY_FILE"
SIZE = 32
"""Bytes of a key."""
KEY = bulk.Table("keys.case_key", {"case_id": "text", "reader": "text", "wrapped": "bytea"})
_KEEP = text("INSERT INTO keys.case_key (case_id, reader, wrapped) VALUES (:case_id, :reader, :wrapped) ON CONFLICT DO NOTHING")
_WRAPPED = text("SELECT case_id, reader, wrapped FROM keys.wrapped(CAST(:ids AS text[]))")
_RETIRE = text("SELECT keys.retire(CAST(:ids AS text[]))")
_BRING_BACK = text("SELECT keys.bring_back(CAST(:but AS text[]))")
Forms = Mapping[str, bytes]
"""Reader → the keys of one case, wrapped for it."""


class CaseKeys(Key):
    """The key of a case's events, which every reader has. file: the key of its case file; None for readers other than intake."""

    file: bytes | None

    def __new__(cls, events: bytes, file: bytes | None = None) -> CaseKeys:
        made = super().__new__(cls, events)
        made.file = file
        return made


class Keys:
    """The keys of one process, made in wiring by `read`: those of its service, or for the operator's commands, all. held: where they come
    from; bytes are the master key."""

    def __init__(self, held: bytes | MasterKeys | ServiceKeys) -> None:
        self._held = MasterKeys(held) if isinstance(held, bytes) else held
        self._boxes = {reader: SecretBox("case-key", self._held.wrapping(reader)) for reader in self._held.opens}
        self._derived = cache(self._held.purpose)  # one entry per purpose: a handful of words in the code

    async def create(self, tx: AsyncConnection, case_id: str) -> bytes:
        """Create a new case's keys and store them in the caller's transaction. Return the key of its events."""
        return (await self.create_all(tx, [case_id]))[case_id]

    async def create_all(self, tx: AsyncConnection, ids: Iterable[str]) -> dict[str, bytes]:
        """Create and store keys for each new case, in one round trip. Return case id → key of its events."""
        keys = self.made(ids)
        await bulk.write(tx, {KEY: self.rows(keys)})
        return keys

    def made(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return random keys for each case; nothing is stored until the caller writes their `rows`."""
        return {case_id: CaseKeys(os.urandom(SIZE), os.urandom(SIZE)) for case_id in ids}

    def rows(self, keys: Mapping[str, bytes]) -> list[bulk.Row]:
        """Return the rows of KEY: the keys of each case, wrapped for each reader."""
        return [
            {"case_id": case_id, "reader": reader, "wrapped": wrapped}
            for case_id, key in keys.items()
            for reader, wrapped in self.wrap(case_id, key).items()
        ]

    def wrap(self, case_id: str, key: bytes) -> Forms:
        """Return the keys of a case, wrapped for each reader: for intake both, for the others the key of its events."""
        file = key.file if isinstance(key, CaseKeys) else None
        return {
            reader: box.seal(key + file if file is not None and reader == INTAKE else key, _context(case_id, reader))
            for reader, box in self._boxes.items()
        }

    async def book(self, tx: AsyncConnection, book_id: str) -> bytes:
        """Return and store the key of a book, which is no case. It is derived, so that a restored database gets the same key again."""
        key = self.hmac("book", book_id.encode())
        await tx.execute(_KEEP, self.rows({book_id: key}))
        return key

    async def load(self, tx: AsyncConnection, ids: Iterable[str]) -> dict[str, bytes]:
        """Return case id → key of its events; for intake and the operator with the key of its file. A case without a key is erased, or
        never existed."""
        return self.opened_all((await tx.execute(_WRAPPED, {"ids": list(ids)})).all())

    def opened_all(self, rows: Iterable[Sequence[Any]]) -> dict[str, bytes]:
        """Return what `load` returns. rows: (case id, reader, wrapped) as `keys.wrapped` yields them."""
        return {case_id: self._unwrap(case_id, reader, wrapped) for case_id, reader, wrapped in rows}

    def unwrap(self, wrapped: Mapping[str, Forms]) -> dict[str, bytes]:
        """Return case id → key for wrapped keys from the key topic, with the file's key if it is there. A case of which no form opens is
        left out."""
        keys: dict[str, bytes] = {}
        for case_id, forms in wrapped.items():
            for reader in filter(forms.__contains__, self._boxes):  # intake's first: it has both keys
                with suppress(Malformed, ValueError):
                    keys[case_id] = self._opened(case_id, reader, forms[reader])
                    break
        return keys

    def _unwrap(self, case_id: str, reader: str, wrapped: bytes) -> bytes:
        try:
            return self._opened(case_id, reader, wrapped)
        except KeyError:
            hint = f"it is a key of {self._held.service}, and the database's role is that of {reader}"
        except Malformed:
            hint = "it was not made of the key that this database was made with"
        name = service_keys.FILE if self._held.service else MASTER
        raise Rejected("case-key", name, hint)

    def _opened(self, case_id: str, reader: str, wrapped: bytes) -> CaseKeys:
        """Return the opened form of a reader. KeyError: it is for others. Malformed: it was wrapped for another case or with other keys."""
        plain = self._boxes[reader].open(wrapped, _context(case_id, reader))
        return CaseKeys(plain[:SIZE], plain[SIZE:] or None)

    def judges(self, reader: str) -> bool:
        """Return whether this process can tell a true form of a reader from a false one."""
        return reader in self._boxes

    def opens(self, case_id: str, reader: str, wrapped: bytes) -> bool:
        """Return whether these are keys of the case that this process can open."""
        try:
            self._opened(case_id, reader, wrapped)
        except (KeyError, Malformed):
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


async def bring_back(tx: AsyncConnection, erased: Iterable[str]) -> list[str]:
    """Retire the keys of erased cases, and bring back every other key that was retired. Return the cases that came back.

    Only an administrator may: it undoes the first step of the eraser wherever no genuine erasure stands on the topic.
    """
    but = list(erased)
    await tx.execute(_RETIRE, {"ids": but})
    return list((await tx.execute(_BRING_BACK, {"but": but})).scalars())


def _context(case_id: str, reader: str) -> bytes:
    return f"{case_id}/{reader}".encode()


def with_file(key: bytes) -> CaseKeys:
    """Return the keys of a case with a key for its file, a new one if it has none."""
    return key if isinstance(key, CaseKeys) and key.file is not None else CaseKeys(key, os.urandom(SIZE))


def read(settings: Settings, service: str = "") -> Keys:
    """Read the keys of this process: its service's, or the operator's where no file of a service is named. service: whose they must be;
    empty: whoever's.

    Rejected: a file is missing, unfit, readable by others, or another service's.
    """
    if settings.service_key_file is None:
        return Keys(master(settings))
    held = service_keys.read(settings.service_key_file)
    if service not in ("", held.service):
        raise Rejected("service-key", service_keys.FILE, f"the file holds the keys of {held.service}, and this is {service}")
    return Keys(held)


def master(settings: Settings) -> MasterKeys:
    """Read the master key: 64 hexadecimal digits. Rejected: no such file, another content, or a file that others may read too."""
    path = settings.master_key_file
    try:
        if path is not None and file_rights.exposed(path):
            hint = f"others than its owner may read the file: chmod 600 {path}; if somebody may have read it, tell your security officer"
            raise Rejected("master-key", MASTER, hint)
        if path is not None:
            return MasterKeys(bytes.fromhex(path.read_text("ascii").strip()))
    except (OSError, ValueError):
        pass
    raise Rejected("master-key", MASTER, "a readable file with 64 hexadecimal digits is needed")


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
