"""Measure the public page under attack: the cost of a report beside /healthz, what times tell a sender, and a desk's list of 3,000."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from base64 import b32encode
from collections.abc import AsyncIterator, Iterable, Sequence
from urllib.parse import urlencode, urlsplit

import httpx

from bench.ground import Ground, admin, say, until
from bench.plan import policy
from bench.rows import Row, percentile
from referral.cli.stack import cast
from referral.local.stack import Stack
from services.intake import policy_view
from tests.harness import callers
from tests.harness.line import intake_stack
from tests.harness.web import flood, forms, reports

ONES, PAIRS, AT_ONCE, BUSY = 500, 200, 8, 16
"""Requests one after another; pairs of codes whose times are compared, so many at once; connections of the flood."""
REFERRED = 60
"""Pairs of reports whose times are compared, one after another (two comparisons): no limit of the page is reached."""
REPORTS, LOOKS = 3_000, 100
"""Reports that wait at the desk, and looks at its pages with each number of them: of a hundred, p99 is the last but one."""
DESK = "desk-prizren"
Answer = tuple[float, int, bytes]
"""Seconds, status and body."""
Answers = list[Answer]
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"


class Line:
    """One connection, kept open: bytes out, an answer back."""

    def __init__(self, made: Stack) -> None:
        at = urlsplit(made.url("intake"))
        self._at, self._tls = (at.hostname or "", at.port or 0), callers.browser(made)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send a request. Return seconds, status and body. It opens a new connection where the server has closed the last one."""
        for _ in range(2):
            try:
                return await self._asked(request)
            except (asyncio.IncompleteReadError, ConnectionError):
                self._streams = None
        raise AssertionError("the server closes every connection")

    async def _asked(self, request: bytes) -> Answer:
        reader, writer = self._streams = self._streams or await asyncio.open_connection(*self._at, ssl=self._tls)
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.decode("latin-1").lower().split("\r\n") if line.startswith("content-length:"))
        body = await reader.readexactly(size)
        return time.perf_counter() - began, int(head[9:12]), body


class Page:
    """The public page of a stack, as a program uses it. cookie, form: of one browser."""

    def __init__(self, made: Stack) -> None:
        with flood.visitor(made.url("intake"), callers.browser(made)) as visitor:
            self.cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
            self.form = visitor.form

    def report(self, address: str, **more: str) -> bytes:
        form = self.form | {"key": secrets.token_hex(16), "at": "check", "go": "send"} | flood.EVERY | more
        return self._post("/refer", form, address)

    def look(self, code: str) -> bytes:
        return self._post("/refer/receipt", {"form": self.form["form"], "code": code}, "203.0.113.7")

    def _post(self, path: str, form: dict[str, str], address: str) -> bytes:
        body = urlencode(form).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: h\r\nCookie: {self.cookie}\r\nX-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def door(at: Ground) -> AsyncIterator[Row]:
    """Measure intake alone behind a proxy on this machine."""
    os.environ["REFERRAL_PROXY"] = "127.0.0.1"  # the service inherits it
    try:
        async with at.line("intake") as made:
            await until(lambda: _open(made))
            page = await asyncio.to_thread(Page, made)
            async for row in _costs(made, page):
                yield row
            async for row in _times(made, page):
                yield row
            async for row in _desk(made, page):
                yield row
    finally:
        del os.environ["REFERRAL_PROXY"]


async def _open(made: Stack) -> bool:
    """Return whether intake has read the policy in force."""
    async with httpx.AsyncClient(trust_env=False, verify=callers.browser(made)) as http:
        return (await http.get(f"{made.url('intake')}/refer")).status_code == 200


