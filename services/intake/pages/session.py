"""Sessions of the pages: read cookies into a visit with its account and language, and write cookies and headers. The rules are in
`accounts.rules`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from referral.runtime import peer, random_secret
from referral.runtime.postgres import clock
from referral.web.cookies import Cookies
from referral.web.frame import PAGE_HEADERS
from services.intake.accounts import rules, store
from services.intake.accounts.store import Account


@dataclass(frozen=True, slots=True, repr=False)
class Former:
    """A session of this browser that has ended by time.

    form: the CSRF token that its forms carry.
    rests: it ended after an hour without a page, within the shift in which its owner signed in; `pages.seen` says what it may still do.
    """

    account: Account
    form: str
    rests: bool


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """The visit of a person or stranger.

    token: of the session, or of a stranger's sign-in form.
    account: None for a stranger.
    seal: of the session.
    ended: there was a session, and it is over.
    former: that session, where it ended by time; it reads and sends nothing.
    """

    token: str
    account: Account | None
    seal: bytes
    language: str
    now: int
    ended: bool = False
    former: Former | None = None

    @property
    def form(self) -> str:
        """Return the CSRF token that every form of this visit carries."""
        return rules.form_token(self.token)

    @property
    def who(self) -> Account:
        """Return the account of a visit that has one."""
        assert self.account is not None
        return self.account


async def read(tx: AsyncConnection, request: Request, cookies: Cookies) -> Visit:
    """Return the visit of a request. Reads only."""
    now = await clock.now(tx)
    token, _, mark = cookies.get(request, "session").partition(".")
    session = await store.session(tx, token) if token else None
    if session is not None:
        seen = rules.seen_at(session.seal, mark)
        if seen is not None and rules.alive(session.created_at, seen, now):
            peer.count_for(request.scope, f"account/{session.account.id}", random_secret.digest(token).hex())
            return Visit(token, session.account, session.seal, session.account.language, now)
        if seen is not None:
            former = Former(session.account, rules.form_token(token), rules.rests(session.created_at, now))
            return stranger(request, cookies, now, ended=True, former=former)
    return stranger(request, cookies, now, ended=bool(token))


def stranger(request: Request, cookies: Cookies, now: int, *, ended: bool = False, former: Former | None = None) -> Visit:
    """Return a visit without a session. Its token is the browser's own, or a new one."""
    return Visit(cookies.get(request, "visit") or random_secret.made(), None, b"", cookies.language(request), now, ended, former)


def with_headers(response: Response, visit: Visit, cookies: Cookies) -> Response:
    """Return the response with its headers, and with the cookie that holds the time of the reader's last page.

    A response that says itself how long it may be stored keeps that: the calendar feed.
    """
    own = response.headers.get("Cache-Control")
    response.headers.update(PAGE_HEADERS if own is None else PAGE_HEADERS | {"Cache-Control": own})
    if "set-cookie" in response.headers:  # it signs in or out, or changes the language: keep its own cookies
        return response
    if visit.account is not None:
        cookies.put(response, "session", f"{visit.token}.{rules.seen_mark(visit.seal, visit.now)}")
    else:
        cookies.put(response, "visit", visit.token)
    return response
