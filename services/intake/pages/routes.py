"""Routes of the staff inbox. The pages work without JavaScript.

A GET changes nothing: a link in a message is no credential, and a scanner that follows it has no effect. Every answer goes through the same
functions as the API's (`act_on_case`, `disclose`, `store`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from referral.domain.policy import Policy
from referral.runtime.http_server import Strict
from referral.web import static_file
from referral.web.cookies import Cookies
from services.intake import problems
from services.intake.context import IntakeContext
from services.intake.pages import desk, forms, inbox, overview, render, seen, signin, take_back
from services.intake.pages.agency import routes as agency
from services.intake.pages.exercise import routes as exercise
from services.intake.pages.page_request import PAUSE_S, SHOWN_AT, Page, PageRequest, Pages, closed, endpoint, lost
from services.intake.pages.writing import changes, sections

PROGRAMS = ("v1", "openapi.json", "staff", "metadata")
"""First words of paths that only programs request, also when misspelt: //v1, /V1, FHIR's /metadata."""
HASHES_AT_ONCE = 2
"""Passwords checked at once for strangers, and as many for those whom we know: each takes 64 MiB and a core (two cores are our smallest
machine)."""


def made(
    door: IntakeContext,
    policy: Callable[[], Policy],
    *,
    secure: bool,
    patience_s: float = PAUSE_S,
    by_day: bool = True,
    inbox_url: str = SHOWN_AT,
    help_number: str = "",
) -> Pages:
    """Return the dependencies of all pages.

    policy: for names; Unavailable until one is in force.
    secure: people reach the pages over https. by_day, inbox_url, help_number: as in `Pages`.
    """
    strangers, known = asyncio.Semaphore(HASHES_AT_ONCE), asyncio.Semaphore(HASHES_AT_ONCE)
    return Pages(door, render.load(policy), Cookies(secure), strangers, known, patience_s, by_day, inbox_url, help_number)


def routes(pages: Pages) -> list[BaseRoute]:
    """Return the routes of all pages."""

    def get(path: str, page: Page, *, strangers: bool = False) -> Route:
        return Route(path, endpoint(pages, page, strangers=strangers), methods=["GET"])

    def post(path: str, page: Page, *, strangers: bool = False, lapsed: Page | None = None) -> list[BaseRoute]:
        # A browser that reloads, or a scanner, sends GET: redirect it to the page of the form.
        back = Route(path, endpoint(pages, _back, strangers=True), methods=["GET"])
        return [Route(path, endpoint(pages, page, strangers=strangers, lapsed=lapsed), methods=["POST"]), back]

    return [
        get("/", _home),
        get("/signin", signin.sign_in_page, strangers=True),
        Route("/signin", endpoint(pages, signin.sign_in, strangers=True, pause_s=signin.LONGEST_S), methods=["POST"]),
        *post("/signout", signin.sign_out),
        Route("/closed", closed(pages), methods=["GET"]),
        *post("/seen", seen.acknowledge, lapsed=seen.acknowledge),
        *post("/language", signin.choose_language, strangers=True),
        get("/inbox", inbox.inbox),
        get("/overview", overview.overview),
        *post("/overview/find", overview.find),
        *post("/overview/progress", overview.progress),
        get("/offers/{id}", inbox.offer),
        *post("/offers/{id}/show", inbox.show),
        *post("/offers/{id}/answer", inbox.answer),
        *post("/offers/{id}/take-back", take_back.own),
        get("/offers/{id}/write", sections.overview),
        *post("/offers/{id}/write/{section}", sections.section, lapsed=sections.keep_after_the_end),
        *(
            route
            for of in ("offers", "tasks")
            for route in (
                get(f"/{of}/{{id}}/change/{{what}}", changes.page),
                Route(f"/{of}/{{id}}/change/{{what}}", endpoint(pages, changes.change, strangers=False), methods=["POST"]),
            )
        ),
        get("/calls/{id}", desk.call),
        *post("/calls/{id}/show", desk.read_out),
        *post("/calls/{id}/answer", desk.answer_call),
        *post("/calls/{id}/take-back", take_back.by_phone),
        get("/tasks/{id}", desk.task),
        *post("/tasks/{id}/instruct", desk.instruct),
        *agency.routes(pages),
        *exercise.routes(pages),
        static_file.serve(render.SHEET, render.STATIC.read_bytes()),
        static_file.serve("/static/mark.svg", static_file.ICON),
    ]


def application(agencies: Sequence[BaseRoute], pages: Pages) -> Starlette:
    """Return the application: the inbox beside the agencies' API. A path without a route is a page for a browser, and a problem for a
    program."""
    no_page = lost(pages)

    async def refused(request: Request, error: Exception) -> Response:
        return await no_page(request, error) if _browsing(request) else problems.http(request, error)

    app = Starlette(routes=[*agencies, *routes(pages)], exception_handlers={HTTPException: refused})
    if pages.cookies.secure:
        app.add_middleware(Strict)
    app.router.redirect_slashes = False  # a redirect would contain the host that the request claims
    return app


def _browsing(request: Request) -> bool:
    """Return True for a browser, which always accepts HTML, on a path that is not meant for the API."""
    first = request.url.path.lstrip("/").partition("/")[0].lower()
    return "text/html" in request.headers.get("accept", "").lower() and first not in PROGRAMS


async def _home(call: PageRequest) -> Response:
    return RedirectResponse("/inbox", status_code=303)


async def _back(call: PageRequest) -> Response:
    return RedirectResponse(forms.here(call.request.url.path.rpartition("/")[0]), status_code=303)
