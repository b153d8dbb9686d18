"""SQL of what people of an agency change about accounts: heads, who is switched off, the own password and sessions. The caller commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake.accounts import rules

_ALL = text(
    "SELECT a.id, a.login, a.head, a.disabled, i.at AS invited_at FROM intake.account a"
    " LEFT JOIN intake.invitation i ON i.account_id = a.id WHERE a.agency = :agency ORDER BY a.login"
)
_HEAD = text("UPDATE intake.account SET head = :head WHERE id = :id AND agency = :agency RETURNING id")
_DISABLED = text("UPDATE intake.account SET disabled = :disabled WHERE id = :id AND agency = :agency RETURNING id")
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


async def set_head(tx: AsyncConnection, agency: str, account: str, head: bool) -> bool:
    """Mark an account as a head of the agency, or not. False: the agency has no such account."""
    return (await tx.execute(_HEAD, {"id": account, "agency": agency, "head": head})).one_or_none() is not None


async def set_disabled(tx: AsyncConnection, agency: str, account: str, disabled: bool) -> bool:
    """Disable or enable an account; a disabled one is signed out at once. False: the agency has no such account."""
    done = (await tx.execute(_DISABLED, {"id": account, "agency": agency, "disabled": disabled})).one_or_none() is not None
    if done and disabled:
        await tx.execute(_END, {"id": account, "digest": b""})
    return done


async def set_password(tx: AsyncConnection, account: str, hashed: str, token: str) -> None:
    """Store another password, and end all sessions but the one of this cookie."""
    await tx.execute(_PASSWORD, {"id": account, "password": hashed})
    await end_others(tx, account, token)


async def sessions(tx: AsyncConnection, account: str, token: str, now: int) -> Sequence[tuple[int, bool]]:
    """Return when each session began, µs UTC, the youngest first, and whether it is the one of this cookie."""
    values = {"id": account, "digest": rules.token_digest(token), "ended": now - rules.ABSOLUTE_US}
    return [(row.created_at, row.this) for row in await tx.execute(_SESSIONS, values)]


async def end_others(tx: AsyncConnection, account: str, token: str) -> None:
    """End all sessions of an account but the one of this cookie; an empty token ends all."""
    await tx.execute(_END, {"id": account, "digest": rules.token_digest(token) if token else b""})
