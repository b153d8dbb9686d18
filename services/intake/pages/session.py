"""Who visits: cookies in, session and language found, cookies and headers out. No rule of its own: `signin` has them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from referral.runtime.http_server import PAGE_HEADERS
from referral.runtime.i18n import spoken
from referral.runtime.postgres import clock
from services.intake.accounts import rules, store
from services.intake.accounts.store import Account

LANGUAGE_S = 365 * 24 * 60 * 60
"""Seconds that a browser remembers the language (ours)."""


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """A visit. token: of the session, or of a stranger's sign-in form. account: None for a stranger.

    seal: of the session. ended: a session was there, and is over.
    """

    token: str
    account: Account | None
    seal: bytes
    language: str
    now: int
    ended: bool = False

    @property
    def form(self) -> str:
        """What every form of this visit carries."""
        return rules.form_token(self.token)

    @property
    def who(self) -> Account:
        """The account of a visit that is known to have one."""
        assert self.account is not None
        return self.account


@dataclass(frozen=True, slots=True)
class Cookies:
    """Names and attributes of the cookies. secure: the pages are reached by https."""

    secure: bool

    def name(self, plain: str) -> str:
        """`__Host-` makes a browser refuse one that another host or an unencrypted page set."""
        return f"__Host-{plain}" if self.secure else plain

    def put(self, response: Response, plain: str, value: str, seconds: int | None = None) -> None:
        response.set_cookie(self.name(plain), value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax")

    def drop(self, response: Response, plain: str) -> None:
        response.delete_cookie(self.name(plain), path="/", secure=self.secure, httponly=True, samesite="lax")

    def get(self, request: Request, plain: str) -> str:
        return request.cookies.get(self.name(plain), "")[:200]


async def read(tx: AsyncConnection, request: Request, cookies: Cookies) -> Visit:
    """The visit of a request. Reads only."""
    now = await clock.now(tx)
    token, _, mark = cookies.get(request, "session").partition(".")
    session = await store.session(tx, token) if token else None
    if session is not None:
        seen = rules.seen_at(session.seal, mark)
        if seen is not None and rules.alive(session.created_at, seen, now):
            return Visit(token, session.account, session.seal, session.account.language, now)
    return stranger(request, cookies, now, ended=bool(token))


def stranger(request: Request, cookies: Cookies, now: int, *, ended: bool = False) -> Visit:
    """A visit without a session; its token is the browser's own, or a new one."""
    return Visit(cookies.get(request, "visit") or secrets.token_urlsafe(32), None, b"", language(request, cookies), now, ended)


def language(request: Request, cookies: Cookies) -> str:
    """The language of somebody whom we do not know: chosen before, else the browser's, else Albanian."""
    return spoken(cookies.get(request, "language"), request.headers.get("accept-language", ""))


def leave(response: Response, visit: Visit, cookies: Cookies) -> Response:
    """The response with its headers, and with the cookie that says when its reader was last here."""
    response.headers.update(PAGE_HEADERS)
    if cookies.secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if "set-cookie" in response.headers:  # it signs in or out, or changes the language: its own cookies stand
        return response
    if visit.account is not None:
        cookies.put(response, "session", f"{visit.token}.{rules.seen_mark(visit.seal, visit.now)}")
    else:
        cookies.put(response, "visit", visit.token)
    return response


def speak(response: Response, cookies: Cookies, chosen: str) -> None:
    """Remember the language in the browser, for the sign-in page."""
    cookies.put(response, "language", chosen, LANGUAGE_S)
