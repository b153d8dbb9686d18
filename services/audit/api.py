"""Serve the log over HTTP (C2SP tlog-tiles), the proof of one event, and the report of an exercise. Hashes are public; entries are for
auditors.

Proofs are protected too: anybody can compute the id of a decision from the id of its cause, so a public proof would reveal that the
decision was made. Intake gives an agency the proofs of its own receipts, and sends for each the token that only the master key yields.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence

from msgspec import json
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from referral.errors import Malformed, Rejected
from referral.proof.history import exercise
from referral.runtime.http_message import refusal
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres.tokens import AUDITORS, digest
from referral.tlog import tile_layout
from referral.tlog.proof_file import TlogProof
from referral.tlog.tile_layout import ENTRIES
from services.audit import checkpoints, queries

SOON_S = 1
"""Seconds until a client should ask again for an unpublished checkpoint (ours): publishing takes less."""
FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
"""Cache headers of a tile, which never changes (C2SP tlog-tiles)."""
ASK_INTAKE = "proofs are for auditors (a token of `referral audit token`); an agency asks intake: GET /v1/referrals/{referral_id}/proof"
ASK = {"www-authenticate": "Bearer"}
PRIVATE = {"cache-control": "private, no-store"}


Refused = Callable[[str], Awaitable[None]]
"""Records a token that nobody has."""


async def _unrecorded(_: str) -> None:
    pass


def application(engine: AsyncEngine, keys: Keys, more: Sequence[BaseRoute] = (), refused: Refused = _unrecorded) -> Starlette:
    """Return the ASGI application. keys: derive the token of each proof. more: routes of the pages. refused: records wrong tokens."""

    async def checkpoint(_: Request) -> Response:
        async with engine.connect() as tx:
            newest = await checkpoints.cosigned(tx)
        if newest is None or newest.cosigned is None:
            return soon("no checkpoint has been cosigned by a quorum of the witnesses yet")
        return PlainTextResponse(newest.cosigned, headers={"cache-control": "no-store"})

    async def tile(request: Request) -> Response:
        try:
            wanted = tile_layout.parse(b"tile/" + request.path_params["path"].encode())
        except Malformed as error:
            return refusal(404, "no-such-tile", str(error))
        async with engine.connect() as tx:
            if wanted.level == ENTRIES:
                if not await AUDITORS.holder(tx, digest(_token(request))):
                    if _token(request):
                        await refused(_token(request))
                    hint = "entries are for auditors: Authorization: Bearer, then a token of `referral audit token`"
                    return refusal(401, "no-token", hint, headers={"www-authenticate": 'Bearer realm="entries of the audit log"'})
                data = await checkpoints.bundle(tx, wanted)
            elif wanted.leaves[1] <= await checkpoints.signed(tx):  # what is above it would tell when something happens, and how much
                data = (await checkpoints.fetch(tx, [wanted])).get(wanted)
            else:
                data = None
        if data is None:
            return refusal(404, "no-such-tile", "the log is not that large yet")
        return Response(data, media_type="application/octet-stream", headers=PRIVATE if wanted.level == ENTRIES else FOR_EVER)

    async def proof(request: Request) -> Response:
        event_id, token = str(request.path_params["event_id"]), _token(request)
        if not token:  # refuse before taking a database connection
            return refusal(401, "no-token", ASK_INTAKE, headers=ASK)
        async with engine.connect() as tx:
            if not hmac.compare_digest(token.encode(), keys.lookup(event_id).encode()) and not await AUDITORS.holder(tx, digest(token)):
                return refusal(401, "no-token", ASK_INTAKE, headers=ASK)
            entry, newest = await checkpoints.event(tx, event_id), await checkpoints.cosigned(tx)
            if entry is None or newest is None or newest.cosigned is None or entry[0] >= newest.size:
                return soon("no published checkpoint covers an event of this id yet")
            index, leaf = entry
            hashes = await checkpoints.inclusion(tx, index, newest.size)
        return PlainTextResponse(TlogProof(index, tuple(hashes), newest.cosigned, leaf).encode(), headers=PRIVATE)

    async def report(request: Request) -> Response:
        case_id = str(request.path_params["case_id"])
        if not hmac.compare_digest(_token(request).encode(), keys.exercise(case_id).encode()):
            return refusal(401, "no-token", "reports of exercises are on intake's pages, or `referral drill report`", headers=ASK)
        async with engine.connect() as tx:
            read, key = await queries.case(tx, case_id), (await keys.load(tx, [case_id])).get(case_id)
        try:
            if key is None:
                return refusal(404, "no-such-case", "the log has no case of this id, or it is erased")
            return Response(json.encode(exercise.report(read.entries, key)), media_type="application/json", headers=PRIVATE)
        except Rejected as why:
            return refusal(404, why.code, why.hint)

    routes = [
        Route("/checkpoint", checkpoint),
        Route("/tile/{path:path}", tile),
        Route("/proofs/{event_id:uuid}", proof),
        Route("/exercises/{case_id:uuid}", report),
    ]
    return Starlette(routes=[*routes, *more])


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ").strip()


def soon(detail: str) -> Response:
    """Return 404 with the time to ask again."""
    return refusal(404, "not-logged-yet", detail, headers={"retry-after": str(SOON_S)})
