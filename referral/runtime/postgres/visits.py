"""Visits: web sessions of auditors and the Committee, who sign in with an office's token; the cookie never contains the token.

Each of the two services has a table `visit` in its schema. A visit ends after a working day, by signing out, and with its token.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from referral.runtime.postgres import clock, tokens
from referral.runtime.postgres.tokens import digest

VISIT_S = 8 * 60 * 60
"""Seconds of a visit (ours): a working day."""


@dataclass(frozen=True, slots=True)
class Visits:
    """The visits of one service.

    service: the service whose schema has the tables `visit` and `reader`.
    name: the cookie's name, without a prefix.
    home: path of its pages.
    secure: people reach the pages by https. Then the cookie is `__Host-`: no other host and no unencrypted page can set it.
    """

    service: str
    name: str
    home: str
    secure: bool

    @property
    def cookie(self) -> str:
        """Return the cookie's name."""
        return f"__Host-{self.name}" if self.secure else self.name

    async def begin(self, tx: AsyncConnection, token: str, response: Response) -> None:
        """Begin a visit of the holder of a valid token, and set its cookie on the response."""
        visit, now = tokens.made(), await clock.now(tx)
        await tx.execute(text(f"DELETE FROM {self.service}.visit WHERE ends_at <= :now"), {"now": now})  # noqa: S608 - a constant of wiring
        sql = f"INSERT INTO {self.service}.visit (digest, reader, ends_at) VALUES (:digest, :reader, :ends)"  # noqa: S608
        await tx.execute(text(sql), {"digest": digest(visit), "reader": digest(token), "ends": now + VISIT_S * 1_000_000})
        response.set_cookie(self.cookie, visit, VISIT_S, path=self._path, secure=self.secure, httponly=True, samesite="strict")

    async def reader(self, tx: AsyncConnection, request: Request) -> bytes | None:
        """Return the digest of the visit's token; None: no visit, or it is over. The caller checks that the token is still valid."""
        sql = f"SELECT reader FROM {self.service}.visit WHERE digest = :digest AND ends_at > :now"  # noqa: S608
        values = {"digest": digest(request.cookies.get(self.cookie, "")), "now": await clock.now(tx)}
        reader = (await tx.execute(text(sql), values)).scalar_one_or_none()
        return None if reader is None else bytes(reader)

    async def end(self, tx: AsyncConnection, request: Request) -> None:
        """End the visit that a browser has, so that a copy of its cookie is worthless."""
        values = {"digest": digest(request.cookies.get(self.cookie, ""))}
        await tx.execute(text(f"DELETE FROM {self.service}.visit WHERE digest = :digest"), values)  # noqa: S608

    def drop(self, response: Response) -> None:
        """Make the browser forget its visit."""
        response.delete_cookie(self.cookie, path=self._path, secure=self.secure, httponly=True, samesite="strict")

    @property
    def _path(self) -> str:
        return "/" if self.secure else self.home  # a browser accepts a `__Host-` cookie for the whole host only
