"""Preparing, following policy, and what a process shows of itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
import yaml
from aiokafka.admin import NewTopic
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from referral.domain.events import PolicyActivated
from referral.errors import RETRY_AFTER_S, Rejected, Unavailable
from referral.local import ports
from referral.runtime import bootstrap, http_server, observe, policy_feed, process
from referral.runtime.kafka import clients
from referral.runtime.settings import CHECKOUT, Settings
from referral.wire import codec, headers
from tests.harness import malformed
from tests.harness.line.runtime_stack import Stack
from tests.harness.policies import KEEPER, OFFICE, STRANGER, bundle
from tests.harness.waiting import PATIENCE_S, until

pytestmark = pytest.mark.servers


@pytest.mark.kafka
async def test_preparing_again_changes_nothing(settings: Settings) -> None:
    await bootstrap.prepare(settings)
    await bootstrap.prepare(settings)


@pytest.mark.kafka
async def test_a_topic_with_another_setting_is_refused_by_name(settings: Settings) -> None:
    other = msgspec.structs.replace(settings, topic_prefix=settings.topic_prefix + "bad.")
    admin = clients.admin(settings)
    await admin.start()
    try:
        spoilt = {"retention.ms": "1000", "compression.type": "uncompressed"}
        await admin.create_topics([NewTopic(other.topic("referral-intake"), 12, 1, topic_configs=spoilt)])
        with pytest.raises(Rejected, match=r"referral-intake retention.ms: is 1000, must be -1"):
            await clients.create_topics(other)
        await admin.delete_topics([other.topic("referral-intake")])
    finally:
        await admin.close()


@pytest.mark.kafka
async def test_every_instance_follows_the_bundles_in_force(line: Stack) -> None:
    """Whatever else stands on the topic is passed over: a torn byte, a bundle without its files or signers, a number of somebody's own."""
    followed = policy_feed.follow(line.settings)
    topic = line.settings.topic("referral-policy")

    async def send(number: int, content: bytes, digest: str = "", type_: str = PolicyActivated.TYPE, keys: Any = (KEEPER, OFFICE)) -> None:
        files, before = {"a.yaml": content}, {2: {"a.yaml": b"x"}, 3: {"a.yaml": b"y"}}.get(number)
        body = bundle(number, files, before=before, digest=digest, keys=keys)
        head = [(name, b"referral." + type_.encode() if name == "ce_type" else value) for name, value in _head(number)]
        await line.producer.send_and_wait(topic, codec.encode(body), partition=0, headers=head)

    await line.producer.send_and_wait(topic, b"x", partition=0)
    task = asyncio.create_task(followed.run())
    try:
        assert followed.current is None
        await send(1, b"x")
        await send(2, b"forged", digest="0" * 64)
        await send(9, b"forged")
        for signers in ((), (KEEPER,), (KEEPER, KEEPER), (KEEPER, STRANGER)):
            await send(2, b"forged", keys=signers)
        await send(2, b"forged", type_="policy-activated.v9")
        await line.producer.send_and_wait(topic, b"", partition=0, headers=_head(2))
        assert await malformed.produce(line.producer, topic, 0, malformed.header_name(random.Random(1))) == ""
        for number in (2, 2):
            await send(number, b"y")
        await send(1, b"another one")
        await send(3, b"z")
        assert (await asyncio.wait_for(followed.wait(3), PATIENCE_S)).number == 3
        assert [(b.number, b.files["a.yaml"]) for b in followed.all] == [(1, b"x"), (2, b"y"), (3, b"z")]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _head(number: int) -> headers.Headers:
    return headers.plain(PolicyActivated.TYPE, id=str(number), source="routing", at=1)


@pytest.fixture
async def doors(bare: Settings):
    gone = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none", connect_args={"timeout": 1})

    async def away(request: Request) -> PlainTextResponse:
        async with gone.connect():
            return PlainTextResponse("never")

    async def unavailable(request: Request) -> PlainTextResponse:
        raise Unavailable("something", 7)

    async def fine(request: Request) -> PlainTextResponse:
        return PlainTextResponse("fine")

    health = observe.Health()
    app = Starlette(routes=[Route("/away", away), Route("/unavailable", unavailable), Route("/fine", fine)])
    async with served(http_server.server(health, app)) as client, served(http_server.inner(health)) as operator:
        yield client, health, operator
    await gone.dispose()


