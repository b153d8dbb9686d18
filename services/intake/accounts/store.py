"""SQL of personal accounts, their sessions and failed sign-ins. The rules are in `rules`; the caller commits.

Tables: migrations/versions/accounts.sql.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from referral.errors import Rejected
from referral.runtime import passwords, random_secret
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import advisory_locks
from services.intake.accounts import rules


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """A member of staff.

    desk: may see the desk's tasks of the agency and record telephone answers for other agencies.
    head: manages the agency's people and rota.
    """

    id: str
    login: str
    agency: str
    language: str
    desk: bool
    head: bool = False

    def __repr__(self) -> str:
        return f"Account({self.id})"


@dataclass(frozen=True, slots=True, repr=False)
class Session:
    """A session of a signed-in person."""

    account: Account
    seal: bytes
    created_at: int


async def add(tx: AsyncConnection, *, id: str, login: str, password: str, agency: str, language: str, desk: bool, now: int) -> Account:
    """Add an account. Takes 50 ms of processor time for the password's hash. Rejected: the login exists, or a value is out of range."""
    login, language = passwords.login(login), passwords.language(language)
    values = {
        "id": id,
        "login": login,
        "password": passwords.hashed(passwords.checked(password)),
        "agency": agency,
        "language": language,
        "desk": desk,
        "now": now,
    }
    added = await tx.execute(
        text(
            "INSERT INTO intake.account (id, login, password, agency, language, desk, disabled, created_at) "
            "VALUES (:id, :login, :password, :agency, :language, :desk, false, :now) ON CONFLICT (login) DO NOTHING RETURNING id"
        ),
        values,
    )
    if added.scalar() is None:
        raise Rejected("login-taken", "login", "choose another login, or enable the account that has it", status=409)
    return Account(id=id, login=login, agency=agency, language=language, desk=desk)


def device(keys: Keys, login: str, at: int) -> str:
    """Return the mark of a browser in which this login has signed in. at: µs UTC."""
    return f"{at}-{keys.hmac('signin', b'device', login.encode(), str(at).encode()).hex()}"


def is_known(keys: Keys, login: str, mark: str, now: int) -> bool:
    """Return True if a mark is ours, of this login, and young enough."""
    text_, _, _ = mark.partition("-")
    if not (text_.isascii() and text_.isdecimal() and len(text_) <= 18):
        return False
    return now - int(text_) < rules.DEVICE_US and rules.same(device(keys, login, int(text_)), mark)


def subject(keys: Keys, login: str, address: str) -> rules.Subject:
    """Return the digests of an attempt: of login and address, of the login, of the address. address: a network, or the mark of a known
    browser."""
    return rules.Subject(
        pair=keys.hmac("signin", b"pair", login.encode(), address.encode()),
        login=keys.hmac("signin", b"login", login.encode()),
        address=keys.hmac("signin", b"address", address.encode()),
    )


def place(keys: Keys, request: Request) -> str:
    """Return the part of the keyed digest of a caller's network that events hold: the same as of its sign-ins."""
    host = request.client.host if request.client else ""
    return subject(keys, "", rules.network(host)).place


async def by_login(tx: AsyncConnection, login: str) -> tuple[Account, str] | None:
    """Return an account that may sign in, and its password's hash; None when there is none."""
    row = (
        await tx.execute(
            text("SELECT id, login, agency, language, desk, head, password FROM intake.account WHERE login = :login AND NOT disabled"),
            {"login": login.strip().lower()},
        )
    ).one_or_none()
    return (Account(*row[:6]), row[6]) if row else None


async def still_opens(tx: AsyncConnection, account: str, hashed: str) -> bool:
    """Lock an account, and return whether the password that was checked is still its own: it may have changed during the check."""
    sql = text("SELECT id FROM intake.account WHERE id = :id AND password = :hashed AND NOT disabled FOR UPDATE")
    return (await tx.execute(sql, {"id": account, "hashed": hashed})).one_or_none() is not None


