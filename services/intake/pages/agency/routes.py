"""Routes of the agency's own pages, with texts and templates of their own beside the inbox's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from services.intake.pages import render
from services.intake.pages.agency import account, calendar, invited, overview, people, rota_forms
from services.intake.pages.page_request import Page, PageRequest, Pages, endpoint

HERE = Path(__file__).parent


def routes(inbox: Pages) -> list[BaseRoute]:
    """Return the routes. inbox: the dependencies of the inbox's pages."""
    pages = replace(inbox, render=render.load(inbox.render.policy, HERE))

    def get(path: str, page: Page, *, strangers: bool = False) -> Route:
        return Route(path, endpoint(pages, page, strangers=strangers), methods=["GET"])

    def form(path: str, page: Page, send: Page, *, strangers: bool = False) -> list[BaseRoute]:
        return [get(path, page, strangers=strangers), Route(path, endpoint(pages, send, strangers=strangers), methods=["POST"])]

    def post(path: str, send: Page) -> list[BaseRoute]:
        return form(path, _back, send)

    one = "/agency/person/{id}"
    return [
        get("/agency", overview.page),
        *post("/agency/find", overview.find),
        *form("/agency/shift", rota_forms.shift_page, rota_forms.add_shift),
        *form("/agency/absence", rota_forms.absence_page, rota_forms.add_absence),
        *form("/agency/end/{part}/{number}", rota_forms.end_page, rota_forms.end),
        *form("/agency/invite", people.invite_page, people.invite),
        get(one, people.person_page),
        *post(f"{one}/rungs", people.set_rungs),
        *post(f"{one}/head", people.set_head),
        *post(f"{one}/off", people.set_disabled),
        *post(f"{one}/again", people.again),
        get("/me", account.page),
        *post("/me/address", account.ask_address),
        *post("/me/code", account.confirm_address),
        *post("/me/end", account.end_address),
        *post("/me/test", account.test),
        *post("/me/password", account.change_password),
        *post("/me/sessions", account.end_sessions),
        *post("/me/feed", account.make_feed),
        *post("/me/nofeed", account.end_feed),
        *post("/me/answer", account.answer_swap),
        *form("/me/takeover", account.take_over_page, account.take_over),
        *form("/me/swap", account.swap_page, account.offer_swap),
        *form("/invitation", invited.page, invited.accept, strangers=True),
        get("/shifts/{secret}.ics", calendar.feed, strangers=True),
    ]


async def _back(call: PageRequest) -> Response:
    """Redirect a browser that reloads, or a scanner, to the page of the form."""
    return RedirectResponse("/me" if call.request.url.path.startswith("/me") else "/agency", status_code=303)
