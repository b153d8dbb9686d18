"""SQL of personal accounts, their sessions and failed sign-ins. The rules are in `rules`; the caller commits.

Tables: migrations/versions/accounts.sql.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from referral.domain.durations import SECOND_US
from referral.errors import Rejected
from referral.runtime import passwords, random_secret
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import locks
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
    login, language = passwords.new_login(login), passwords.language(language)
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


def device(keys: Keys, login: str, at: int, address: str) -> str:
    """Return the mark of a browser in which this login has signed in. at: µs UTC. address: where, as the connection names it."""
    return _mark(keys, login, str(at), _home(keys, login, address))


def _mark(keys: Keys, login: str, at: str, home: str) -> str:
    """Return a mark: time, proof, and where. Marks of release 0.1.0 name no place."""
    proof = keys.hmac("signin", b"device", login.encode(), at.encode(), *([home.encode()] if home else [])).hex()
    return f"{at}-{proof}-{home}" if home else f"{at}-{proof}"


def _home(keys: Keys, login: str, address: str) -> str:
    return keys.hmac("signin", b"home", login.encode(), rules.network(address).encode())[:8].hex()


def is_known(keys: Keys, login: str, mark: str, now: int) -> bool:
    """Return True if a mark is ours, of this login, and young enough."""
    return is_ours(keys, login, mark) and now - int(mark.partition("-")[0]) < rules.DEVICE_US


def is_ours(keys: Keys, login: str, mark: str) -> bool:
    """Return True if a mark is ours and of this login, however old."""
    at, _, rest = mark.partition("-")
    return at.isascii() and at.isdecimal() and len(at) <= 18 and rules.same(_mark(keys, login, at, rest.partition("-")[2]), mark)


def subject(keys: Keys, login: str, address: str) -> rules.Subject:
    """Return the digests of an attempt by somebody whom we do not know. address: as the connection names it."""
    found, site = _subject(keys, login, rules.network(address)), rules.site(address)
    if not site:
        return found
    around = _subject(keys, login, f"site {site}")
    return replace(found, site_pair=around.pair, site=around.address)


def browser(keys: Keys, login: str, mark: str, address: str) -> rules.Subject:
    """Return the digests of an attempt from a known browser. A copied mark is used elsewhere: what is wrong there is counted apart, so
    that it shuts nobody out where the browser last signed in."""
    at_home = mark.endswith(f"-{_home(keys, login, address)}")
    return known_subject(keys, login, f"device {mark}" if at_home else f"device {mark} elsewhere")


def known_subject(keys: Keys, login: str, what: str) -> rules.Subject:
    """Return the digests of an attempt from a browser in which this login has signed in, or in a session. what: its mark."""
    return replace(_subject(keys, login, what), known=True)


def _subject(keys: Keys, login: str, address: str) -> rules.Subject:
    return rules.Subject(
        pair=keys.hmac("signin", b"pair", login.encode(), address.encode()),
        login=keys.hmac("signin", b"login", login.encode()),
        address=keys.hmac("signin", b"address", address.encode()),
    )


def place(keys: Keys, request: Request) -> str:
    """Return the part of the keyed digest of a caller's network that events hold: the same as of its sign-ins."""
    host = request.client.host if request.client else ""
    return subject(keys, "", host).place


async def by_login(tx: AsyncConnection, login: str) -> tuple[Account, str] | None:
    """Return an account that may sign in, and its password's hash; None when there is none."""
    row = (
        await tx.execute(
            text("SELECT id, login, agency, language, desk, head, password FROM intake.account WHERE login = :login AND NOT disabled"),
            {"login": login.strip().lower()},
        )
    ).one_or_none()
    return (Account(*row[:6]), row[6]) if row else None


async def is_off(tx: AsyncConnection, login: str) -> bool:
    """Return True if there is an account of this login that is switched off."""
    sql = text("SELECT id FROM intake.account WHERE login = :login AND disabled")
    return (await tx.execute(sql, {"login": login.strip().lower()})).one_or_none() is not None


async def still_opens(tx: AsyncConnection, account: str, hashed: str) -> bool:
    """Lock an account, and return whether the password that was checked is still its own: it may have changed during the check."""
    sql = text("SELECT id FROM intake.account WHERE id = :id AND password = :hashed AND NOT disabled FOR UPDATE")
    return (await tx.execute(sql, {"id": account, "hashed": hashed})).one_or_none() is not None