@asynccontextmanager
async def served(server: uvicorn.Server) -> AsyncIterator[httpx.AsyncClient]:
    bound = http_server.listen("127.0.0.1", 0)
    task = asyncio.create_task(http_server.serve(server, bound))
    await until(lambda: server.started)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", timeout=30) as client:
        yield client
    server.should_exit = True
    await asyncio.wait_for(task, PATIENCE_S)


async def test_the_inner_address_lets_go_of_prometheus_between_two_readings() -> None:
    """So each reading is a handshake, and a certificate that has ended is ServiceDown, whatever connection was there before."""
    scrape_s = int(
        yaml.safe_load((CHECKOUT / "deploy/monitoring/prometheus.yml").read_text())["global"]["scrape_interval"].removesuffix("s")
    )
    async with served(http_server.inner(observe.Health())) as operator:
        reader, writer = await asyncio.open_connection("127.0.0.1", operator.base_url.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        async with asyncio.timeout(scrape_s):
            assert (await reader.read()).startswith(b"HTTP/1.1 200")  # to the end of the connection
        writer.close()


@pytest.mark.parametrize(("url", "hsts"), [("https://audit.example", ["max-age=31536000; includeSubDomains"]), ("http://127.0.0.1:1", [])])
async def test_every_answer_of_a_service_that_people_reach_by_https_says_so(bare: Settings, url: str, hsts: list[str]) -> None:
    """Pages, refusals and paths of the server itself; of whichever service, since all are served by the same function."""
    port, ended = ports.free(1)[0], asyncio.Event()
    reached = msgspec.structs.replace(bare, public_url=url, http=f"127.0.0.1:{port}")

    async def work() -> None:
        await ended.wait()

    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("a page"))])
    task = asyncio.create_task(process.stand("made-up", reached, observe.Health(), app, work, ended.set, []))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        await until(lambda: answers(client))
        for path in ("/", "/nowhere", "/healthz"):
            assert (await client.get(path)).headers.get_list("strict-transport-security") == hsts, path
    ended.set()
    await asyncio.wait_for(task, PATIENCE_S)


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.ConnectError:
        return False


async def test_health_readiness_and_metrics_stand_beside_the_service_s_own_doors(doors) -> None:
    client, health, operator = doors
    for one in (client, operator):
        assert (await one.get("/healthz")).status_code == 200
    assert (await operator.get("/readyz")).json() == {"ready": False, "not_ready": {"start": "starting"}}
    assert (await client.get("/readyz")).status_code == 503
    health.green("start")
    for one in (client, operator):
        assert (await one.get("/readyz")).status_code == 200
    assert (await client.get("/fine")).text == "fine" and (await operator.get("/fine")).status_code == 404
    metrics = (await operator.get("/metrics")).text
    for name in ("records_in", "records_out", "lag", "batch_seconds", "outbox_age_seconds", "alarms_overdue", "quarantined"):
        assert f"referral_{name}" in metrics


async def test_a_stranger_learns_at_the_public_address_whether_it_is_ready_and_nothing_else(doors) -> None:
    """A counter of records, asked each second, tells that somebody refers a child just now."""
    client, health, _ = doors
    health.red("loop", "the database is away: 10.0.0.7")
    for path in ("/metrics", "/metrics/", "//metrics"):
        answer = await client.get(path)
        assert answer.status_code == 404 and "referral_" not in answer.text, path
    assert (await client.get("/readyz")).json() == {"ready": False}
    assert (await client.get("/healthz")).json() == {}


async def test_what_is_away_is_a_503_that_says_when_to_try_again(doors) -> None:
    client, *_ = doors
    for path, after in (("/away", str(RETRY_AFTER_S)), ("/unavailable", "7")):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, after)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.kafka
async def test_a_loop_without_a_broker_is_not_ready_and_goes_on_when_it_is_back(line: Stack) -> None:
    true = line.settings.kafka
    line.settings = msgspec.structs.replace(line.settings, kafka="127.0.0.1:1")
    counter = line.counter()
    counter.start()
    await until(lambda: "loop" in counter.not_ready)
    counter.loop.settings = msgspec.structs.replace(line.settings, kafka=true)
    line.settings = counter.loop.settings
    case = await line.case()
    await line.write(case, await line.value(case, 1))
    await until(lambda: counter.inputs)
    await until(lambda: not counter.not_ready)
