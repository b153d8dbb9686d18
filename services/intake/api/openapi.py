"""Build /openapi.json from the table of operations that the router uses, and from the structs that parse requests and write answers.
Pure."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from referral.runtime.http_message import Problem
from referral.wire import event_digest
from services.intake.api.agency_request import KEY, AgencyRequest

JSON, PLAIN = "application/json", "text/plain; charset=utf-8"
TAGS = {
    "cases": "What is known of a case, its file, and what an agency says about it.",
    "codes": "The words that fields of codes take.",
    "ingress-key": "The key for publishing on Kafka.",
    "offers": "What an agency is asked, and its answers.",
    "referrals": "Referrals that an agency sends.",
    "status": "Whether your agency's doors are open, and how far they have read.",
    "submissions": "What became of what was sent, by the sender's own number.",
}
"""Group of operations (the first word of their paths) → its description."""
SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "Counts only beside the certificate of its agency."},
    "certificate": {"type": "mutualTLS", "description": "Your agency's own, of this line's authority."},
}
"""Both are needed, but where an operation says otherwise."""
TIMES = ("at", "due", "since", "until", "signature_expires")
"""Fields that hold a time, besides those whose names end with _at."""
STAMPS, OURS = ("received_at", "logged_by"), r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"
"""Times of a receipt that intake signs, letter by letter, and how it writes them."""
SIGNED = ("Content-Digest", "Signature-Input", "Signature")
"""Headers of a signed request (RFC 9421)."""
WORDS = (event_digest.SALT_HEADER.title(), event_digest.DIGEST_HEADER.title())
"""Headers that bind the words of a POST (docs/record-signature.md)."""


@dataclass(frozen=True, slots=True)
class Form:
    """Another form of an operation. The Content-Type of a POST selects it, and the answer is JSON; the Accept header of a GET selects it.

    body: JSON schema of the body, for a POST.
    """

    media: str
    act: Callable[[AgencyRequest], Awaitable[msgspec.Struct | str]]
    answer: type[msgspec.Struct] | type[str]
    status: int = 200
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    id: its name in the document, from which generators make the names of methods.
    body: struct of the request, dict for a free object, None for none.
    key: the Idempotency-Key is required with JSON.
    own: media type of its answer.
    forms: further forms.
    open: needs no token.
    example: of the body.
    """

    id: str
    method: str
    path: str
    act: Callable[[AgencyRequest], Awaitable[msgspec.Struct | str]]
    answer: type[msgspec.Struct] | type[str]
    body: type[Any] | None = None
    status: int = 200
    key: bool = False
    query: tuple[tuple[str, tuple[str, ...]], ...] = ()
    forms: tuple[Form, ...] = ()
    own: str = JSON
    open: bool = False
    example: dict[str, Any] | None = None

    @property
    def media(self) -> tuple[str, ...]:
        """Return the media type of every form, its own first."""
        return (self.own, *(form.media for form in self.forms))

    def form(self, media: str) -> Form:
        """Return the form of this media type, which is one of `media`."""
        return next((other for other in self.forms if other.media == media), Form(self.own, self.act, self.answer, self.status))

    @property
    def summary(self) -> str:
        return (self.act.__doc__ or "").strip().partition("\n")[0]


def document(ops: Iterable[Op], version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    ops = tuple(ops)
    structs: set[type[Any]] = (
        {Problem} | {op.form(media).answer for op in ops for media in op.media} | {op.body for op in ops if op.body not in (None, dict)}
    )
    ordered = sorted(structs, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    for component in components.values():
        _plain(component)
    refs = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for op in ops:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Referral intake",
            "version": version,
            "description": "The doors of the referral pipeline for agencies' systems. Times are RFC 3339: what we send is UTC, ends with Z "
            "and has microseconds; what you send names its offset.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The host that this document comes from."}],
        "tags": [{"name": name, "description": TAGS[name]} for name in sorted({_tag(op) for op in ops})],
        "security": [{"token": [], "certificate": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SCHEMES},
    }


def _operation(op: Op, refs: dict[type[Any], Any]) -> dict[str, Any]:
    parameters = [_parameter(name, "path", {"type": "string"}, needed=True) for name in re.findall(r"{(\w+)}", op.path)]
    parameters += [_parameter(name, "query", {"type": "string", "enum": list(words)}, needed=False) for name, words in op.query]
    if op.method == "POST":
        key = _parameter(KEY, "header", {"type": "string", "maxLength": 200}, needed=op.key and not op.forms)
        parameters.append(key | {"description": _about_key(op)})
    if op.method != "GET":
        names = (*SIGNED, *WORDS) if op.method == "POST" else SIGNED
        parameters += [_parameter(name, "header", {"type": "string"}, needed=False) for name in names]
    problem = {"description": "Refused, or away.", "content": {"application/problem+json": {"schema": refs[Problem]}}}
    operation: dict[str, Any] = {
        "operationId": op.id,
        "tags": [_tag(op)],
        "summary": op.summary,
        "parameters": parameters,
        "responses": {**_responses(op, refs), "4XX": problem, "default": problem},
    }
    if op.open:
        operation["security"] = []
    if op.body is not None:
        schema = {"type": "object", "additionalProperties": True} if op.body is dict else refs[op.body]
        content = {
            JSON: {"schema": schema} | ({"example": op.example} if op.example else {}),
            **{form.media: {"schema": form.body} for form in op.forms},
        }
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _about_key(op: Op) -> str:
    """Return the description of the Idempotency-Key of an operation."""
    if op.forms:
        return "Your own number for this. Needed with JSON; each row of a file has its own."
    if op.key:
        return "Your own number for this."
    return "Your own number for this. Without it, what is sent twice is taken twice. Needed where you sign."


def _tag(op: Op) -> str:
    """Return the group of an operation: the first word of its path after the version."""
    return op.path.split("/")[2]


def _plain(schema: dict[str, Any]) -> None:
    """Change a schema so that client generators understand it.

    Times get the format date-time, but those of a receipt that intake signs as they stand: a client with a type for times writes them
    otherwise. Defaults are removed, because some generators then require the field. An object of any fields is
    declared as one, because some generators take it for an object of no fields.
    """
    if schema.get("type") == "object" and "properties" not in schema:
        schema.setdefault("additionalProperties", True)
    for inner in (
        schema.get("additionalProperties"),
        schema.get("items"),
        *schema.get("anyOf", ()),
        *schema.get("properties", {}).values(),
    ):
        if isinstance(inner, dict):
            _plain(inner)
    for name, field in schema.get("properties", {}).items():
        field.pop("default", None)
        for kind in (field, *field.get("anyOf", ())):
            if kind.get("type") != "string":
                continue
            if name in STAMPS and "signature" in schema["properties"]:
                kind["pattern"] = OURS
            elif name.endswith("_at") or name in TIMES:
                kind["format"] = "date-time"


def _responses(op: Op, refs: dict[type[Any], Any]) -> dict[str, Any]:
    """Return the responses, by status, then by media type."""
    responses: dict[str, Any] = {}
    for form in map(op.form, op.media):
        response = responses.setdefault(str(form.status), {"description": _description(op, form), "content": {}})
        response["content"][JSON if op.body is not None else form.media] = {"schema": refs[form.answer]}
    return responses


def _description(op: Op, form: Form) -> str:
    return op.summary if form.answer is str else form.answer.__doc__ or ""


def _parameter(name: str, place: str, schema: dict[str, Any], *, needed: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": needed, "schema": schema}
