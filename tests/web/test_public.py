"""The public door: a teacher refers from a phone without an account, the desk calls back and confirms; and what a stranger can learn."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain import events as e
from referral.runtime.i18n import ENDONYMS
from services.intake.public import limits, waiting
from services.intake.public.form import STEPS
from tests.harness.shipped import compiled
from tests.harness.web import axe
from tests.harness.web.flood import code_of
from tests.harness.web.forms import fields, hidden
from tests.harness.web.public_page import GIVEN, asked, case_of, noted, opened, reported, submitted, waits
from tests.harness.web.steps import field, leaving, picture, press, send, sign_in, tab_to, text
from tests.harness.web.world import DESK, WHY, World, signed_in

NUMBER = "192"


def test_one_report_is_one_referral_in_the_name_of_nobody(world: World) -> None:
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        before = world.everything()
        form = opened(visitor)
        for at in STEPS[:-1]:
            page = visitor.post("/refer", data=form | GIVEN | {"at": at, "go": "next"})
            assert page.status_code == 200 and page.headers["cache-control"] == "no-store", at
            kept, typed = hidden(page.text), [name for name in GIVEN if f'id="{name.removeprefix("need.")}"' not in page.text]
            assert {name: kept.get(name) for name in typed} == {name: GIVEN[name] for name in typed}, at
        assert world.everything() == before, "nothing is stored before it is sent"
        sent = visitor.post("/refer", data=form | GIVEN | {"at": "check", "go": "send"})
        again = visitor.post("/refer", data=form | GIVEN | {"at": "check", "go": "send"})
        other = visitor.post("/refer", data=form | GIVEN | {"at": "check", "go": "send", "need.happened": "Something else."})
        assert code_of(sent) == code_of(again) == code_of(other)
        assert "You have sent this form already" in html.unescape(other.text)
    [event] = submitted(world)
    assert (event.agency, event.door, event.traits.found_in, event.traits.urgency) == ("public", e.Door.WEB, "prizren", "emergency")
    assert event.sections == ("identity", "location", "narrative", "reporter")
    assert code_of(sent).replace("-", "") not in str(world.queued())


def test_an_error_stands_at_its_field_and_what_was_typed_stays(world: World) -> None:
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        form = opened(visitor)
        wrong = visitor.post("/refer", data=form | GIVEN | {"at": "about", "go": "next", "concern": "", "found_in": "../../etc"})
        assert wrong.status_code == 422 and wrong.text.count('class="error"') == 2
        assert hidden(wrong.text)["need.happened"] == GIVEN["need.happened"]
        long = visitor.post("/refer", data=form | GIVEN | {"at": "words", "go": "next", "need.happened": "ж" * 4001})
        assert long.status_code == 422 and "ж" * 4001 in long.text and "Nothing was cut off" in long.text
        assert visitor.post("/refer", data=form | GIVEN | {"at": "check", "go": "send", "danger": ""}).status_code == 422
        assert visitor.post("/refer", data=form | {"at": "check", "go": "send", "need.happened": "x" * 300_000}).status_code == 413
        spoken = visitor.post("/refer", data=form | GIVEN | {"at": "words", "go": "language", "language": "sq"})
        assert GIVEN["need.happened"] in spoken.text and "Çfarë patë ose dëgjuat" in spoken.text
    assert submitted(world) == []


@pytest.mark.parametrize("language", ["sq", "sr-Latn", "sr-Cyrl", "en"])
def test_the_number_to_call_comes_first(world: World, language: str) -> None:
    with world.client() as visitor:
        visitor.cookies.set("language", language)
        for path in ("/help", "/refer"):
            page = visitor.get(path).text
            assert page.index(f'href="tel:{NUMBER}"') < page.index("<form method"), path
        form = opened(visitor)
        for at in STEPS[:-1]:
            page = visitor.post("/refer", data=form | GIVEN | {"at": at, "go": "next"}).text
            assert "numbers now" in page and page.index(f'href="tel:{NUMBER}"') < page.index("<h1>"), at


def test_another_language_shows_the_same_page(world: World) -> None:
    """`/refer` has the language in its own form, so that what was typed stays."""
    with world.client(headers={"Accept-Language": "sq"}) as visitor:
        for path in ("/help", "/refer/receipt"):
            language = re.search(r'<form class="language".*?</form>', visitor.get(path).text, re.DOTALL)
            assert language is not None
            answer = visitor.post("/refer/language", data=hidden(language[0]) | {"language": "en"})
            assert (answer.status_code, answer.headers["location"]) == (303, path)


def test_every_page_names_its_languages_on_top(world: World) -> None:
    """The choice stood below the big button, at 1050 px of a phone: who reads no Albanian did not see that there is another language."""
    with world.client(headers={"Accept-Language": "tr"}) as visitor:
        for path in ("/refer", "/help", "/refer/receipt"):
            above, _, main = visitor.get(path).text.partition("<main")
            [link] = re.findall(r'<a [^>]*href="#language"[^>]*>(.*?)</a>', above)
            assert re.findall(r'<span lang="([^"]*)">', link) == list(ENDONYMS) and main.count('id="language"') == 1, path


def test_a_child_who_comes_back_with_a_code_is_spoken_to_as_a_child(world: World) -> None:
    """From the child's own page the link "I have a code" led to a page for adults, with "A child needs help" on top."""
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        [link] = re.findall(r'href="(/refer/receipt[^"]*)"', visitor.get("/help").text)
        page = visitor.get(link).text
        assert "A child needs help" not in page and 'name="voice" value="child"' in page
        [language] = re.findall(r'<form class="language".*?</form>', page, re.S)
        other = visitor.post("/refer/language", data=hidden(language) | {"language": "sq"}).headers["location"]
        assert 'name="voice" value="child"' in visitor.get(other).text, "in another language too"


