"""HTTP routes that only a person may use: erase a case, hold it, and lift an exclusion.

They are apart from the agencies' API, whose callers are systems.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from referral.domain.authority.words import Kind
from referral.domain.events import Instruction
from referral.wire import security_event
from services.intake import problems, refusals
from services.intake.accounts.basic_auth import person
from services.intake.accounts.store import Account
from services.intake.api import agency_request
from services.intake.api.openapi import JSON
from services.intake.casefile import access
from services.intake.commands import act_on_case
from services.intake.context import IntakeContext, in_time
from services.intake.erasure import commands
from services.intake.erasure.store import Erasure, Hold
from services.intake.messages import responses, strict_json
from services.intake.messages.timestamps import when

HASHES_AT_ONCE = 1
"""Passwords checked at once (ours): erasures are rare, and officers who sign in have priority."""


class BasisBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request with a reason. basis: a word of erasure-basis, or of hold-basis."""

    basis: str


class RequestBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for an erasure. basis: a word of erasure-basis. signature: base64, of the person, where approvers are named."""

    basis: str
    signature: bytes = b""


class ApprovalBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an approval. signature: base64, as of the request."""

    signature: bytes = b""


class RefusedBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body for many cases. signatures: case → base64; a case without one is named in the answer, to be signed. basis: of requests."""

    basis: str = ""
    signatures: dict[str, bytes] = {}


class NoBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty body: the Authorization header alone is the command."""


class ErasureState(Struct, frozen=True, kw_only=True):
    """The state of an erasure. state: NONE, REQUESTED, REFUSED, APPROVED, ERASED. held: reasons that keep the case. Accounts are ids, times
    RFC 3339. you: account of the caller. requested_signature: base64; whoever approves signs it too."""

    case_id: str
    state: str
    basis: str = ""
    requested_by: str = ""
    requested_at: str = ""
    approved_by: str = ""
    approved_at: str = ""
    destroyed_at: str = ""
    event_id: str = ""
    held: tuple[str, ...] = ()
    requested_signature: bytes = b""
    you: str = ""


class HoldState(Struct, frozen=True, kw_only=True):
    case_id: str
    basis: str
    placed_by: str
    placed_at: str


class Waiting(Struct, frozen=True, kw_only=True):
    """Erasures. unsigned: cases for which nothing was done, because the caller has not signed them."""

    erasures: tuple[ErasureState, ...]
    unsigned: tuple[ErasureState, ...] = ()


class LiftingBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a lifting. actor: the excluded actor, as kind:id. reason: of the instruction."""

    actor: str
    reason: str


class LiftingState(Struct, frozen=True, kw_only=True):
    """The receipt of a lifting. The first of two persons proposes it, which makes a task of the desk; the second lifts the exclusion."""

    case_id: str
    event_id: str


Act = Callable[[AsyncConnection, IntakeContext, Account, str, Any], Awaitable[Struct]]


async def ask(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, body: RequestBody) -> ErasureState:
    return _erasure_state(await commands.ask(tx, door, who, case_id, body.basis, body.signature or None))


async def approve(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, body: ApprovalBody) -> ErasureState:
    return _erasure_state(await commands.approve(tx, door, who, case_id, body.signature or None))


async def refuse(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, _: NoBody) -> ErasureState:
    return msgspec.structs.replace(_erasure_state(await commands.refuse(tx, door, who, case_id)), state="REFUSED")


async def state(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, _: None) -> ErasureState:
    known, held = await commands.state(tx, door, who, case_id)
    found = _erasure_state(known) if known else ErasureState(case_id=case_id, state="NONE")
    return msgspec.structs.replace(found, held=held, you=who.id)


async def hold(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, body: BasisBody) -> HoldState:
    return _hold_state(await commands.hold(tx, door, who, case_id, body.basis))


async def lift(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, body: BasisBody) -> HoldState:
    return _hold_state(await commands.lift(tx, door, who, case_id, body.basis))


async def lift_exclusion(tx: AsyncConnection, door: IntakeContext, who: Account, case_id: str, body: LiftingBody) -> LiftingState:
    if not who.desk:
        raise access.forbidden("an account that works its desk is needed (`referral staff add … --desk`)")
    kind = Kind.OVERSIGHT if who.agency == door.lists().oversight else Kind.DESK
    order = responses.InstructionBody(word=Instruction.LIFT.value, reason=body.reason, target=body.actor)
    receipt = await act_on_case.instruct(tx, door, act_on_case.Post(kind=kind, agency=who.agency, account=who.id), case_id, order)
    return LiftingState(case_id=case_id, event_id=receipt.event_id)


async def waiting(tx: AsyncConnection, door: IntakeContext, who: Account, _: str, __: None) -> Waiting:
    return Waiting(erasures=tuple(_erasure_state(erasure) for erasure in await commands.waiting(tx, door, who)))


async def ask_for_refused(tx: AsyncConnection, door: IntakeContext, who: Account, _: str, body: RefusedBody) -> Waiting:
    made, unsigned = await commands.ask_for_refused(tx, door, who, body.basis, body.signatures)
    missing = tuple(ErasureState(case_id=case_id, state="NONE", you=who.id) for case_id in unsigned)
    return Waiting(erasures=tuple(map(_erasure_state, made)), unsigned=missing)


async def approve_refused(tx: AsyncConnection, door: IntakeContext, who: Account, _: str, body: RefusedBody) -> Waiting:
    made, unsigned = await commands.approve_refused(tx, door, who, body.signatures)
    missing = tuple(msgspec.structs.replace(_erasure_state(one), you=who.id) for one in unsigned)
    return Waiting(erasures=tuple(map(_erasure_state, made)), unsigned=missing)


def routes(door: IntakeContext) -> list[Route]:
    """Return all routes. Following a link changes nothing: every change is a POST with a body."""
    hashing, case = asyncio.Semaphore(HASHES_AT_ONCE), "/staff/cases/{case_id}"

    def route(method: str, path: str, act: Act, body: type[Struct] | None = None) -> Route:
        return Route(path, _endpoint(door, hashing, act, body), methods=[method])

    return [
        route("GET", "/staff/erasures", waiting),
        route("POST", "/staff/refused/erasure", ask_for_refused, RefusedBody),
        route("POST", "/staff/refused/approval", approve_refused, RefusedBody),
        route("GET", f"{case}/erasure", state),
        route("POST", f"{case}/erasure", ask, RequestBody),
        route("POST", f"{case}/erasure/approval", approve, ApprovalBody),
        route("POST", f"{case}/erasure/refusal", refuse, NoBody),
        route("POST", f"{case}/holds", hold, BasisBody),
        route("POST", f"{case}/holds/lifting", lift, BasisBody),
        route("POST", f"{case}/exclusions/lifting", lift_exclusion, LiftingBody),
    ]


def _endpoint(
    door: IntakeContext, hashing: asyncio.Semaphore, act: Act, body: type[Struct] | None
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await answered(request, await person(door, hashing, request))
        except Exception as error:
            return problems.answer(error)

    async def answered(request: Request, who: Account) -> Response:
        try:
            return await in_time(acted(request, who))
        except Exception as error:
            await refusals.noted(door, request, security_event.account(who.id), error)
            raise

    async def acted(request: Request, who: Account) -> Response:
        sent = await agency_request.read(request, door, who.agency, (JSON,))
        case_id = agency_request.known_id(sent, "case_id", "case") if "case_id" in sent.path else ""
        parsed = strict_json.parse(sent.data, body) if body else None
        async with door.begin() as tx:
            state = await act(tx, door, who, case_id, parsed)
        return Response(msgspec.json.encode(state), 200, {"Cache-Control": "no-store"}, media_type=JSON)

    return endpoint


def _erasure_state(erasure: Erasure) -> ErasureState:
    return ErasureState(
        case_id=erasure.case_id,
        state=erasure.state,
        basis=erasure.basis,
        requested_by=erasure.requested_by,
        requested_at=when(erasure.requested_at),
        approved_by=erasure.approved_by or "",
        approved_at=when(erasure.approved_at) if erasure.approved_at else "",
        destroyed_at=when(erasure.destroyed_at) if erasure.destroyed_at else "",
        event_id=erasure.event_id if erasure.approved_at else "",
        requested_signature=erasure.requested_signature or b"",
    )


def _hold_state(placed: Hold) -> HoldState:
    return HoldState(case_id=placed.case_id, basis=placed.basis, placed_by=placed.placed_by, placed_at=when(placed.placed_at))
