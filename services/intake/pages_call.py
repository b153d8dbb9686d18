"""One request for a page: who visits, whether its form is ours, what goes wrong in plain words, and the headers of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from referral.errors import Rejected, Unavailable
from services.intake import pages_form, pages_visit, signin
from services.intake.door import Door, in_time
from services.intake.pages_form import BODY_LIMIT, Fields
from services.intake.pages_render import Renderer
from services.intake.pages_visit import Cookies, Visit


@dataclass(frozen=True, slots=True)
class Pages:
    """What every page needs; made by `pages.routes`. hashing: bounds the passwords that are checked at a time."""

    door: Door
    render: Renderer
    cookies: Cookies
    hashing: asyncio.Semaphore


@dataclass(frozen=True, slots=True)
class Call:
    """One request for a page. form: its fields, empty for GET."""

    pages: Pages
    request: Request
    visit: Visit
    form: Fields


Page = Callable[[Call], Awaitable[Response]]


def endpoint(pages: Pages, page: Page, *, strangers: bool) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        visit = pages_visit.stranger(request, pages.cookies, 0)
        try:
            body = await _body(request) if request.method == "POST" else b""
            visit = await in_time(_visit(pages, request))
            response = await in_time(_page(Call(pages, request, visit, pages_form.fields(body) or {}), page, strangers))
        except Rejected as why:
            status = why.status if why.status in (403, 404, 413) else 404
            response = pages.render.message(visit, status)
        except Unavailable as why:
            visit = pages_visit.stranger(request, pages.cookies, visit.now)
            response = pages.render.message(visit, 503, seconds=why.retry_after)
            response.headers["Retry-After"] = str(why.retry_after)
        return pages_visit.leave(response, visit, pages.cookies)

    return answered


async def _visit(pages: Pages, request: Request) -> Visit:
    async with pages.door.begin() as tx:
        return await pages_visit.read(tx, request, pages.cookies)


async def _page(call: Call, page: Page, strangers: bool) -> Response:
    if call.request.method == "POST" and not signin.same(call.form.get("form", ""), call.visit.form):
        return call.pages.render.message(call.visit, 403)
    if call.visit.account is None and not strangers:
        return to_sign_in(call)
    return await page(call)


async def _body(request: Request) -> bytes:
    """The form's bytes. Rejected 413."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Rejected("too-large", "form", f"at most {BODY_LIMIT} bytes", status=413)
    return body


def to_sign_in(call: Call) -> Response:
    """A stranger is asked to sign in, and comes back to the page asked for."""
    path = pages_form.here(call.request.url.path)
    return RedirectResponse("/signin" if path == "/inbox" else f"/signin?to={path}", status_code=303)
