"""Write a refusal as a problem document, the same at every door (RFC 9457), and read a body within a bound."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, json
from starlette.requests import Request
from starlette.responses import Response

PROBLEM = "application/problem+json"


class Problem(Struct, frozen=True, kw_only=True):
    """type: urn:referral:problem:<code>. where: JSON path, header or field. hint: what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    where: str = ""
    hint: str = ""


def problem(status: int, code: str, hint: str, where: str = "") -> Problem:
    """Return the problem of a refusal.

    status: HTTP status.
    code: a stable word.
    hint: what the sender must do.
    where: header, field or path that is wrong.
    """
    title = code.replace("-", " ")
    detail = f"{title} at {where}: {hint}" if where else f"{title}: {hint}"
    return Problem(type=f"urn:referral:problem:{code}", title=title, status=status, detail=detail, code=code, where=where, hint=hint)


def document(status: int, code: str, hint: str, where: str = "") -> bytes:
    """Return the JSON body of a refusal. Arguments: as of `problem`."""
    return json.encode(problem(status, code, hint, where))


def refusal(status: int, code: str, hint: str, where: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """Return the whole answer of a refusal. Arguments: as of `problem`."""
    return Response(document(status, code, hint, where), status, headers, PROBLEM)


async def bounded_body(request: Request, most: int) -> bytes:
    """Return the body of a request, or just enough of one with more than so many bytes to refuse it."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            break
    return body
