"""Name and set the cookies of a site, the language among them, so that no other host and no page in clear can set them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from referral.runtime.i18n import ENDONYMS, spoken

LANGUAGE_S = 365 * 24 * 60 * 60
"""Seconds that a browser keeps the language (ours)."""
LONGEST = 200
"""Characters of a cookie that are read (ours): a session's has 130."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """Names and attributes of the cookies of a site.

    secure: people reach the pages over https.
    home: path of the pages. A browser accepts a `__Host-` cookie for the whole host only, so it holds for pages in clear alone.
    tongue: name of the cookie with the language.
    """

    secure: bool
    home: str = "/"
    same_site: Literal["lax", "strict"] = "lax"
    tongue: str = "language"

    def name(self, plain: str) -> str:
        """Return the full name of a cookie. `__Host-` makes a browser refuse a cookie that another host or an unencrypted page set."""
        return f"__Host-{plain}" if self.secure else plain

    def put(self, response: Response, plain: str, value: str, seconds: int | None = None) -> None:
        """Set a cookie. seconds: for which a browser keeps it; None: until it ends."""
        response.set_cookie(self.name(plain), value, seconds, path=self._path, secure=self.secure, httponly=True, samesite=self.same_site)

    def drop(self, response: Response, plain: str) -> None:
        """Make the browser forget a cookie."""
        response.delete_cookie(self.name(plain), path=self._path, secure=self.secure, httponly=True, samesite=self.same_site)

    def get(self, request: Request, plain: str) -> str:
        """Return the value of a cookie; empty: the browser has none."""
        return request.cookies.get(self.name(plain), "")[:LONGEST]

    def language(self, request: Request) -> str:
        """Return the language of an unknown person: chosen before, else the browser's, else Albanian."""
        return spoken(self.get(request, self.tongue), request.headers.get("accept-language", ""))

    def speak(self, response: Response, chosen: str) -> None:
        """Store the language in the browser. One that the pages do not have changes nothing."""
        if chosen in ENDONYMS:
            self.put(response, self.tongue, chosen, LANGUAGE_S)

    @property
    def _path(self) -> str:
        return "/" if self.secure else self.home