async def reserve_attempt(tx: AsyncConnection, subject: rules.Subject, now: int) -> tuple[int, float]:
    """Count one more attempt as failed before its password is checked, so that many attempts at once gain nothing.

    Returns `rules.wait` and `rules.delay`; with a wait above 0 the attempt was not counted and its password must not be checked.
    """
    await advisory_locks.sign_in(tx, subject.login)
    rows = await tx.execute(
        text(
            "SELECT kind, at FROM intake.signin_failure WHERE at > :since AND ((kind = 'pair' AND subject = :pair) "
            "OR (kind = 'login' AND subject = :login) OR (kind = 'address' AND subject = :address))"
        ),
        {"since": now - rules.WINDOW_US, "pair": subject.pair, "login": subject.login, "address": subject.address},
    )
    times: dict[str, list[int]] = {"pair": [], "login": [], "address": []}
    for kind, at in rows:
        times[kind].append(at)
    failures = rules.Failures(pair=tuple(times["pair"]), login=tuple(times["login"]), address=tuple(times["address"]))
    seconds = rules.wait(failures, now)
    if seconds == 0:
        await tx.execute(
            text(
                "INSERT INTO intake.signin_failure (kind, subject, at) "
                "VALUES ('pair', :pair, :now), ('login', :login, :now), ('address', :address, :now)"
            ),
            {"pair": subject.pair, "login": subject.login, "address": subject.address, "now": now},
        )
    await tx.execute(text("DELETE FROM intake.signin_failure WHERE at <= :since"), {"since": now - rules.WINDOW_US})
    return seconds, rules.delay(failures, now)


async def forget_attempt(tx: AsyncConnection, subject: rules.Subject, at: int) -> None:
    """Release the attempt reserved at this time, because it succeeded: delete all failures of the login, and of the address only this
    attempt."""
    await tx.execute(
        text(
            "DELETE FROM intake.signin_failure WHERE (kind = 'pair' AND subject = :pair) OR (kind = 'login' AND subject = :login) "
            "OR (at = :at AND kind = 'address' AND subject = :address)"
        ),
        {"pair": subject.pair, "login": subject.login, "address": subject.address, "at": at},
    )


async def start_session(tx: AsyncConnection, account_id: str, now: int) -> tuple[str, bytes]:
    """Start a session. Return the token for the cookie and the seal for its marks. Sessions past their absolute end are deleted."""
    token, seal = random_secret.made(), secrets.token_bytes(32)
    await tx.execute(text("DELETE FROM intake.session WHERE created_at <= :ended"), {"ended": now - rules.ABSOLUTE_US})
    await tx.execute(
        text("INSERT INTO intake.session (digest, account_id, seal, created_at) VALUES (:digest, :account_id, :seal, :now)"),
        {"digest": random_secret.digest(token), "account_id": account_id, "seal": seal, "now": now},
    )
    return token, seal


async def session(tx: AsyncConnection, token: str) -> Session | None:
    """Return the session of a cookie, unless it does not exist or its account is disabled. The caller checks `rules.alive`."""
    row = (
        await tx.execute(
            text(
                "SELECT a.id, a.login, a.agency, a.language, a.desk, a.head, s.seal, s.created_at FROM intake.session s "
                "JOIN intake.account a ON a.id = s.account_id WHERE s.digest = :digest AND NOT a.disabled"
            ),
            {"digest": random_secret.digest(token)},
        )
    ).one_or_none()
    return Session(Account(*row[:6]), row[6], row[7]) if row else None


async def end_session(tx: AsyncConnection, token: str) -> None:
    """End a session: its cookie is worth nothing from now on."""
    await tx.execute(text("DELETE FROM intake.session WHERE digest = :digest"), {"digest": random_secret.digest(token)})


async def speak(tx: AsyncConnection, account_id: str, language: str) -> None:
    """Store the language that the owner of an account chose. Rejected: there are no texts in this language."""
    values = {"language": passwords.language(language), "id": account_id}
    await tx.execute(text("UPDATE intake.account SET language = :language WHERE id = :id"), values)
