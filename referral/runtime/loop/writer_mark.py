"""Mark each record with its writer's own secret, so that a service can prove which records of its topic it wrote.

The case keys and the master key open every record for every service, so a seal does not prove the writer. The secret is in the
service's own schema: a copy of the database contains it, the broker and the master key do not reveal it. docs/decisions/0020.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

HEADER = "referral-mark"
SIZE = 16
"""Bytes of a mark: 128 bits, as of every digest of the runtime."""
_OWN = "SELECT secret FROM {s}writer"


async def secret(tx: AsyncConnection, schema: str = "") -> bytes:
    """Return the writer secret of the connection's own service. schema: the schema of another service, for the administrator."""
    return bytes((await tx.execute(text(_OWN.format(s=f"{schema}." if schema else "")))).scalar_one())


def of(secret: bytes, digest: bytes) -> tuple[str, bytes]:
    """Return the header that a writer adds to a record. secret: 32 bytes. digest: BLAKE2b-128 of its value (`sequence.fingerprint`)."""
    keyed = _keyed(secret).copy()
    keyed.update(digest)
    return HEADER, keyed.digest()


@lru_cache(1)
def _keyed(secret: bytes) -> blake2b:
    """Return the keyed hash of this secret, for copying: a process has one secret and marks every record with it."""
    return blake2b(key=secret, digest_size=SIZE)


def carries(secret: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> bool:
    """Return whether the owner of this secret wrote the record."""
    true = of(secret, blake2b(value or b"", digest_size=SIZE).digest())[1]
    return any(name == HEADER and hmac.compare_digest(mark or b"", true) for name, mark in headers)


def since(marked: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return topic → time of its first marked record, by the broker's clock. marked: (topic, LogAppendTime) of each marked record.

    Earlier records were written before marks existed, or under the secret of a lost database: no mark identifies their writer.
    """
    first: dict[str, int] = {}
    for topic, at in marked:
        first[topic] = min(at, first.get(topic, at))
    return first
