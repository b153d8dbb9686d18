"""Routes of the public door, and of the desk's pages behind it."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from services.intake.pages import forms, kept_page
from services.intake.pages.page_request import Page, PageRequest, Pages, endpoint
from services.intake.public import desk, pages, waiting
from services.intake.public.limits import Limits

OPEN = ("/refer", "/help", pages.CODE, pages.CHILDS_CODE)
"""Pages for everybody."""


def routes(inbox: Pages) -> list[BaseRoute]:
    """Return the routes of the public door, beside those of the inbox."""
    door = pages.made(inbox)
    limits = Limits(lambda: asyncio.get_running_loop().time(), lambda: secrets.randbelow(1_000) / 1_000)
    keeping = {True: kept_page.PUBLIC, False: kept_page.STAFF}

    def route(method: str, path: str, page: Page, *, strangers: bool = True) -> Route:
        return Route(path, endpoint(door, page, strangers=strangers, keeping=keeping[strangers]), methods=[method])

    get, post = partial(route, "GET"), partial(route, "POST")
    return [
        get("/refer", pages.begin),
        post("/refer", partial(pages.go_on, limits)),
        get("/help", pages.child),
        get(pages.CODE, pages.ask_code),
        post(pages.CODE, pages.read_code),
        post(pages.SPEAK, _speak),
        get(pages.SPEAK, _begin_again),
        get("/unverified", waiting.page, strangers=False),
        post("/unverified/read", waiting.read, strangers=False),
        get("/unverified/read", _to_task, strangers=False),
        post("/unverified/refuse", waiting.refuse, strangers=False),
        get("/unverified/refuse", _to_task, strangers=False),
        get("/unverified/{id}", desk.one, strangers=False),
        post("/unverified/{id}/show", desk.show, strangers=False),
        get("/unverified/{id}/show", _to_task, strangers=False),
        post("/unverified/{id}/answer", desk.answer, strangers=False),
        get("/unverified/{id}/answer", _to_task, strangers=False),
    ]


async def _speak(call: PageRequest) -> Response:
    """Change the language of the public pages, and return to the page that asked."""
    chosen, to = call.form.get("language", ""), call.form.get("from", "")
    response = RedirectResponse(to if to in OPEN else OPEN[0], status_code=303)
    call.pages.cookies.speak(response, chosen)
    return response


async def _begin_again(call: PageRequest) -> Response:
    return RedirectResponse(OPEN[0], status_code=303)


async def _to_task(call: PageRequest) -> Response:
    """Lead a browser that reloads a form's address back to its page."""
    return RedirectResponse(forms.here(call.request.url.path.rpartition("/")[0]), status_code=303)
