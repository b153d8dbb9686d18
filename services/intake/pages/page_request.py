"""Handle one request for a page: read the session, check the form token, turn errors into pages, and set the headers of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Kind
from referral.domain.policy import Policy
from referral.errors import Rejected, TooOften, Unavailable
from referral.runtime import http_server
from referral.runtime.http_message import bounded_body
from referral.runtime.i18n import Name, Words
from referral.web.cookies import Cookies
from referral.web.frame import PAGE_HEADERS
from referral.wire import security_event
from referral.wire.security_event import Kind as EventKind
from services.intake import problems, refusals
from services.intake.accounts import rules, store
from services.intake.accounts.store import Account
from services.intake.casefile import access
from services.intake.commands import idempotency
from services.intake.commands.act_on_case import Post
from services.intake.context import ANSWER_S, IntakeContext, in_time
from services.intake.messages.submission import is_id
from services.intake.model import Receipt
from services.intake.pages import forms, kept_page, session
from services.intake.pages.forms import BODY_LIMIT, Fields
from services.intake.pages.kept_page import Keeping
from services.intake.pages.render import Renderer
from services.intake.pages.session import Visit
from services.intake.policy_view import Lists
from services.intake.store import unknown

PAUSE_S = 2.0
"""Seconds that a form waits on purpose at most, beside its work: for routing's decision about an answer."""

SHOWN_AT = "http://localhost:8080"
"""Address of the pages where nobody names another, as in `Settings.inbox_url`."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The dependencies of every page, made by `pages.routes`.

    hashing, known_hashing: limit the passwords that are checked at once, of strangers and of browsers and sessions that we know: so
    guesses keep no officer waiting.
    patience_s: seconds that a page waits for routing's decision about an answer.
    by_day: exercises begin by day. False in a stack for drills alone, whose clock may be moved: there every page is practice.
    inbox_url: address at which people reach the pages. What a page writes down for later has it, never the host that a request claims.
    help_number: telephone of the operator, for whoever cannot sign in; empty: none is named.
    """

    door: IntakeContext
    render: Renderer
    cookies: Cookies
    hashing: asyncio.Semaphore
    known_hashing: asyncio.Semaphore
    patience_s: float
    by_day: bool = True
    inbox_url: str = SHOWN_AT
    help_number: str = ""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request for a page. form: its fields, empty for GET."""

    pages: Pages
    request: Request
    visit: Visit
    form: Fields

    @property
    def door(self) -> IntakeContext:
        return self.pages.door

    @property
    def account(self) -> Account:
        """Return the account of the session."""
        return self.visit.who

    @property
    def now(self) -> int:
        """Return the time of the request, µs UTC."""
        return self.visit.now

    @property
    def path(self) -> str:
        return self.request.url.path

    @property
    def policy(self) -> Policy:
        """Return the policy in force."""
        return self.pages.render.policy()

    @property
    def lists(self) -> Lists:
        return self.pages.door.lists()

    @property
    def say(self) -> Words:
        """Return the texts in the reader's language."""
        return self.pages.render.say(self.visit)

    @property
    def name(self) -> Name:
        """Return the policy's names in the reader's language."""
        return self.pages.render.name(self.visit)

    def page(self, template: str, *, here: str = "/inbox", status: int = 200, **values: object) -> Response:
        """Return a page. here: the path to return to after a change of language."""
        return self.pages.render.page(template, self.visit, here=here, status=status, **values)

    def who(self, kind: Kind = Kind.STAFF) -> Who:
        """Return the person of the session, in the capacity of the page."""
        return Who(kind, self.account.agency, self.account.id)

    def post(self, kind: Kind = Kind.STAFF) -> Post:
        """Return who sends a command by this form. It counts once: its key is that of the form."""
        who = self.account
        key = idempotency.form_digest(self.door.keys, who.agency, who.id, self.form.get("key", ""))
        return Post(kind=kind, agency=who.agency, account=who.id, key=key)

    async def command(self, send: Callable[[AsyncConnection], Awaitable[Receipt]]) -> int | Rejected:
        """Commit a command. Return the time of its receipt, µs UTC, or its refusal. Rejected 404: this person has no such thing."""
        try:
            async with self.door.begin() as tx:
                return (await send(tx)).received_at
        except Rejected as why:
            if why.status == 404:
                raise
            return why

    @property
    def own(self) -> Permit:
        """Return the permit to find what is this person's agency's own. Rejected: the refusal of the table."""
        return access.own(self.who())


