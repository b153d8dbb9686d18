"""Parts that all pages of the public door share: texts and templates beside those of the inbox, the numbers to call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from starlette.responses import Response

from referral.errors import Unavailable
from services.intake.pages import render
from services.intake.pages.page_request import PageRequest, Pages
from services.intake.pages.render import Renderer
from services.intake.pages.session import Visit

HERE = Path(__file__).parent
SPEAK = "/refer/language"
"""Address of the form that changes the language of the public pages."""
LEAVE = "https://www.wikipedia.org/"
"""Where "leave this page" leads: a page that nobody is asked about."""


CODE, CHILDS_CODE = "/refer/receipt", "/refer/receipt?voice=child"
"""The page on which a code is entered, and the same for a child."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number to call. dial: digits only."""

    written: str
    dial: str
    whose: str


def made(pages: Pages) -> Pages:
    """Return the pages of the public door beside those of the inbox: their texts, templates and numbers to call."""

    def beside(renderer: Renderer, visit: Visit) -> dict[str, object]:
        return {"numbers": numbers(renderer, visit), "leave": LEAVE, "speak": SPEAK, "drill": not pages.by_day, "voice": ""}

    return replace(pages, render=replace(render.load(pages.render.policy, HERE), beside=beside))


def numbers(renderer: Renderer, visit: Visit) -> tuple[Number, ...]:
    """Return the numbers to call that the policy names, the first for danger now; none before a policy was read."""
    try:
        codes, name = renderer.policy().codes.get("number-to-call", ()), renderer.name(visit)
    except Unavailable:
        return ()
    return tuple(Number(code.replace("-", " "), code.replace("-", ""), name("number-to-call", code)) for code in codes)


def show(call: PageRequest, template: str, *, status: int = 200, voice: str = "", **values: object) -> Response:
    """Return a page of the public door. voice: `child` where a child reads it: every text speaks to the child then."""
    say, here = call.pages.render.say(call.visit).voiced(voice), call.request.url.path
    here = CHILDS_CODE if voice and here == CODE else here
    return call.pages.render.page(template, call.visit, here=here, status=status, say=say, voice=voice, **values)
