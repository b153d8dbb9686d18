"""HTTP API of the agencies: one table of operations, from which the router and /openapi.json are made."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from http import HTTPMethod

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from referral.errors import Rejected
from referral.runtime import peer
from referral.wire import security_event
from referral.wire.security_event import Kind
from services.intake import problems, refusals
from services.intake.accounts import store
from services.intake.accounts.tokens import Tokens
from services.intake.api import agency_request, bulk_import, commands, fhir_types, negotiate, openapi, queries, receipts, schemas, status
from services.intake.api.openapi import Form, Op
from services.intake.context import IntakeContext, in_time
from services.intake.messages import responses, submission

VERSION = "1"
WORD = re.compile(r"[a-z_-]{1,40}", re.IGNORECASE)
"""Names of query parameters that a refusal may repeat: any other name may be about a person."""
EXAMPLE = {
    "traits": {"concern": "trafficking", "age": "child", "age_band": "12-14", "found_in": "prizren", "urgency": "urgent"},
    "file": {"identity": {"name": "Testa Shembull (made up)"}},
    "drill": True,
}
"""The first referral of docs/agencies.md."""
Handler = Callable[[Request, Exception], Response | Awaitable[Response]]
ERRORS: Mapping[type[Exception], Handler] = {HTTPException: problems.http}
"""Error handlers for the application that mounts these routes: requests that its router refuses."""


def operations(door: IntakeContext, public_key: bytes | None = None) -> tuple[Op, ...]:
    """Return all operations of an agency. public_key: of `ingress.*`; None where this stack has no ingress topics."""
    get, post, put = HTTPMethod.GET, HTTPMethod.POST, HTTPMethod.PUT
    case, offer, referral = "/v1/cases/{case_id}", "/v1/offers/{offer_id}", "/v1/referrals/{referral_id}"
    receipt, files = receipts.ActReceipt, bulk_import.Sheets(door)
    return (
        Op(
            "submitReferral",
            post,
            "/v1/referrals",
            commands.Referrals(door).submit,
            receipts.ReferralReceipt,
            submission.ReferralBody,
            202,
            key=True,
            example=EXAMPLE,
            forms=(
                Form(bulk_import.CSV, files.csv, bulk_import.SheetReceipt, 207, {"type": "string"}),
                Form(
                    bulk_import.HTCDS,
                    files.json,
                    bulk_import.SheetReceipt,
                    207,
                    {"type": "array", "items": {"type": "object", "additionalProperties": True}},
                ),
            ),
        ),
        Op("getReferral", get, referral, queries.referral, schemas.ReferralState),
        Op("getReceiptProof", get, f"{referral}/proof", queries.proof, str, own=openapi.PLAIN),
        Op("withdrawReferral", post, f"{referral}/withdrawal", commands.withdraw, receipt, responses.WithdrawalBody, 202),
        Op("getSubmission", get, "/v1/submissions/{key}", queries.submission, schemas.SubmissionState),
        Op("getCase", get, case, queries.case, schemas.CaseState, forms=(Form(fhir_types.MEDIA, queries.case_as_fhir, fhir_types.Bundle),)),
        Op("readCaseFile", get, f"{case}/file", queries.file, schemas.FileState),
        Op("writeSection", put, f"{case}/file/{{section}}", commands.write, schemas.Written, dict),
        Op("listSectionVersions", get, f"{case}/file/{{section}}/versions", queries.versions, schemas.SectionVersions),
        Op("recordConsent", post, f"{case}/consent", commands.consent, receipts.ConsentReceipt, submission.ConsentBody, 202),
        Op("recordTraits", post, f"{case}/traits", commands.traits, receipt, submission.TraitsBody, 202),
        Op("excludeActor", post, f"{case}/exclusions", commands.exclude, receipt, responses.ExclusionBody, 202),
        Op("giveInstruction", post, f"{case}/instructions", commands.instruct, receipt, responses.InstructionBody, 202),
        Op("listOffers", get, "/v1/offers", queries.offers, schemas.Offers, query=(("state", ("open", "all")),)),
        Op("getOffer", get, offer, queries.offer, schemas.OfferState),
        Op("listCodes", get, "/v1/codes", queries.codes, schemas.Codes),
        Op("getStatus", get, "/v1/status", status.status, status.Status),
        Op("getIngressKey", get, "/v1/ingress-key", queries.IngressKeys(public_key).published, schemas.IngressKey, open=True),
        Op("respondToOffer", post, f"{offer}/responses", commands.respond, receipt, responses.AnswerBody, 202),
        Op("takeBackAnswer", post, f"{offer}/withdrawal", commands.take_back, receipt, responses.TakeBackBody, 202),
    )


def routes(door: IntakeContext, public_key: bytes | None) -> list[Route]:
    """Return the routes of the agencies' API. public_key: of `ingress.*`; None where this stack has no ingress topics."""
    tokens = Tokens(door, asyncio.get_running_loop().time)
    ops = operations(door, public_key)
    table = [Route(op.path.replace("{key}", "{key:path}"), _endpoint(op, door, tokens), methods=[op.method]) for op in ops]
    text = msgspec.json.encode(openapi.document(ops, VERSION))

    async def described(_: Request) -> Response:
        return Response(text, media_type="application/json")

    return [*table, Route("/openapi.json", described)]


