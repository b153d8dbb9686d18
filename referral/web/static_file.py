"""Serve style sheets and pictures of pages: under an address that names their content, so that a browser asks once for each version, and
compressed. Nothing in them is about anybody, so that compression tells nothing (BREACH reads secrets of compressed pages)."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from referral.web.frame import PAGE_HEADERS

TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
YEAR_S, SHORT_S = 365 * 24 * 60 * 60, 300
"""Seconds that a browser stores a file: under the address of its content, which never changes (RFC 8246), and under any other (ours)."""
ICON = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b4fa0"/>'
    b'<path d="M9 16h11m-5-6 6 6-6 6" fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
"""The mark of all our pages."""


def mark(content: bytes) -> str:
    """Return the mark of a content, the end of its address: `inbox.css?MARK`."""
    return sha256(content).hexdigest()[:16]


def sheet(path: str, file: Path) -> str:
    """Return the address of a style sheet: its path, and the mark of its content."""
    return f"{path}?{mark(file.read_bytes())}"


def serve(path: str, content: bytes) -> Route:
    """Return the route of a file. path: with the ending that says its type."""
    packed, own = gzip.compress(content, mtime=0), mark(content)
    kind = TYPES[Path(path).suffix]

    async def file(request: Request) -> Response:
        stored = f"max-age={YEAR_S}, immutable" if request.url.query == own else f"max-age={SHORT_S}"
        headers = PAGE_HEADERS | {"Cache-Control": stored, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, media_type=kind, headers=headers | {"Content-Encoding": "gzip"})
        return Response(content, media_type=kind, headers=headers)

    return Route(path, file, methods=["GET"])