def test_the_page_with_the_code_has_no_way_to_lose_it(world: World) -> None:
    """A change of language left the page, which shows the code this once."""
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        sent = visitor.post("/refer", data=opened(visitor) | GIVEN | {"at": "check", "go": "send"})
        assert code_of(sent) and 'id="language"' not in sent.text and "#language" not in sent.text


def test_staff_see_whom_they_keep_away_before_they_send(world: World) -> None:
    world.account("teacher", "school-drita", "en")
    with signed_in(world, "teacher") as person:
        away = {"away.parent": "yes", "away.agency.id": "police-prizren", "need.why_away": "He works there."}
        page = html.unescape(person.post("/refer", data=opened(person) | GIVEN | away | {"at": "you", "go": "next"}).text)
        said = page.partition("Who must not hear about this?</dt>")[2].partition("What you saw or heard")[0]
        assert re.findall("<dd>(.*?)</dd>", said) == [
            "a parent or carer",
            compiled().names("agency", "police-prizren", "en"),
            "He works there.",
        ]
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        page = visitor.post("/refer", data=opened(visitor) | GIVEN | away | {"at": "you", "go": "next"}).text
        assert "Who must not hear" not in page and "He works there." not in page.partition("<dl>")[2], "nobody else is asked"


def test_a_desk_reads_of_an_adult_as_of_one(world: World) -> None:
    world.account("desk", DESK, "en", desk=True)
    with world.client(headers={"Accept-Language": "en"}) as visitor, signed_in(world, "desk") as desk:
        reported(visitor, age_band="18-120")
        where = f"/unverified/{waits(world, case_of(world))}"
        page = desk.post(f"{where}/show", data=hidden(desk.get(where).text)).text
        assert "Municipality where the person is" in page and "Age of the child" not in page


