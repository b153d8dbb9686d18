"""Errors as RFC 9457 problems: type, title, status, detail, and beside them code, where and hint. Never a value that was sent."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from referral.errors import Rejected, Unavailable

log = structlog.get_logger("intake.api")


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
    title = code.replace("-", " ")
    detail = f"{title} at {where}: {hint}" if where else f"{title}: {hint}"
    body = Problem(type=f"urn:referral:problem:{code}", title=title, status=status, detail=detail, code=code, where=where, hint=hint)
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")


def rejected(_: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
    return response(error.status, error.code, error.where, error.hint, headers)


def unavailable(_: Request, error: Exception) -> Response:
    """503: nothing is known to be kept; the same again, under the same key, is safe."""
    assert isinstance(error, Unavailable)
    hint = f"send the same again, under the same Idempotency-Key, after {error.retry_after} s"
    return response(503, "unavailable", "", f"{error.what} is away; {hint}", {"Retry-After": str(error.retry_after)})


def http(_: Request, error: Exception) -> Response:
    """What the router refuses: no such path, no such method."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    hint = "see /openapi.json for the paths and methods"
    return response(error.status_code, code, "", hint, dict(error.headers) if error.headers else None)


def bug(_: Request, error: Exception) -> Response:
    """What should not happen: the type goes to the log, nothing of it to the caller."""
    log.error("unexpected", error=type(error).__name__)
    return response(500, "internal", "", "this is our fault; send the same again under the same Idempotency-Key, and tell the operator")
