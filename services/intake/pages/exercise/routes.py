"""Routes of the pages of exercises, with texts and templates of their own beside those of the agency's pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from referral.domain.policy import Policy
from referral.runtime import i18n
from services.intake.pages import render
from services.intake.pages.agency import routes as agency
from services.intake.pages.exercise import nights, pages
from services.intake.pages.page_request import Page, PageRequest, Pages, endpoint
from services.intake.pages.render import Renderer

HERE = Path(__file__).parent
WORDS = HERE / "words.yaml"
HOME = "/exercises"


def load(policy: Callable[[], Policy]) -> Renderer:
    """Load the texts and templates of the inbox and of the agency's pages, with those of these pages beside them."""
    folders = [HERE / "templates", agency.HERE / "templates", render.FOLDER]
    made = Environment(loader=FileSystemLoader(folders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return Renderer(policy, i18n.load(render.WORDS, *render.MORE, agency.WORDS, WORDS), made)


def routes(inbox: Pages) -> list[BaseRoute]:
    """Return the routes. inbox: the dependencies of the inbox's pages."""
    own = replace(inbox, render=load(inbox.render.policy))

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
