"""SQL of drafts: what a person has entered in the form of a section and not sent, sealed under the case's key, for this person alone.

A draft goes when the section is saved, when its author discards it, and with the case. It is shown only while its author may write the
section: the caller checks that.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.runtime.keys.secret_box import SecretBox
from services.intake.casefile.sections import seal, unseal

_KEEP = text(
    "INSERT INTO intake.draft (account, offer_id, section, case_id, since, at, sealed) "
    "VALUES (:account, :offer_id, :section, :case_id, :since, :at, :sealed) ON CONFLICT (account, offer_id, section) "
    "DO UPDATE SET since = excluded.since, at = excluded.at, sealed = excluded.sealed"
)
_ENDED = text(
    "DELETE FROM intake.draft d WHERE d.account = :account "
    "AND EXISTS (SELECT FROM intake.offer o WHERE o.offer_id = d.offer_id AND o.closed_at IS NOT NULL)"
)
_ONE = text("SELECT case_id, since, at, sealed FROM intake.draft WHERE account = :account AND offer_id = :offer_id AND section = :section")
_TIMES = text("SELECT section, at FROM intake.draft WHERE account = :account AND offer_id = :offer_id")
_DROP = text("DELETE FROM intake.draft WHERE account = :account AND offer_id = :offer_id AND section = :section")


class Draft(Struct, frozen=True, kw_only=True):
    """A draft. since: the version with which its form began. at: when it was kept, µs UTC. entries: field → text as entered."""

    since: int
    at: int
    entries: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Draft({self.since})"


def _author(leave: Permit) -> str:
    """Return the account whose drafts the permit is about; empty, which nobody has, for a system."""
    return leave.account or ""


async def keep(tx: AsyncConnection, leave: Permit, cipher: SecretBox, offer_id: str, section: str, draft: Draft) -> None:
    """Store a draft in place of the one before. The author's drafts of offers that have ended are deleted."""
    account, case_id = _author(leave), leave.case_id
    await tx.execute(_ENDED, {"account": account})
    sealed = seal(cipher, msgspec.json.encode(draft.entries), case_id, "draft", account, offer_id, section)
    values = {"account": account, "offer_id": offer_id, "section": section, "case_id": case_id, "since": draft.since, "at": draft.at}
    await tx.execute(_KEEP, {**values, "sealed": sealed})


async def one(tx: AsyncConnection, leave: Permit, cipher: SecretBox, offer_id: str, section: str) -> Draft | None:
    """Return the author's draft of a section; None where there is none."""
    account = _author(leave)
    for case_id, since, at, sealed in (await tx.execute(_ONE, {"account": account, "offer_id": offer_id, "section": section})).all():
        plain = unseal(cipher, bytes(sealed), case_id, "draft", account, offer_id, section)
        return Draft(since=since, at=at, entries=msgspec.json.decode(plain, type=dict[str, str]))
    return None


async def times(tx: AsyncConnection, leave: Permit, offer_id: str) -> dict[str, int]:
    """Return section → time of the author's draft, µs UTC."""
    return {row[0]: row[1] for row in (await tx.execute(_TIMES, {"account": _author(leave), "offer_id": offer_id})).all()}


async def drop(tx: AsyncConnection, leave: Permit, offer_id: str, section: str) -> None:
    await tx.execute(_DROP, {"account": _author(leave), "offer_id": offer_id, "section": section})
