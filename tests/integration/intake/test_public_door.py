"""The teacher's door under attack: floods, forged addresses, guessed codes, hostile texts, and what a sender could learn."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
import prometheus_client
import pytest
import structlog
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import create_async_engine

from referral.domain import events as e
from referral.domain.policy import Policy
from referral.runtime.i18n import ENDONYMS
from services.intake import context
from services.intake.pages.forms import FIELDS
from services.intake.public import limits, pages, receipt
from services.intake.public.form import STEPS
from tests.harness.markers import codings, in_tables
from tests.harness.shipped import compiled
from tests.harness.web.flood import CODE, code_of
from tests.harness.web.forms import fields, hidden
from tests.harness.web.public_page import GIVEN, asked, case_of, noted, opened, rewritten, sent, submitted, taken, waits
from tests.harness.web.world import DESK, World, signed_in
from tests.web.test_attacks import quiet

pytestmark = pytest.mark.servers
PROXY = "127.0.0.1"
EN = {"Accept-Language": "en"}


@cache
def policy() -> Policy:
    return compiled()


EVEN_S = pages.EVEN_S


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody measures times here, so that answers about codes need not wait for one another: `bench --only public-door` does."""
    monkeypatch.setattr(pages, "EVEN_S", 0.0)


@pytest.fixture
def world(database: str, key_files: tuple[Path, Path]) -> Iterator[World]:
    """An inbox behind a proxy."""
    with World(database, key_files[0], policy(), proxy=PROXY) as made:
        yield made


@pytest.fixture
def naked(database: str, key_files: tuple[Path, Path]) -> Iterator[World]:
    """An inbox that trusts no proxy."""
    with World(database, key_files[0], policy()) as made:
        yield made


def test_whoever_forges_an_address_is_still_one_sender(world: World) -> None:
    forged = ("1.2.3.{}, 203.0.113.7", "203.0.113.{}", "::ffff:203.0.113.{}, 203.0.113.7:4{}", "unknown, _{}, 203.0.113.{}")
    with world.client(headers=EN) as visitor:
        form = opened(visitor)
        answers = [sent(visitor, form, forged[n % 4].format(n, n)) for n in range(2 * limits.FROM_ONE_PLACE + 4)]
        assert one_place(taken(answers))
        assert one_place(taken([sent(visitor, form, f"nonsense-{n}", found_in="gjilan") for n in range(2 * limits.FROM_ONE_PLACE + 1)]))
        assert taken([sent(visitor, form, "198.51.100.1", found_in="peje")]) == 1


def test_without_a_proxy_nobody_is_believed(naked: World) -> None:
    with naked.client(headers=EN) as visitor:
        form = opened(visitor)
        answers = [sent(visitor, form, f"203.0.{n}.7") for n in range(2 * limits.FROM_ONE_PLACE + 5)]
        assert one_place(taken(answers))


def one_place(accepted: int) -> bool:
    """The limit of one place is drawn."""
    return limits.FROM_ONE_PLACE <= accepted <= limits.SHORT_TIMES * limits.FROM_ONE_PLACE


def test_many_at_once_are_no_more_than_one_after_another(world: World) -> None:
    """The count follows the commit: as many as the strangers' connections may be under way at the limit."""
    with world.client(headers=EN) as visitor, ThreadPoolExecutor(64) as crowd_:
        form = opened(visitor)
        found = taken(list(crowd_.map(lambda _: sent(visitor, form, "203.0.113.7"), range(64))))
    assert limits.FROM_ONE_PLACE <= found < limits.SHORT_TIMES * limits.FROM_ONE_PLACE + context.STRANGERS
    assert len(submitted(world)) == found


