"""Routes of the staff inbox. The pages work without JavaScript, and every answer goes through the same functions as the API's
(`act_on_case`, `disclose`, `store`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from referral.domain.policy import Policy
from referral.runtime.http_server import Strict
from referral.web import static_file
from referral.web.cookies import Cookies
from services.intake import problems
from services.intake.context import IntakeContext
from services.intake.pages import answers, inbox, overview, render, signin, task
from services.intake.pages.agency import account, calendar, people, rota_forms
from services.intake.pages.agency import overview as agency
from services.intake.pages.exercise import pages as exercise
from services.intake.pages.page_request import PAUSE_S, SHOWN_AT, Pages, closed, lost
from services.intake.pages.writing import changes, sections

PARTS = (signin, inbox, overview, answers, sections, changes, task, agency, people, rota_forms, account, calendar, exercise)
"""The modules of pages, each with its `ROUTES`."""
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
    return [
        *(route.bound(pages) for part in PARTS for route in part.ROUTES),
        Route("/closed", closed(pages), methods=["GET"]),
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
