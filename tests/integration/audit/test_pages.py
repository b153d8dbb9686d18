"""The auditor's pages on a real database: only with a token, the same story as `audit replay`, and a mark that can say no."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import typer
from msgspec import structs
from sqlalchemy import text
from starlette.applications import Starlette

from referral.cli.audit import keys as audit_token
from referral.domain.case_number import case_number
from referral.domain.events import PolicyActivated
from referral.domain.inputs import Input, Raw, Source
from referral.errors import TooOften, Unavailable
from referral.proof.entry import Entry, Kind
from referral.proof.history import exercise
from referral.proof.history.timeline import sentence, timeline
from referral.runtime import http_listener, peer
from referral.runtime.http_listener import PROXY, Listener, Place, Slot
from referral.runtime.keys import case_keys
from referral.runtime.postgres.tokens import AUDITORS
from referral.runtime.security_journal import Journal
from referral.runtime.settings import Settings
from referral.tlog import tile_layout, tiles
from referral.tlog.merkle import leaf_hash
from referral.wire import codec, headers, policy_digest, seal
from referral.wire.signed.policy_signature import Trusted
from services.audit import pages
from services.audit.api import application
from services.intake import audit_client
from tests.harness import audit_log, policies
from tests.harness.engines import beginning
from tests.harness.erased import INTAKE, PLAIN, erased
from tests.harness.line import audit_stack
from tests.unit.audit.test_ingest import CASE, record, value

pytestmark = pytest.mark.servers


SAID = {
    "sq": ("Çfarë është vërtetuar", "kërkesa i dërgohet police-prizren (police)", "Gabim:"),
    "sr-Latn": ("Šta je dokazano", "zahtev se upućuje ustanovi police-prizren (police)", "Greška:"),
    "sr-Cyrl": ("Шта је доказано", "захтев се упућује установи police-prizren (police)", "Грешка:"),
    "en": ("What is proven", "police-prizren is asked (police)", "Error:"),
}
"""Of a case's page: a heading, a sentence of the timeline; and how the title of an error begins."""


@dataclass
class Door:
    """http: a browser without a token. app: what it talks to, and its journal. log: what the database was filled from."""

    http: httpx.AsyncClient
    log: audit_log.Log
    case_id: str
    made: audit_stack.Log
    app: Starlette
    journal: Journal
    token: str = "a-token"

    async def get(self, path: str) -> str:
        if not self.http.cookies:
            await self.http.post("/auditor/signin", data={"token": self.token})
        answer = await self.http.get(path, headers={"accept-language": "en"})
        assert answer.headers["content-security-policy"].startswith("default-src 'none'") and "<script" not in answer.text
        return html.unescape(re.sub(r"<[^>]+>", "", answer.text))


def marks(page: str) -> Counter[str]:
    """How often each mark stands in the timeline."""
    return Counter(re.findall(r'<b class="mark[a-z ]*">([a-z ]+)</b>', page))


async def append(made: audit_stack.Log, entries: Sequence[Entry]) -> None:
    """Audit reads these records from their topics."""
    inputs = [
        Input(
            id=e.case_id,
            case_id="",
            source=Source(topic=e.topic, partition=e.partition, offset=e.offset),
            body=Raw(key=e.key, value=e.value, headers=e.headers, kafka_time=e.kafka_time),
        )
        for e in entries
    ]
    first = made.offset + 1
    await made.append(len(inputs), lambda n: inputs[n - first])


@asynccontextmanager
async def opened(settings: Settings, *, drill: bool = False, signers: Trusted = pages.NO_SIGNERS) -> AsyncIterator[Door]:
    held = case_keys.read(settings)
    async with audit_stack.log(settings, []) as made:
        log, case_id = audit_log.Log(drill=drill), audit_log._id("case one")
        async with beginning(audit_stack.database.admin(settings)) as tx:
            log.keys[case_id] = await held.create(tx, case_id)
            await AUDITORS.add(tx, {"ombudsperson": "a-token"})
        audit_log.story(log)
        await append(made, log.entries)
        assert await made.publisher().round()
        shown = pages.Pages(made.engine, held, made.policy, INTAKE, signers=signers, drill=True, secure=False)
        app = application(made.engine, held, shown.routes(), shown.office.refused)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://audit") as http, audit_stack.recording(settings, made.engine):
            yield Door(http, log, case_id, made, app, shown.office.journal)


