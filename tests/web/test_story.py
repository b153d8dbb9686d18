"""A story in pictures: a teacher's phone, the desk that calls back, police, advocate, social worker, shelter, a guardian, the auditor.

The whole line on real servers, in one browser without JavaScript. `make pictures` writes docs/story.md, its pictures and
docs/reference/taps.md (picture_book.py).
"""

from __future__ import annotations

import asyncio
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from referral.cli.stack import cast, up
from referral.cli.stack.stage import Stage
from referral.domain.case_number import case_number
from referral.local.config import StackConfig
from referral.runtime.postgres import database, tokens
from referral.runtime.postgres.tokens import AUDITORS
from tests.harness.servers import prefix
from tests.harness.web.picture_book import Book
from tests.harness.web.story_people import People
from tests.harness.web.thumb import Phone

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(1500)]
DESK, POLICE, ADVOCATE, CSW = "desk-prizren", "police-prizren", "advocate-prizren", "csw-prizren"
SHELTER, COORDINATOR = "shelter-linden", "coordinator-prizren"
CHILD = "Lirie Shembulli"
NAMED = (CHILD, "Arta", "044 000", "lumit")
"""Words about people of the story that no title and no address may hold."""
SEEN = ("f.looked_for", "f.afraid")
"""Questions of the risk form to which the police say yes: a man waits with a car, and she is afraid."""
NUMBER = re.compile(r"\b[A-Z]{4}-[A-Z]{4}-[A-Z]{5}\b")
SEEN_TAPS = 3
"""Most taps for “I have seen it” from a message (issue 14)."""


async def test_a_child_is_helped_from_the_teachers_phone_to_the_auditors_page(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, ca: Path, browser: Chrome
) -> None:
    data, token = tmp_path_factory.mktemp("story"), tokens.made()
    async with up.running(StackConfig(data=data, kafka=kafka, ca=ca, prefix=prefix(), drill=True, witnesses=up.WITNESSES)) as stack:
        engine = database.admin(stack.settings)
        async with engine.begin() as tx:
            await AUDITORS.add(tx, {"ombudsperson": token})
        await engine.dispose()
        phone = Phone(browser, NAMED)
        book = Book(phone, write=os.environ.get("REFERRAL_STORY") == "write")
        people = cast.load(data)
        await asyncio.to_thread(Story(stack, people, Stage(stack, people), phone, book).told, token)


