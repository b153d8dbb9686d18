"""Parts that all pages of the public door share: texts and templates beside those of the inbox, the limits, the numbers to call."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.responses import Response

from services.intake.pages import render
from services.intake.pages.page_request import Page, PageRequest, Pages
from services.intake.public.limits import Limits

HERE = Path(__file__).parent
SPEAK = "/refer/language"
"""Address of the form that changes the language of the public pages."""
LEAVE = "https://www.wikipedia.org/"
"""Where "leave this page" leads: a page that nobody is asked about."""


@dataclass(frozen=True, slots=True)
class Site:
    """The public door of one process."""

    pages: Pages
    limits: Limits


@dataclass(frozen=True, slots=True)
class Number:
    """A number to call. dial: digits only."""

    written: str
    dial: str
    whose: str


PublicPage = Callable[[Site, PageRequest], Awaitable[Response]]


def made(pages: Pages) -> Site:
    """Return the public door beside these pages."""
    limits = Limits(lambda: asyncio.get_running_loop().time(), lambda: secrets.randbelow(1_000) / 1_000)
    return Site(replace(pages, render=render.load(pages.render.policy, HERE)), limits)


def page(site: Site, handler: PublicPage) -> Page:
    """Return a handler of the public door as a page of the inbox's kind."""

    async def answered(call: PageRequest) -> Response:
        return await handler(site, replace(call, pages=site.pages))

    return answered


def numbers(call: PageRequest) -> tuple[Number, ...]:
    """Return the numbers to call that the policy names, the first for danger now."""
    render = call.pages.render
    codes = render.policy().codes.get("number-to-call", ())
    name = render.name(call.visit)
    return tuple(Number(code.replace("-", " "), code.replace("-", ""), name("number-to-call", code)) for code in codes)


def show(call: PageRequest, template: str, *, status: int = 200, **values: object) -> Response:
    """Return a page of the public door."""
    return call.pages.render.page(
        template,
        call.visit,
        here=call.request.url.path,
        status=status,
        numbers=numbers(call),
        leave=LEAVE,
        speak=SPEAK,
        drill=not call.pages.by_day,
        **values,
    )
