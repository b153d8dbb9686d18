"""Queue of a service: a door inserts rows in its own transaction, and the loop of the partition's owner handles them.

Rows are selected by their unsent flag, never by `id > last`: a lower number may commit later. A bell after the commit wakes the owner,
which also polls every two seconds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Malformed
from referral.runtime.postgres import bells, bulk
from referral.wire import codec, topics

KEEP = 30 * 24 * 3600
"""Seconds for which a sent row is stored, so that its id is not accepted again: ten times as long as a repeat is possible (`ingress.*`
keeps 72 h; positions that go back further mean a restored database, and `referral recover` reads the ids from the topic)."""
QUEUE = bulk.Table(
    "queue",
    {
        "id": "text",
        "partition": "int",
        "case_id": "text",
        "type": "text",
        "fingerprint": "bigint",
        "body": "bytea",
        "drill": "boolean",
    },
    "ON CONFLICT (id) DO NOTHING",
)

_FORGET = text(
    "DELETE FROM queue WHERE id IN (SELECT id FROM queue WHERE sent AND partition = ANY(CAST(:parts AS int[]))"
    " AND at < runtime.clock() - CAST(:keep AS bigint) LIMIT 10000)"
)


def row(case_id: str, body: Struct, id: str, key: bytes | None, drill: bool) -> dict[str, Any]:
    """Return a row of QUEUE with its body sealed under the case's key.

    id: idempotency key.
    key: the case's key; None for a body without fields.
    drill: the case belongs to a drill.
    """
    type_: str = body.TYPE  # type: ignore[attr-defined]
    sealed = seal(codec.encode(body), id, key)
    return {
        "id": id,
        "partition": topics.partition(case_id),
        "case_id": case_id,
        "type": type_,
        "fingerprint": codec.fingerprint(type_),
        "body": sealed,
        "drill": drill,
    }


async def put(tx: AsyncConnection, case_id: str, body: Struct, id: str, key: bytes | None, *, drill: bool = False) -> None:
    """Queue one event of a case in the caller's transaction. id: idempotency key; a repeat is ignored. key: the case's."""
    await put_all(tx, [row(case_id, body, id, key, drill)])


async def put_all(tx: AsyncConnection, rows: Sequence[bulk.Row]) -> None:
    """Queue many rows, as `row` returns them, with one statement."""
    if rows:
        await bulk.write(tx, {QUEUE: rows})
        bells.wake(tx)


async def forget(tx: AsyncConnection, partitions: list[int]) -> None:
    """Delete sent rows of these partitions that are older than KEEP; at most 10,000, so that it never takes long."""
    await tx.execute(_FORGET, {"parts": partitions, "keep": KEEP * 1_000_000})


def seal(body: bytes, id: str, key: bytes | None) -> bytes:
    """Return a body as the row stores it: nonce and AES-256-GCM, bound to the row's id. An empty body needs no key."""
    if key is None:
        if body:
            raise ValueError("a queued body needs its case's key")
        return b""
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, body, id.encode())


def unseal(sealed: bytes, id: str, key: bytes | None) -> bytes:
    """Return the body of a row. Malformed("seal"): another key, or changed bytes."""
    if not sealed:
        return b""
    if key is None:
        raise Malformed("seal", "no key for this case")
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], id.encode())
    except InvalidTag:
        raise Malformed("seal", "queue row") from None
