"""Draw a page from rows, without a database: a request of somebody who is signed in, and what the page then says."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from referral.domain.policy import Policy
from services.intake import policy_view
from services.intake.accounts.store import Account
from services.intake.context import IntakeContext
from services.intake.pages import routes
from services.intake.pages.page_request import PageRequest
from services.intake.pages.session import Visit
from tests.harness.shipped import compiled

NOW = 1_764_036_000_000_000
"""25 November 2025, 03:00 in Belgrade."""


def request(
    path: str = "/inbox",
    *,
    agency: str = "police-prizren",
    desk: bool = False,
    head: bool = False,
    language: str = "en",
    now: int = NOW,
    form: Mapping[str, str] | None = None,
    query: str = "",
    token: str = "token",
    policy: Policy | None = None,
) -> PageRequest:
    """Return a request of a person of an agency. form: what they send; None: they ask for the page.
    query, token: of the address and of the session."""
    known = policy or compiled()
    lists = policy_view.of(known, 1)
    door = cast(IntakeContext, SimpleNamespace(lists=lambda: lists, notifier=None, keys=None))
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET" if form is None else "POST",
        "path": path,
        "query_string": query.encode(),
        "headers": [],
        "path_params": {},
    }
    account = Account("account", "a.made-up", agency, language, desk=desk, head=head)
    pages = routes.made(door, lambda: known, secure=False)
    return PageRequest(pages, Request(scope), Visit(token, account, b"", language, now), form or {})


def source(response: Response) -> str:
    """Return the HTML of a page."""
    return bytes(response.body).decode()


def text(response: Response | str) -> str:
    """Return what a page says between header and footer, without tags."""
    page = source(response) if isinstance(response, Response) else response
    main = re.sub(r"(?s).*<main[^>]*>|</main>.*", "", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def said(shown: Any) -> list[str]:
    """Return the texts of the buttons of a page, in order."""
    return [text(found) for found in re.findall(r"(?s)<button[^>]*>(.*?)</button>", source(shown))]
