"""The stand-in for telephones: Kannel's shape for SMS, calls that end with a key, one page, one command, and no real number."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from referral.channels import Handed, Outgoing, Unreached, Word
from referral.channels.handset import Handset as Channel
from referral.channels.prompts import SPEECHES, parts
from referral.cli import run
from referral.local.handset import speech
from referral.local.handset import telephones as local
from referral.local.handset.telephones import Handset, Problem
from tests.harness.served import served
from tests.harness.waiting import until

OUT = Outgoing("", "3f0a91bc-0000-4000-8000-000000000000", "4711", "sr-Cyrl", True, "https://inbox.example/")
NUMBER, OTHER = "+999440101", "+999440102"


@pytest.fixture
async def handset() -> AsyncIterator[Handset]:
    made = Handset()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def client(handset: Handset) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=handset.url, timeout=30, trust_env=False) as made:
        yield made


@asynccontextmanager
async def notifier() -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """Whoever takes receipts and replies: its URL, and what it was told."""
    told: list[dict[str, str]] = []

    async def take(request: Request) -> Response:
        told.append(dict(request.query_params))
        return PlainTextResponse("ok", 200 if request.url.path == "/take" else 503)

    async with served(Starlette(routes=[Route("/{rest}", take)])) as port:
        yield f"http://127.0.0.1:{port}", told


def call(client: httpx.AsyncClient, number: str = NUMBER) -> asyncio.Task[httpx.Response]:
    return asyncio.create_task(client.post("/calls", json={"to": number, "text": "Kutia juaj hyrëse pret.", "language": "sq"}))


async def test_an_sms_is_taken_as_kannel_takes_it_and_its_receipt_follows(handset: Handset, client: httpx.AsyncClient) -> None:
    async with notifier() as (url, told):
        asked = {"to": NUMBER, "text": "Kutia juaj pret (3F0A-91BC).", "dlr-mask": "31", "dlr-url": f"{url}/take?ref=3f0a%2F91&type=%d"}
        answer = await client.get("/cgi-bin/sendsms", params=asked)
        assert (answer.status_code, answer.text) == (202, "0: Accepted for delivery")
        await until(lambda: told)
    assert told == [{"ref": "3f0a/91", "type": "1"}]
    assert [(e.kind, e.number, e.text) for e in handset.entries] == [("sms", NUMBER, "Kutia juaj pret (3F0A-91BC).")]


@pytest.mark.parametrize("number", ["+38344000123", "00383 44 000 123", "044123456", "999", ""])
async def test_a_number_that_might_be_somebodys_does_not_exist(number: str, handset: Handset, client: httpx.AsyncClient) -> None:
    assert (await client.get("/cgi-bin/sendsms", params={"to": number, "text": "x"})).text == "Garbage 'to' field, rejected."
    assert (await call(client, number)).status_code == 404
    assert handset.entries == []


@pytest.mark.parametrize("end", local.ENDS)
async def test_a_call_ends_as_the_person_ends_it(end: str, handset: Handset, client: httpx.AsyncClient) -> None:
    ringing = call(client)
    await handset.wait(lambda: bool(handset.ringing))
    assert (await client.post("/press", data={"end": end})).json()["end"] == end
    assert (await ringing).text == end
    assert handset.ringing == []


@pytest.mark.parametrize(
    ("end", "result"),
    [
        ("1", Handed(Word.LOOKS)),
        ("2", Handed(Word.CANNOT)),
        *((end, Unreached(end)) for end in ("no-key", "declined", "rings-out")),
    ],
)
async def test_the_channel_has_the_words_of_the_voice_channel(end: str, result: object, handset: Handset) -> None:
    line = Channel(handset.url)
    await line.open()
    ringing = asyncio.create_task(line.send(replace(OUT, address=NUMBER)))
    await handset.wait(lambda: bool(handset.ringing))
    assert handset.ringing[0].text == SPEECHES["sr"].words(*parts(OUT))
    with pytest.raises(Unreached, match="busy"):
        await line.send(replace(OUT, address=NUMBER))
    await handset.press(end)
    try:
        assert await ringing == result
    except Unreached as word:
        assert repr(word) == repr(result)
    await line.close()


async def test_a_call_that_nobody_answers_rings_out(handset: Handset, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "RING_SECONDS", 0.1)
    assert (await call(client)).text == "rings-out"


async def test_a_caller_that_hangs_up_stops_the_ringing(handset: Handset, client: httpx.AsyncClient) -> None:
    ringing = call(client)
    await handset.wait(lambda: bool(handset.ringing))
    ringing.cancel()
    await handset.wait(lambda: not handset.ringing)
    assert handset.entries[0].end == "hung-up"
    with pytest.raises(Problem, match="no telephone rings"):
        await handset.press("1")


async def test_a_handset_that_stops_is_our_fault(handset: Handset, client: httpx.AsyncClient) -> None:
    ringing = call(client)
    await handset.wait(lambda: bool(handset.ringing))
    await handset.stop()
    assert (await ringing).status_code == 503


async def test_a_second_caller_finds_it_busy_and_two_telephones_need_a_name(handset: Handset, client: httpx.AsyncClient) -> None:
    first, other = call(client), call(client, OTHER)
    await handset.wait(lambda: len(handset.ringing) == 2)
    assert (await call(client)).text == "busy"
    with pytest.raises(Problem, match="several telephones ring; name one"):
        await handset.press("1")
    await handset.press("2", OTHER)
    await handset.press("1")
    assert ((await first).text, (await other).text) == ("1", "2")


async def test_a_reply_goes_to_the_notifier_and_says_whether_it_was_taken(handset: Handset, client: httpx.AsyncClient) -> None:
    with pytest.raises(Problem, match="no SMS was received yet"):
        await handset.reply("1 4711")
    await client.get("/cgi-bin/sendsms", params={"to": NUMBER, "text": "x"})
    assert (await handset.reply("1 4711")).end == "nobody listens for replies"
    async with notifier() as (url, told):
        handset.replies_to = f"{url}/take?from=%p&text=%a"
        assert (await handset.reply("po 4711 & më")).end == "taken"
        handset.replies_to = f"{url}/elsewhere?from=%p&text=%a"
        assert (await handset.reply("1 4711")).end == "not taken: the notifier answered 503"
    assert (await handset.reply("1 4711")).end == "not taken: the notifier does not answer"
    assert told[0] == {"from": NUMBER, "text": "po 4711 & më"}


async def test_it_comes_back_at_its_address_with_what_it_had(handset: Handset, client: httpx.AsyncClient) -> None:
    await client.get("/cgi-bin/sendsms", params={"to": NUMBER, "text": "x"})
    url = handset.url
    await handset.stop()
    with pytest.raises(httpx.ConnectError):
        await client.get("/")
    assert await handset.start() == url
    assert NUMBER in (await client.get("/")).text


async def test_a_provider_that_was_told_to_refuse_refuses(handset: Handset, client: httpx.AsyncClient) -> None:
    handset.refusing = True
    assert (await client.get("/cgi-bin/sendsms", params={"to": NUMBER, "text": "x"})).status_code == 503
    assert (await call(client)).status_code == 503


async def test_the_page_shows_words_as_words_and_answers_no_other_sites_form(handset: Handset, client: httpx.AsyncClient) -> None:
    await client.get("/cgi-bin/sendsms", params={"to": NUMBER, "text": "<script>alert(1)</script>"})
    page = await client.get("/")
    assert "no telephone rings" in page.text and "&lt;script&gt;" in page.text and "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    ringing = call(client)
    await handset.wait(lambda: bool(handset.ringing))
    assert 'lang="sq">Kutia juaj hyrëse pret.' in (await client.get("/")).text
    foreign = await client.post("/press", data={"end": "1"}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403 and handset.ringing
    here = await client.post("/press", data={"end": "1"}, headers={"sec-fetch-site": "same-origin", "accept": "text/html"})
    assert (here.status_code, here.headers["location"]) == (303, "/")
    assert (await ringing).text == "1"
    late = await client.post("/press", data={"end": "1"}, headers={"accept": "text/html"})
    assert late.status_code == 409 and "no telephone rings" in late.text


@pytest.mark.skipif(not speech.here(), reason="no espeak-ng here; install it with: apt-get install -y espeak-ng")
@pytest.mark.parametrize(
    ("language", "words"), [("sq", "Kutia juaj hyrëse pret."), ("sr", "Vaše sanduče čeka."), ("en", "Your inbox is waiting.")]
)
async def test_a_call_can_be_heard(language: str, words: str, handset: Handset, client: httpx.AsyncClient) -> None:
    ringing = asyncio.create_task(client.post("/calls", json={"to": NUMBER, "text": words, "language": language}))
    await handset.wait(lambda: bool(handset.ringing))
    [sound] = re.findall(r'<audio controls preload="none" src="([^"]+)"', (await client.get("/")).text)
    wav = await client.get(sound)
    assert wav.headers["content-type"] == "audio/wav" and wav.content[:4] == b"RIFF" and len(wav.content) > 20_000
    await handset.press("declined")
    await ringing


async def test_the_command_shows_and_answers(
    handset: Handset, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def said(*arguments: str) -> tuple[int, str]:
        code = await asyncio.to_thread(run, ["handset", *arguments])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    monkeypatch.setenv("REFERRAL_HANDSET", handset.url)
    monkeypatch.setenv("COLUMNS", "120")
    assert (await said())[1].startswith("a stand-in: no telephone rings")
    code, words = await said("press", "1")
    assert code == 1 and "no telephone rings" in words
    await client.get("/cgi-bin/sendsms", params={"to": NUMBER, "text": "Kutia juaj hyrese pret (3F0A-91BC)."})
    ringing = call(client)
    await handset.wait(lambda: bool(handset.ringing))
    code, words = await said()
    assert code == 0 and f"{NUMBER} rings" in words and "referral handset press 1" in words and "3F0A-91BC" in words
    assert await said("press", "1") == (0, f"{NUMBER}: key 1: I look\n")
    assert (await ringing).text == "1"
    assert await said("reply", "1 4711") == (1, f"{NUMBER}: nobody listens for replies\n")
    assert (await said("press"))[0] == 2
    code, words = await said("--json", "--number", NUMBER)
    assert '"kind": "call"' in words
    await handset.stop()
    code, words = await said()
    assert code == 2 and "is `referral up` running?" in words
    await until(lambda: not handset.ringing)
