"""Read one HTTP request of an agency within bounds: its agency, idempotency key, signature and body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Kind
from referral.domain.events import Signed
from referral.errors import Rejected
from referral.runtime import http_server
from services.intake.casefile import access
from services.intake.commands import idempotency
from services.intake.commands.act_on_case import Post
from services.intake.context import IntakeContext
from services.intake.messages import signatures, strict_json, words
from services.intake.messages.submission import is_id
from services.intake.messages.words import Said
from services.intake.store import unknown

T = TypeVar("T")
BODY_LIMIT = 1024 * 1024
"""Most bytes of a body (ours): a whole case file in words has a tenth of it."""
DRAIN_LIMIT = 8 * BODY_LIMIT
"""Most bytes of a too large body that are read and dropped, so that its sender gets the refusal instead of a lost connection."""
KEY = "Idempotency-Key"
ENCODINGS = ("gzip", "deflate", "br", "zstd", "compress", "x-gzip", "aws-chunked")
"""Encodings that a refusal names; another word is not repeated."""
UTF_8 = ("utf-8", "utf8")


@dataclass(frozen=True, slots=True, repr=False)
class AgencyRequest:
    """One request of an agency, read whole.

    path, query: as the router found them.
    key: digest of the Idempotency-Key; None when none was sent.
    media: media type of the body.
    signed: the signature of a request that changes something; None where it has none.
    said: the digest of the body's words that the sender sent; None where it sent none.
    """

    door: IntakeContext
    agency: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    data: bytes
    key: bytes | None
    media: str = "application/json"
    signed: Signed | None = None
    said: Said | None = None

    def body(self, kind: type[T]) -> T:
        """Return the body as a struct. Rejected names the field."""
        return strict_json.parse(self.data, kind)

    @property
    def who(self) -> Who:
        return Who(Kind.SYSTEM, self.agency)

    @property
    def own(self) -> Permit:
        """Return the permit to find what is the agency's own."""
        return access.own(self.who)

    def post(self) -> Post:
        return Post(kind=Kind.SYSTEM, agency=self.agency, key=self.key, signed=self.signed, said=self.said)

    def __repr__(self) -> str:
        return f"AgencyRequest({self.agency})"


async def read(request: Request, door: IntakeContext, agency: str, taken: Sequence[str]) -> AgencyRequest:
    """Read a request whole. taken: accepted media types of a body, JSON first.

    Rejected: too large (413), another type (415), a bad key, a required signature that is missing or not valid, or a digest of other
    words.
    """
    has_body = request.method in ("POST", "PUT")
    data = await _bounded(request) if has_body else b""
    kind = _media(request, taken) if has_body else ""
    sent = request.headers.getlist(KEY)
    if len(sent) > 1:
        raise Rejected("bad-key", KEY, "send one key", status=400)
    key = idempotency.key_digest(door.keys, agency, sent[0], KEY) if sent else None
    signed, said = None, None
    if has_body:
        now = door.seconds()
        policy = door.lists().signing_of(agency, now * 1_000_000)
        whole = _whole(request, data)
        signed = signatures.of_request(whole, agency, policy, now, authority=door.authority)
        said = words.sent(whole, kind)
    return AgencyRequest(door, agency, request.path_params, request.query_params, data, key, kind or "application/json", signed, said)


def _media(request: Request, taken: Sequence[str]) -> str:
    """Return the media type of a body in UTF-8, as sent. Rejected 415: another type, another charset, or a content encoding."""
    kind, *parameters = (part.strip() for part in request.headers.get("content-type", "").lower().split(";"))
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        named = encoding if encoding in ENCODINGS else "this encoding"
        raise Rejected("encoded", "Content-Encoding", f"{named} is not taken; send the body as it is", status=415)
    if kind not in taken:
        raise Rejected("not-json", "Content-Type", f"send Content-Type: {' or '.join(taken)}", status=415)
    charset = next((value.strip('"') for name, _, value in (part.partition("=") for part in parameters) if name == "charset"), UTF_8[0])
    if charset not in UTF_8:
        raise Rejected("not-utf-8", "Content-Type", "send the body as UTF-8, and name no other charset", status=415)
    return kind


def _whole(request: Request, body: bytes) -> signatures.Request:
    path = request.scope.get("raw_path") or request.url.path.encode()
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, []).append(value)
    return signatures.Request(method=request.method, path=path.partition(b"?")[0].decode("ascii", "replace"), headers=headers, body=body)


async def _bounded(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > DRAIN_LIMIT:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size <= BODY_LIMIT:
                parts.append(part)
            elif size > DRAIN_LIMIT:
                break
            else:
                parts.clear()
    except http_server.TooSlow as error:
        raise Rejected("too-slow", "$", str(error), status=408) from None
    except ClientDisconnect:
        raise Rejected("cut-off", "$", "the connection ended before the whole body came; send it again", status=400) from None
    if size > BODY_LIMIT:
        raise _too_large()
    return b"".join(parts)


def _too_large() -> Rejected:
    return Rejected("too-large", "$", f"a body has at most {BODY_LIMIT} bytes", status=413)


def known_id(call: AgencyRequest, name: str, what: str) -> str:
    """Return an id of the path. Rejected 404: the text cannot be an id, so nothing has it."""
    value = call.path[name]
    if not is_id(value):
        raise unknown(what, name)
    return value
