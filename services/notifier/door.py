"""Serve the notifier's public door: receipts and replies of SMS providers, the page on which a person answers a message, and the answer to
intake's questions who was told and about rosters.

Nothing is confirmed before it is stored: while the database is away the answer is 503, and a provider repeats. A repeat changes nothing.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec
from jinja2 import Environment
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from referral.channels import KEYS, Word
from referral.errors import RETRY_AFTER_S, Malformed, Unavailable
from referral.runtime import i18n, peer
from referral.runtime.http_message import bounded_body, refusal
from referral.runtime.i18n import Words
from referral.runtime.postgres import database
from referral.web import frame, static_file
from referral.web.frame import PAGE_HEADERS
from referral.wire import roster as wire_roster
from referral.wire import told as wire_told
from services.notifier.answers import Answered, Answers, Outcome
from services.notifier.roster_door.door import RosterDoor
from services.notifier.told import WhoWasTold

HERE = Path(__file__).parent / "page"
MOST_BYTES = 4000
"""Largest body of a receipt, a reply or a form (ours): ten parts of an SMS in any encoding."""
ARRIVED = frozenset({"1", "DELIVRD", "DELIVERED"})
"""States of a message that has arrived: Kannel's %d, SMPP 3.4's (§5.2.28) and the usual word of aggregators."""
LOST = frozenset({"2", "16", "EXPIRED", "DELETED", "UNDELIV", "UNDELIVERED", "UNDELIVERABLE", "REJECTD", "REJECTED", "FAILED"})
"""States of a message that will not arrive. All other states, as Kannel's 4 and 8, change nothing."""
REFUSED = frozenset({"16", "REJECTD", "REJECTED"})
"""Those of them by which the provider's network says that it will not carry the message."""
SIGNATURE = "x-signature"
"""Header of a provider that signs its callbacks: HMAC-SHA-256 of the body, hexadecimal."""
REFERENCE = re.compile(r"[0-9a-f-]{36}", re.ASCII)
"""A message's reference, as it is made."""
ABROAD = re.compile(r"(?:\+|00)?([1-9]\d{6,14})", re.ASCII)
"""A sender's number as gateways write it; ours is `+` and the digits."""


