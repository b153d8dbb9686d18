"""SQL of invitations and calendar feeds. The person who is invited sets the password, so nobody else ever knows it. The caller commits."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime import random_secret
from services.intake.accounts.store import Account

_ADD = text(
    "INSERT INTO intake.account (id, login, password, agency, language, desk, head, disabled, created_at)"
    " VALUES (:id, :login, :password, :agency, :language, false, :head, false, :now) ON CONFLICT (login) DO NOTHING RETURNING id"
)
_INVITE = text(
    "INSERT INTO intake.invitation (account_id, digest, at) VALUES (:id, :digest, :now)"
    " ON CONFLICT (account_id) DO UPDATE SET digest = excluded.digest, at = excluded.at"
)
_PENDING = text("SELECT account_id FROM intake.invitation WHERE account_id = :id FOR UPDATE")
_FIND = text(
    "SELECT a.id, a.login, a.agency, a.language, a.desk, a.head FROM intake.invitation i JOIN intake.account a ON a.id = i.account_id"
    " WHERE i.digest = :digest AND i.at > :since AND NOT a.disabled"
)
_VOID = text("UPDATE intake.invitation SET at = 0 WHERE account_id = :id")
_USE = text("DELETE FROM intake.invitation WHERE account_id = :id AND digest = :digest RETURNING account_id")
_PASSWORD = text("UPDATE intake.account SET password = :password WHERE id = :id")
_FEED = text(
    "INSERT INTO intake.feed (account_id, digest, at) VALUES (:id, :digest, :now)"
    " ON CONFLICT (account_id) DO UPDATE SET digest = excluded.digest, at = excluded.at"
)
_FEED_ENDS = text("DELETE FROM intake.feed WHERE account_id = :id")
_HAS_FEED = text("SELECT at FROM intake.feed WHERE account_id = :id")
_FEED_OF = text(
    "SELECT a.id, a.login, a.agency, a.language, a.desk, a.head FROM intake.feed f JOIN intake.account a ON a.id = f.account_id"
    " WHERE f.digest = :digest AND NOT a.disabled"
)


async def add(tx: AsyncConnection, account: Account, hashed: str, now: int) -> str | None:
    """Make an account that nobody can sign in with yet, and return the code for its owner. None: the login is taken.

    hashed: of a password that nobody knows.
    """
    values = {"id": account.id, "login": account.login, "password": hashed, "agency": account.agency}
    more = {"language": account.language, "head": account.head, "now": now}
    if (await tx.execute(_ADD, {**values, **more})).one_or_none() is None:
        return None
    return await _invite(tx, account.id, now)


async def again(tx: AsyncConnection, account: str, now: int) -> str | None:
    """Replace an invitation that was not used, and return the new code. None: its owner has a password; only an operator may replace it.

    It is read out in a call, and ends as an operator's does: it may replace the code for an account whose password was taken away.
    """
    if (await tx.execute(_PENDING, {"id": account})).one_or_none() is None:
        return None
    return await _invite(tx, account, random_secret.in_a_call(now))


async def _invite(tx: AsyncConnection, account: str, at: int) -> str:
    code = random_secret.spoken_code()
    await tx.execute(_INVITE, {"id": account, "digest": random_secret.typed_digest(code), "now": at})
    return code


async def void(tx: AsyncConnection, account: str) -> None:
    """Make the code of an invitation that was not used worthless; `again` makes a new one. End the address of the person's shifts."""
    await tx.execute(_VOID, {"id": account})
    await end_feed(tx, account)


async def invited(tx: AsyncConnection, code: str, now: int) -> Account | None:
    """Return the account that a code is for; None: it is wrong, used or too old."""
    row = (await tx.execute(_FIND, {"digest": random_secret.typed_digest(code), "since": now - random_secret.VALID_US})).one_or_none()
    return Account(*row) if row else None


async def use(tx: AsyncConnection, account: str, code: str, hashed: str) -> bool:
    """Give an account its owner's password, once. False: somebody has used the code meanwhile."""
    done = (await tx.execute(_USE, {"id": account, "digest": random_secret.typed_digest(code)})).one_or_none() is not None
    if done:
        await tx.execute(_PASSWORD, {"id": account, "password": hashed})
    return done


async def make_feed(tx: AsyncConnection, account: str, now: int) -> str:
    """Make the secret address of a person's shifts, and return its secret; the one before is worth nothing from now on."""
    secret = random_secret.made()
    await tx.execute(_FEED, {"id": account, "digest": random_secret.digest(secret), "now": now})
    return secret


async def end_feed(tx: AsyncConnection, account: str) -> None:
    """End the address of a person's shifts."""
    await tx.execute(_FEED_ENDS, {"id": account})


async def feed_since(tx: AsyncConnection, account: str) -> int | None:
    """Return when the address of a person's shifts was made, µs UTC; None: there is none."""
    found: int | None = (await tx.execute(_HAS_FEED, {"id": account})).scalar_one_or_none()
    return found


async def feed_of(tx: AsyncConnection, secret: str) -> Account | None:
    """Return whose shifts an address shows; None: nobody's."""
    row = (await tx.execute(_FEED_OF, {"digest": random_secret.digest(secret)})).one_or_none()
    return Account(*row) if row else None