async def test_nobody_reads_without_a_token_that_stands(bare: Settings) -> None:
    async with opened(bare) as door:
        for path in ("/auditor", f"/auditor/cases/{door.case_id}"):
            answer = await door.http.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/auditor/signin")
            assert (await door.http.get(path, headers={"cookie": "auditor=another"})).status_code == 303
        assert (await door.http.post("/auditor/signin", data={"token": "another"})).status_code == 403
        signed = await door.http.post("/auditor/signin", data={"token": "a-token"})
        cookie = signed.headers["set-cookie"].lower()
        assert signed.status_code == 303 and "httponly" in cookie and "samesite=strict" in cookie
        assert "a-token" not in cookie, "whoever steals a cookie has a visit, not the office's token"
        assert (await door.http.get("/auditor", headers={"cookie": "auditor=a-token"})).status_code == 303, "a token is no visit"
        assert (await door.http.get("/auditor")).status_code == 200
        stolen = {"cookie": f"auditor={door.http.cookies['auditor']}"}
        assert (await door.http.post("/auditor/signout")).headers["set-cookie"].startswith('auditor=""')
        assert (await door.http.get("/auditor", headers=stolen)).status_code == 303, "a copy is worth nothing after signing out"
        for _ in range(2):
            before = {"cookie": f"auditor={door.http.cookies.get('auditor')}"}
            await door.http.post("/auditor/signin", data={"token": "a-token"})
            assert (await door.http.get("/auditor")).status_code == 200
        assert (await door.http.get("/auditor", headers=before)).status_code == 303, "signing in again ends the visit before"
        async with beginning(audit_stack.database.admin(bare)) as tx:
            assert len(await AUDITORS.end(tx, "ombudsperson")) == 1
        assert (await door.http.get("/auditor")).status_code == 303, "the visit ends with its token"


async def test_a_copied_visit_takes_no_page_from_a_colleague_who_has_the_same_token(
    bare: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_listener, "SESSION_ASKS_S", 0.02)
    monkeypatch.setattr(http_listener, "AT_ONCE_S", 100.0)
    place = Place(Listener(), Slot("192.0.2.1", PROXY, 0.0, lambda: None))
    async with opened(bare) as door:

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            await door.app({**scope, "state": {peer.PLACE: place}}, receive, send)

        def browser() -> httpx.AsyncClient:
            return httpx.AsyncClient(transport=httpx.ASGITransport(counted), base_url="http://audit")

        async with browser() as thief, browser() as colleague:
            for one in (thief, colleague):
                await one.post("/auditor/signin", data={"token": door.token})
            assert [(await thief.get("/auditor")).status_code for _ in range(2)] == [200, 200]
            with pytest.raises(TooOften):
                await thief.get("/auditor")
            assert (await colleague.get("/auditor")).status_code == 200


@pytest.mark.parametrize("drill", [True, False])
async def test_the_report_of_an_exercise_is_for_intake_alone_and_never_of_a_child(bare: Settings, drill: bool) -> None:
    async with opened(bare, drill=drill) as door:
        path, keys = f"/exercises/{door.case_id}", case_keys.read(bare)
        for token in ("", "a-token", keys.lookup(door.case_id), keys.exercise("another")):
            assert (await door.http.get(path, headers={"authorization": f"Bearer {token}"})).status_code == 401, "an auditor has a page"
        told = await audit_client.exercise(door.http, keys, door.case_id)
        if not drill:
            assert told is None, "who answered when is reported of exercises alone"
            return
        assert told is not None and told.asked[0].agency == "police-prizren" and told.asked[0].answers[0].word == "ACCEPT"
        assert told == exercise.report([e for e in door.log.entries if e.case_id == door.case_id], door.log.keys[door.case_id])
        async with beginning(audit_stack.database.admin(bare)) as tx:
            await tx.execute(text("DELETE FROM keys.case_key"))
        assert await audit_client.exercise(door.http, keys, door.case_id) is None, "an erased case has no report"
    with pytest.raises(Unavailable):
        await audit_client.exercise(None, keys, door.case_id)


