"""The people of the story in pictures: how each of them comes to a page, and what all of them do there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage

from selenium.webdriver.common.by import By

from referral.cli.stack.cast import Cast
from referral.cli.stack.stage import Stage
from referral.local.stack import Stack
from tests.harness.web.picture_book import Book
from tests.harness.web.thumb import Phone

EFFECT = {"sq": "dhe ajo ka efekt.", "sr-Latn": "i on ima dejstvo."}
"""What the page says of an answer that routing has decided."""


@dataclass
class People:
    """The people of a stack, one phone, and the book that is written. case: the id, once there is one."""

    stack: Stack
    people: Cast
    stage: Stage
    phone: Phone
    book: Book
    case: str = ""

    def login(self, agency: str) -> str:
        """The login of whoever is called first."""
        return self.people.of(agency)[0].login

    @contextmanager
    def at(self, agency: str) -> Iterator[Phone]:
        """The phone is in the hand of a person of an agency."""
        with self.phone.of(self.login(agency)) as phone:
            yield phone

    def sign_in(self, agency: str) -> None:
        """From the sign-in page, on a phone that is not known."""
        self.phone.type("#login", self.login(agency))
        self.phone.type("#password", self.people.password)
        self.phone.tap("form[action='/signin'] button")

    def waits(self, agency: str, step: str) -> str:
        """The path of the page of this step, as soon as the agency is asked for it."""
        return f"/offers/{self.stage.offered(agency, self.case, step)['offer_id']}"

    def message(self, agency: str) -> EmailMessage:
        """The newest message to the first person of an agency."""
        to = f"{self.login(agency)}@example.org"

        def newest() -> EmailMessage | None:
            mails = [mail.message for mail in self.stack.mailbox.mails if to in mail.recipients]
            return mails[-1] if mails else None

        return self.stage.wait(f"a message to {to}", newest)

    def link(self, agency: str) -> str:
        """The link of the newest message."""
        return str(re.findall(r"https?://\S+", self.message(agency).get_content())[0])

    def answer(self, word: str) -> None:
        """Press the button of an answer; the page says that it counts."""
        self.phone.tap(f"form:has(input[value={word}]) button")
        if not self.phone.shows(EFFECT[self.phone.language]):  # a starved machine was slower than the page waits
            self.phone.again_until(lambda: self.phone.shows(EFFECT[self.phone.language]))
        assert self.phone.browser.find_elements(By.CSS_SELECTOR, ".notice.good"), word

    def look_again(self) -> None:
        """Back from the notice to the whole page."""
        self.phone.tap(".notice a.button")

    def read(self) -> None:
        self.phone.tap("form[action$='/show'] button")

    def open(self, offer: str, section: str) -> None:
        """From the page of a step to the form of a section."""
        self.phone.tap(f"a[href='{offer}/write']")
        self.phone.tap(f"form[action$='/write/{section}'] button")

    def ours(self, path: str) -> str:
        return self.stack.url("intake") + path
