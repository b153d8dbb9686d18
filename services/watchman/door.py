"""Take what is posted to a watchman: 204, or a refusal in words, which is logged by its code."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from referral.errors import Rejected
from referral.runtime.http_message import bounded_body, refusal
from referral.runtime.observe import log


def door(path: str, most_bytes: int, take: Callable[[Request, bytes], None]) -> Starlette:
    """Return an ASGI application that takes bodies of at most so many bytes at one path. take: raises Rejected for what it refuses."""

    async def post(request: Request) -> Response:
        try:
            body = await bounded_body(request, most_bytes)
            if len(body) > most_bytes:
                raise Rejected("too-long", "body", f"send at most {most_bytes} bytes", status=413)
            take(request, body)
        except Rejected as error:
            log().warning(f"{path[1:]} refused", service="watchman", reason=error.code)
            return refusal(error.status, error.code, error.hint, error.where)
        return Response(status_code=204)

    return Starlette(routes=[Route(path, post, methods=["POST"])])
