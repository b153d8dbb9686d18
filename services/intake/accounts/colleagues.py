"""SQL of what people of an agency change about accounts: heads, who is switched off, the own password and sessions. The caller commits.

Whoever changes another's account calls `lock_heads` first, in the same transaction, and goes on only as one of them: so two heads who take
the mark from each other do it one after the other, and the second is no head any more. Nobody takes it from themselves, so one stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime import random_secret
from services.intake.accounts import invitations, rules

_ALL = text(
    "SELECT a.id, a.login, a.head, a.disabled, i.at AS invited_at FROM intake.account a"
    " LEFT JOIN intake.invitation i ON i.account_id = a.id WHERE a.agency = :agency ORDER BY a.login"
)
_HEADS = text("SELECT id FROM intake.account WHERE agency = :agency AND head AND NOT disabled ORDER BY id FOR NO KEY UPDATE")
_HEAD = text("UPDATE intake.account SET head = :head WHERE id = :id AND agency = :agency AND head <> :head RETURNING id")
_DISABLED = text(
    "UPDATE intake.account SET disabled = :disabled WHERE id = :id AND agency = :agency AND disabled <> :disabled RETURNING id"
)
_PASSWORD = text("UPDATE intake.account SET password = :password WHERE id = :id")
_SESSIONS = text(
    "SELECT created_at, digest = :digest AS this FROM intake.session WHERE account_id = :id AND created_at > :ended"
    " ORDER BY created_at DESC"
)
_END = text("DELETE FROM intake.session WHERE account_id = :id AND digest <> :digest")


@dataclass(frozen=True, slots=True)
class Colleague:
    """An account of the agency. invited_at: when the invitation was made that the person has not used, µs UTC; None: there is none."""

    id: str
    login: str
    head: bool
    disabled: bool
    invited_at: int | None


async def of_agency(tx: AsyncConnection, agency: str) -> dict[str, Colleague]:
    """Return the accounts of an agency by id, in the order of their logins."""
    return {row.id: Colleague(*row) for row in await tx.execute(_ALL, {"agency": agency})}


async def lock_heads(tx: AsyncConnection, agency: str) -> frozenset[str]:
    """Lock the heads of an agency until the transaction ends, and return their accounts. One who is switched off is none."""
    return frozenset((await tx.execute(_HEADS, {"agency": agency})).scalars())


async def set_head(tx: AsyncConnection, agency: str, account: str, head: bool) -> bool:
    """Mark an account as a head of the agency, or not. False: nothing has changed."""
    return (await tx.execute(_HEAD, {"id": account, "agency": agency, "head": head})).one_or_none() is not None


async def set_disabled(tx: AsyncConnection, agency: str, account: str, disabled: bool) -> bool:
    """Disable or enable an account. False: nothing has changed.

    A disabled one is signed out at once, and the address of its calendar and the code of its invitation are worth nothing any more, also
    after it is enabled again. Enabling ends a session too that began while it was disabled.
    """
    done = (await tx.execute(_DISABLED, {"id": account, "agency": agency, "disabled": disabled})).one_or_none() is not None
    if done:
        await tx.execute(_END, {"id": account, "digest": b""})
        await invitations.void(tx, account)
    return done


async def set_password(tx: AsyncConnection, account: str, hashed: str, token: str) -> None:
    """Store another password, and end all sessions but the one of this cookie."""
    await tx.execute(_PASSWORD, {"id": account, "password": hashed})
    await end_others(tx, account, token)


async def sessions(tx: AsyncConnection, account: str, token: str, now: int) -> Sequence[tuple[int, bool]]:
    """Return when each session began, µs UTC, the youngest first, and whether it is the one of this cookie."""
    values = {"id": account, "digest": random_secret.digest(token), "ended": now - rules.ABSOLUTE_US}
    return [(row.created_at, row.this) for row in await tx.execute(_SESSIONS, values)]


async def end_others(tx: AsyncConnection, account: str, token: str) -> None:
    """End all sessions of an account but the one of this cookie; an empty token ends all."""
    await tx.execute(_END, {"id": account, "digest": random_secret.digest(token) if token else b""})