def test_a_teacher_in_the_midst_of_a_flood_is_heard_and_found(world: World) -> None:
    world.account("desk", DESK, "en", desk=True)
    with world.client(headers=EN) as visitor:
        form = opened(visitor)
        flood = [sent(visitor, form, f"203.0.{n % 8}.7", **{"need.happened": f"spam {n % 3}"}) for n in range(2 * limits.CROWD_FOR_ONE)]
        accepted = taken(flood)
        assert limits.CROWD_FOR_ONE / 2 <= accepted <= 8 * limits.SHORT_TIMES * limits.IN_A_CROWD
        with world.statements() as seen:
            assert sent(visitor, form, "203.0.1.7").status_code == 429
        assert [one.split()[0] for one in seen] == ["CONNECTION", "SELECT"], "a refused one costs one look"
        real = sent(visitor, form, "198.51.100.1", **{"need.happened": "Marker-Teacher: he waits for her."})
        code = code_of(real)
        for case in cases(world):
            waits(world, case)
        with signed_in(world, "desk") as person:
            listed = person.get("/unverified").text
            assert f"({accepted + 1})" in listed and listed.count('class="card"') == 4, "three texts of the flood, and one"
            read = person.post("/unverified/read", data=hidden(listed))
            assert "Marker-Teacher" in read.text and read.text.count("spam") == 3
            assert "The desk is on it" in asked(visitor, code).text
            [task] = re.findall(r'href="/unverified/([0-9a-f-]{36})"', re.split("Marker-Teacher", read.text)[0])[-1:]
            chosen = hidden(read.text) | {"mark.1": task, "which": "others", "reason": "made-up"}
            ask = person.post("/unverified/refuse", data=chosen)
            assert f"Refuse {accepted}?" in ask.text and "has read each" in ask.text
            done = person.post("/unverified/refuse", data=hidden(ask.text))
            assert done.status_code == 303
            assert f"Refused: {accepted}" in person.get(done.headers["location"]).text
            assert person.post("/unverified/refuse", data=hidden(ask.text)).status_code == 303, "a second press"
        orders = [event for event in world.queued() if isinstance(event, e.InstructionGiven)]
        assert len(orders) == accepted == len({order.task_id for order in orders} - {task})
        assert {(order.word, order.reason) for order in orders} == {("REFUSE", "made-up")}


def cases(world: World) -> list[str]:
    """All cases, the oldest first."""

    async def read(tx: Any) -> list[str]:
        return list((await tx.execute(sql("SELECT case_id FROM intake.casefile ORDER BY opened_at, case_id"))).scalars())

    return world.run(read)


def test_guessed_codes_cost_no_look_at_the_database_and_hide_no_right_one(world: World) -> None:
    with world.client(headers=EN) as visitor:
        code = code_of(sent(visitor, opened(visitor), "203.0.113.7"))
        waits(world, case_of(world))
        form = fields(visitor.get("/refer/receipt").text)
        with world.statements() as seen:
            guesses = [_guess(visitor, form, n) for n in range(100)]
        assert seen == [] and {answer.status_code for answer in guesses} == {404}
        assert len({re.sub(r'name="code" value="[^"]*"', "", answer.text) for answer in guesses}) == 1
        assert "<h1>Received</h1>" in asked(visitor, code).text, "from the same address, after any number of wrong ones"


def _guess(visitor: httpx.Client, form: dict[str, str], n: int) -> httpx.Response:
    letters = "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(n * 31 + at * at * 7) % 32] for at in range(16))
    return visitor.post("/refer/receipt", data=form | {"code": letters, "need.note": "A note."}, headers={"X-Forwarded-For": "203.0.113.7"})


