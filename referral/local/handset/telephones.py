"""Run the stand-in for telephones on a local stack: it takes SMS and calls, shows them on a page, and answers as a person would.

SMS arrive as at Kannel's `sendsms`, so the real gateway channel is used; calls arrive from referral/channels/handset.py. No telephone
rings, and only the made-up numbers of a local stack exist.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import parse_qsl, quote

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from referral.authorities import trusted
from referral.local.handset import page, speech
from referral.runtime import http_connection, http_listener

NUMBER = re.compile(r"\+999\d{5,12}")
"""Made-up numbers. ITU-T assigns the country code 999 to nobody, so none of them reaches a telephone, whatever it is dialled on."""
RING_SECONDS = 25.0
"""Time for which a call rings, as a real one (P)."""
KEPT = 500
"""Entries that are kept; older ones are forgotten (ours)."""
CALLBACK_SECONDS = 10.0
"""Limit of one report to the notifier (ours)."""
STOP_SECONDS = 1
"""Time for open pages when the stack ends; calls are over at once (ours)."""
ENDS = ("1", "2", "no-key", "declined", "rings-out")
"""Ends that a person can give a ringing call. Busy is what a second caller finds."""

OFF = "off"
"""End of a call whose handset stops: our fault, and not the person's."""

Kind = Literal["sms", "call", "reply"]


@dataclass(eq=False, slots=True)
class Entry:
    """One SMS, call or reply. at: the machine's own time (a drill clock does not move it).

    language: of a call's words. end: of a call, empty while it rings; of a reply, "taken" or why not.
    """

    id: int
    kind: Kind
    number: str
    text: str
    at: datetime
    language: str = ""
    end: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def rings(self) -> bool:
        return self.kind == "call" and not self.end

    def facts(self) -> dict[str, object]:
        """Return what the command displays."""
        return {
            "id": self.id,
            "kind": self.kind,
            "number": self.number,
            "at": self.at.isoformat(timespec="seconds"),
            "text": self.text,
            "end": self.end,
        }


class Problem(Exception):
    """The handset cannot do what was asked. Its text says what to do."""