def test_the_desk_reads_corrects_and_confirms(world: World) -> None:
    account = world.account("desk", DESK, "en", desk=True)
    world.account("other", "desk-prishtine", "en", desk=True)
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        code = code_of(reported(visitor, concern="unknown", age_band="unknown"))
        case = case_of(world)
        task = waits(world, case)
        assert "Received" in asked(visitor, code).text
        with signed_in(world, "other") as stranger:
            assert stranger.get(f"/unverified/{task}").status_code == 404
        with signed_in(world, "desk") as person:
            assert "Waiting: 1" in person.get("/inbox").text
            assert person.get(f"/tasks/{task}").headers["location"] == f"/unverified/{task}"
            assert "Prizren" in person.get("/unverified").text
            closed = person.get(f"/unverified/{task}").text
            assert "Marker-" not in closed
            assert f"{task}/answer" not in closed and "Read it first" in closed, "one press confirmed it unread"
            shown = person.post(f"/unverified/{task}/show", data=fields(closed)).text
            form = fields(shown)
            assert shown.count(f"{task}/answer") == 2
            assert all(GIVEN[name] in shown for name in ("need.happened", "need.where", "need.child", "who", "telephone"))
            read = [event for event in world.queued() if isinstance(event, e.SectionDisclosed)]
            assert {(event.section, event.by, event.basis) for event in read} == {
                (section, account, "desk") for section in ("narrative", "location", "identity", "reporter")
            }
            assert "The desk is on it" in asked(visitor, code).text
            answer = f"/unverified/{task}/answer"
            traits = {"found_in": "prizren", "concern": "", "age_band": "12-14", "urgency": "urgent"}
            unsure = person.post(answer, data=form | traits | {"answer": "confirm"})
            assert unsure.status_code == 422 and "Choose one before you confirm" in unsure.text
            sure = form | traits | {"answer": "confirm", "concern": "child-labour"}
            first = person.post(answer, data=sure)
            assert (first.status_code, person.post(answer, data=sure).status_code) == (303, 303), "a second press is no second order"
            assert "Instruction given" in person.get(first.headers["location"]).text
        changed, order = world.queued()[-2:]
        assert isinstance(changed, e.TraitsChanged) and isinstance(order, e.InstructionGiven)
        assert (changed.traits.concern, changed.traits.age, changed.traits.urgency) == ("child-labour", "child", "urgent")
        assert changed.only == ("age", "age_band", "concern", "urgency"), "what a colleague corrects at the same time stays"
        assert (order.word, order.task_id, order.by) == ("CONFIRM", task, account)
        world.say(case, e.PersonNotNeeded(why=WHY, task_id=task, how="confirmed"))
        assert "Passed on" in asked(visitor, code).text
        with signed_in(world, "desk") as person:
            page = person.get(f"/unverified/{task}").text
            main = page.partition("<h1>")[2].partition("</main")[0]  # behind the line for paper, which names the desk's own agency
            assert "Prizren" not in main and "12-14" not in main, "where the child is now is no longer this task's to say"
            before = world.everything()
            late = person.post(f"/unverified/{task}/show", data=fields(page), follow_redirects=True)
            assert late.status_code == 200 and "Marker-" not in late.text
            assert world.everything() == before, "what is not shown is not recorded as read"


def test_refused_reads_as_closed_and_nothing_more(world: World) -> None:
    world.account("desk", DESK, "en", desk=True)
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        code = code_of(reported(visitor))
        case = case_of(world)
        task = waits(world, case)
        with signed_in(world, "desk") as person:
            opened = person.post(f"/unverified/{task}/show", data=fields(person.get(f"/unverified/{task}").text))
            form = fields(opened.text)
            answer = f"/unverified/{task}/answer"
            assert person.post(answer, data=form | {"answer": "refuse", "reason": "best-interest"}).status_code == 422
            assert person.post(answer, data=form | {"answer": "refuse", "reason": "made-up"}).status_code == 303
        order = world.queued()[-1]
        assert isinstance(order, e.InstructionGiven) and (order.word, order.reason, order.task_id) == ("REFUSE", "made-up", task)
        world.say(case, e.PersonNotNeeded(why=WHY, task_id=task, how="refused"), e.CaseClosed(why=WHY, outcome="not-confirmed"))
        page = asked(visitor, code, "One more thing.").text
        assert "<h1>Closed</h1>" in page and "made" not in page.lower()
        assert not noted(world), "a closed report takes no note"


def test_a_code_takes_a_note_and_a_wrong_one_learns_nothing(world: World) -> None:
    world.account("desk", DESK, "en", desk=True)
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        code = code_of(reported(visitor))
        task = waits(world, case_of(world))
        added = asked(visitor, code.lower().replace("-", " "), "Marker-Later: he has a white car.")
        assert "Your note was added" in added.text
        form = hidden(added.text) | {"code": code, "need.note": "Marker-Plate: it ends in 07."}
        twice = [visitor.post("/refer/receipt", data=form).text for _ in range(2)]
        assert all("Your note was added" in page and "Marker-Plate" not in page for page in twice)
        assert len(noted(world)) == 2, "pressed twice, added once: the desk is alerted once"
        visitor.post("/refer/receipt", data=form | {"need.note": "Marker-Other: no, in 70."})
        assert len(noted(world)) == 3, "another note of the same form is another note"
        wrong = "A" + code[1:] if code[0] != "A" else "B" + code[1:]
        before = world.everything()
        answers = {re.sub(r'value="[^"]*"', "", asked(visitor, typed, "A note.").text) for typed in (wrong, "x", "' OR 1=1 --", "ж" * 99)}
        assert len(answers) == 1 and "We do not know this code" in answers.pop()
        assert world.everything() == before
        with signed_in(world, "desk") as person:
            form = fields(person.get(f"/unverified/{task}").text)
            shown = person.post(f"/unverified/{task}/show", data=form).text
            assert "Marker-Tregimi" in shown and "Marker-Later" in shown and shown.count("Marker-Plate") == 1