def _endpoint(op: Op, door: IntakeContext, tokens: Tokens) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        agency = ""
        try:
            agency = "" if op.open else await _agency(request, door, tokens)
            _known(request, [name for name, _ in op.query])
            sent = await agency_request.read(request, door, agency, op.media)
            form = _form(op, request, sent)
            return _encoded(await in_time(form.act(sent)), form.status, openapi.JSON if op.method != HTTPMethod.GET else form.media)
        except Exception as error:
            await refusals.noted(door, request, security_event.agency(agency) if agency else refusals.holder(request), error)
            return problems.answer(error)

    return endpoint


async def _agency(request: Request, door: IntakeContext, tokens: Tokens) -> str:
    """Return the calling agency, which its token and its certificate name. Only a token that is not cached waits for the database, within
    a deadline."""
    authorization, place = request.headers.get("authorization", ""), store.place(door.keys, request)
    agency = tokens.remembered(authorization)
    if not agency:
        agency = await in_time(tokens.agency(authorization, refusals.holder(request), place))
    try:
        peer.is_agency(request, agency)
    except Rejected as error:  # of the token's holder here; the endpoint records the certificate's
        door.journal.note(Kind.DENIED, security_event.agency(agency), error.code, place)
        raise
    return agency


def _known(request: Request, names: Collection[str]) -> None:
    """Refuse a query parameter that the operation does not have, or that stands twice, as a body's fields are refused. Rejected 400."""
    if twice := next((name for name in names if len(request.query_params.getlist(name)) > 1), ""):
        raise Rejected("unknown-parameter", f"query parameter {twice}", "send it once: which one is meant?", status=400)
    if unknown := [name for name in request.query_params if name not in names]:
        hint = f"send none but {', '.join(names)}" if names else "this call has none"
        where = f"query parameter {unknown[0]}" if WORD.fullmatch(unknown[0]) else "query"
        raise Rejected("unknown-parameter", where, hint, status=400)


def _form(op: Op, request: Request, sent: agency_request.AgencyRequest) -> Form:
    """Return the form of a request: by its own media type when it has a body, else the form that the caller accepts. Rejected 406: we have
    no such form."""
    if op.method != HTTPMethod.GET:
        return op.form(sent.media)
    media = negotiate.choose(", ".join(request.headers.getlist("accept")), op.media)
    if media is None:
        raise Rejected("not-acceptable", "Accept", f"ask for {' or '.join(op.media)}", status=406)
    return op.form(media)


def _encoded(answer: msgspec.Struct | str, status: int = 200, media: str = openapi.JSON) -> Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    return Response(answer if isinstance(answer, str) else msgspec.json.encode(answer), status, headers, media_type=media)
