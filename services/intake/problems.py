"""Turn errors into RFC 9457 problems: type, title, status and detail, and beside them code, where and hint. They never contain a value that
was sent."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from referral.errors import Rejected, Unavailable
from referral.runtime import observe
from services.intake import crowd

LATER = {"not-logged-yet": 1, "too-many": crowd.LATER_S, "too-many-bytes": crowd.LATER_S, crowd.EARLY: crowd.EARLY_S}
"""Code of a refusal that ends by itself → seconds after which the caller may send again (ours)."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """type: urn:referral:problem:<code>. where: JSON path, header or field. hint: what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    where: str = ""
    hint: str = ""


def response(status: int, code: str, where: str, hint: str, headers: dict[str, str] | None = None) -> Response:
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(_problem(status, code, where, hint)), status, headers, media_type="application/problem+json")


def problem(error: Rejected) -> Problem:
    """Return the problem of one refused part, for an answer that covers several parts."""
    return _problem(error.status, error.code, error.where, error.hint)


def _problem(status: int, code: str, where: str, hint: str) -> Problem:
    title = code.replace("-", " ")
    detail = f"{title} at {where}: {hint}" if where else f"{title}: {hint}"
    return Problem(type=f"urn:referral:problem:{code}", title=title, status=status, detail=detail, code=code, where=where, hint=hint)


def answer(error: Exception) -> Response:
    """Return the response to an error. An unexpected error is logged by type and source line; the caller learns nothing of it."""
    if isinstance(error, Rejected):
        headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
        if error.code in LATER:
            headers["Retry-After"] = str(LATER[error.code])
        return response(error.status, error.code, error.where, error.hint, headers)
    if isinstance(error, Unavailable):
        hint = f"{error.what} is away; send the same again, under the same Idempotency-Key, after {error.retry_after} s"
        return response(503, "unavailable", "", hint, {"Retry-After": str(error.retry_after)})
    unexpected(error)
    return response(500, "internal", "", "this is our fault; send the same again under the same Idempotency-Key, and tell the operator")


def unexpected(error: Exception) -> None:
    """Log a bug of ours: its type and source line, never a value that was sent."""
    observe.log().error("unexpected", service="intake", kind=type(error).__name__, where=observe.where(error))


def http(_: Request, error: Exception) -> Response:
    """Return the problem for a request that the router refuses: no such path, or no such method."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    hint = "see /openapi.json for the paths and methods"
    return response(error.status_code, code, "", hint, dict(error.headers) if error.headers else None)