def test_above_the_limit_nothing_is_stored_and_the_number_is_shown(world: World) -> None:
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        answers, form = [], {}
        while not answers or answers[-1].status_code == 200:
            before, form_ = world.everything(), opened(visitor)
            answers.append(visitor.post("/refer", data=form_ | GIVEN | {"at": "check", "go": "send"}))
            form = form_ if answers[-1].status_code == 200 else form
        *accepted, full = answers
        assert limits.FROM_ONE_PLACE <= len(accepted) <= limits.SHORT_TIMES * limits.FROM_ONE_PLACE
        assert full.status_code == 429 and f'href="tel:{NUMBER}"' in full.text and GIVEN["need.happened"] in full.text
        assert world.everything() == before
        same = visitor.post("/refer", data=form | GIVEN | {"at": "check", "go": "send"})
        assert code_of(same) == code_of(accepted[-1]), "what was sent before the limit keeps its receipt"


def test_staff_refer_as_their_agency_and_it_runs_at_once(world: World) -> None:
    world.account("teacher", "school-drita", "en")
    with signed_in(world, "teacher") as person:
        page = person.get("/refer")
        assert "a referral of Primary school" in page.text
        assert "Your login is recorded as its author" in page.text and "You need no account" not in page.text
        form = hidden(page.text)
        assert form["found_in"] == "prishtine"
        sent = person.post("/refer", data=form | GIVEN | {"at": "check", "go": "send"})
        assert "your agency is its sender" in sent.text
    [event] = submitted(world)
    assert (event.agency, event.door) == ("school-drita", e.Door.WEB)


def test_the_code_of_a_sender_who_has_taken_the_referral_back_opens_nothing(world: World) -> None:
    """Staff keep the code of what they referred."""
    world.account("teacher", "school-drita", "en")
    with signed_in(world, "teacher") as person, world.client(headers={"Accept-Language": "en"}) as visitor:
        code = code_of(reported(person))
        assert "We do not know this code" not in asked(visitor, code).text
        world.by_hand(lambda tx: tx.execute(sql("UPDATE intake.referral SET withdrawn_at = received_at + 1")))
        before = world.everything()
        assert "We do not know this code" in asked(visitor, code, "A note.").text and world.everything() == before


def test_the_code_of_an_excluded_sender_says_for_ever_what_it_said_and_its_notes_are_the_desks(world: World) -> None:
    """Staff keep the code of what they referred: it must not tell an implicated agency that somebody named it, nor what follows."""
    excluded = "INSERT INTO intake.exclusion (case_id, kind, actor) SELECT case_id, 'AGENCY', agency FROM intake.referral"
    world.account("teacher", "school-drita", "en")
    with signed_in(world, "teacher") as person, world.client(headers={"Accept-Language": "en"}) as visitor:
        code = code_of(reported(person))
        world.say(case_of(world), e.PersonNotNeeded(why=WHY, task_id="none", how="done"))  # routing's first decision
        before = asked(visitor, code)
        assert "It has not been read yet." in before.text
        written = versions(world)[0]
        world.by_hand(lambda tx: tx.execute(sql(excluded)))
        world.track(case_of(world))
        world.say(case_of(world), e.CaseClosed(why=WHY, outcome="done", sealed=False))
        assert plain(asked(visitor, code).text) == plain(before.text)
        assert asked(visitor, code, "A note.").status_code == 200
        assert versions(world) == (written, 1)


def plain(page: str) -> str:
    """A page without the keys of its forms."""
    return re.sub(r'value="[^"]*"', "", page)


def versions(world: World) -> tuple[int, int]:
    """How many versions of stories there are, and how many were put aside."""
    counted = (
        "SELECT count(*) FILTER (WHERE version > 0), count(*) FILTER (WHERE version < 0) FROM intake.section WHERE section = 'narrative'"
    )

    async def read(tx: AsyncConnection) -> tuple[int, int]:
        [(newest, aside)] = await tx.execute(sql(counted))
        return newest, aside

    return world.by_hand(read)


