"""Turn errors into problem documents. They never contain a value that was sent."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from referral.errors import Rejected, Unavailable
from referral.runtime import http_message, observe
from referral.runtime.http_message import Problem, refusal
from services.intake import crowd

NO_STORE = {"Cache-Control": "no-store"}
LATER = {"not-logged-yet": 1, "too-many": crowd.LATER_S, "too-many-bytes": crowd.LATER_S, crowd.EARLY: crowd.EARLY_S}
"""Code of a refusal that ends by itself → seconds after which the caller may send again (ours)."""


def problem(error: Rejected) -> Problem:
    """Return the problem of one refused part, for an answer that covers several parts."""
    return http_message.problem(error.status, error.code, error.hint, error.where)


def answer(error: Exception) -> Response:
    """Return the response to an error. An unexpected error is logged by type and source line; the caller learns nothing of it."""
    if isinstance(error, Rejected):
        headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
        if error.code in LATER:
            headers["Retry-After"] = str(LATER[error.code])
        return refusal(error.status, error.code, error.hint, error.where, {**NO_STORE, **headers})
    if isinstance(error, Unavailable):
        hint = f"{error.what} is away; send the same again, under the same Idempotency-Key, after {error.retry_after} s"
        return refusal(503, "unavailable", hint, headers={**NO_STORE, "Retry-After": str(error.retry_after)})
    unexpected(error)
    hint = "this is our fault; send the same again under the same Idempotency-Key, and tell the operator"
    return refusal(500, "internal", hint, headers=NO_STORE)


def unexpected(error: Exception) -> None:
    """Log a bug of ours: its type and source line, never a value that was sent."""
    observe.log().error("unexpected", service="intake", kind=type(error).__name__, where=observe.where(error))


def http(_: Request, error: Exception) -> Response:
    """Return the problem for a request that the router refuses: no such path, or no such method."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    hint = "see /openapi.json for the paths and methods"
    return refusal(error.status_code, code, hint, headers={**NO_STORE, **(error.headers or {})})
