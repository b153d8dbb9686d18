"""The language that a browser keeps for the pages of auditors and the Committee: a cookie that no other host can set."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from referral.web.cookies import Cookies
from referral.web.office import foreign


def client(*, secure: bool) -> httpx.AsyncClient:
    cookies = Cookies(secure, "/made-up", "strict", "made-up-language")

    async def page(request: Request) -> Response:
        answer = PlainTextResponse(cookies.language(request))
        cookies.speak(answer, request.query_params.get("chosen", ""))
        return answer

    app = Starlette(routes=[Route("/made-up", page)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://made-up")


@pytest.mark.parametrize("secure", [True, False])
async def test_a_language_is_kept_by_a_cookie_of_this_host_alone(secure: bool) -> None:
    name, path = ("__Host-made-up-language", "/") if secure else ("made-up-language", "/made-up")
    async with client(secure=secure) as browser:
        chosen = await browser.get("/made-up?chosen=en")
        [cookie] = chosen.headers.get_list("set-cookie")
        parts = cookie.lower().split("; ")
        assert cookie.startswith(f"{name}=en;") and f"path={path}" in parts and not [one for one in parts if one.startswith("domain")]
        assert ("secure" in parts) is secure and {"httponly", "samesite=strict"} <= set(parts)
        assert (await browser.get("/made-up")).text == "en"
        assert "set-cookie" not in (await browser.get("/made-up?chosen=xx")).headers


async def test_a_cookie_without_the_prefix_says_nothing_where_pages_are_reached_by_https() -> None:
    async with client(secure=True) as browser:
        planted = await browser.get("/made-up", headers={"cookie": "made-up-language=en"})
        assert planted.text == "sq"


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "https://made-up"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://other.made-up"}, True),
        ({"origin": "https://made-up"}, False),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({}, False),
    ],
)
def test_a_form_that_another_site_sends_signs_nobody_in(headers: dict[str, str], refused: bool) -> None:
    """Nobody is signed in as the office of an attacker, whose pages they would then read as their own."""
    raw = [(name.encode(), value.encode()) for name, value in ({"host": "made-up"} | headers).items()]
    assert foreign(Request({"type": "http", "method": "POST", "path": "/auditor/signin", "headers": raw})) is refused