async def test_the_list_calls_a_case_erased_only_by_an_erasure_that_is_believed(bare: Settings) -> None:
    """A forged one made a living child's case "erased" in the list, although every service had refused it."""
    async with opened(bare) as door:
        mark = re.compile(rf"{door.case_id}\s*erased")
        for body, by, found in ((PLAIN, "stranger", False), (erased(door.case_id), "intake", True)):
            before = len(door.log.entries)
            door.log.say(door.case_id, body, audit_log._id(f"erased by {by}"), door.case_id, "intake")
            await append(door.made, door.log.entries[before:])
            assert bool(mark.search(await door.get(f"/auditor?case={door.case_id}"))) == found, by


async def test_a_case_is_told_as_replay_tells_it_and_every_entry_has_its_mark(bare: Settings) -> None:
    async with opened(bare) as door:
        page = await door.get(f"/auditor/cases/{door.case_id}")

        async def raw() -> str:
            return (await door.http.get(f"/auditor/cases/{door.case_id}", headers={"accept-language": "en"})).text

        entries = [e for e in door.log.entries if e.case_id == door.case_id]
        for line in timeline(entries, door.log.keys[door.case_id]):
            assert sentence(line, "01.01.2026", marked=False) in page
            assert line.why in page and all(passed in page for passed in line.passed)
        assert f"All entries of this case ({len(entries)}) are in the log" in page
        assert "The log has 96 entries." in page
        decisions = sum(e.kind is Kind.DECISION for e in entries)
        assert marks(await raw()) == {"logged": len(entries) - decisions, "said by routing": decisions}, "no decision is made again here"
        assert f"referral audit replay copy --case {door.case_id}" in page
        assert "Nobody has read it." in page

        async with beginning(audit_stack.database.admin(bare)) as tx:
            await tx.execute(text("ALTER TABLE audit.entry DISABLE TRIGGER append_only"))
            await tx.execute(text("UPDATE audit.entry SET value = value || '\\x00' WHERE idx = 3"))
        page = await door.get(f"/auditor/cases/{door.case_id}")
        assert "not the ones that were logged: 1." in page and marks(await raw())["bad"] == 1


async def test_every_page_in_four_languages_and_a_choice_that_stays(bare: Settings) -> None:
    async with opened(bare) as door:
        await door.http.post("/auditor/signin", data={"token": door.token})
        case = f"/auditor/cases/{door.case_id}"
        for language, (words, asked, error) in SAID.items():
            chosen = await door.http.post("/auditor/language", data={"language": language, "from": case})
            assert chosen.headers["location"] == case and f"auditor-language={language}" in chosen.headers["set-cookie"]
            page = (await door.http.get(case)).text
            assert f'<html lang="{language}">' in page and words in page and asked in page
            for path, status in (("/auditor", 200), ("/auditor?case=x", 400), ("/auditor/nothing", 404), (f"{case[:-3]}000", 404)):
                answer = await door.http.get(path)
                assert answer.status_code == status and f'<html lang="{language}">' in answer.text
                assert (f"<title>{error}" in answer.text) == (status >= 400), "a screen reader hears the error first"
        for to in ("//evil", "/auditorx", "/auditor/cases/../../x", ""):
            assert (await door.http.post("/auditor/language", data={"language": "sq", "from": to})).headers["location"] == "/auditor"
        assert "set-cookie" not in (await door.http.post("/auditor/language", data={"language": "xx"})).headers
        assert (await door.http.get("/auditor/language")).status_code == 303, "a GET changes nothing"


