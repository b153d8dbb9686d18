"""/openapi.json, made from the same table of operations that the router uses and the same structs that read and write. Pure."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from services.intake.call import KEY, Call
from services.intake.problems import Problem

JSON, PLAIN = "application/json", "text/plain; charset=utf-8"
SIGNED = ("Content-Digest", "Signature-Input", "Signature")
"""Headers of a signed request (RFC 9421)."""


@dataclass(frozen=True, slots=True)
class Form:
    """Another form of an operation. A POST is told by the type of its body, and answers JSON; a GET by the type that it asks for.

    body: JSON schema of what is sent, for a POST.
    """

    media: str
    act: Callable[[Call], Awaitable[msgspec.Struct | str]]
    answer: type[msgspec.Struct] | type[str]
    status: int = 200
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Op:
    """One operation. body: struct of the request, dict for a free object, None for none. key: whether the Idempotency-Key must be sent.
    own: media type of its answer. forms: others besides that.
    """

    method: str
    path: str
    act: Callable[[Call], Awaitable[msgspec.Struct | str]]
    answer: type[msgspec.Struct] | type[str]
    body: type[Any] | None = None
    status: int = 200
    key: bool = False
    query: tuple[tuple[str, tuple[str, ...]], ...] = ()
    forms: tuple[Form, ...] = ()
    own: str = JSON

    @property
    def media(self) -> tuple[str, ...]:
        """Every form, its own first."""
        return (self.own, *(form.media for form in self.forms))

    def form(self, media: str) -> Form:
        """The form of this media type, which is one of `media`."""
        return next((one for one in self.forms if one.media == media), Form(self.own, self.act, self.answer, self.status))

    @property
    def summary(self) -> str:
        return (self.act.__doc__ or "").strip().partition("\n")[0]


def document(ops: Iterable[Op], version: str) -> dict[str, Any]:
    """OpenAPI 3.1."""
    ops = tuple(ops)
    structs: set[type[Any]] = (
        {Problem} | {op.form(media).answer for op in ops for media in op.media} | {op.body for op in ops if op.body not in (None, dict)}
    )
    ordered = sorted(structs, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    refs = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for op in ops:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Referral intake",
            "version": version,
            "description": "The doors of the referral pipeline for agencies' systems.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(op: Op, refs: dict[type[Any], Any]) -> dict[str, Any]:
    parameters = [_parameter(name, "path", {"type": "string"}, needed=True) for name in re.findall(r"{(\w+)}", op.path)]
    parameters += [_parameter(name, "query", {"enum": list(words)}, needed=False) for name, words in op.query]
    if op.method == "POST":
        parameters.append(_parameter(KEY, "header", {"type": "string", "maxLength": 200}, needed=op.key))
    if op.method != "GET":
        parameters += [_parameter(name, "header", {"type": "string"}, needed=False) for name in SIGNED]
    problem = {"description": "Refused, or away.", "content": {"application/problem+json": {"schema": refs[Problem]}}}
    found: dict[str, Any] = {
        "operationId": op.act.__name__,
        "summary": op.summary,
        "parameters": parameters,
        "responses": {**_responses(op, refs), "default": problem},
    }
    if op.body is not None:
        schema = {"type": "object"} if op.body is dict else refs[op.body]
        content = {JSON: {"schema": schema}, **{form.media: {"schema": form.body} for form in op.forms}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _responses(op: Op, refs: dict[type[Any], Any]) -> dict[str, Any]:
    """By status, then by media type."""
    found: dict[str, Any] = {}
    for form in map(op.form, op.media):
        said = found.setdefault(str(form.status), {"description": _told(op, form), "content": {}})
        said["content"][JSON if op.body is not None else form.media] = {"schema": refs[form.answer]}
    return found


def _told(op: Op, form: Form) -> str:
    return op.summary if form.answer is str else form.answer.__doc__ or ""


def _parameter(name: str, place: str, schema: dict[str, Any], *, needed: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": needed, "schema": schema}