PRACTICE = {"sq": "Vetëm për ushtrim.", "sr-Latn": "Samo za vežbu.", "sr-Cyrl": "Само за вежбу.", "en": "For practice only."}


def test_a_stack_for_drills_says_that_nobody_comes_and_makes_exercises_alone(database: str, key_files: tuple[Path, Path]) -> None:
    with World(database, key_files[0], compiled(), drills=True) as world:
        world.account("teacher", "school-drita", "en")
        world.account("desk", DESK, "en", desk=True)
        with world.client() as visitor, signed_in(world, "teacher") as staff, signed_in(world, "desk") as desk:
            for language, said in PRACTICE.items():
                visitor.cookies.set("language", language)
                for path in ("/refer", "/help", "/refer/receipt"):
                    page = visitor.get(path).text
                    assert page.index(said) < page.index("<h1>"), (path, language)
            sent = reported(visitor)
            assert PRACTICE["en"] in sent.text and code_of(sent)
            task = waits(world, case_of(world))
            for path in ("/unverified", f"/unverified/{task}"):
                assert "Exercise. No real child." in desk.get(path).text, path
            assert "your agency is its sender" in reported(staff).text
        assert drills(world) == [True, True]


def test_elsewhere_a_report_is_no_exercise(world: World) -> None:
    with world.client(headers={"Accept-Language": "en"}) as visitor:
        sent = reported(visitor)
        assert sent.status_code == 200 and PRACTICE["en"] not in sent.text + visitor.get("/refer").text
    assert drills(world) == [False]


def drills(world: World) -> list[bool]:
    """Of each case, whether it is an exercise: in the inbox and for whoever is told of it."""

    async def read(tx: AsyncConnection) -> list[bool]:
        kept = (await tx.execute(sql("SELECT drill FROM intake.casefile ORDER BY opened_at"))).scalars().all()
        told = (await tx.execute(sql("SELECT drill FROM queue WHERE type = 'referral-submitted.v2' ORDER BY n"))).scalars().all()
        assert kept == told
        return list(kept)

    return world.run(read)


def test_a_teacher_on_a_phone_and_the_desk_that_confirms(world: World, browser: Chrome, pictures: Path) -> None:
    world.account("desk", DESK, "en", desk=True)
    browser.get(f"{world.url}/refer")
    Select(field(browser, "language")).select_by_value("en")
    send(browser, "button[value=language]")
    picture(browser, pictures / "public-1-danger.png")
    tab_to(browser, "input[name=danger]")
    browser.find_element(By.CSS_SELECTOR, "input[name=danger][value=yes]").click()
    send(browser, "button[value=next]")
    picture(browser, pictures / "public-2-about.png")
    for id, value in (("found_in", "prizren"), ("concern", "trafficking"), ("age_band", "12-14")):
        Select(field(browser, id)).select_by_value(value)
    send(browser, "button[value=next]")
    assert len(browser.find_elements(By.CSS_SELECTOR, "main fieldset")) == 3, "a stranger is asked no more"
    press(browser, "input[name='known.exploited.controlled-begging']")
    press(browser, "input[name='known.suspect-is-parent'][value=no]")
    picture(browser, pictures / "public-3-known.png")
    send(browser, "button[value=next]")
    field(browser, "happened").send_keys("A man waits for her every day after school.")
    field(browser, "where").send_keys("The school by the river")
    picture(browser, pictures / "public-4-words.png")
    send(browser, "button[value=next]")
    field(browser, "telephone").send_keys("044 000 000")
    send(browser, "button[value=next]")
    assert "A man waits for her" in text(browser) and "Yes" in text(browser)
    picture(browser, pictures / "public-5-check.png")
    send(browser, "button[value=send]")
    assert "We have received it" in text(browser) and text(browser, ".code") not in browser.current_url
    picture(browser, pictures / "public-6-receipt.png")
    case = case_of(world)
    task = waits(world, case)
    browser.delete_all_cookies()
    sign_in(browser, world, "desk")
    picture(browser, pictures / "public-7-inbox.png")
    send(browser, "a[href='/unverified']")
    send(browser, f"a[href='/unverified/{task}']")
    send(browser, "form[action$='/show'] button")
    assert "A man waits for her" in text(browser)
    assert browser.find_elements(By.CSS_SELECTOR, "a[href='tel:044000000']"), "the desk calls back with one tap"
    picture(browser, pictures / "public-8-confirm.png")
    send(browser, "form:has(input[value=confirm]) button")
    assert "Instruction given" in text(browser)
    assert isinstance(world.queued()[-1], e.InstructionGiven)
    assert submitted(world)[0].traits.flags == ("controlled-begging",), "no takes nothing away, and says nothing"