async def _costs(made: Stack, page: Page) -> AsyncIterator[Row]:
    say("one after another: /healthz, the first page, a report that is accepted, a report that is refused")
    first = f"GET /refer HTTP/1.1\r\nHost: h\r\nCookie: {page.cookie}\r\n\r\n".encode()
    line, towns = Line(made), sorted(policy(made.settings.policy).municipalities)
    health = [await line.ask(HEALTH) for _ in range(ONES)]
    opened = [await line.ask(first) for _ in range(ONES)]
    accepted = [await line.ask(page.report(f"10.{n}.1.1", found_in=towns[n % len(towns)])) for n in range(50)]
    assert {status for _, status, _ in accepted} == {200}
    for _ in range(20):  # one network reaches its limit
        await line.ask(page.report("203.0.113.7"))
    refused = [await line.ask(page.report("203.0.113.7")) for _ in range(ONES)]
    assert {status for _, status, _ in refused} == {429}
    for name, found in (("its first page", opened), ("a report, accepted", accepted), ("a report above the limit", refused)):
        yield _ratio(f"public page: {name}, p50", found, health, 0.5, "GET /healthz")
        yield _ratio(f"public page: {name}, p99", found, health, 0.99, "GET /healthz")
    say(f"as many as it can, over {BUSY} connections")
    rate = {}
    for name in ("refused", "healthz"):
        each = [page.report("203.0.113.7") if name == "refused" else HEALTH for _ in range(ONES // 4)]
        lines = [Line(made) for _ in range(BUSY)]
        began = time.perf_counter()
        await asyncio.gather(*(_many(line, each) for line in lines))
        rate[name] = BUSY * (ONES // 4) / (time.perf_counter() - began)
    yield Row(
        name="public page: reports above the limit", value=rate["refused"], unit="1/s", reference=rate["healthz"], against="GET /healthz"
    )


async def _many(line: Line, requests: Iterable[bytes]) -> Answers:
    return [await line.ask(request) for request in requests]


def _ratio(name: str, found: Sequence[Answer], than: Sequence[Answer], share: float, against: str) -> Row:
    ours, theirs = (percentile([seconds for seconds, _, _ in some], share) * 1000 for some in (found, than))
    return Row(name=name, value=ours, unit="ms", reference=theirs, against=against)


async def _times(made: Stack, page: Page) -> AsyncIterator[Row]:
    """Compare pairs that were asked alternately: what differs is what the sender wants to know."""
    line = Line(made)
    towns = sorted(policy(made.settings.policy).municipalities)
    _, _, body = await line.ask(page.report("10.200.1.1", found_in="peje"))
    code = _code(body)
    _, _, body = await line.ask(page.report("10.200.2.1", found_in="peje"))
    gone = _code(body)
    async with admin(made) as connection:
        newest = "SELECT case_id FROM intake.referral ORDER BY received_at DESC LIMIT 1"
        await connection.execute(f"UPDATE intake.casefile SET erasing_at = 1 WHERE case_id = ({newest})")
    say(f"{PAIRS} pairs of codes, {AT_ONCE} at once")
    for name, other in (("one that was never given out", None), ("one whose case is erased", gone)):
        ours, theirs = await _pairs(made, [(page.look(code), page.look(other or _guess())) for _ in range(PAIRS)], AT_ONCE)
        for share in (0.5, 0.99):
            yield _ratio(f"time of a right code, p{share * 100:.0f}", ours, theirs, share, f"the time of {name}")
    say("pairs of reports: a child whom others have referred, and one whom nobody knows; two municipalities")
    half = []
    for n in range(REFERRED):
        known = {"need.child": "Made-Up", "found_in": towns[n % len(towns)]}
        half.append((page.report(f"10.201.{n}.1", **known), page.report(f"10.202.{n}.1", **known | {"need.child": _guess()})))
    for name, pairs in (
        ("a child whom others have referred", half),
        (
            "a municipality",
            [
                (page.report(f"10.203.{n}.1", found_in=towns[n % len(towns)]), page.report(f"10.204.{n}.1", found_in="unknown"))
                for n in range(REFERRED)
            ],
        ),
    ):
        ours, theirs = await _pairs(made, pairs, 1)
        for share in (0.5, 0.99):
            yield _ratio(f"time of a report about {name}, p{share * 100:.0f}", ours, theirs, share, "the time of an unknown one")


def _guess() -> str:
    return b32encode(secrets.token_bytes(10)).decode()


def _code(body: bytes) -> str:
    found = flood.CODE.search(body.decode())
    assert found is not None
    return found[1]


async def _pairs(made: Stack, pairs: Sequence[tuple[bytes, bytes]], at_once: int) -> tuple[Answers, Answers]:
    """Ask both of each pair on one connection, in turn the one and the other first. Return the answers of each side."""
    lines, sides = [Line(made) for _ in range(at_once)], ([], [])  # type: ignore[var-annotated]

    async def run(line: Line, mine: Sequence[tuple[bytes, bytes]]) -> None:
        for n, pair in enumerate(mine):
            for side in (0, 1) if n % 2 else (1, 0):
                sides[side].append(await line.ask(pair[side]))

    await asyncio.gather(*(run(line, pairs[n::at_once]) for n, line in enumerate(lines)))
    return sides


async def _desk(made: Stack, page: Page) -> AsyncIterator[Row]:
    """Measure a desk's pages: with nothing, with 3,000 reports, and while the page is flooded."""
    people = cast.load(made.config.data)
    cookie = await asyncio.to_thread(_signed_in, made, people.of(DESK)[0].login, people.password)
    line = Line(made)
    asked = {path: f"GET {path} HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\n\r\n".encode() for path in ("/inbox", "/unverified")}
    few = {path: [await line.ask(request) for _ in range(LOOKS)] for path, request in asked.items()}
    busy = [asyncio.create_task(_many(Line(made), (page.report("203.0.113.7") for _ in range(400)))) for _ in range(BUSY)]
    flooded = [await line.ask(asked["/unverified"]) for _ in range(LOOKS)]
    await asyncio.gather(*busy)
    yield _ratio(f"a desk's list while {BUSY} connections flood the page, p50", flooded, few["/unverified"], 0.5, "without a flood")
    yield _ratio(f"a desk's list while {BUSY} connections flood the page, p99", flooded, few["/unverified"], 0.99, "without a flood")
    say(f"{REPORTS} reports wait at one desk")
    await _wait(made)
    for path, request in asked.items():
        many = [await line.ask(request) for _ in range(LOOKS)]
        assert {status for _, status, _ in many} == {200}
        yield _ratio(f"{path} of a desk with {REPORTS:,} reports, p50", many, few[path], 0.5, "with none")
        yield _ratio(f"{path} of a desk with {REPORTS:,} reports, p99", many, few[path], 0.99, "with none")
        yield Row(
            name=f"  its size, {path}", value=len(many[0][2]) / 1000, unit="kB", reference=len(few[path][0][2]) / 1000, against="with none"
        )


def _signed_in(made: Stack, login: str, password: str) -> str:
    with httpx.Client(base_url=made.url("intake"), trust_env=False, timeout=30, verify=callers.browser(made)) as person:
        forms.sign_in(person, login, password)
        return "; ".join(f"{name}={value}" for name, value in person.cookies.items())


async def _wait(made: Stack) -> None:
    lists = policy_view.of(policy(made.settings.policy), 1)
    async with intake_stack.stack(made.settings, lists) as beside, beside.door.begin() as tx:
        await reports.wait(tx, beside.door, REPORTS, DESK, REPORTS)
