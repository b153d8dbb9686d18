"""Whatever comes through the agencies' door as raw HTTP: an answer that says what to do, never a 500, and nothing changed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from referral.domain.policy import Policy, compile
from referral.runtime import http_server
from referral.runtime.observe import Health
from referral.runtime.settings import CHECKOUT, Settings
from services.intake.api import agency_request
from services.intake.api import routes as api
from services.intake.pages import routes
from services.intake.public import routes as public_door
from tests.harness.engines import by_hand
from tests.harness.line.intake_stack import LISTS, Certified, Stack, new_id, offer, stack, track
from tests.harness.need_to_know.routes import intake
from tests.harness.shipped import compiled

pytestmark = pytest.mark.servers
ANSWER_S = 15


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Served:
    """The doors as they are served: uvicorn on a socket, pages beside the API."""

    def __init__(self, made: Stack, port: int) -> None:
        self.stack, self.port = made, port

    async def raw(self, sent: bytes) -> Answer:
        """One connection, these bytes, one answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(sent)
                await writer.drain()
            async with asyncio.timeout(ANSWER_S):
                return parsed(await reader.read())
        finally:
            writer.close()

    async def everything(self) -> str:
        """A digest of all rows of intake and the keys."""
        digest = hashlib.sha256()
        async with by_hand(self.stack.settings) as tx:
            names = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('intake', 'keys') ORDER BY 1, 2"
            for schema, name in (await tx.execute(text(names))).all():
                rows = (await tx.execute(text(f'SELECT t::text FROM {schema}."{name}" t ORDER BY 1'))).scalars()
                digest.update(f"{name} {list(rows)}".encode())
        return digest.hexdigest()


def parsed(data: bytes) -> Answer:
    head, _, body = data.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0]:
        return Answer(0, {}, b"")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Answer(int(lines[0].split()[1]), headers, body)


def policy() -> Policy:
    folder = CHECKOUT / "policy"
    return compile({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.yaml")})


@contextlib.asynccontextmanager
async def served(bare: Settings) -> AsyncIterator[Served]:
    async with stack(bare) as made:
        in_force = policy()
        inbox = routes.made(made.door, lambda: in_force, secure=True)
        app = routes.application([*api.routes(made.door, b"k" * 32), *public_door.routes(inbox)], inbox)
        bound = http_server.listen("127.0.0.1", 0)
        server = http_server.server(Health(), Certified(app))
        bound.listen()
        task = asyncio.create_task(http_server.serve(server, bound))
        try:
            yield Served(made, bound.getsockname()[1])
        finally:
            server.should_exit = True
            await task


@pytest.fixture
async def doors(bare: Settings) -> AsyncIterator[Served]:
    async with served(bare) as made:
        yield made


def request(method: str, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes, *, chunked: bool = False) -> bytes:
    head = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: intake", b"Connection: close"]
    head += [name + b": " + value for name, value in headers]
    if chunked:
        parts = [body[i : i + 700] for i in range(0, len(body), 700)]
        whole = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"
        return b"\r\n".join([*head, b"Transfer-Encoding: chunked", b"", whole])
    return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])