def test_no_code_is_answered_sooner_than_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right one, one that was never given out, and one that is no code at all."""
    with world.client(headers=EN) as visitor:
        right = code_of(sent(visitor, opened(visitor)))
        monkeypatch.setattr(pages, "EVEN_S", EVEN_S)
        for code, status in ((right, 200), (f"{right[:-1]}{'A' if right[-1] != 'A' else 'B'}", 404), ("no code", 404)):
            began = time.monotonic()
            assert asked(visitor, code).status_code == status
            assert time.monotonic() - began >= EVEN_S


def test_a_code_of_an_erased_case_costs_what_any_other_code_costs(world: World) -> None:
    with world.client(headers=EN) as visitor:
        form = opened(visitor)
        codes = [code_of(sent(visitor, form, f"203.0.{n}.7")) for n in range(2)]
        gone = case_of(world)
        world.run(lambda tx: tx.execute(sql("UPDATE intake.casefile SET erasing_at = 1 WHERE case_id = :case"), {"case": gone}))
        work, answers = [], []
        for code in codes:
            with world.statements() as seen:
                answers.append(asked(visitor, code))
            work.append(list(seen))
        wrong = asked(visitor, "AAAA" * 4)
        assert work[0] == work[1] and len(work[0]) == 2
        assert "<h1>Received</h1>" in answers[0].text and answers[1].status_code == wrong.status_code == 404
        assert _bare(answers[1]) == _bare(wrong)


def _bare(answer: httpx.Response) -> str:
    """A page without what every page has anew: form token, keys, codes."""
    return re.sub(r'value="[^"]*"', "", CODE.sub("", answer.text))


def test_a_sender_learns_nothing_of_a_child_of_another_report_or_of_who_is_on_duty(world: World) -> None:
    """The same page, by the same statements: the child known or not, referred by others or not, somebody on duty or nobody, any place."""
    pages_, work = set(), set()
    with world.client(headers=EN) as visitor:
        form = opened(visitor)
        sent(visitor, form, "203.0.113.7")  # this child, by another
        waits(world, case_of(world))
        for n, more in enumerate(({}, {"need.child": "Nobody-Knows"}, {"found_in": "leposaviq"}, {"found_in": "unknown"})):
            with world.statements() as seen:
                answer = sent(visitor, form, f"198.51.{n}.1", **more)
            pages_.add(_bare(answer))
            work.add(tuple(re.sub(r"\s+", " ", one) for one in seen))
        world.account("desk", DESK, "en", desk=True)
        with world.statements() as seen:
            pages_.add(_bare(sent(visitor, form, "198.51.77.1")))
        work.add(tuple(re.sub(r"\s+", " ", one) for one in seen))
    assert len(pages_) == len(work) == 1


def test_a_code_adds_some_notes_and_no_more_whoever_else_has_written(world: World) -> None:
    """Each note alerts those who read the story: a code of one report was good for a thousand alerts."""
    with world.client(headers=EN) as visitor:
        form, found = opened(visitor), []
        for n in range(2):
            code = code_of(sent(visitor, form, f"203.0.{n}.7"))
            case = case_of(world)
            waits(world, case)
            if n:
                rewritten(world, case, "police-prizren")
            notes = [str(min(number, receipt.NOTES)).ljust(receipt.NOTE, "x") for number in range(receipt.NOTES + 2)]
            found.append([_kept(visitor, code, note) for note in notes])  # the last is sent twice, and not said to be added then
        assert found[0] == found[1] == ["added"] * receipt.NOTES + ["full"] * 2
        assert [event.version < 0 for event in noted(world)] == [False] * receipt.NOTES + [True] * receipt.NOTES


def _kept(visitor: httpx.Client, code: str, note: str) -> str:
    page = asked(visitor, code, note).text
    assert ("Your note was added" in page) != ("No more can be added here" in page)
    assert (note in page) != ("Your note was added" in page), "a note that was not taken stays on the page"
    return "added" if "Your note was added" in page else "full"


MARK = "Marker-Зло"
HOSTILE = (
    f"'; DROP TABLE intake.casefile; -- {MARK}",
    f'"><script>alert(1)</script><img src=x onerror=alert(1)>{MARK}',
    f"{{{{ 7*7 }}}}{{% include '/etc/passwd' %}}${{7*7}}#{{7*7}}{MARK}",
    f"{MARK}\r\nBcc: all@example.org\r\nX-Injected: 1\r\n\r\nbody\n.\nRCPT TO:<x@y>",
    f'=HYPERLINK("http://x","{MARK}")\t,@SUM(1)\n+1;-1',
    f"{MARK}\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:x",
    f"\u202e{MARK}\u200b\u200d\u2066\u00ad\ufeff\U000e0041\u061c",
    f"аdmin {MARK} pаypаl Ⅷ ﷽ {'Z' + chr(0x334) * 60}",
    f"{MARK}\x00\x1b[31m\x07\x08\x7f\x85\u2028\u2029",
    f"%0d%0a%00 ../../{MARK} \\u0000 &lt; &#x202e;",
)
BAD = ("\u202e", "\u2066", "\u200b", "\u061c", "\U000e0041", "\x1b", "\x00", "\x07", "\x85", "\u2028", "<dd>49</dd>")


def test_what_was_typed_is_text_on_every_page_and_nowhere_else(world: World) -> None:
    """Ten hostile texts, in the four languages in turn, in every field and on every page that a stranger or the desk sees."""
    world.account("desk", DESK, "en", desk=True)
    found: list[httpx.Response] = []
    with structlog.testing.capture_logs() as logs, world.client() as visitor, signed_in(world, "desk") as person:
        form, desk = opened(visitor), fields(person.get("/inbox").text)
        for n, words in enumerate(HOSTILE):
            language = tuple(ENDONYMS)[n % len(ENDONYMS)]
            visitor.cookies.set("language", language)
            person.post("/language", data=desk | {"language": language})
            every = dict.fromkeys(("need.happened", "need.where", "need.child", "who", "role", "telephone", "when"), words)
            every |= {name: value[:60] for name, value in every.items() if name == "telephone"}
            found += [visitor.post("/refer", data=form | GIVEN | every | {"at": at, "go": "next"}) for at in STEPS[:-1]]
            done = sent(visitor, form, f"203.0.{n}.7", **every)
            found += [done, visitor.post("/refer", data=form | GIVEN | every | {"at": "about", "go": "next", "concern": words})]
            found += [visitor.post("/refer", data=form | GIVEN | every | {"at": words, "go": words, "language": words, "key": words})]
            found += [visitor.post("/refer/language", data=form | {"language": words, "from": words})]
            found += [asked(visitor, code_of(done), words), asked(visitor, words, words)]
            task = waits(world, case_of(world))
            page = person.get(f"/unverified/{task}")
            here = fields(page.text)
            found += [page, person.post(f"/unverified/{task}/show", data=here)]
            found += [person.post(f"/unverified/{task}/answer", data=here | {"answer": words, "reason": words, "found_in": words})]
        listed = person.get("/unverified")
        found += [listed, person.get("/inbox"), person.get("/overview"), person.post("/unverified/read", data=hidden(listed.text))]
        found += [person.post("/unverified/refuse", data=hidden(listed.text) | {"mark.1": w, "reason": w, "shown": w}) for w in HOSTILE]
    shown = 0
    for answer in found:
        assert answer.status_code < 500, answer
        shown += MARK in quiet(answer.text).text
        assert not [bad for bad in BAD if bad in answer.text], answer.text
        assert not [name for name in answer.headers if name in ("bcc", "x-injected")]
        assert not any(form in f"{answer.headers}{answer.url}".encode() for form in codings(MARK)), "no header, address or cookie has it"
    assert shown >= 3 * len(HOSTILE), "it is there to be seen"
    assert not any(form in str(logs).encode() for form in codings(MARK)), "no log line has it"
    assert not any(form in prometheus_client.generate_latest() for form in codings(MARK)), "no metric has it"
    told = b"".join(msgspec.json.encode(event) for event in world.queued())
    assert not any(form in told for form in codings(MARK)), "no event has it: neither a message nor a topic could"
    assert world.by_hand(lambda tx: in_tables(tx, MARK)) == [], "no table shows it"


async def test_whoever_looks_through_the_tables_finds_a_text_and_its_bytes(database: str) -> None:
    engine = create_async_engine(database)
    async with engine.connect() as tx:
        assert await in_tables(tx, MARK) == []
        for name, kind in (("said", "text"), ("kept", "bytea")):
            await tx.execute(sql(f"CREATE TABLE public.{name} (held {kind})"))
        await tx.execute(sql("INSERT INTO said VALUES (:held)"), {"held": msgspec.json.encode({"text": f"a {MARK} z"}).decode()})
        await tx.execute(sql("INSERT INTO kept VALUES (:held)"), {"held": f"a {MARK} z".encode()})
        assert await in_tables(tx, MARK) == ["public.kept", "public.said"]
    await engine.dispose()


def test_no_form_that_is_broken_stale_or_sent_again_does_anything(world: World) -> None:
    with world.client(headers=EN) as visitor, world.client() as other:
        form = opened(visitor)
        whole = form | GIVEN | {"at": "check", "go": "send"}
        before = world.everything()
        assert visitor.post("/refer", files={"a": b"x"}, data=whole).status_code == 403, "multipart is no form of ours"
        assert visitor.post("/refer", content=msgspec.json.encode(whole), headers={"Content-Type": "application/json"}).status_code == 403
        for body in (
            b"form=%ED%A0%80",
            b"\xff\xfe",
            b"&" * 99,
            b"a=" + b"x" * 300_000,
            b"form=" + form["form"].encode() + b"&x=1" * FIELDS,
        ):
            assert visitor.post("/refer", content=body).status_code in (403, 413)
        assert visitor.post("/refer", data=whole | {"form": ""}).status_code == 403
        assert other.post("/refer", data=whole).status_code == 403, "the form of another browser"
        for name in ("danger", "found_in", "concern", "age_band", "need.happened"):
            assert visitor.post("/refer", data={key: value for key, value in whole.items() if key != name}).status_code == 422
        long = visitor.post("/refer", data=whole | {"need.happened": "ж" * 16_000})
        assert long.status_code == 422 and "ж" * 16_000 in long.text, "what is too long is kept on the page"
        assert world.everything() == before
        with ThreadPoolExecutor(8) as crowd_:
            answers = list(crowd_.map(lambda _: visitor.post("/refer", data=whole), range(8)))
        assert len({code_of(answer) for answer in answers}) == 1
    assert len(submitted(world)) == 1