class Handset:
    """Telephones on 127.0.0.1. entries: everything received and answered, oldest first.

    replies_to: URL to which a reply is sent, with Kannel's escapes %p (number) and %a (text); empty: nobody listens.
    believed: authorities of the server behind that URL.
    names: whose telephone a number is, for display.
    refusing: answer 503 to every SMS and call, as a broken provider does.
    """

    def __init__(self, port: int = 0) -> None:
        self.entries: list[Entry] = []
        self.names: dict[str, str] = {}
        self.replies_to = ""
        self.refusing = False
        self._port = port
        self._server: http_connection.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._count = 0
        self._reports: set[asyncio.Task[str]] = set()
        self.believed = trusted()
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        """Return the base URL of its page."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ringing(self) -> list[Entry]:
        """Return the calls that ring, oldest first."""
        return [entry for entry in self.entries if entry.rings]

    async def start(self) -> str:
        """Listen, after a stop on the same port, and return the URL. OSError: the port is taken."""
        bound = http_listener.listen("127.0.0.1", self._port)
        self._port = int(bound.getsockname()[1])
        bound.listen(128)
        config = http_connection.config(self._application(), None, lifespan="off", timeout_graceful_shutdown=STOP_SECONDS)
        self._server = http_connection.Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[bound]))
        return self.url

    async def stop(self) -> None:
        """End every call and stop listening; what was received stays."""
        for call in self.ringing:
            await self._end(call, OFF)
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None
        for report in self._reports:
            report.cancel()

    async def wait(self, look: Callable[[], bool]) -> None:
        """Wait until this holds for the entries. The caller sets the limit (asyncio.timeout)."""
        async with self._changed:
            await self._changed.wait_for(look)

    async def press(self, end: str, number: str = "") -> Entry:
        """End the call that rings, as one of ENDS. number: whose; needed if several ring. Problem: none rings."""
        if end not in ENDS:
            raise Problem(f"a telephone offers {', '.join(ENDS)}")
        calls = [call for call in self.ringing if number in ("", call.number)]
        if not calls:
            raise Problem("no telephone rings" if not number else f"{number} does not ring")
        if len(calls) > 1:
            raise Problem(f"several telephones ring; name one: {', '.join(call.number for call in calls)}")
        await self._end(calls[0], end)
        return calls[0]

    async def reply(self, text: str, number: str = "") -> Entry:
        """Send an SMS from a telephone to the notifier. number: whose; needed if several received one. Problem: nobody to reply to."""
        numbers = {entry.number for entry in self.entries if entry.kind == "sms"}
        if number and number not in numbers:
            raise Problem(f"{number} received no SMS, so it has nothing to reply to")
        if not number and len(numbers) != 1:
            raise Problem(f"name a number: {', '.join(sorted(numbers))}" if numbers else "no SMS was received yet")
        entry = await self._add("reply", number or numbers.pop(), text)
        entry.end = await self._report(self.replies_to, {"p": entry.number, "a": text}) if self.replies_to else "nobody listens for replies"
        await self._tell()
        return entry

    # ---- HTTP
    def _application(self) -> Starlette:
        routes = [
            Route("/cgi-bin/sendsms", self._sendsms),
            Route("/calls", self._calls, methods=["POST"]),
            Route("/calls/{id:int}.wav", self._wav),
            Route("/entries", self._entries),
            Route("/press", self._press, methods=["POST"]),
            Route("/reply", self._reply, methods=["POST"]),
            Route("/handset.css", lambda _: page.stylesheet()),
            Route("/", self._page),
        ]
        return Starlette(routes=routes)

    async def _sendsms(self, request: Request) -> Response:
        """Take an SMS as Kannel does, then report that it has arrived, if the sender wants to know."""
        asked = request.query_params
        number, text = _number(asked.get("to", "")), asked.get("text", "")
        if self.refusing:
            return PlainTextResponse("Temporal failure, try again later.", 503)
        if not NUMBER.fullmatch(number) or not text:
            return PlainTextResponse("Garbage 'to' field, rejected." if text else "Missing text", 400)
        await self._add("sms", number, text)
        if url := asked.get("dlr-url"):  # beside the answer: the sender's connection is free at once
            report = asyncio.create_task(self._report(url, {"d": "1", "p": number}))
            self._reports.add(report)
            report.add_done_callback(self._reports.discard)
        return PlainTextResponse("0: Accepted for delivery", 202)

    async def _calls(self, request: Request) -> Response:
        """Ring until a key, the end of the ringing time, or the end of the request: then the caller has hung up."""
        asked = await request.json()
        number = _number(str(asked.get("to", "")))
        if self.refusing:
            return PlainTextResponse("refusing", 503)
        if not NUMBER.fullmatch(number):
            return PlainTextResponse("no such number", 404)
        if any(call.number == number for call in self.ringing):
            return PlainTextResponse("busy")
        call = await self._add("call", number, str(asked.get("text", "")), str(asked.get("language", "")))
        hung_up, ended = asyncio.ensure_future(_gone(request)), asyncio.ensure_future(call.ended.wait())
        try:
            await asyncio.wait({hung_up, ended}, timeout=RING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            await self._end(call, "hung-up" if hung_up.done() else "rings-out")
        finally:
            hung_up.cancel()
            ended.cancel()
        return PlainTextResponse(call.end, 503 if call.end == OFF else 200)

    async def _wav(self, request: Request) -> Response:
        call = next((entry for entry in self.entries if entry.kind == "call" and entry.id == request.path_params["id"]), None)
        sound = await speech.wav(call.text, call.language) if call else None
        return Response(sound, media_type="audio/wav") if sound else PlainTextResponse("no such call, or no espeak-ng here", 404)

    async def _entries(self, _: Request) -> Response:
        return JSONResponse([{**entry.facts(), "name": self.names.get(entry.number, "")} for entry in self.entries])

    async def _press(self, request: Request) -> Response:
        return await self._done(request, lambda form: self.press(form.get("end", ""), form.get("number", "")))

    async def _reply(self, request: Request) -> Response:
        return await self._done(request, lambda form: self.reply(form.get("text", ""), form.get("number", "")))

    async def _done(self, request: Request, do: Callable[[dict[str, str]], Awaitable[Entry]]) -> Response:
        """Do what a form of our own page, or the command, asks for. A browser says whether the form stands on another site's page."""
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return PlainTextResponse("this form does not stand on the handset's page", 403)
        browser = "text/html" in request.headers.get("accept", "")
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        try:
            entry = await do(form)
        except Problem as problem:
            words = str(problem)
            return page.page(self.entries, self.names, problem=words, status=409) if browser else PlainTextResponse(words, 409)
        return RedirectResponse("/", 303) if browser else JSONResponse(entry.facts())

    async def _page(self, request: Request) -> Response:
        return page.page(self.entries, self.names, replying=request.query_params.get("reply", ""))

    # ---- entries
    async def _add(self, kind: Kind, number: str, text: str, language: str = "") -> Entry:
        self._count += 1
        now = datetime.now(UTC)  # noqa: TID251 - a telephone has a clock of its own
        entry = Entry(self._count, kind, number, text, now, language)
        self.entries.append(entry)
        del self.entries[: max(0, len(self.entries) - KEPT)]
        await self._tell()
        return entry

    async def _end(self, call: Entry, end: str) -> None:
        """End a call once; a later end does not count."""
        call.end = call.end or end
        call.ended.set()
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _report(self, url: str, values: dict[str, str]) -> str:
        """Call a URL of the notifier with Kannel's escapes filled in. Return "taken", or why not."""
        filled = re.sub(r"%([a-zA-Z])(?![0-9a-fA-F])", lambda found: quote(values.get(found[1], ""), safe=""), url)
        try:
            async with httpx.AsyncClient(timeout=CALLBACK_SECONDS, trust_env=False, verify=self.believed) as client:
                answer = await client.get(filled)
        except httpx.HTTPError:
            return "not taken: the notifier does not answer"
        return "taken" if answer.is_success else f"not taken: the notifier answered {answer.status_code}"


async def _gone(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _number(written: str) -> str:
    return "+" + re.sub(r"\D", "", written).removeprefix("00")
