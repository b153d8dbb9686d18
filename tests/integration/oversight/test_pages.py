"""The oversight pages on a real database: only with a token, in four languages, and files that stay as they are."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
import typer
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette

from referral.cli import connection, run
from referral.cli.admin import oversight
from referral.domain.events import Mark
from referral.domain.policy import policy
from referral.errors import Malformed, Unavailable
from referral.runtime.postgres import database
from referral.runtime.postgres.tokens import OVERSIGHT, digest
from referral.runtime.settings import Settings
from referral.wire import figure_release
from services.oversight.pages import naming, routes
from tests.harness import believed, made_log, made_releases
from tests.harness.engines import beginning, by_hand, connecting
from tests.stories import teller

pytestmark = pytest.mark.servers
MEASURES = naming.load(made_releases.K)
POLICY = teller.policy()
YEAR = made_releases.year(POLICY)
PATHS = (
    "/country",
    "/deadlines",
    "/procedures/child-labour",
    "/releases",
    "/releases/12",
    "/measures",
    "/measures/late",
    "/measures/hidden",
    "/downloads",
)
VOID = ("meta", "link", "input", "br", "img", "hr")
"""Elements without an end."""
FILES = ("/figures.csv", "/figures.json", "/releases/3/figures.csv", "/dictionary.csv", "/dictionary.json")


@dataclass
class Door:
    http: httpx.AsyncClient
    settings: Settings
    visits: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, token: str = "token-c", language: str = "en", **headers: str) -> httpx.Response:
        if token.startswith("token-") and token not in self.visits:
            await self.http.post("/oversight/signin", data={"token": token})
            self.visits[token] = self.http.cookies.get("oversight", "")
            self.http.cookies.clear()
        cookie = f"oversight={self.visits.get(token, token)}; oversight-language={language}"
        return await self.http.get(f"/oversight{path}", headers={"cookie": cookie} | headers)

    async def page(self, path: str, **more: Any) -> str:
        return html.unescape(re.sub(r"<[^>]+>", " ", (await self.get(path, **more)).text))


def unavailable() -> policy.Policy:
    raise Unavailable("the policy")


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Door]:
    async with beginning(database.admin(settings)) as tx:
        await made_releases.store(tx, YEAR)
        await OVERSIGHT.add(tx, {"committee-secretariat": "token-c"}, note="committee")
        await OVERSIGHT.add(tx, {"childrens-rights-adviser": "token-a"}, note="adviser")
    engine = database.engine(settings, "oversight")
    made = routes.Pages(engine, lambda: POLICY, MEASURES, drill=True, secure=False)
    transport = httpx.ASGITransport(Starlette(routes=made.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://oversight") as http:
        yield Door(http, settings)
    await engine.dispose()


async def test_nobody_reads_without_a_token_that_stands(bare: Settings) -> None:
    async with opened(bare) as door:
        for path in ("", *PATHS, *FILES, "/nothing"):
            answer = await door.get(path, "another")
            assert (answer.status_code, answer.headers["location"]) == (303, "/oversight/signin"), path
        assert (await door.http.get("/oversight/figures.csv", headers={"authorization": "Bearer another"})).status_code == 401
        assert (await door.http.post("/oversight/signin", data={"token": "another"})).status_code == 403
        assert (await door.http.post("/oversight/signin", content=b"token=" + b"x" * 9000)).status_code == 403
        assert (await door.http.get("/oversight/signin?token=token-c")).status_code == 200, "a token in an address signs nobody in"
        signed = await door.http.post("/oversight/signin", data={"token": "token-c"})
        cookie = signed.headers["set-cookie"].lower()
        assert signed.status_code == 303 and "token" not in signed.headers["location"]
        assert "httponly" in cookie and "samesite=strict" in cookie and "path=/oversight" in cookie
        assert (await door.get("", "token-c")).headers["location"] == "/oversight/country"
        assert (await door.get("", "token-a")).headers["location"] == "/oversight/deadlines"
        assert "token-c" not in cookie, "whoever steals a cookie has a visit, not the office's token"
        assert (await door.http.get("/oversight", headers={"cookie": "oversight=token-c"})).headers["location"] == "/oversight/signin"
        again = await door.http.post("/oversight/signin", data={"token": "token-c"})
        stolen = {"cookie": again.headers["set-cookie"].partition(";")[0]}
        assert (await door.http.get("/oversight/country", headers=stolen)).status_code == 200
        assert (await door.http.post("/oversight/signout", headers=stolen)).headers["set-cookie"].startswith('oversight=""')
        assert (await door.http.get("/oversight/country", headers=stolen)).status_code == 303, "a copy is worth nothing after signing out"
        async with beginning(database.admin(bare)) as tx:
            assert len(await OVERSIGHT.end(tx, "committee-secretariat")) == 1
        assert (await door.get("/country")).status_code == 303
        assert (await door.get("/country", "token-a")).status_code == 200, "both may see all"


async def test_every_page_is_safe_and_what_is_not_there_is_a_page_that_says_so(bare: Settings) -> None:
    async with opened(bare) as door:
        lost = ("/nothing", "/releases/99", f"/releases/{10**30}", "/procedures/none", "/procedures/child-labour?block=2020-01..2020-02")
        lost += (
            "/measures/none",
            "/figures.xml",
            "/releases/99/figures.csv",
            "/dictionary.exe",
            "/procedures/%3Cscript%3E",
            "/a/b/c/d?block=%0d%0a",
        )
        for path, status in [*((path, 200) for path in PATHS), *((path, 404) for path in lost)]:
            answer = await door.get(path)
            assert answer.status_code == status, path
            assert (
                answer.headers["content-security-policy"].startswith("default-src 'none'") and answer.headers["cache-control"] == "no-store"
            )
            assert not re.search(r"<script|<style|\son\w+=|style=|http", answer.text), (
                f"{path}: nothing that the policy of the page refuses"
            )
            ids = re.findall(r'\sid="([^"]+)"', answer.text)
            assert len(ids) == len(set(ids)), f"{path}: an id twice"
            assert "token-c" not in answer.text
        for to, back in (
            ("/oversight/releases/12", None),
            ("//evil", "/oversight"),
            ("/oversight\r\nx: y", "/oversight"),
            ("", "/oversight"),
        ):
            answer = await door.http.post("/oversight/language", data={"language": "sq", "from": to})
            assert answer.headers["location"] == (back or to) and "oversight-language=sq" in answer.headers["set-cookie"]
        assert "set-cookie" not in (await door.http.post("/oversight/language", data={"language": "xx", "from": ""})).headers


async def test_what_is_told_what_waits_and_what_was_corrected_stand_there_and_hidden_figures_do_not(bare: Settings) -> None:
    async with opened(bare) as door:
        page = await door.page("/country")
        assert "Until the end of Dec 2027 · release 13" in page and "Violation of rights" in page and "Jan–Dec 2027" in page
        assert "fewer than 11 or protected" in page and "Exercise. No real child." in page
        child = await door.page("/procedures/child-labour")
        assert "Nov–Dec 2027 · 84 children" in child and "Corrected by release 13; published before in release 12." in child
        assert "66 children" not in child, "what was corrected is told by its own release only"
        assert "66 children" in await door.page("/releases/12") and "Corrected by release 13." in await door.page("/releases/12")
        assert "60 children" in await door.page("/procedures/child-labour?block=2027-09..2027-10")
        assert re.search(r"Records of exercises, not counted\s+fewer than 11", await door.page("/releases/12"))
        for number in (5, 12):
            shown = {str(figure.value) for figure in YEAR[number - 1].figures if figure.mark is Mark.SHOWN and figure.unit == "CHILDREN"}
            told = set(re.findall(r'class="figure">(\d+)<', (await door.get(f"/releases/{number}")).text))
            days = {str(f.value) for f in YEAR[number - 1].figures if f.measure == "full" and f.value is not None}
            assert told - days - {"0", "230"} <= shown, "a number that no shown figure has"


async def test_nothing_on_a_page_depends_on_what_is_hidden(bare: Settings) -> None:
    async with opened(bare) as door:
        drawn = (await door.get("/procedures/child-labour")).text
        hatched = set(re.findall(r'<svg class="bar"[^>]*><rect width="100%" height="100%" fill="url\(#hatch\)"[^>]*/></svg>', drawn))
        assert len(hatched) == 1, "every hidden figure is drawn alike"
        for name in re.findall(r"<th scope=\"row\">([^<]+)</th>\s*<td colspan=\"2\" class=\"hides\">(.*?)</td>", drawn, re.S):
            assert not re.search(r"\d", re.sub(r"<svg.*?</svg>", "", name[1]).replace("11", "")), name


async def test_four_languages_and_codes_where_no_policy_is_known(bare: Settings) -> None:
    told = {"sq": "Rajoni i Prizren", "sr-Latn": "Region Prizren", "sr-Cyrl": "Регион Призрен", "en": "Region of Prizren"}
    async with opened(bare) as door:
        for language, region in told.items():
            for path in PATHS:
                page = await door.get(path, language=language)
                assert page.status_code == 200 and f'<html lang="{language}">' in page.text
            assert region in await door.page("/procedures/child-labour", language=language)
        made = routes.Pages(database.engine(bare, "oversight"), unavailable, MEASURES, drill=False, secure=True)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=made.routes())), base_url="http://oversight") as http:
            signed = (await http.post("/oversight/signin", data={"token": "token-a"})).headers["set-cookie"]
            assert signed.startswith("__Host-oversight=") and "; secure" in signed.lower() and "path=/;" in signed.lower()
            cookie = {"cookie": f"{signed.partition(';')[0]}; __Host-oversight-language=en"}
            page = await http.get("/oversight/procedures/child-labour", headers=cookie)
            assert "<h1>child labour</h1>" in page.text and "Exercise. No real child." not in page.text
        await made.office.engine.dispose()


async def test_downloads_have_every_figure_and_the_same_bytes_each_time(bare: Settings) -> None:
    async with opened(bare) as door:
        answer = await door.get("/figures.csv")
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present" and answer.text.count("\r\n") == len(rows) + 1
        assert len(rows) == sum(len(each.figures) for each in YEAR)
        assert all((row["value"] == "") == (row["mark"] != "SHOWN") for row in rows)
        assert {row["corrects"] for row in rows if row["release"] == "13"} == {"12"}
        again = await door.get("/figures.csv", **{"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        program = await door.http.get("/oversight/figures.csv", headers={"authorization": "Bearer token-a"})
        assert program.content == answer.content and "attachment" in program.headers["content-disposition"]
        [third] = json.loads((await door.get("/releases/3/figures.json")).content)
        assert third["release"]["digest"] == YEAR[2].made.digest and len(third["figures"]) == len(YEAR[2].figures)
        assert all((figure["value"] is None) == (figure["mark"] != "SHOWN") for figure in third["figures"])
        dictionary = (await door.get("/dictionary.csv", language="sq")).content.decode("utf-8-sig")
        known = {row["name"]: row for row in csv.DictReader(io.StringIO(dictionary, newline=""))}
        assert set(rows[0]) <= set(known) and {row["measure"].partition(".")[0] for row in rows} <= set(known)
        assert {one["measure"] for one in json.loads((await door.get("/dictionary.json")).content)["measures"]} == set(MEASURES.measures)


async def test_a_release_is_out_when_it_is_published_and_then_nothing_changes_it(bare: Settings) -> None:
    async with opened(bare) as door, connecting(database.engine(bare, "oversight")) as own:
        later = made_releases.renumbered(YEAR[0], 14)
        async with beginning(database.admin(bare)) as tx:
            await made_releases.store(tx, [later], None)
        assert (await door.get("/releases/14")).status_code == 404
        await own.execute(text("UPDATE oversight.release SET published_at = 5 WHERE number = 14"))
        await own.commit()
        assert (await door.get("/releases/14")).status_code == 200
        changes = [
            f"UPDATE oversight.release SET {to} WHERE number = 14" for to in ("month = 'x'", "made = ''", "figures = ''", "number = 15")
        ]
        changes += ["UPDATE oversight.release SET published_at = 6", "DELETE FROM oversight.release", "TRUNCATE oversight.release CASCADE"]
        forged = made_releases.row(made_releases.renumbered(YEAR[1], 15)) | {"made": made_releases.row(YEAR[1])["made"]}
        for change in changes:
            with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
                await own.execute(text(change))
            await own.rollback()
            with pytest.raises(DBAPIError, match="append-only"):
                async with by_hand(bare) as tx:
                    await tx.execute(text(change))
        await own.execute(made_releases.INSERT, forged | {"published_at": 7})
        await own.commit()
        page = await door.get("/country")
        assert page.status_code == 500 and "is not the one that was made" in page.text


def _changed(what: str) -> tuple[int, Any]:
    one = YEAR[1]
    figure = next(figure for figure in one.figures if figure.mark is Mark.HIDDEN)
    rest = [each for each in one.figures if each is not figure]
    match what:
        case "a hidden value":
            return 2, made_releases.made(2, one.made.month, [*rest, structs.replace(figure, value=3)])
        case "no value":
            return 2, made_releases.made(2, one.made.month, [*rest, structs.replace(figure, mark=Mark.SHOWN)])
        case "another digest":
            return 2, structs.replace(one, figures=(*one.figures[:-1], structs.replace(one.figures[-1], group="x")))
        case _:
            return 3, one


@pytest.mark.parametrize("what", ["a hidden value", "no value", "another digest", "another number"])
def test_a_row_that_is_not_what_was_written_is_refused(what: str) -> None:
    number, one = _changed(what)
    row = made_releases.row(one)
    with pytest.raises(Malformed):
        figure_release.opened(number, row["made"], row["figures"], 1)
    whole = made_releases.row(YEAR[1])
    assert figure_release.opened(2, whole["made"], whole["figures"], 1).figures == YEAR[1].figures


async def test_a_reader_is_an_office_and_a_token_is_kept_as_a_hash(bare: Settings) -> None:
    with pytest.raises(typer.BadParameter, match="office"):
        oversight.add_command("Vjosa Made-Up", oversight.Role.ADVISER)
    async with opened(bare), connecting(database.engine(bare, "oversight")) as tx:
        kept = (await tx.execute(text("SELECT string_agg(t::text, ' ') FROM oversight.reader t"))).scalar_one()
        assert "token-c" not in kept and hashlib.sha256(b"token-c").hexdigest() in kept
        assert await OVERSIGHT.holder(tx, None) is None and await OVERSIGHT.holder(tx, digest("\udcff")) is None


def test_an_operator_gives_tokens_and_sees_releases_in_the_terminal(
    bare: Settings, keeper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told_by = {"DATABASE": bare.database, "KAFKA": "nowhere:1", "MASTER_KEY_FILE": bare.master_key_file, "TLS": keeper}
    for name, value in {**told_by, "TRUST": believed.file(tmp_path / "trust.toml", made_log.policy())}.items():
        monkeypatch.setenv(f"REFERRAL_{name}", str(value))

    def told(*arguments: str, code: int = 0) -> str:
        assert run(["oversight", *arguments]) == code
        return capfd.readouterr().out

    connection.write(bare, lambda tx: made_releases.store(tx, YEAR))
    made = json.loads(told("reader", "add", "committee-secretariat", "committee", "--json"))
    assert json.loads(told("reader", "list", "--json"))[0] == {
        "name": "committee-secretariat",
        "role": "committee",
        "created_at": ANY,
        "ended_at": None,
    }
    assert made["token"] not in told("reader", "list") and "1 ended" in told("reader", "end", "committee-secretariat")
    told("reader", "end", "committee-secretariat", code=1)
    assert json.loads(told("begin", "--json")) == {"begins": True} and "may begin" in told("begin")
    assert [each["release"] for each in json.loads(told("releases", "--json"))] == list(range(1, 14))
    shown = told("show", "12")
    assert "child-labour 2027-11..2027-12" in shown and "waiting" in shown and "drill: fewer than 11" in shown and "hidden (--all" in shown
    assert "late.csw-viti" not in shown and "late.csw-viti" in told("show", "12", "--all")
    assert json.loads(told("show", "--json"))["made"]["corrects"] == 12
    told("show", "99", code=1)


class Outline(HTMLParser):
    """What a screen reader walks through: text outside every landmark, headers without a word, landmarks with one name."""

    LANDMARKS = ("header", "main", "footer", "aside", "nav")

    def __init__(self) -> None:
        super().__init__()
        self.within: list[str] = []
        self.outside, self.empty = list[str](), 0
        self.named: list[tuple[str, str]] = []
        self._header: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in self.LANDMARKS or found.get("role") == "region":
            self.named.append((found.get("role") or tag, found.get("aria-label") or found.get("aria-labelledby") or ""))
        if tag == "th":
            self._header = ""
        if tag not in VOID:
            self.within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "th":
            self.empty += self._header == ""
            self._header = None
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._header is not None:
            self._header += data.strip()
        inside = {*self.LANDMARKS, "head", "a"} & set(self.within)  # the skip link stands before them, as it must
        if data.strip() and not inside and "svg" not in self.within:
            self.outside.append(data.strip())


async def test_a_screen_reader_finds_every_word_in_a_landmark_and_no_header_without_one(bare: Settings) -> None:
    """axe-core's `region`, `empty-table-header` and `landmark-unique`, which a trial found on these pages."""
    async with opened(bare) as door:
        for path in PATHS:
            outline = Outline()
            outline.feed((await door.get(path)).text)
            assert (outline.outside, outline.empty) == ([], 0), path
            assert len(set(outline.named)) == len(outline.named), path