TOKEN = (b"Authorization", b"Bearer token-of-school")
JSON = (b"Content-Type", b"application/json")
PATHS = [
    "/v1/referrals", "/v1/referrals/{}", "/v1/referrals/{}/withdrawal", "/v1/submissions/{}", "/v1/cases/{}", "/v1/cases/{}/file",
    "/v1/cases/{}/file/{}", "/v1/cases/{}/consent", "/v1/cases/{}/traits", "/v1/cases/{}/exclusions", "/v1/cases/{}/instructions",
    "/v1/offers", "/v1/offers?state={}", "/v1/offers/{}", "/v1/offers/{}/responses", "/v1/ingress-key", "/openapi.json", "/v1/{}",
]  # fmt: skip
escaped = st.sampled_from(["%00", "%0d%0aX:y", "%ED%A0%80", "%2e%2e%2f", "'", "%22", "%F0%9F%98%80", "a" * 4000, "%ff", "*", "~"])
piece = escaped | st.text("abcdef0123456789-", min_size=1, max_size=40) | st.uuids().map(str)
path = st.sampled_from(PATHS).flatmap(lambda p: st.lists(piece, min_size=2, max_size=2).map(lambda ids: p.format(*ids)))
leaf = st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False) | st.text(max_size=8)
value = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=8
)
NAMES = ("traits", "file", "word", "reason", "code", "texts", "kind", "actor", "state", "basis", "giver", "case_id", "concern", "drill")
shaped = st.dictionaries(st.sampled_from(NAMES), value, max_size=4)
odd = st.sampled_from(
    [
        b"", b"\x00", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a":' * 3000 + b"1" + b"}" * 3000, b'{"a": 1e999999}', b"NaN",
        b'{"texts": {"reason": "\\udc00"}}', b'{"word": "\\u0000"}', b'{"a": ' + b"9" * 6000 + b"}", b"\xff\xfe{\x00}\x00",
        b'"' + b"x" * 70_000,
        b'{"word": "ACCEPT", "word": "DECLINE"}', b"--x\r\n", b"{} {}", b"{}\n{}",
    ]
)  # fmt: skip
body = st.binary(max_size=60) | value.map(lambda v: msgspec.json.encode(v)) | shaped.map(lambda v: msgspec.json.encode(v)) | odd
header = st.sampled_from(
    [
        (b"Content-Type", b"text/plain"), (b"Content-Type", b"application/json; charset=utf-16"), (b"Content-Type", b"\xff"),
        (b"Idempotency-Key", b"k"), (b"Idempotency-Key", b"x" * 3000), (b"Idempotency-Key", b"\xc3\xab"), (b"Idempotency-Key", b""),
        (b"Authorization", b"Bearer \xff\xfe"), (b"Authorization", b"Bearer"), (b"X-Forwarded-For", b"10.0.0.1"),
        (b"Expect", b"100-continue"), (b"Cookie", b"session=" + b"a" * 3000), (b"Accept-Language", b"sr;q=\xff,,,"),
        (b"Accept", b"application/fhir+json"), (b"Accept", b"\xff/*;q=1e9,," + b"a/b," * 500), (b"Accept", b"text/html"),
        (b"Cookie", b'__Host-session="\\303\\251.1-x"; visit=\xff'),
        (b"X-Line", b"a\r\n b"), (b"Content-Encoding", b"gzip"),
    ]
)  # fmt: skip
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW")


@dataclass
class Fuzz:
    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    chunked: bool


fuzz = st.builds(
    Fuzz,
    method=st.sampled_from(METHODS) | st.sampled_from(["POST", "PUT", "GET"]),
    path=path,
    headers=st.lists(header, max_size=3).map(lambda more: [TOKEN, JSON, *more]),
    body=body,
    chunked=st.booleans(),
)


