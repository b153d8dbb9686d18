"""Answer a form with a redirect to the page that it made: a browser that reloads it, or goes back to it, never offers to send a form again.

The page waits in the database for the one GET that shows it, compressed and encrypted under a key that only this browser has: half of it
is its cookie, half the token in the address. So the address names nothing and nobody, a stolen address opens nothing, and neither does a
copy of the database. What a form does, as recording a reading, is done and committed once, before the page is kept.
"""

from __future__ import annotations

import hmac
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from referral.domain.durations import SECOND_US
from referral.errors import Malformed, Unavailable
from referral.runtime.keys.secret_box import SecretBox
from referral.runtime.postgres import clock
from services.intake.casefile import sections
from services.intake.context import IntakeContext, in_time
from services.intake.pages.session import Visit

VIEW = "view"
"""Name of the token in the address."""
MOST = 1_000
"""Most pages that wait at once, of strangers and of accounts each (ours). Beyond it a form is answered with its page, as a browser also
takes it: who fills this takes nothing from others but that."""
MOST_BYTES = 64 * 1024
"""Most bytes of one page, compressed (ours): the longest inbox page has 20 KiB."""
_WITHIN_S = 1.0
"""Seconds that a page waits to be kept (ours): then it is shown at once."""
_SWEEP = text("DELETE FROM intake.page WHERE until < :now")
_KEEP = text(
    "INSERT INTO intake.page (digest, owner, stranger, until, sealed) SELECT :digest, :owner, :stranger, :until, :sealed "
    "WHERE (SELECT count(*) FROM intake.page WHERE stranger = :stranger) < :most"
)
_FORGET = text("DELETE FROM intake.page WHERE owner = :owner")
_READ = text("SELECT sealed FROM intake.page WHERE digest = :digest AND until >= :now")
_TAKE = text("DELETE FROM intake.page WHERE digest = :digest AND until >= :now RETURNING sealed")


class AnswerPage(HTMLResponse):
    """The page that answers a form whatever waits: the code of a report, which two presses at once must both be given, and what a code
    opens, which must cost the same whether the code is right or not."""

    @classmethod
    def of(cls, page: Response) -> AnswerPage:
        """Return a page as such an answer."""
        return cls(bytes(page.body), page.status_code, dict(page.headers))


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long a page waits, µs. once: it is shown once. errors: also a page that says what is wrong with the form (422) is kept; else
    it is the answer, because the browser keeps what was typed there. Every other refusal is the answer, and costs no row."""

    for_us: int
    once: bool
    errors: bool


STAFF = Keeping(60 * SECOND_US, once=True, errors=False)
"""A reading is recorded once and shown once; a minute is enough for the slowest line (ours)."""
PUBLIC = Keeping(30 * 60 * SECOND_US, once=False, errors=True)
"""The public form carries what was typed from page to page, so that going back must find it again, while somebody writes (ours): half an
hour. It is the browser's own: nobody else reads it there longer than the form stood open before."""


async def put(door: IntakeContext, request: Request, visit: Visit, response: Response, keeping: Keeping) -> Response:
    """Return the redirect to the page that a form was answered with; the page itself where it is none to keep, or cannot be kept."""
    statuses = (200, 422) if keeping.errors else (200,)
    wanted = isinstance(response, HTMLResponse) and request.method == "POST" and response.status_code in statuses
    if not wanted or isinstance(response, AnswerPage) or _signs_in(response):
        return response
    token = secrets.token_urlsafe(24)
    token += _mark(door, token)
    sealed = _sealed(visit, token, request.url.path, response)
    if len(sealed) > MOST_BYTES:
        return response

    async def keep() -> bool:
        async with door.stranger() if visit.account is None else door.begin() as tx:
            now = await clock.now(tx)
            await tx.execute(_SWEEP, {"now": now})
            row = {
                "digest": _digest(visit, token),
                "owner": _owner(visit),
                "stranger": visit.account is None,
                "sealed": sealed,
                "most": MOST,
            }
            return bool((await tx.execute(_KEEP, row | {"until": now + keeping.for_us})).rowcount)

    try:
        if not await in_time(keep(), _WITHIN_S):
            return response
    except Unavailable:
        return response
    shown_at = RedirectResponse(f"{request.url.path}?{VIEW}={token}", status_code=303)
    shown_at.raw_headers += [pair for pair in response.raw_headers if pair[0] == b"set-cookie"]
    return shown_at


async def get(door: IntakeContext, request: Request, visit: Visit, keeping: Keeping) -> Response | None:
    """Return the page that waits at this address for this browser; None where the address names none, or it is over."""
    token = request.query_params.get(VIEW, "")
    if request.method != "GET" or not hmac.compare_digest(token[32:].encode(), _mark(door, token[:32]).encode()):
        return None
    async with door.stranger() if visit.account is None else door.begin() as tx:
        sealed = await _found(tx, _digest(visit, token), keeping)
    if sealed is None:
        return None
    try:
        plain = sections.unseal(SecretBox("kept page", _key(visit, token)), sealed, request.url.path)
    except Malformed:  # kept at another path
        return None
    status, headers, body = msgspec.msgpack.decode(zlib.decompress(plain), type=tuple[int, dict[str, str], bytes])
    return HTMLResponse(body, status, headers)


async def forget(tx: AsyncConnection, visit: Visit) -> None:
    """Forget every page of this browser: what was sent is not found by going back."""
    await tx.execute(_FORGET, {"owner": _owner(visit)})


async def _found(tx: AsyncConnection, digest: bytes, keeping: Keeping) -> bytes | None:
    found = (await tx.execute(_TAKE if keeping.once else _READ, {"digest": digest, "now": await clock.now(tx)})).first()
    return bytes(found[0]) if found else None


def _signs_in(response: Response) -> bool:
    """Return whether a response gives the browser another session, which would not open what this one keeps."""
    return any(name == b"set-cookie" and b"session=" in value for name, value in response.raw_headers)


def _sealed(visit: Visit, token: str, path: str, response: Response) -> bytes:
    headers: Mapping[str, str] = {"Refresh": response.headers["Refresh"]} if "Refresh" in response.headers else {}
    plain = msgspec.msgpack.encode((response.status_code, headers, bytes(response.body)))
    return sections.seal(SecretBox("kept page", _key(visit, token)), zlib.compress(plain), path)


def _mark(door: IntakeContext, token: str) -> str:
    """Return the end of a token of ours: any other text is refused without the database."""
    return door.keys.hmac("kept-page", token.encode()).hex()[:16]


def _owner(visit: Visit) -> bytes:
    return hmac.digest(visit.token.encode(), b"page owner", "sha256")


def _digest(visit: Visit, token: str) -> bytes:
    return hmac.digest(visit.token.encode(), b"page " + token.encode(), "sha256")


def _key(visit: Visit, token: str) -> bytes:
    return hmac.digest(visit.token.encode(), b"page key " + token.encode(), "sha256")
