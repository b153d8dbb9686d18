"""Idempotency: accept each (agency, key) once, over HTTP or Kafka, and always return the same receipt.

SQL of intake.submission, intake.refusal and intake.numbered; the last holds the number of each agency's last signed record of
`ingress.<agency>`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain import events
from referral.errors import Rejected
from referral.runtime.keys.case_keys import Keys
from services.intake.model import REUSED, Receipt, Refusal
from services.intake.store import rows

KEY_LIMIT = 200
"""Most characters of a key (ours): room for any record number, no room for a story."""
REFUSALS = 20
"""Refusals of one key that a query returns (ours): a sender with more is broken, and the newest give the reason."""


class Claim(Struct, frozen=True, kw_only=True):
    """A posting under its key, before it is known whether the key is new. key, body: keyed digests, so that neither value is stored."""

    agency: str
    key: bytes
    body: bytes
    receipt: Receipt

    def as_event(self) -> events.Claim:
        """Return the claim as the event carries it, so that the receipt can be restored after the database was lost."""
        return events.Claim(agency=self.agency, key=self.key, body=self.body)


_CLAIM = text(
    "INSERT INTO intake.submission (agency, key, body, kind, id, case_id, event_id, received_at, later) "
    "SELECT * FROM unnest(CAST(:agency AS text[]), CAST(:key AS bytea[]), CAST(:body AS bytea[]), CAST(:kind AS text[]), "
    "CAST(:id AS text[]), CAST(:case_id AS text[]), CAST(:event_id AS text[]), CAST(:received_at AS bigint[]), CAST(:later AS boolean[])) "
    "ON CONFLICT DO NOTHING RETURNING agency, key"
)
_TAKEN = (
    "SELECT s.agency, s.key, s.body, s.kind, s.id, s.case_id, s.event_id, s.received_at, s.later FROM intake.submission s "
    "JOIN unnest(CAST(:agency AS text[]), CAST(:key AS bytea[])) AS asked(agency, key) ON s.agency = asked.agency AND s.key = asked.key"
)


def key_digest(keys: Keys, agency: str, key: str, where: str) -> bytes:
    """Return the digest that is stored of a key. Rejected: the key is empty, too long, or not printable ASCII."""
    if not 0 < len(key) <= KEY_LIMIT or not key.isascii() or not key.isprintable():
        raise Rejected(
            "bad-key",
            where,
            f"send 1 to {KEY_LIMIT} printable ASCII characters: your own number for this, not about the person",
            status=400,
        )
    return keys.hmac("idempotency-key", agency.encode(), key.encode())


def form_digest(keys: Keys, agency: str, account: str, key: str) -> bytes:
    """Return the digest that is stored of a form's key. It has a name space of its own, so that a person's form uses no key of the agency's
    systems, nor of a colleague. Rejected: as `key_digest`."""
    key_digest(keys, agency, key, "form")
    return keys.hmac("form-key", agency.encode(), account.encode(), key.encode())


async def claim(tx: AsyncConnection, claims: Sequence[Claim]) -> list[Receipt | Rejected | None]:
    """Claim keys. Return for each claim None when the key is new and now claimed; else its first receipt, or Rejected(key-reused).

    Waits for another transaction that claims the same key. Keys are claimed in sorted order, so that two transactions never deadlock.
    """
    first: dict[tuple[str, bytes], Claim] = {}
    for wanted in claims:
        first.setdefault((wanted.agency, wanted.key), wanted)
    ordered = [first[name] for name in sorted(first)]
    new = {(agency, bytes(key)) for agency, key in (await tx.execute(_CLAIM, _values(ordered))).all()}
    taken = {name: (wanted.body, wanted.receipt) for name, wanted in first.items() if name in new}
    old = [c for c in ordered if (c.agency, c.key) not in new]
    if old:
        stored = await rows(tx, _TAKEN, {"agency": [c.agency for c in old], "key": [c.key for c in old]})
        taken |= {(r[0], bytes(r[1])): (bytes(r[2]), Receipt(**dict(zip(Receipt.__struct_fields__, r[3:], strict=True)))) for r in stored}
    return [_verdict(wanted, wanted is first[wanted.agency, wanted.key] and (wanted.agency, wanted.key) in new, taken) for wanted in claims]


def _values(claims: Sequence[Claim]) -> dict[str, object]:
    sent = {name: [getattr(entry, name) for entry in claims] for name in ("agency", "key", "body")}
    return {**sent, **{name: [getattr(entry.receipt, name) for entry in claims] for name in Receipt.__struct_fields__}}


def _verdict(wanted: Claim, new: bool, taken: dict[tuple[str, bytes], tuple[bytes, Receipt]]) -> Receipt | Rejected | None:
    if new:
        return None
    body, receipt = taken[wanted.agency, wanted.key]
    if hmac.compare_digest(body, wanted.body):
        return receipt
    return Rejected(REUSED, "Idempotency-Key", "this key stands for something else that you sent; use a new key", status=409)


async def restore(tx: AsyncConnection, claims: Sequence[Claim]) -> None:
    """Restore receipts from the topic; receipts that exist stay."""
    if claims:
        await tx.execute(_CLAIM, _values(claims))


async def taken(tx: AsyncConnection, agency: str, key: bytes) -> Receipt | None:
    """Return the receipt of a key; None when nothing was accepted under it."""
    stored = await rows(tx, _TAKEN, {"agency": [agency], "key": [key]})
    return Receipt(**dict(zip(Receipt.__struct_fields__, stored[0][3:], strict=True))) if stored else None


async def refusals(tx: AsyncConnection, agency: str, key: bytes) -> tuple[Refusal, ...]:
    """Return the refusals of one key of `ingress.<agency>`, the newest first."""
    sql = "SELECT code, place, hint, at FROM intake.refusal WHERE agency = :agency AND key = :key ORDER BY n DESC LIMIT :most"
    return tuple(Refusal(**row._mapping) for row in await rows(tx, sql, {"agency": agency, "key": key, "most": REFUSALS}))


async def refuse(tx: AsyncConnection, agency: str, key: bytes, why: Rejected, at: int, record: str) -> None:
    """Store the refusal of a record, so that its sender can ask for the reason. record: its id; a record that is read twice is stored
    once."""
    sql = (
        "INSERT INTO intake.refusal (agency, key, code, place, hint, at, record) "
        "VALUES (:agency, :key, :code, :place, :hint, :at, :record) ON CONFLICT DO NOTHING"
    )
    values = {"agency": agency, "key": key, "code": why.code, "place": why.where, "hint": why.hint, "at": at, "record": record}
    await tx.execute(text(sql), values)


_LAST = "SELECT agency, last FROM intake.numbered WHERE agency = ANY(CAST(:agencies AS text[]))"
_KEEP = text(
    "INSERT INTO intake.numbered (agency, last) SELECT * FROM unnest(CAST(:agency AS text[]), CAST(:last AS bigint[])) "
    "ON CONFLICT (agency) DO UPDATE SET last = greatest(numbered.last, excluded.last)"
)


async def last_numbers(tx: AsyncConnection, agencies: Iterable[str]) -> dict[str, int]:
    """Return the last signed number of each agency that has signed a record. The caller owns the agencies' topics, so no other process
    writes these rows."""
    return {row.agency: row.last for row in await rows(tx, _LAST, {"agencies": list(agencies)})}


async def store_numbers(tx: AsyncConnection, numbers: Mapping[str, int]) -> None:
    """Store the last signed numbers; a number below the stored one changes nothing."""
    if numbers:
        await tx.execute(_KEEP, {"agency": list(numbers), "last": list(numbers.values())})