_FAILED = text(
    "SELECT f.kind, f.at FROM intake.signin_failure f JOIN unnest(CAST(:kinds AS text[]), CAST(:subjects AS bytea[])) AS s (kind, subject)"
    " USING (kind, subject) WHERE f.at > :since"
)
_FAIL = text(
    "INSERT INTO intake.signin_failure (kind, subject, at)"
    " SELECT kind, subject, :now FROM unnest(CAST(:kinds AS text[]), CAST(:subjects AS bytea[])) AS s (kind, subject)"
)
_FREE_AT = text("SELECT free_at FROM intake.signin_line WHERE login = :login")
_IN_LINE = text(
    "INSERT INTO intake.signin_line (login, free_at) VALUES (:login, :free_at) ON CONFLICT (login) DO UPDATE SET free_at = excluded.free_at"
)
_OLD = (
    text("DELETE FROM intake.signin_failure WHERE at <= :since"),
    text("DELETE FROM intake.signin_line WHERE free_at <= :since"),
)
_LOGINS = text("SELECT count(DISTINCT subject) FROM intake.signin_failure WHERE kind = 'login' AND at > :since")
_SPRAYED = text(
    "INSERT INTO intake.signin_failure (kind, subject, at) SELECT 'sprayed', '', :now WHERE NOT EXISTS"
    " (SELECT FROM intake.signin_failure WHERE kind = 'sprayed' AND at > :since) RETURNING at"
)


async def reserve_attempt(tx: AsyncConnection, subject: rules.Subject, now: int) -> tuple[int, float]:
    """Count one more attempt as failed, and give it a place in its login's line, before its password is checked: so many attempts at once
    gain nothing, wherever they come from.

    Returns seconds for which it is refused, and seconds until its turn; above LINE_US it is the line that is full. Refused, it was not
    counted and its password must not be checked.
    """
    await locks.sign_in(tx, subject.pair if subject.known else subject.login)  # whoever is known waits for no stranger
    since, counted = now - rules.WINDOW_US, subject.counted
    values = {"kinds": list(counted), "subjects": list(counted.values())}
    times: dict[str, list[int]] = {kind: [] for kind in counted}
    for kind, at in await tx.execute(_FAILED, {**values, "since": since}):
        times[kind].append(at)
    failures = rules.Failures(**{kind.replace("-", "_"): tuple(found) for kind, found in times.items()})
    seconds, turn = rules.wait(failures, now), now
    if not subject.known and not seconds:
        free_at = (await tx.execute(_FREE_AT, {"login": subject.login})).scalar_one_or_none() or 0
        turn, next_at = rules.turn(failures, free_at, now)
        seconds = rules.refused(turn, now)
        if not seconds and next_at > now:
            await tx.execute(_IN_LINE, {"login": subject.login, "free_at": next_at})
    if not seconds:
        await tx.execute(_FAIL, {**values, "now": now})
    for statement in _OLD:
        await tx.execute(statement, {"since": since})
    return seconds, (turn - now) / SECOND_US


async def sprayed(tx: AsyncConnection, now: int) -> bool:
    """Return whether so many logins were refused lately that somebody tries one password at many; true once in WINDOW_US."""
    since = now - rules.WINDOW_US
    if (await tx.execute(_LOGINS, {"since": since})).scalar_one() < rules.SPRAYED:
        return False
    return (await tx.execute(_SPRAYED, {"since": since, "now": now})).one_or_none() is not None


async def forget_attempt(tx: AsyncConnection, subject: rules.Subject, at: int) -> None:
    """Release the attempt reserved at this time, because it succeeded: delete all failures of the login, and of the address only this
    attempt."""
    await tx.execute(
        text(
            "DELETE FROM intake.signin_failure WHERE (kind = 'pair' AND subject = :pair) OR (kind = 'login' AND subject = :login) "
            "OR (kind = 'site-pair' AND subject = :site_pair) "
            "OR (at = :at AND ((kind = 'address' AND subject = :address) OR (kind = 'site' AND subject = :site)))"
        ),
        {
            "pair": subject.pair,
            "login": subject.login,
            "address": subject.address,
            "site_pair": subject.site_pair,
            "site": subject.site,
            "at": at,
        },
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
