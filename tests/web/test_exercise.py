"""An exercise through every agency of one municipality, on the real line: begun on the page, answered by everybody, its report kept."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import json
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from sqlalchemy import text as sql

from referral.channels.message import WORDINGS
from referral.cli import run
from referral.cli.stack import cast, every_pathway, up
from referral.cli.stack.cast import Cast
from referral.cli.stack.stage import Stage
from referral.exercise import coverage, stories
from referral.local.config import StackConfig
from referral.local.stack import Stack
from referral.runtime.postgres import database
from tests.harness import callers
from tests.harness.servers import prefix
from tests.harness.shipped import compiled
from tests.harness.waiting import PATIENCE_S
from tests.harness.web import forms
from tests.harness.web.measured import measure
from tests.harness.web.steps import field, picture, send, text

pytestmark = [pytest.mark.servers, pytest.mark.long]
PLACE, SHY = "dragash", frozenset({"school-dragash"})
"""The municipality, and who declines: else the directorate would never be asked."""
HEAD, OFFICER = "csw-dragash.head-of-unit", "csw-dragash.focal-point"
DRILLS = tuple(words.drill_subject for words in WORDINGS.values())
LANGUAGES = {"sq": "Raporti i një ushtrimi", "sr-Latn": "Izveštaj o vežbi", "sr-Cyrl": "Извештај о вежби", "en": "Report of an exercise"}


async def test_every_agency_of_a_municipality_takes_part_and_the_page_reports_it(
    tmp_path_factory: pytest.TempPathFactory,
    kafka: str,
    ca: Path,
    measuring: Chrome,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path_factory.mktemp("exercise")
    config = StackConfig(data=data, kafka=kafka, ca=ca, prefix=prefix(), drill=True, witnesses=up.WITNESSES, handset=True)
    async with up.running(config) as stack:
        for name, value in {**stack.environment, "REFERRAL_AGENCY_TLS": str(stack.agency("school-drita"))}.items():
            monkeypatch.setenv(name, value)
        people, stage = cast.load(data), Stage(stack, cast.load(data))
        try:
            await asyncio.to_thread(Exercise(stack, people, stage, measuring, pictures, capsys).practise)
        finally:
            stage.close()


class Exercise:
    """One exercise from its first page to its kept report."""

    def __init__(
        self, stack: Stack, people: Cast, stage: Stage, browser: Chrome, pictures: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.stack, self.people, self.stage, self.browser, self.pictures, self.capsys = stack, people, stage, browser, pictures, capsys
        self.url, self.policy = stack.url("intake"), compiled()

    def practise(self) -> None:
        """Begin, answer, read, print, and end it."""
        self.enter(HEAD)
        page = self.begin(stories.EVERY)
        cases = self.cases(page)
        assert len(cases) == len(stories.stories())
        self.one_answers_on_the_page()
        every_pathway.to_their_end(self.stage, cases, SHY, enough=lambda: not self.missed())
        assert self.missed() == ()
        self.sent_nowhere_else()
        self.enter(HEAD)
        self.reported(page)
        self.same_by_command(cases)
        self.enter("school-dragash.back-up")
        self.browser.get(self.url + page)
        assert OFFICER not in self.browser.page_source, "names are for the head of their own agency"
        self.enter(HEAD)
        self.ended(page, cases)
        self.begun_and_ended_by_command()

    def enter(self, login: str) -> None:
        """Sign in, and read English; whoever was signed in is out."""
        self.browser.delete_all_cookies()
        self.browser.get(f"{self.url}/signin?to=/exercises")
        field(self.browser, "login").send_keys(login)
        field(self.browser, "password").send_keys(self.people.password)
        send(self.browser, "main form button")
        self.speak("en")

    def speak(self, language: str) -> None:
        self.browser.find_element(By.CSS_SELECTOR, f"#language option[value='{language}']").click()
        send(self.browser, "form.language button")

    def begin(self, story: str) -> str:
        """Start an exercise, and return the path of its report."""
        self.browser.get(self.url + "/exercises")
        measure(self.browser)
        picture(self.browser, self.pictures / "exercises-en.png")
        self.browser.find_element(By.CSS_SELECTOR, f"#story option[value='{story}']").click()
        send(self.browser, "form[action='/exercises/start'] button")
        assert "Start this exercise?" in text(self.browser) and "Exercise. No real child." in text(self.browser)
        measure(self.browser)
        picture(self.browser, self.pictures / "exercise-start-en.png")
        send(self.browser, "main form button.first")
        assert "The exercise has begun." in text(self.browser)
        return "/exercises/" + self.browser.current_url.partition("/exercises/")[2].partition("?")[0]

    def cases(self, page: str) -> list[str]:
        return [row.case_id for row in self.rows("SELECT case_id FROM intake.exercise WHERE exercise = :id", id=page.rpartition("/")[2])]

    def one_answers_on_the_page(self) -> None:
        """An officer accepts something in the inbox, so that a person stands in the log."""

        def offered() -> str | None:
            known = self.stage.agency("csw-dragash").offers()
            return next((str(offer["offer_id"]) for offer in known if "ACCEPT" in offer["words"]), None)

        path = f"/offers/{self.stage.wait('the social workers are asked', offered)}"
        with self.signed_in(OFFICER) as person:
            form = forms.fields(person.get(path).text)
            assert person.post(f"{path}/answer", data=form | {"word": "ACCEPT"}).status_code == 303

    @contextmanager
    def signed_in(self, login: str) -> Iterator[httpx.Client]:
        with forms.Browser(base_url=self.url, timeout=PATIENCE_S, verify=callers.browser(self.stack)) as person:
            forms.sign_in(person, login, self.people.password)
            yield person

    def asked(self) -> set[str]:
        """Agencies and desks that something was asked of."""
        return {row.id for row in self.rows("SELECT agency AS id FROM intake.offer UNION SELECT desk FROM intake.task")}

    def missed(self) -> tuple[str, ...]:
        """Agencies of the municipality that nothing was asked of yet."""
        return coverage.missed(self.policy, PLACE, self.asked())

    def sent_nowhere_else(self) -> None:
        """Messages went to agencies of the municipality and to nobody who was not asked; each begins with the word for exercise."""

        def reached() -> set[str]:
            return {to.partition(".")[0] for mail in self.stack.mailbox.mails for to in mail.recipients}

        self.stage.wait("a message to an agency of it", lambda: reached() & {*coverage.expected(self.policy, PLACE)})
        self.stage.wait("the inbox of each who got one", lambda: reached() <= self.asked())
        subjects = [str(mail.message["Subject"]) for mail in self.stack.mailbox.mails]
        assert [subject for subject in subjects if not subject.startswith(DRILLS)] == []

    def reported(self, page: str) -> None:
        def whole() -> bool | None:
            self.browser.get(self.url + page)
            return "does not show" not in text(self.browser)

        self.stage.wait("the log has everything", whole)
        shown = text(self.browser)
        assert "Every agency of the municipality was asked." in shown, shown[-1500:]
        assert f"({OFFICER})" in shown and "Guidance on the page" in shown and "allowed, took" in shown and "declined" in shown
        asked = [element.text for element in self.browser.find_elements(By.CSS_SELECTOR, "li.card h3")]
        named = {self.policy.names("agency", agency, "en") for agency in coverage.expected(self.policy, PLACE)}
        assert named - {*asked} <= {self.policy.names("agency", "desk-dragash", "en")}, "the desk is asked by tasks"
        for language, title in LANGUAGES.items():
            self.speak(language)
            assert text(self.browser, "h1") == title
            measure(self.browser)
            picture(self.browser, self.pictures / f"exercise-report-{language}.png")
        printed = base64.b64decode(self.browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
        assert printed.startswith(b"%PDF") and len(printed) > 20_000
        (self.pictures / "exercise-report.pdf").write_bytes(printed)

    def same_by_command(self, cases: Sequence[str]) -> None:
        """The command and the page are one report."""
        self.capsys.readouterr()
        assert run(["drill", "report", *cases, "--agency", "csw-dragash", "--json"]) == 0
        reports = json.decode(self.capsys.readouterr().out)
        requests = self.stage.wait(
            "the requests of the page",  # on a busy machine the log does not answer for a moment, and the page says so
            lambda: len(self.browser.find_elements(By.CSS_SELECTOR, "li.card h3")) or self.browser.refresh(),
        )
        assert sum(len(report["asked"]) for report in reports) == requests
        assert OFFICER in json.encode(reports).decode()

    def ended(self, page: str, cases: Sequence[str]) -> None:
        """Who began it ends it: nobody is asked any more."""
        self.browser.get(self.url + page)
        assert sum(map(self.open_offers, cases))
        send(self.browser, "form[action$='/end'] button")
        measure(self.browser)
        send(self.browser, "main form button.stop")
        assert "The exercise is over." in text(self.browser)
        self.stage.wait("routing has ended it", lambda: sum(map(self.open_offers, cases)) == 0)
        still = "SELECT count(*) AS n FROM intake.casefile WHERE case_id = ANY(:ids) AND closed_at IS NULL"
        assert self.rows(still, ids=cases)[0].n == 0
        waiting = "SELECT count(*) AS n FROM notifier.delivery WHERE case_id = ANY(:ids) AND state = 'WAITING'"
        self.stage.wait("no message waits", lambda: self.rows(waiting, ids=cases)[0].n == 0)

    def begun_and_ended_by_command(self) -> None:
        """The command sends the same stories, and ends them by the same word."""
        token = ["--token", self.people.tokens["school-drita"], "--json"]
        self.capsys.readouterr()
        assert run(["drill", "run", "market-stall", "--municipality", "prizren", "--yes", *token]) == 0
        receipt = json.decode(self.capsys.readouterr().out)
        self.stage.wait("somebody is asked", lambda: self.open_offers(receipt["case_id"]))
        assert run(["drill", "end", receipt["referral_id"], *token]) == 0
        self.stage.wait("routing has ended it", lambda: self.open_offers(receipt["case_id"]) == 0)

    def open_offers(self, case_id: str) -> int:
        return int(self.rows("SELECT count(*) AS n FROM intake.offer WHERE case_id = :id AND closed_at IS NULL", id=case_id)[0].n)

    def rows(self, statement: str, **values: object) -> list[Any]:
        async def read() -> list[Any]:
            engine = database.admin(self.stage.settings)
            try:
                async with engine.connect() as tx:
                    return list((await tx.execute(sql(statement), values)).all())
            finally:
                await engine.dispose()

        return asyncio.run(read())
