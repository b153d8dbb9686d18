"""Pages that an office opens with a token: sign in, sign out, and what all such pages share. The pages themselves stand in the services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from referral.runtime.http_server import PAGE_HEADERS
from referral.runtime.observe import signed
from referral.runtime.postgres.tokens import Holder, TokenTable, digest
from referral.runtime.postgres.visits import Visits

MOST_BYTES = 2000
"""Largest body of a form (ours): a token has 43 bytes."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """The sign-in of one service's pages. tokens: of the offices that may read. visits: the sessions that follow."""

    engine: AsyncEngine
    tokens: TokenTable
    visits: Visits

    async def reader(self, tx: AsyncConnection, request: Request) -> Holder | None:
        """Return the office that makes this request; None: it has no visit, or its token has ended."""
        return await self.tokens.holder(tx, await self.visits.reader(tx, request))

    def redirect(self) -> Response:
        """Return the answer to a visitor without a valid token: the way to the sign-in page."""
        return RedirectResponse(f"{self.visits.home}/signin", 303, PAGE_HEADERS)

    async def begin(self, request: Request, page: Callable[[Request, bool], Response]) -> Response:
        """Answer a request for the sign-in page (GET), or sign in (POST). page: renders it; its flag: the token was refused."""
        if request.method == "GET":
            return page(request, False)
        token = (await form(request)).get("token", "").strip()
        answer = RedirectResponse(self.visits.home, 303, PAGE_HEADERS)
        async with self.engine.begin() as tx:
            reader = await self.tokens.holder(tx, digest(token))
            if reader:
                await self.visits.begin(tx, token, answer)
        signed(self.visits.service, "in" if reader else "refused", reader.name if reader else "")
        return answer if reader else page(request, True)

    async def end(self, request: Request) -> Response:
        """Sign out (POST) and return the way to the sign-in page."""
        answer = self.redirect()
        async with self.engine.begin() as tx:
            reader = await self.reader(tx, request)
            await self.visits.end(tx, request, answer)
        signed(self.visits.service, "out", reader.name if reader else "")
        return answer


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form; empty if it is too long or not text."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("ascii", "replace")).items()}


def templates(folder: Path) -> Environment:
    """Return the templates of a folder. A template that names an unknown value raises instead of showing nothing."""
    return Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def stylesheet(path: str, file: Path) -> Route:
    """Return the route of a style sheet, which needs no token."""

    async def endpoint(_: Request) -> Response:
        return FileResponse(file, media_type="text/css; charset=utf-8", headers=PAGE_HEADERS)

    return Route(path, endpoint, methods=["GET"])