LANGUAGES = [pytest.param(language, marks=() if language == "sq" else pytest.mark.long) for language in ENDONYMS]
"""Quick in the language with the longest words; the others see the same pages."""


def narrow(browser: Chrome, language: str) -> None:
    """The page is in this language, and a phone shows it without scrolling sideways."""
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == language
    width = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["width"]
    assert width <= 375, f"{browser.current_url} is {width} pixels wide in {language}"


def key(browser: Chrome, css: str, *keys: str) -> None:
    """Walk to an element with the Tab key, and press these keys there."""
    tab_to(browser, css)
    browser.switch_to.active_element.send_keys(*keys)


def go_on(browser: Chrome, css: str) -> None:
    """Walk to a button, and press it with the Enter key."""
    tab_to(browser, css)
    with leaving(browser):
        browser.switch_to.active_element.send_keys(Keys.ENTER)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_child_writes_by_keyboard_alone(world: World, browser: Chrome, pictures: Path, language: str) -> None:
    def seen(name: str) -> None:
        narrow(browser, language)
        picture(browser, pictures / f"public-child-{name}-{language}.png")

    browser.get(f"{world.url}/help")
    browser.add_cookie({"name": "language", "value": language})
    browser.get(f"{world.url}/help")
    seen("0-help")
    go_on(browser, "form[action='/refer'] button")
    seen("1-danger")
    go_on(browser, "button[value=next]")
    seen("1-danger-missed")
    key(browser, "input[name=danger]", Keys.SPACE)
    go_on(browser, "button[value=next]")
    seen("2-about")
    key(browser, "#found_in", Keys.ARROW_DOWN)
    key(browser, "input[name=said][value=hit]", Keys.SPACE)
    key(browser, "#age_band", Keys.ARROW_DOWN)
    go_on(browser, "button[value=next]")
    seen("3-known")
    key(browser, "input[name='known.you-home'][value=yes]", Keys.SPACE)
    go_on(browser, "button[value=next]")
    seen("3-words")
    key(browser, "#happened", "Made up: he hits me.")
    go_on(browser, "button[value=next]")
    seen("4-you")
    go_on(browser, "button[value=next]")
    seen("5-check")
    go_on(browser, "button[value=send]")
    seen("6-sent")
    assert browser.find_elements(By.CSS_SELECTOR, ".code code") and f"tel:{NUMBER}" in browser.page_source
    [event] = submitted(world)
    assert (event.agency, event.traits.urgency) == ("public", "emergency")
    assert (event.traits.concern, event.traits.flags) == ("violence", ("suspect-at-home",))
    go_on(browser, "form[action='/refer/receipt'] button")
    seen("7-receipt")
    assert browser.find_elements(By.CSS_SELECTOR, "input[name=voice][value=child]"), "the receipt speaks to a child too"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_desk_clears_a_flood_and_axe_finds_nothing(world: World, measuring: Chrome, pictures: Path, language: str) -> None:
    world.reports(60, DESK, texts=40)
    world.account("desk", DESK, language, desk=True)
    sign_in(measuring, world, "desk")

    def looked_at(name: str) -> None:
        assert axe.violations(measuring) == [], name
        narrow(measuring, language)
        picture(measuring, pictures / f"public-flood-{name}-{language}.png")

    measuring.get(f"{world.url}/unverified")
    looked_at("list")
    send(measuring, "form[action='/unverified/read'] button")
    assert len(re.findall(r"Made up \d", text(measuring))) == waiting.PAGE
    looked_at("read")
    send(measuring, "button[value=marked]")
    looked_at("nothing")
    press(measuring, "input[name='mark.2']")
    press(measuring, "input[name=reason]")
    send(measuring, "button[value=others]")
    looked_at("sure")
    send(measuring, "main form button.stop")
    looked_at("done")
    orders = [event for event in world.queued() if isinstance(event, e.InstructionGiven)]
    assert waiting.PAGE <= len(orders) <= 2 * waiting.PAGE and {order.word for order in orders} == {"REFUSE"}
