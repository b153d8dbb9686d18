"""The staff inbox as pages: its routes. Works without JavaScript.

GET changes nothing, whoever asks: a link in a message is no credential, and a scanner that follows it does nothing.
Every answer goes through the same functions as the API's (`acts`, `disclosing`, `store`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from referral.domain.policy import Policy
from referral.runtime.http_server import Strict
from services.intake import problems
from services.intake.context import Door
from services.intake.pages import desk, forms, inbox, render, signin
from services.intake.pages.page_request import PAUSE_S, Call, Page, Pages, endpoint, lost
from services.intake.pages.session import Cookies

STATIC = Path(__file__).with_name("static")
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
PROGRAMS = ("v1", "openapi.json", "staff", "metadata")
"""First words of paths that only programs ask for, also where they are written wrongly: //v1, /V1, FHIR's /metadata."""
HASHES_AT_ONCE = 2
"""Passwords checked at a time: each takes 64 MiB and a core (two cores are our smallest machine)."""


def made(door: Door, policy: Callable[[], Policy], *, secure: bool, patience_s: float = PAUSE_S) -> Pages:
    """What all pages share. policy: for names, Unavailable until one is in force. secure: people reach them by https."""
    return Pages(door, render.load(policy), Cookies(secure), asyncio.Semaphore(HASHES_AT_ONCE), patience_s)


def routes(pages: Pages) -> list[BaseRoute]:
    """All pages."""

    def get(path: str, page: Page, *, strangers: bool = False) -> Route:
        return Route(path, endpoint(pages, page, strangers=strangers), methods=["GET"])

    def post(path: str, page: Page, *, strangers: bool = False) -> list[BaseRoute]:
        # A browser that reloads, or a scanner: it gets the page that the form was on.
        back = Route(path, endpoint(pages, _back, strangers=True), methods=["GET"])
        return [Route(path, endpoint(pages, page, strangers=strangers), methods=["POST"]), back]

    return [
        get("/", _home),
        get("/signin", signin.sign_in_page, strangers=True),
        Route("/signin", endpoint(pages, signin.sign_in, strangers=True), methods=["POST"]),
        *post("/signout", signin.sign_out),
        *post("/language", signin.choose_language, strangers=True),
        get("/inbox", inbox.inbox),
        get("/offers/{id}", inbox.offer),
        *post("/offers/{id}/show", inbox.show),
        *post("/offers/{id}/answer", inbox.answer),
        get("/calls/{id}", desk.call),
        *post("/calls/{id}/answer", desk.answer_call),
        get("/tasks/{id}", desk.task),
        *post("/tasks/{id}/instruct", desk.instruct),
        *(_file(path) for path in sorted(STATIC.iterdir()) if path.suffix in _TYPES),
    ]


def application(agencies: Sequence[BaseRoute], pages: Pages) -> Starlette:
    """The inbox beside the agencies' API. What no route takes is a page for a browser that lost its way, and a problem for a program."""
    no_page = lost(pages)

    async def refused(request: Request, error: Exception) -> Response:
        return await no_page(request, error) if _browsing(request) else problems.http(request, error)

    app = Starlette(routes=[*agencies, *routes(pages)], exception_handlers={HTTPException: refused})
    if pages.cookies.secure:
        app.add_middleware(Strict)
    app.router.redirect_slashes = False  # it would answer with the host that the request claims
    return app


def _browsing(request: Request) -> bool:
    """Whether a browser asks, which always says that it wants HTML, and for no path that is meant for the API."""
    first = request.url.path.lstrip("/").partition("/")[0].lower()
    return "text/html" in request.headers.get("accept", "").lower() and first not in PROGRAMS


def _file(path: Path) -> Route:
    content = path.read_bytes()

    async def file(_: Request) -> Response:
        headers = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}
        return Response(content, media_type=_TYPES[path.suffix], headers=headers)

    return Route(f"/static/{path.name}", file, methods=["GET"])


async def _home(call: Call) -> Response:
    return RedirectResponse("/inbox", status_code=303)


async def _back(call: Call) -> Response:
    return RedirectResponse(forms.here(call.request.url.path.rpartition("/")[0]), status_code=303)
