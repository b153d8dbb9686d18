"""Routes of the pages of exercises, with texts and templates of their own beside those of the agency's pages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from services.intake.pages import render
from services.intake.pages.agency import routes as agency
from services.intake.pages.exercise import nights, pages
from services.intake.pages.page_request import Page, PageRequest, Pages, endpoint

HERE = Path(__file__).parent
HOME = "/exercises"


def routes(inbox: Pages) -> list[BaseRoute]:
    """Return the routes. inbox: the dependencies of the inbox's pages."""
    own = replace(inbox, render=render.load(inbox.render.policy, HERE, agency.HERE))

    def get(path: str, page: Page) -> Route:
        return Route(path, endpoint(own, page, strangers=False), methods=["GET"])

    def post(path: str, page: Page) -> list[BaseRoute]:
        return [Route(path, endpoint(own, page, strangers=False), methods=["POST"]), get(path, _back)]

    return [
        get(HOME, pages.every),
        *post(f"{HOME}/start", pages.start),
        *post(f"{HOME}/nights", nights.agree),
        *post(f"{HOME}/nights/end", nights.end),
        get(f"{HOME}/{{id}}", pages.one),
        *post(f"{HOME}/{{id}}/end", pages.end),
    ]


async def _back(call: PageRequest) -> Response:
    """Redirect a browser that reloads, or a scanner, to the list."""
    return RedirectResponse(HOME, status_code=303)
