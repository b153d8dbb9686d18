"""The agencies' door over HTTP: one table of operations, from which the router and /openapi.json are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPMethod

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from referral.errors import Rejected
from referral.wire import ingress
from services.intake import answers, asking, call, fhir_types, negotiate, openapi, posting, problems, sheets, shown, submit
from services.intake.door import Door, in_time
from services.intake.openapi import Form, Op
from services.intake.tokens import Tokens

VERSION = "1"
Handler = Callable[[Request, Exception], Response | Awaitable[Response]]
ERRORS: Mapping[type[Exception], Handler] = {HTTPException: problems.http}
"""For the application that these routes stand in: what its router refuses."""


def operations(door: Door) -> tuple[Op, ...]:
    """All that an agency may do."""
    get, post, put = HTTPMethod.GET, HTTPMethod.POST, HTTPMethod.PUT
    case, offer, referral = "/v1/cases/{case_id}", "/v1/offers/{offer_id}", "/v1/referrals/{referral_id}"
    receipt, files = shown.ActReceipt, sheets.Sheets(door)
    return (
        Op(
            post,
            "/v1/referrals",
            posting.Referrals(door).submit,
            shown.ReferralReceipt,
            submit.ReferralBody,
            202,
            key=True,
            forms=(
                Form(sheets.CSV, files.csv, sheets.SheetReceipt, 207, {"type": "string"}),
                Form(sheets.HTCDS, files.json, sheets.SheetReceipt, 207, {"type": "array", "items": {"type": "object"}}),
            ),
        ),
        Op(get, referral, asking.referral, shown.ReferralState),
        Op(get, f"{referral}/proof", asking.proof, str, own=openapi.PLAIN),
        Op(post, f"{referral}/withdrawal", posting.withdraw, receipt, answers.WithdrawalBody, 202),
        Op(get, "/v1/submissions/{key}", asking.submission, shown.SubmissionState),
        Op(get, case, asking.case, shown.CaseState, forms=(Form(fhir_types.MEDIA, asking.case_as_fhir, fhir_types.Bundle),)),
        Op(get, f"{case}/file", asking.file, shown.FileState),
        Op(put, f"{case}/file/{{section}}", posting.write, shown.Written, dict),
        Op(get, f"{case}/file/{{section}}/versions", asking.versions, shown.SectionVersions),
        Op(post, f"{case}/consent", posting.consent, shown.ConsentReceipt, submit.ConsentBody, 202),
        Op(post, f"{case}/traits", posting.traits, receipt, submit.TraitsBody, 202),
        Op(post, f"{case}/exclusions", posting.exclude, receipt, answers.ExclusionBody, 202),
        Op(post, f"{case}/instructions", posting.instruct, receipt, answers.InstructionBody, 202),
        Op(get, "/v1/offers", asking.offers, shown.Offers, query=(("state", ("open", "all")),)),
        Op(get, offer, asking.offer, shown.OfferState),
        Op(post, f"{offer}/responses", posting.respond, receipt, answers.AnswerBody, 202),
    )


def routes(door: Door, public_key: bytes | None) -> list[Route]:
    """The routes of the agencies' API. public_key: of ingress.*, None where this stack has no such door."""
    tokens = Tokens(door, asyncio.get_running_loop().time)
    ops = operations(door)
    found = [Route(op.path.replace("{key}", "{key:path}"), _endpoint(op, door, tokens), methods=[op.method]) for op in ops]
    text = msgspec.json.encode(openapi.document(ops, VERSION))

    async def described(_: Request) -> Response:
        return Response(text, media_type="application/json")

    async def published(_: Request) -> Response:
        if public_key is None:
            return problems.answer(Rejected("unknown-key", "", "this stack has no door on Kafka", status=404))
        key = shown.IngressKey(
            kem="DHKEM(X25519, HKDF-SHA256)",
            kdf="HKDF-SHA256",
            aead="AES-256-GCM",
            info=ingress.INFO.decode() + "ingress.<agency>",
            public_key=public_key.hex(),
        )
        return _encoded(key)

    return [*found, Route("/openapi.json", described), Route("/v1/ingress-key", published)]


def _endpoint(op: Op, door: Door, tokens: Tokens) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            agency = await in_time(tokens.agency(request.headers.get("authorization", "")))
            asked = await call.read(request, door, agency, op.media)
            form = _form(op, request, asked)
            return _encoded(await in_time(form.act(asked)), form.status, openapi.JSON if op.method != HTTPMethod.GET else form.media)
        except Exception as error:
            return problems.answer(error)

    return endpoint


def _form(op: Op, request: Request, asked: call.Call) -> Form:
    """What is posted says its form itself; what is asked for comes in the form that the caller wants. Rejected 406: we have none such."""
    if op.method != HTTPMethod.GET:
        return op.form(asked.media)
    media = negotiate.choose(", ".join(request.headers.getlist("accept")), op.media)
    if media is None:
        raise Rejected("not-acceptable", "Accept", f"ask for {' or '.join(op.media)}", status=406)
    return op.form(media)


def _encoded(answer: msgspec.Struct | str, status: int = 200, media: str = openapi.JSON) -> Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    return Response(answer if isinstance(answer, str) else msgspec.json.encode(answer), status, headers, media_type=media)