class Story(People):
    """The walk. It goes on where the procedure does, and waits for what the line does in between."""

    def told(self, token: str) -> None:
        try:
            self.evening()
            self.teacher()
            self.desk()
            self.police()
            self.advocate()
            self.social_worker()
            self.shelter()
            self.guardian()
            self.hand_over()
            self.coordinator()
            self.auditor(token)
            self.book.end()
        finally:
            self.stage.close()

    def evening(self) -> None:
        """The officer begins the shift; then an hour passes in which nothing comes."""
        with self.at(POLICE) as phone, phone.act("Sign in, on a device that is not known"):
            phone.follow(self.ours("/inbox"))
            self.sign_in(POLICE)
            assert phone.shows("Asgjë nuk pret institucionin tuaj.")
        with self.at(ADVOCATE) as phone, phone.uncounted():
            phone.follow(self.ours("/inbox"))
            self.sign_in(ADVOCATE)
        self.stage.pass_time(timedelta(minutes=70), "nothing happens")

    def teacher(self) -> None:
        self.book.chapter("The teacher")
        with self.phone.of("teacher") as phone, phone.act("A teacher refers a child at the public door"):
            phone.follow(self.ours("/refer"))
            self.book.picture("danger", "Before anything else the page names the numbers to call.")
            phone.tap("input[name=danger][value=unsure]")
            phone.tap("button[value=next]")
            phone.choose("#found_in", "prizren")
            phone.choose("#concern", "trafficking")
            phone.choose("#age_band", "12-14")
            self.book.picture("about", "Three lists; “I do not know” is an answer in each.", end="button[value=back]")
            phone.tap("button[value=next]")
            self.book.picture("known", "At most three questions, which this worry asks; each may be left out.", end="button[value=back]")
            phone.tap("button[value=next]")
            phone.type("#happened", "Një burrë me veturë e pret çdo ditë pas mësimit. Ajo ka frikë prej tij dhe nuk flet.")
            phone.type("#where", "Shkolla pranë lumit, deri në orën 13")
            phone.type("#child", CHILD)
            self.book.picture("words", "She writes what she saw, in her own words.", end="button[value=back]")
            phone.tap("button[value=next]")
            phone.type("#role", "mësuese")
            phone.type("#telephone", "044 000 000")
            phone.type("#when", "pas orës 14")
            self.book.picture("you", "She may say how the desk can reach her. She need not.", end="button[value=back]")
            phone.tap("button[value=next]")
            assert phone.shows(CHILD, "mësuese")
            self.book.picture("check", "She reads all of it once more. Until now nothing has been stored.", end="button[value=back]")
            phone.tap("button[value=send]")
            assert phone.browser.find_elements(By.CSS_SELECTOR, ".code code")
            self.book.picture("receipt", "With this code, and with nothing else, she can come back.")

    def desk(self) -> None:
        self.book.chapter("The desk of the municipality")
        with self.at(DESK) as phone:
            with phone.uncounted():
                phone.follow(self.ours("/inbox"))
                self.sign_in(DESK)
            phone.again_until(lambda: phone.browser.find_elements(By.CSS_SELECTOR, "a[href='/unverified']"))
            with phone.act("The desk reads an unverified referral, calls back and confirms it"):
                self.book.picture("desk", "The desk sees that somebody wrote on the public page. Nobody vouches for it yet.", end="main")
                phone.tap("a[href='/unverified']")
                phone.tap("li.card a.open")
                self.book.picture("unverified", "What was written stays closed until somebody opens it, and that is recorded.", end="main")
                self.read()
                assert phone.shows(CHILD, "044 000 000")
                self.book.picture(
                    "confirm", "The officer reads it, calls the teacher back, corrects and confirms: all on one page.", end="main"
                )
                phone.tap("form:has(input[value=confirm]) button")
                self.book.picture("confirmed", "The procedure begins.", end="main")
        [case] = self.stage.wait("the police are asked", lambda: [one["case_id"] for one in self.stage.agency(POLICE).offers()])
        self.case = str(case)

    def police(self) -> None:
        self.book.chapter("The anti-trafficking police, at night")
        offer, message = self.waits(POLICE, "police"), self.message(POLICE)
        self.book.words("The officer on duty gets a message. This is all that it says:")
        whole = f"{message['Subject']}\n\n{message.get_content()}".replace("\r\n", "\n").replace(self.stack.url("intake"), "https://…")
        body = NUMBER.sub("DABO-KILU-REMAT", whole)
        self.book.words(f"```text\n{body.strip()}\n```")
        with self.at(POLICE) as phone:
            with phone.act("“I have seen it”, from a message, on a remembered device") as seen:
                phone.follow(self.link(POLICE))
                self.book.picture(
                    "rests",
                    "She signed in at the beginning of her shift, and an hour has passed. One tap says that she has seen it.",
                    end="main",
                )
                phone.tap("form[action='/seen'] button")
                assert phone.shows("E kam parë", NUMBER.findall(str(message["Subject"]))[0]) is False and phone.shows(
                    "U dërgua: E kam parë"
                )
                self.book.picture("seen", "No further alert goes out. To read, she types her password.", end="main")
            assert (seen.taps <= SEEN_TAPS, seen.typed) == (True, 0)
            with phone.act("Sign in again, on a remembered device"):
                phone.type("#password", self.people.password)
                phone.tap("form[action='/signin'] button")
            with phone.act("The police read the case file, and accept"):
                self.book.picture("inbox", "Her inbox names the case by a number that everybody can say on the telephone.", end="main")
                phone.tap(f"a[href='{offer}']")
                self.book.picture(
                    "guidance",
                    "The page of the step: how much time is left, what she can answer, and what to do now.",
                    end="[aria-labelledby=guidance]",
                )
                self.read()
                assert phone.shows("Një burrë me veturë", "Shkolla pranë lumit") and not phone.shows("044 000 000")
                assert not phone.shows("mësuese"), "in a place with one school that is a name"
                self.book.picture(
                    "file",
                    "The case file, as far as her step needs it. Neither the name, the role nor the number of whoever reported is in it.",
                    end="[aria-labelledby=file]",
                )
                self.answer("ACCEPT")
                self.book.picture("accepted", "She reads whether her answer took effect.", end="main")
            with phone.act("Write a section of the case file, and keep it as a draft"):
                self.look_again()
                self.open(offer, "evidence")
                phone.type("#f-text", "Targat e veturës i shënoi roja e shkollës.")
                phone.tap("button[value=draft]")
                self.book.picture(
                    "draft",
                    "She is called away: the draft waits for her, and nobody else can read it.",
                    end="[aria-labelledby=section-evidence]",
                )
            with phone.act("Go on with a draft, and save it for all who may read"):
                phone.tap("form[action$='/write/evidence'] button")
                phone.type("#f-kept_at", "Dosja 12 (shembull)")
                self.book.picture(
                    "evidence",
                    "A section is a form; its button says who will read it. The phone writes dates in its own language, here English.",
                    end="main form p.means",
                )
                phone.tap("button[value=save]")
            with phone.act("Write a note to the next agency"):
                phone.tap("form[action$='/write/note'] button")
                phone.type("#f-text", "Mos i telefononi babait. Ejani pa uniformë, nga oborri.")
                phone.tap("button[value=save]")

    def advocate(self) -> None:
        self.book.chapter("Victim advocate and social worker")
        offer = self.waits(ADVOCATE, "support")
        with self.at(ADVOCATE) as phone:
            with phone.uncounted():
                phone.follow(self.ours("/inbox"))
                phone.type("#password", self.people.password)
                phone.tap("form[action='/signin'] button")
            with phone.act("“I have seen it”, from a message, while signed in") as seen:
                phone.follow(self.link(ADVOCATE))
                phone.tap(f"a[href='{offer}']")
                self.answer("ACKNOWLEDGE")
            assert (seen.taps <= SEEN_TAPS, seen.typed) == (True, 0)
            with phone.act("Read what the police wrote, and accept"):
                self.look_again()
                self.read()
                assert phone.shows("Mos i telefononi babait.") and not phone.shows("Targat")
                self.book.picture(
                    "advocate",
                    "The advocate reads where the child is, and the note of the police; the evidence stays with the police.",
                    end="[aria-labelledby=answer]",
                )
                self.answer("ACCEPT")
            with phone.act("Say that one is with the child"):
                self.look_again()
                self.answer("ARRIVE")

    def social_worker(self) -> None:
        offer = self.waits(CSW, "csw")
        with self.at(CSW) as phone:
            with phone.act("From a message to “Accept”, on a device that is not known"):
                phone.follow(self.link(CSW))
                self.sign_in(CSW)
                phone.tap(f"a[href='{offer}']")
                self.answer("ACCEPT")
            with phone.act("Write what the shelter must know"):
                self.look_again()
                self.open(offer, "care-needs")
                phone.type("#f-text", "Fle vetëm me dritë të ndezur. Ka frikë nga dyert e mbyllura.")
                phone.type("#f-food", "Pa arra")
                self.book.picture(
                    "care",
                    "The social worker writes what a carer must know: not what happened, no name, no place.",
                    end="main form p.means",
                )
                phone.tap("button[value=save]")
                phone.tap("form[action$='/write/note'] button")
                phone.type("#f-text", "\nSillni fletoret e shkollës. Vijmë në orën 21.")
                phone.tap("button[value=save]")
                self.book.picture("versions", "Everybody who may read sees which agency wrote last; older versions stay.", end="main")
            with phone.uncounted():
                phone.tap(f"a[href='{offer}']")
                self.answer("ARRIVE")

    def shelter(self) -> None:
        self.book.chapter("The shelter")
        offer = self.waits(SHELTER, "shelter")
        with self.at(SHELTER) as phone:
            with phone.uncounted():
                phone.follow(self.link(SHELTER))
                self.sign_in(SHELTER)
            with phone.act("Change the language"):
                phone.choose("#language", "sr-Latn")
                phone.tap("form.language button")
            assert phone.shows("Prijemno sanduče")
            self.book.picture(
                "sr", "The shelter’s person reads Serbian, and chooses it once. What colleagues wrote stays in their language.", end="main"
            )
            with phone.act("A shelter accepts a child"):
                phone.tap(f"a[href='{offer}']")
                self.read()
                assert phone.shows("Pa arra", "Sillni fletoret") and not phone.shows("Shkolla pranë lumit") and not phone.shows(CHILD)
                self.book.picture(
                    "place",
                    "A bed is asked for: the shelter reads what it must know, and neither the name nor the place.",
                    end="[aria-labelledby=answer]",
                )
                self.answer("ACCEPT")
            with phone.act("The child has arrived"):
                self.look_again()
                self.answer("ARRIVE")
            with phone.act("Write a note after the first night"):
                self.look_again()
                self.open(offer, "note")
                phone.type("#f-text", "\nSpavala je. Traži svesku iz matematike.")
                phone.tap("button[value=save]")
            self.book.picture("arrived", "The child is there; what the shelter writes is the newest version.", end="main")

    def guardian(self) -> None:
        self.book.chapter("A guardian is decided")
        offer = self.waits(CSW, "guardian")
        with self.at(CSW) as phone, phone.act("Decide a guardian, with the child’s words"):
            phone.follow(self.link(CSW))
            self.book.picture(
                "case", "One case, one card: what waits for an answer, and where the case stands.", end="[aria-labelledby=answer]"
            )
            phone.tap(f"a[href='{offer}']")
            self.read()
            assert phone.shows(CHILD)
            phone.tap("input[value=csw-guardian]")
            phone.type("#DECIDE-reason", "Babai po hetohet. Qendra e njeh fëmijën.")
            phone.type("#DECIDE-child-view", "Dua të jem me dikë që nuk më bërtet. Dua të vazhdoj shkollën.")
            self.book.picture(
                "guardian",
                "Nobody decides without the child: who it is, why, and what the child wants stand on one page.",
                begin="#file",
                end="form:has(input[value=DECIDE]) button",
            )
            self.answer("DECIDE")
            self.book.picture("decided", "The log keeps the code; the words stay in the case file.", end="main")
        self.risk()

    def risk(self) -> None:
        """Three people judge it, by one form: here the police fill it in, and the others agree."""
        risk = self.waits(POLICE, "risk")
        with self.at(POLICE) as phone, phone.act("Fill in the risk form, and judge the risk"):
            phone.follow(self.ours("/inbox"))
            phone.tap(f"a[href='{risk}']")
            phone.tap(f"form[action='{risk}/write/risk-form'] button")
            self.book.picture(
                "risk",
                "The risk is a form of plain questions. What nobody knows is never “low”.",
                begin="fieldset",
                end="fieldset:has([name='f.looked_for'])",
            )
            for one in [box.get_attribute("name") for box in phone.browser.find_elements(By.CSS_SELECTOR, "input[value=no]")]:
                phone.tap(f"input[name='{one}'][value={'yes' if one in SEEN else 'no'}]")
            phone.tap("button[value=save]")
            phone.tap(f"a[href='{risk}']")
            self.read()
            self.book.picture(
                "level",
                "It shows no score: it says what the answers point to, and because of which.",
                begin="[aria-labelledby=file] .notice",
                end="[aria-labelledby=file] .notice",
            )
            phone.tap("input[value=MEDIUM]")
            self.answer("DECIDE")
        for agency in (ADVOCATE, CSW):
            self.stage.answers(agency, self.case, "risk", "DECIDE", code="MEDIUM")

    def hand_over(self) -> None:
        self.book.chapter("The plan, and the end of a part")
        offer = self.waits(CSW, "plan")
        with self.at(CSW) as phone:
            with phone.act("Accept the plan, and write it"):
                phone.follow(self.ours("/inbox"))
                phone.tap(f"a[href='{offer}']")
                self.answer("ACCEPT")
                self.look_again()
                self.read()
                assert phone.shows("Dua të vazhdoj shkollën.", "Traži svesku")
                self.book.picture(
                    "heard", "Whoever makes the plan reads the child’s words, and why it was decided so.", end="[aria-labelledby=file]"
                )
                self.open(offer, "plan")
                phone.type("#f-aims", "“Dua të vazhdoj shkollën.”")
                phone.type("#f-actions", "Qendra: shkolla, deri më 10. Strehimorja: mjeku, nesër.")
                phone.tap("button[value=save]")
            with phone.act("Finish a part: “Done”, and the question whether one is sure"):
                phone.tap(f"a[href='{offer}']")
                phone.tap("form:has(input[value=COMPLETE]) button")
                self.book.picture("sure", "“Done” asks once, and says what ends.", end="main")
                phone.tap("button.stop")
                assert phone.browser.find_elements(By.CSS_SELECTOR, ".notice.good")
                self.book.picture("done", "Her part is over, and so is her reading.", end="main")

    def coordinator(self) -> None:
        self.book.chapter("The coordinator")
        with self.at(COORDINATOR) as phone:
            with phone.uncounted():
                phone.follow(self.ours("/inbox"))
                self.sign_in(COORDINATOR)
            with phone.act("A coordinator looks at the counts"):
                phone.tap("a[href='/overview']")
            assert not phone.shows(CHILD) and case_number(self.case) not in phone.browser.page_source, "no child, and no single case"
            self.book.picture(
                "coordinator", "The coordinator sees counts, and no single case: in a small town one case is a child.", end="main"
            )

    def auditor(self, token: str) -> None:
        self.book.chapter("The auditor")
        with self.phone.of("auditor", "en") as phone:
            with phone.uncounted():
                phone.follow(f"{self.stack.url('audit')}/auditor/signin")
                phone.type("#token", token)
                phone.tap("main form button")
            with phone.act("An auditor opens a case"):
                phone.tap(f"a[href='/auditor/cases/{self.case}']")
            phone.again_until(lambda: phone.shows("All entries of this case (", "confirmed by these witnesses:"))
            self.book.picture(
                "proven",
                "Independent witnesses have confirmed every entry of the case. "
                "Their clocks are their own; that of this exercise was moved by 70 minutes.",
                end="[aria-labelledby=proven]",
            )
            self.book.picture(
                "readings", "Who has read which section, when, and why they might.", begin="#seen", end="[aria-labelledby=seen]"
            )