@dataclass(frozen=True, slots=True)
class Door:
    """The door of one process.

    secret: part of the path that providers are told; `Keys.callback`. signing: key of a provider that signs; empty: none does.
    """

    answers: Answers
    who: WhoWasTold
    secret: str
    words: Mapping[str, Words]
    templates: Environment
    signing: bytes = b""
    roster: RosterDoor | None = None

    def application(self) -> Starlette:
        """Return the HTTP application."""
        routes = [
            Route("/sms/{secret}/receipt/{reference}", self._receipt, methods=["GET", "POST"]),
            Route("/sms/{secret}/reply", self._reply, methods=["GET", "POST"]),
            static_file.serve("/k.css", (HERE / "k.css").read_bytes()),
            Route(wire_told.PATH, self._who, methods=["POST"]),
            Route(wire_roster.PATH, self._roster, methods=["POST"]),
            Route("/k/{reference}", self._page, methods=["GET", "POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _refusal})

    async def _receipt(self, request: Request) -> Response:
        told = await self._told(request)
        state = told.get("status", "").upper()
        reference = request.path_params["reference"]
        if request.method != "HEAD" and state in ARRIVED | LOST and REFERENCE.fullmatch(reference):
            await self.answers.receipt(reference, state in ARRIVED, refused=state in REFUSED)
        return Response(media_type="text/plain")

    async def _reply(self, request: Request) -> Response:
        """Take a reply. The answer is empty, also to nonsense; who has an open message is answered by a message of its own."""
        told = await self._told(request)
        number = ABROAD.fullmatch(told.get("from", "").replace(" ", ""))
        if request.method != "HEAD" and number is not None:
            await self.answers.reply("sms", f"+{number[1]}", told.get("text", ""))
        return Response(media_type="text/plain")

    async def _told(self, request: Request) -> dict[str, str]:
        """Return the parameters of a provider's call: of the query, a form or a JSON object. 404 as for an unknown path: a stranger's."""
        body = await _body(request, MOST_BYTES)
        signed = request.headers.get(SIGNATURE, "").lower().encode()
        known = hmac.compare_digest(request.path_params["secret"].encode(), self.secret.encode())
        if self.signing and request.method == "POST":
            known |= hmac.compare_digest(signed, hmac.new(self.signing, body, sha256).hexdigest().encode())
        if not known:
            raise HTTPException(404)
        return dict([*_query(request.scope["query_string"]), *_fields(body)])

    async def _who(self, request: Request) -> Response:
        """Answer intake's question who was told."""
        return await _signed(request, self.who, wire_told.MOST_BYTES)

    async def _roster(self, request: Request) -> Response:
        """Answer intake's question about a roster, or change it."""
        return await _signed(request, self.roster, wire_roster.MOST_BYTES)

    async def _page(self, request: Request) -> Response:
        """Show the page; it is the same for every reference. POST takes an answer, and says whether it counts: a reference is no guess."""
        word, answered, away = None, None, 0
        if request.method == "POST":
            form = dict(_fields(await _body(request, MOST_BYTES)))
            word = KEYS.get(form.get("word", ""))
            try:
                answered = await self._taken(request.path_params["reference"], form.get("digits", "").strip(), word)
            except Exception as error:
                if not (isinstance(error, Unavailable) or database.away(error)):
                    raise
                away = error.retry_after if isinstance(error, Unavailable) else RETRY_AFTER_S
        words = self.words[i18n.spoken("", request.headers.get("accept-language", ""))]
        shown = {"end": _ending(answered, word), "wrong": _wrong(words, answered), "away": away, "bad": False, "sheet": "../k.css"}
        text = self.templates.get_template("k.html").render(say=words, **shown)
        again = {"Retry-After": str(away)} if away else {}
        return HTMLResponse(text, 503 if away else 200, headers={**PAGE_HEADERS, **again, "Vary": "Accept-Language"})

    async def _taken(self, reference: str, digits: str, word: Word | None) -> Answered:
        if word is None:
            return Answered(Outcome.EMPTY)
        return await self.answers.page(reference, digits, word) if REFERENCE.fullmatch(reference) else Answered(Outcome.OVER)


def _ending(answered: Answered | None, word: Word | None) -> str:
    """Return the key of the text in place of the form; empty: the form is shown."""
    if answered is None or answered.outcome in (Outcome.WRONG, Outcome.EMPTY):
        return ""
    if answered.outcome is Outcome.COUNTED:
        return "thanks.cannot" if word is Word.CANNOT else "thanks"
    return "locked" if answered.outcome is Outcome.LOCKED else "over"


def _wrong(words: Words, answered: Answered | None) -> str:
    """Return what is wrong with an answer, in words; empty: nothing, or there was none."""
    if answered is None or answered.outcome not in (Outcome.WRONG, Outcome.EMPTY):
        return ""
    return words("wrong", tries=words.count("try", answered.left)) if answered.outcome is Outcome.WRONG else words("empty")


async def _signed(request: Request, asked: WhoWasTold | RosterDoor | None, most: int) -> Response:
    """Answer a signed request. 404 as for an unknown path: a stranger's. The database is not asked before that."""
    body = await _body(request, most)
    if (
        asked is None
        or not peer.is_service(request, "intake")
        or not asked.knows(request.headers.get("authorization", "").removeprefix("Bearer "), body)
    ):
        raise HTTPException(404)
    try:
        return Response(await asked.answer(body), media_type="application/json", headers={"cache-control": "no-store"})
    except Malformed as error:
        return refusal(400, "malformed", str(error))


def made(answers: Answers, who: WhoWasTold, secret: str, signing: bytes = b"", roster: RosterDoor | None = None) -> Door:
    """Return the door with its page loaded. roster: answers about rosters; None: this door does not."""
    return Door(answers, who, secret, i18n.load(HERE / "words.yaml"), frame.templates(HERE), signing, roster)


def _refusal(request: Request, error: Exception) -> Response:
    """Answer an unknown path, a wrong secret and a wrong method in the same way at every address."""
    if isinstance(error, HTTPException) and error.status_code == 413:
        return refusal(413, "too-large", error.detail)
    return refusal(404, "not-found", "there is nothing at this address")


async def _body(request: Request, most: int) -> bytes:
    body = await bounded_body(request, most)
    if len(body) > most:
        raise HTTPException(413, f"send at most {most} bytes")
    return body


def _query(raw: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a query. Kannel sends a reply with Cyrillic letters in UTF-16BE and says so, all others in UTF-8."""
    told = parse_qsl(raw.decode("latin-1"), encoding="latin-1", max_num_fields=50)
    wide = ("charset", "UTF-16BE") in told
    codecs = {"text": "utf-16-be" if wide else "utf-8"}
    return [(name, value.encode("latin-1").decode(codecs.get(name, "utf-8"), "replace")) for name, value in told]


def _fields(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form or of a flat JSON object; none of anything else."""
    if body.lstrip()[:1] == b"{":
        try:
            found = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        return [(name, str(value)) for name, value in found.items() if isinstance(value, str | int)]
    return parse_qsl(body.decode("utf-8", "replace"), max_num_fields=50) if body else []