def test_nothing_that_is_sent_is_a_500_or_changes_anything(bare: Settings) -> None:
    with asyncio.Runner() as runner:
        opened = served(bare)
        doors = runner.run(opened.__aenter__())
        before = runner.run(doors.everything())

        @settings(max_examples=300, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
        @given(fuzz)
        def attack(one: Fuzz) -> None:
            sent = request(one.method, one.path.encode(), one.headers, one.body, chunked=one.chunked)
            judge(one, runner.run(doors.raw(sent)))

        try:
            attack()
            assert runner.run(doors.everything()) == before
        finally:
            runner.run(opened.__aexit__(None, None, None))


def judge(one: Fuzz, answer: Answer) -> None:
    assert 200 <= answer.status < 500, (one, answer)
    assert b"Traceback" not in answer.body
    parsed_by_us = answer.headers.get("content-type", "") != "text/plain; charset=utf-8"  # uvicorn's own words for what is no HTTP
    if answer.status >= 400 and one.method != "HEAD" and parsed_by_us:
        assert answer.headers["content-type"] == "application/problem+json", (one, answer)
        problem = msgspec.json.decode(answer.body)
        assert problem["status"] == answer.status and problem["hint"] and problem["code"] and problem["title"], one
    elif answer.status >= 400 and not parsed_by_us:
        assert answer.status == 400


WITH_QUERY = (
    "/signin?to={}", "/inbox?sent={}", "/{}", "/unverified?page={}", "/agency?at={}", "/me/takeover?rung={}", "/agency/end/weekly/{}",
    "/offers/{0}/write/note", "/offers/{0}/change/consent",
)  # fmt: skip
"""Addresses beside those of the routes: with a query, with one right part, and of no route."""
PAGES = (*sorted({re.sub(r"\{[^}]*\}", "{0}", getattr(route, "path", "/")) for route in intake(compiled())}), *WITH_QUERY)
DRAWS = 9
"""Requests to each of them, about."""
page = st.sampled_from(PAGES).flatmap(lambda p: piece.map(lambda id: p.format(id)))
FIELDS = ["form", "login", "password", "to", "language", "word", "key", "from", "at", "go", "code", "need.note", "which", "sure", "reason"]
form = st.dictionaries(st.sampled_from(FIELDS), piece, max_size=4).map(
    lambda fields: "&".join(f"{name}={value}" for name, value in fields.items()).encode()
)


LITERAL = frozenset(path for path in PAGES if "{" not in path)
"""Pages of ours that no part of an address was typed into."""
OURS = r"/(signin(\?to=[/a-z0-9-]*)?|inbox|refer|(offers|calls|tasks|unverified)/[0-9a-f-]{36}(/write)?)(\?view=[\w-]{32}[0-9a-f]{16})?"


def test_nothing_that_is_sent_to_a_page_is_a_500_or_leaves_for_elsewhere(bare: Settings) -> None:
    with asyncio.Runner() as runner:
        opened = served(bare)
        doors = runner.run(opened.__aenter__())
        before = runner.run(doors.everything())

        @settings(max_examples=DRAWS * len(PAGES), suppress_health_check=list(HealthCheck), derandomize=True, database=None)
        @given(page, st.sampled_from(METHODS), form | body, st.lists(header, max_size=3))
        def attack(path: str, method: str, sent: bytes, headers: list[tuple[bytes, bytes]]) -> None:
            answer = runner.run(doors.raw(request(method, path.encode(), headers, sent)))
            assert 200 <= answer.status < 500, (path, method, sent, answer)
            assert "x" not in answer.headers, "no header of ours is written by who asks"
            if "location" in answer.headers:
                assert answer.headers["location"] in LITERAL or re.fullmatch(OURS, answer.headers["location"])

        try:
            attack()
            assert runner.run(doors.everything()) == before
        finally:
            runner.run(opened.__aexit__(None, None, None))


async def test_a_body_that_never_ends_is_given_up(doors: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "BODY_S", 0.2)
    head = [TOKEN, JSON, (b"Idempotency-Key", b"k")]
    sent = request("POST", b"/v1/referrals", head, b"x" * 90)[:-40]
    answer = await doors.raw(sent)
    assert (answer.status, msgspec.json.decode(answer.body)["code"]) == (408, "too-slow")


@pytest.mark.parametrize("chunked", [True, False])
async def test_two_megabytes_are_refused_by_every_way_of_sending_them(doors: Served, chunked: bool) -> None:
    sent = request(
        "POST", b"/v1/referrals", [TOKEN, JSON, (b"Idempotency-Key", b"k")], b'{"a": "' + b"x" * 2_000_000 + b'"}', chunked=chunked
    )
    answer = await doors.raw(sent)
    assert (answer.status, msgspec.json.decode(answer.body)["code"]) == (413, "too-large")


async def test_a_length_and_chunks_in_one_request_smuggle_nothing(doors: Served) -> None:
    inner = b"GET /v1/offers HTTP/1.1\r\nHost: intake\r\n\r\n"
    sent = request("POST", b"/v1/referrals", [TOKEN, JSON, (b"Content-Length", b"4")], inner, chunked=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", doors.port)
    writer.write(sent.replace(b"Connection: close\r\n", b""))
    async with asyncio.timeout(ANSWER_S):
        whole = await reader.read()  # the server ends the connection: what follows is no request
    writer.close()
    assert whole.count(b"HTTP/1.1 ") == 1


async def test_a_file_with_a_million_columns_leaves_the_doors_answering(doors: Served) -> None:
    """It took 12 s for 196 KiB, in the event loop, and a lease lasts 10."""
    csv = (b"ref_FoundIn" + b"," * 1_040_000 + b"\n" + b"x\n" * 500)[: agency_request.BODY_LIMIT]
    sent = request("POST", b"/v1/referrals", [TOKEN, (b"Content-Type", b"text/csv")], csv)
    posting = asyncio.create_task(doors.raw(sent))
    clock, slowest = asyncio.get_running_loop().time, 0.0
    while not posting.done():
        began = clock()
        assert (await doors.raw(request("GET", b"/healthz", [], b""))).status == 200
        slowest = max(slowest, clock() - began)
    answer = await posting
    assert (answer.status, msgspec.json.decode(answer.body)["code"]) == (413, "too-large")
    assert slowest < 1.0, slowest


GOOD = msgspec.json.encode({"traits": {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "urgent"}})


async def test_what_an_ordinary_client_gets_wrong_is_named(doors: Served) -> None:
    """Of the hostile and sloppy inputs of the trial: each was taken, or refused with a hint that led nowhere."""
    key, form = (b"Idempotency-Key", b"k"), b"application/json"
    made: dict[str, tuple[bytes, int, str]] = {
        "charset": (request("POST", b"/v1/referrals", [TOKEN, key, (b"Content-Type", form + b"; charset=utf-16")], GOOD), 415, "not-utf-8"),
        "gzip": (request("POST", b"/v1/referrals", [TOKEN, key, JSON, (b"Content-Encoding", b"gzip")], b"\x1f\x8b"), 415, "encoded"),
        "two tokens": (request("GET", b"/v1/offers", [TOKEN, TOKEN], b""), 400, "repeated-header"),
        "two lengths": (
            request("POST", b"/v1/referrals", [TOKEN, key, JSON, (b"Content-Length", b"9")], GOOD, chunked=True),
            400,
            "two-lengths",
        ),
        "xml": (request("GET", b"/v1/offers", [TOKEN, (b"Accept", b"application/xml")], b""), 406, "not-acceptable"),
        "trace": (request("TRACE", b"/v1/offers", [TOKEN], b""), 405, "method-not-allowed"),
        "double slash": (request("GET", b"//v1/offers", [TOKEN], b""), 404, "not-found"),
        "capitals": (request("GET", b"/V1/offers", [TOKEN, (b"Accept", b"text/html")], b""), 404, "not-found"),
        "metadata": (request("GET", b"/metadata", [TOKEN, (b"Accept", b"text/html")], b""), 404, "not-found"),
    }
    for name, (sent, status, code) in made.items():
        answer = await doors.raw(sent)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), name
        problem = msgspec.json.decode(answer.body)
        assert problem["code"] == code and problem["hint"], name
        assert name != "gzip" or "gzip" in problem["hint"]
    for charset, body in ((b"", b"\xef\xbb\xbf" + GOOD), (b"; charset=UTF-8", GOOD), (b'; charset="utf-8"', GOOD)):
        answer = await doors.raw(request("POST", b"/v1/referrals", [TOKEN, key, (b"Content-Type", form + charset)], body))
        assert answer.status == 202, (charset, answer)
    assert (await doors.raw(request("GET", b"/v1/offers", [TOKEN, (b"Accept", b"text/html, */*;q=0.1")], b""))).status == 200
    api = await doors.raw(request("GET", b"/v1/offers", [TOKEN], b""))
    assert (api.headers["x-content-type-options"], api.headers["strict-transport-security"]) == (
        "nosniff",
        "max-age=31536000; includeSubDomains",
    )
    lost = await doors.raw(request("GET", b"/nowhere", [(b"Accept", b"text/html")], b""))
    assert (lost.status, lost.headers["content-type"]) == (404, "text/html; charset=utf-8"), "a person who lost their way"


async def test_unknown_and_foreign_ids_have_one_answer(doors: Served) -> None:
    made = doors.stack
    receipt = await made.submit(agency="school", key="theirs")
    case_id, offer_id = receipt["case_id"], new_id()
    await made.decided(case_id, track(), offer("police", offer_id))
    for path, mine in (
        ("/v1/offers/{}", offer_id),
        ("/v1/cases/{}", case_id),
        ("/v1/cases/{}/file", case_id),
        ("/v1/referrals/{}", receipt["referral_id"]),
        ("/v1/submissions/{}", "theirs"),
    ):
        foreign, unknown = [await made.get("csw", path.format(id)) for id in (mine, new_id())]
        assert (foreign.status_code, foreign.content, foreign.headers.items()) == (404, unknown.content, unknown.headers.items()), path
    answer: dict[str, Any] = {"word": "ACCEPT"}
    for path, mine, body in (
        ("/v1/offers/{}/responses", offer_id, answer),
        ("/v1/offers/{}/responses", offer_id, {"word": "ACCEPT", "via": "PHONE"}),
        ("/v1/cases/{}/traits", case_id, {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "urgent"}),
        ("/v1/cases/{}/consent", case_id, {"state": "GIVEN", "basis": "consent", "giver": "parent"}),
        ("/v1/cases/{}/exclusions", case_id, {"kind": "AGENCY", "actor": "csw"}),
        ("/v1/cases/{}/instructions", case_id, {"word": "CLOSE", "reason": "OTHER"}),
        ("/v1/referrals/{}/withdrawal", receipt["referral_id"], {"reason": "MISTAKE"}),
    ):
        foreign, unknown = [await made.post("csw", path.format(id), body) for id in (mine, new_id())]
        assert (foreign.status_code, foreign.content) == (404, unknown.content), path
    assert set(LISTS.codes["agency"]) > {"csw"}
