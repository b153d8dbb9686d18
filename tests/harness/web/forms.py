"""Fill in a form of a page without a browser, and sign in by one."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx

from tests.harness.waiting import comes

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


class Browser(httpx.Client):
    """A client that follows the redirect to the page that a form made, as every browser does, and no other."""

    def post(self, *place: Any, **more: Any) -> httpx.Response:
        answer = super().post(*place, **more)
        to = made(answer)
        return self.get(to, headers=more.get("headers")) if to else answer


def made(answer: httpx.Response) -> str:
    """Return the address of the page that a form made; empty where it made none."""
    to = answer.headers.get("location", "")
    return to if answer.status_code == 303 and "?view=" in to else ""


def hidden(page: str, *names: str) -> dict[str, str]:
    """Return the hidden fields of a page; of two with one name the last. names: only these; none: all."""
    found = {name: html.unescape(value) for name, value in HIDDEN.findall(page)}
    return {name: value for name, value in found.items() if not names or name in names}


def fields(page: str) -> dict[str, str]:
    """Return what the forms of a page send besides their own fields: `form`, and `key` and `seen` (of a rota) where the page has them.

    AssertionError: the page has no form, so whatever a test would send from it was never there.
    """
    found = hidden(page, "form", "key", "seen")
    assert found.get("form"), page
    return found


def sign_in(person: httpx.Client, login: str, password: str) -> None:
    """Sign in. What a starved machine had no time for (503) is sent again until it has. AssertionError: it does not get in."""
    form = fields(person.get("/signin").text) | {"login": login, "password": password}

    def answered() -> httpx.Response | None:
        answer = person.post("/signin", data=form, follow_redirects=False)
        return None if answer.status_code == 503 else answer

    answer = comes(answered)
    assert answer is not None, "the inbox has no time for a password"
    assert answer.status_code == 303, f"{login}: {answer.status_code}"