def activated(body: PolicyActivated, offset: int) -> Input:
    """A bundle as the topic has it."""
    told = tuple(headers.plain(PolicyActivated.TYPE, id=f"bundle-{offset}", source="routing", at=body.at))
    raw = Raw(key=str(body.number).encode(), value=codec.encode(body), headers=told, kafka_time=audit_log.START // 1000)
    return Input(id=f"bundle-{offset}", case_id="", source=Source(topic=PolicyActivated.TOPIC, partition=0, offset=offset), body=raw)


def renamed(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    """A policy in which the police of Prizren have another Albanian name."""
    path = "directory/police-prizren.yaml"
    return {**files, path: re.sub(rb'sq: "[^"]*"', f'sq: "{name}"'.encode(), files[path], count=1)}


async def test_the_timeline_has_names_of_a_bundle_that_two_signed_and_the_codes_beside_them(bare: Settings) -> None:
    """An auditor read "school-drita referon: trafficking, child, urgent, me HTTP" in every language."""
    first = audit_log.FILES
    pinned = Trusted(policies.TRUSTED.signers, {1: policy_digest.digest(first)})
    second, forged = renamed(first, "Stacioni i Ri"), renamed(first, "Strehimorja e Rreme")
    async with opened(bare, signers=pinned) as door:
        await door.http.post("/auditor/signin", data={"token": door.token})

        async def page(language: str) -> str:
            await door.http.post("/auditor/language", data={"language": language, "from": "/auditor"})
            return (await door.http.get(f"/auditor/cases/{door.case_id}")).text

        wanted = {"sq": "kërkesa i dërgohet Policia Prizren", "sr-Latn": "zahtev se upućuje ustanovi Policija Prizren"}
        wanted |= {"sr-Cyrl": "захтев се упућује установи Полиција Призрен", "en": "Police Prizren"}
        for language, said in wanted.items():
            shown = await page(language)
            assert said in shown and "<code>police-prizren</code>" in shown and "trafficking, child" not in shown, language
        before = door.made.offset
        signed = policies.bundle(2, second, at=audit_log.START, before=first)
        await door.made.append(1, lambda n: activated(signed, n - before + 500))
        assert "kërkesa i dërgohet Stacioni i Ri" in await page("sq"), "a bundle that came meanwhile"
        await door.made.append(
            1, lambda n: activated(policies.bundle(3, forged, at=audit_log.START, before=second, keys=()), n - before + 600)
        )
        shown = await page("sq")
        assert "Stacioni i Ri" in shown and "Strehimorja e Rreme" not in shown, "nobody signed it"


async def test_a_first_bundle_that_nobody_vouches_for_names_nothing(bare: Settings) -> None:
    async with opened(bare, signers=policies.TRUSTED) as door:
        assert "police-prizren is asked (police)" in await door.get(f"/auditor/cases/{door.case_id}")


async def test_an_entry_that_was_swapped_with_its_leaf_is_bad_though_its_hashes_fit(bare: Settings) -> None:
    async with opened(bare) as door:
        before = door.made.offset
        await door.made.append(300, lambda n: record(value(n - before), 1000 + n))  # so that the tile of the case is full
        assert await door.made.publisher().round()
        async with beginning(audit_stack.database.admin(bare)) as tx:
            await tx.execute(text("ALTER TABLE audit.entry DISABLE TRIGGER append_only"))
            await tx.execute(text("UPDATE audit.entry SET leaf = set_byte(leaf, length(leaf) - 1, 4) WHERE idx = 4"))
            await tx.execute(text("UPDATE audit.entry SET leaf = 'no leaf' WHERE idx = 5"))
            await tx.execute(text("UPDATE audit.entry SET headers = 'none' WHERE idx = 6"))
        page = await door.get(f"/auditor/cases/{door.case_id}")
        assert "not the ones that were logged: 1." in page
        assert "leaves or headers were changed in the database: 5, 6." in page
        async with beginning(audit_stack.database.admin(bare)) as tx:
            await tx.execute(text("ALTER TABLE audit.tile DISABLE TRIGGER only_longer"))
            await tx.execute(text("UPDATE audit.tile SET data = substr(data, 1, 40) WHERE level = 0 AND number = 0"))
        page = await door.get(f"/auditor/cases/{door.case_id}")
        assert "tile/0/000" in page and "nothing of this case is proven" in page


async def test_a_record_of_a_time_that_no_calendar_has_is_shown_all_the_same(bare: Settings) -> None:
    async with opened(bare) as door:
        inputs = []
        for n, at in enumerate((1_767_225_600_000_000, 2**63 - 1, -(2**63)), 1):
            sealed = seal.open(value(n))
            meta = codec.encode(structs.replace(sealed.meta, recorded_at=at))
            inputs.append(record(meta + value(n)[len(sealed.meta_bytes) :], 1000 + n))
        before = door.made.offset
        await door.made.append(len(inputs), lambda n: inputs[n - before - 1])
        assert CASE in await door.get(f"/auditor?case={CASE}")
        assert "sealed" in await door.get(f"/auditor/cases/{CASE}")


async def test_search_by_case_and_time(bare: Settings) -> None:
    async with opened(bare) as door:
        assert door.case_id in await door.get(f"/auditor?case={door.case_id[:6]}")
        assert door.case_id in await door.get("/auditor?from=2026-01-01&to=2026-01-01")
        assert door.case_id not in await door.get("/auditor?from=2026-01-03&to=2026-02-01")
        assert "the letters a to f" in await door.get("/auditor?case=%27x")
        number = case_number(door.case_id)
        for said in (number, number.lower().replace("-", "%20")):  # as people say it, and as complaints name it
            found = await door.get(f"/auditor?case={said}")
            assert number in found and door.case_id in found, said
        assert "perhaps a letter is wrong" in await door.get(f"/auditor?case={number[:-1]}{'B' if number[-1] != 'B' else 'D'}")
        assert door.case_id not in await door.get(f"/auditor?case={case_number('no case')}")
        page = (await door.http.get(f"/auditor/cases/{door.case_id}", headers={"accept-language": "en"})).text
        assert f"<title>Case {number} " in page and f"<h1>Case {number}</h1>" in page
        assert "Write a day as" in await door.get("/auditor?from=1.1.2026")
        assert "after the last one" in await door.get("/auditor?from=2026-02-01&to=2026-01-01")
        assert "no entry of this case" in await door.get("/auditor/cases/00000000-0000-4000-8000-000000000000")


async def test_bundles_are_for_auditors_and_make_the_root(bare: Settings) -> None:
    async with opened(bare) as door:
        size = 96
        path = tile_layout.at(tile_layout.ENTRIES, 0, size).path
        assert (await door.http.get(f"/{path}")).status_code == 401
        last = tile_layout.Tile(tile_layout.ENTRIES, 2**55 - 1).path
        assert (await door.http.get(f"/{last}", headers={"authorization": "Bearer a-token"})).status_code == 404
        assert (await door.http.get(f"/tile/0/{'x000/' * 1500}000")).status_code == 404
        answer = await door.http.get(f"/{path}", headers={"authorization": "Bearer a-token"})
        edge, _ = tiles.append(tiles.Edge(), map(leaf_hash, tiles.unpack(tile_layout.parse(path.encode()), answer.content)))
        accepted = await door.made.published()
        assert accepted is not None and edge.root == accepted.checkpoint.root


@pytest.mark.parametrize("name", ["", " ", "a\0b", "a\nb", "Testa Shembull", "ë"])
def test_a_token_is_for_an_office_and_no_words_get_into_the_log_lines(name: str) -> None:
    with pytest.raises(typer.BadParameter):
        audit_token.token_command(name)