Page = Callable[[PageRequest], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class PageRoute:
    """A route of a page. strangers: it needs no session. lapsed, pause_s: as of `endpoint`."""

    method: str
    path: str
    page: Page
    strangers: bool = False
    lapsed: Page | None = None
    pause_s: float = PAUSE_S

    def bound(self, pages: Pages) -> Route:
        """Return the route with what its page needs."""
        answered = endpoint(pages, self.page, strangers=self.strangers, lapsed=self.lapsed, pause_s=self.pause_s)
        return Route(self.path, answered, methods=[self.method])


def get(path: str, page: Page, *, strangers: bool = False) -> tuple[PageRoute, ...]:
    """Return the route of a page. A GET changes nothing: a link in a message is no credential, and a scanner that follows it has no
    effect."""
    return (PageRoute("GET", path, page, strangers),)


def form(path: str, page: Page, send: Page, *, strangers: bool = False, pause_s: float = PAUSE_S) -> tuple[PageRoute, ...]:
    """Return the routes of a page whose form is sent to its own path."""
    return *get(path, page, strangers=strangers), PageRoute("POST", path, send, strangers, pause_s=pause_s)


def post(path: str, send: Page, *, back: str = "", strangers: bool = False, lapsed: Page | None = None) -> tuple[PageRoute, ...]:
    """Return the routes of a form with a path of its own. A browser that reloads, or a scanner, sends GET: it is redirected to the page of
    the form. back: the path of that page; empty: the path above."""

    async def led_back(call: PageRequest) -> Response:
        return RedirectResponse(back or forms.here(call.path.rpartition("/")[0]), status_code=303)

    return PageRoute("POST", path, send, strangers, lapsed), PageRoute("GET", path, led_back, strangers=True)


def endpoint(
    pages: Pages,
    page: Page,
    *,
    strangers: bool,
    lapsed: Page | None = None,
    pause_s: float = PAUSE_S,
    keeping: Keeping = kept_page.STAFF,
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a page. lapsed: answers a form that comes after its session has ended by time. pause_s: seconds that a form
    waits on purpose at most, beside its work. keeping: how the page that a form makes is kept for the GET that shows it."""

    async def answered(request: Request) -> Response:
        visit = session.stranger(request, pages.cookies, 0)
        try:
            body = await _body(request) if request.method == "POST" else b""
            visit = await in_time(_visit(pages, request))
            within = ANSWER_S + (pause_s if request.method == "POST" else 0)
            kept = await in_time(kept_page.get(pages.door, request, visit, keeping)) if kept_page.VIEW in request.query_params else None
            call = PageRequest(pages, request, visit, forms.fields(body) or {})
            made = kept if kept is not None else await in_time(_page(call, page, strangers, lapsed), within)
            response = await kept_page.put(pages.door, request, visit, made, keeping)
        except TooOften:  # no page is made for it
            raise
        except Exception as error:
            await refusals.noted(pages.door, request, _who(visit), error)
            response = _failed(pages, request, visit, error)
        return session.with_headers(response, visit, pages.cookies)

    return answered


def lost(pages: Pages) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the page for a request that the router refuses: no such page (404), or not this method (405)."""

    async def answered(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        visit = session.stranger(request, pages.cookies, 0)
        try:
            visit = await in_time(_visit(pages, request))
            response: Response = pages.render.message(visit, 405 if error.status_code == 405 else 404)
        except TooOften:
            raise
        except Exception as failure:
            response = _failed(pages, request, visit, failure)
        return session.with_headers(response, visit, pages.cookies)

    return answered


def closed(pages: Pages) -> Callable[[Request], Awaitable[Response]]:
    """Return the page that replaces one that was left open. It reads no session and writes no cookie: to show it is no sign of life."""

    async def answered(request: Request) -> Response:
        visit = session.stranger(request, pages.cookies, 0)
        response = pages.render.page("closed.html", visit, to=forms.here(request.query_params.get("to", "")))
        response.headers.update(PAGE_HEADERS)
        return response

    return answered


def _failed(pages: Pages, request: Request, visit: Visit, error: Exception) -> Response:
    """Return the page for an error. When the policy's names are away too, it is the page of a stranger."""
    if isinstance(error, Rejected):
        try:
            return pages.render.message(visit, error.status if error.status in (403, 404, 408, 413) else 404)
        except Unavailable as away:
            error = away
    nobody = session.stranger(request, pages.cookies, visit.now)
    if isinstance(error, Unavailable):
        response = pages.render.message(nobody, 503, seconds=error.retry_after)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    problems.unexpected(error)
    return pages.render.message(nobody, 500)


def _who(visit: Visit) -> str:
    """Return who visits, as a security event names them."""
    return security_event.account(visit.account.id) if visit.account is not None else security_event.UNKNOWN


async def _visit(pages: Pages, request: Request) -> Visit:
    """Return the visit of a request. One without a session cookie needs no database, so that a flood of strangers does not reach it; a page
    for strangers that needs the time reads it itself."""
    if not pages.cookies.get(request, "session"):
        return session.stranger(request, pages.cookies, 0)
    async with pages.door.stranger() as tx:
        return await session.read(tx, request, pages.cookies)


async def _page(call: PageRequest, page: Page, strangers: bool, lapsed: Page | None) -> Response:
    if call.request.method == "POST" and not rules.same(call.form.get("form", ""), call.visit.form):
        former = call.visit.former
        if lapsed is not None and former is not None and rules.same(call.form.get("form", ""), former.form):
            return await lapsed(call)
        return _not_ours(call)
    if call.visit.account is None and not strangers:  # the sign-in page leads back to the page that was requested
        path = forms.here(call.path)
        return RedirectResponse("/signin" if path == "/inbox" else f"/signin?to={path}", status_code=303)
    return await page(call)


async def _body(request: Request) -> bytes:
    """Return the bytes of a form. Rejected 413: too large. 408: the form did not come to its end in time."""
    try:
        body = await bounded_body(request, BODY_LIMIT)
    except (http_server.TooSlow, ClientDisconnect):
        raise Rejected("cut-off", "form", f"send a form whole within {http_server.BODY_S:g} s", status=408) from None
    if len(body) > BODY_LIMIT:
        raise Rejected("too-large", "form", f"at most {BODY_LIMIT} bytes", status=413)
    return body


def _not_ours(call: PageRequest) -> Response:
    """Return the page for a form without the visit's token: the session may have ended while the person was writing."""
    if not call.visit.ended:
        place = store.place(call.pages.door.keys, call.request)
        call.pages.door.journal.note(EventKind.DENIED, _who(call.visit), "foreign-form", place)
        return call.pages.render.message(call.visit, 403)
    path = call.request.url.path
    return call.pages.render.ended(call.visit, forms.here(path.rpartition("/")[0]), call.form, forms.ended(path, call.form))


def known_id(call: PageRequest, what: str) -> str:
    """Return the id of the path. Rejected 404: the text cannot be an id."""
    value = str(call.request.path_params["id"])
    if not is_id(value):
        raise unknown(what, "id")
    return value
