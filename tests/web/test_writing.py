"""Writing in the case file: forms of sections, drafts, two people at once, a session's end, and who may write what."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from sqlalchemy import text as sql

from referral.domain.events import (
    ActorExcluded,
    ActorKind,
    CaseClosed,
    How,
    SectionDisclosed,
    SectionWritten,
)
from services.intake.accounts import rules
from tests.harness import destroyed
from tests.harness.web.forms import fields, hidden
from tests.harness.web.steps import field, leaving, picture, press, send, sign_in, tab_to, text
from tests.harness.web.support import CSW, began, support
from tests.harness.web.world import NAMED, WHY, World, closed, signed_in

POLICE, SHELTER = "police-prizren", "shelter-linden"
SECRET = "Marker-Qershia"
"""Stands for what somebody wrote about a child."""


class Desk:
    """A person without a browser at the form of a section."""

    def __init__(self, person: httpx.Client, offer: str, section: str) -> None:
        self.person, self.list, self.path = person, f"/offers/{offer}/write", f"/offers/{offer}/write/{section}"

    def open(self) -> httpx.Response:
        self.page = self.post(do="open")
        return self.page

    def post(self, **form: str) -> httpx.Response:
        token = fields(self.person.get(self.list).text)["form"]
        return self.person.post(self.path, data={"form": token} | form)

    @property
    def form(self) -> dict[str, str]:
        """The hidden fields of the form that was opened."""
        return hidden(self.page.text, "form", "key", "since")

    def send(self, do: str = "save", **entries: str) -> httpx.Response:
        return self.person.post(self.path, data=self.form | {"do": do} | {f"f.{name}": value for name, value in entries.items()})


def entry(page: str, id: str) -> str:
    """What a text entry of a page holds."""
    found = re.search(rf'<textarea id="f-{id}"[^>]*>\n(.*?)</textarea>', page, re.S) or re.search(
        rf'id="f-{id}"[^>]* value="([^"]*)"', page
    )
    assert found, (id, page)
    return found[1]


def written(world: World) -> list[SectionWritten]:
    return [event for event in world.queued() if isinstance(event, SectionWritten)]


def test_a_section_is_written_and_read_by_the_next_agency_with_its_labels(world: World) -> None:
    account = world.account("worker", CSW)
    world.account("shelter", SHELTER)
    case = world.case("prizren")
    mine = support(world, case)
    theirs = support(world, case, SHELTER, step="shelter", seat=0, shows=("age-band", "care-needs", "note"))
    with signed_in(world, "worker") as person:
        form = Desk(person, mine, "care-needs")
        assert "Nothing is written here yet" in person.get(form.list).text
        assert form.open().status_code == 200
        saved = form.send(text=SECRET, food="Halal", interpreter="rom", disability="")
        listed = person.get(saved.headers["location"]).text
        assert "Saved: Care needs" in listed and "Version 1 · " in listed and "· worker ·" in listed and SECRET not in listed
    with signed_in(world, "shelter") as person:
        shown = person.post(f"/offers/{theirs}/show", data=fields(person.get(f"/offers/{theirs}").text)).text
        assert SECRET in shown and "What a carer must know" in shown and "Interpreter for" in shown and "Romani" in shown
        listed = person.get(f"/offers/{theirs}/write").text
        assert "Version 1 · " in listed and "· worker" not in listed, "the login is for colleagues"
    [event] = written(world)
    assert (event.section, event.version, event.by, event.agency) == ("care-needs", 1, account, CSW)
    assert SECRET not in str(event) and SECRET.encode() not in repr(saved.headers).encode()


def test_the_form_is_opened_only_with_a_recorded_reading(world: World) -> None:
    account = world.account("officer", POLICE)
    case = world.case("prizren")
    offer = support(world, case, POLICE, step="police", seat=0, shows=("identity", "location"))
    with signed_in(world, "officer") as person:
        listed = person.get(f"/offers/{offer}/write").text
        assert not any(name in listed for name in NAMED) and not written(world)
        before = world.everything()
        assert person.get(f"/offers/{offer}/write/identity").headers["location"] == f"/offers/{offer}/write"
        assert world.everything() == before, "a GET changes nothing"
        opened = Desk(person, offer, "identity").open().text
        assert all(name in opened for name in NAMED), "what a system sent in another shape is shown as it came"
    [read] = [event for event in world.queued() if isinstance(event, SectionDisclosed)]
    assert (read.section, read.by, read.offer_id) == ("identity", account, offer)


def test_what_a_system_sent_stays_when_a_person_saves(world: World) -> None:
    world.account("officer", POLICE)
    offer = support(world, world.case("prizren"), POLICE, step="police", seat=0, shows=("identity",))
    with signed_in(world, "officer") as person:
        form = Desk(person, offer, "identity")
        form.open()
        assert form.send(name=SECRET).status_code == 303
        again = form.open().text
        assert entry(again, "name") == SECRET and all(name in again for name in NAMED)


def test_two_people_at_once_lose_nothing_and_the_second_chooses(world: World) -> None:
    world.account("first", CSW)
    world.account("second", CSW)
    offer = support(world, world.case("prizren"))
    with signed_in(world, "first") as one, signed_in(world, "second") as two:
        mine, theirs = Desk(two, offer, "safety-plan"), Desk(one, offer, "safety-plan")
        theirs.open()
        theirs.send(text="Old", keep_away="The uncle", telephone_rules="None")
        mine.open()
        theirs.open()
        theirs.send(text="Old", keep_away="The uncle and his driver", telephone_rules="Without a SIM")
        met = mine.send(text="Mine", keep_away="The uncle", telephone_rules="Only evenings")
        assert met.status_code == 409 and "Somebody wrote here meanwhile" in met.text and "· first ·" in met.text
        assert entry(met.text, "text") == "Mine", "only I changed it"
        assert entry(met.text, "keep_away") == "The uncle and his driver", "only they changed it"
        assert entry(met.text, "telephone_rules") == "Only evenings" and "Without a SIM" in met.text, "both did: both are shown"
        assert len(written(world)) == 2
        mine.page = met
        assert mine.send(text="Mine", keep_away="The uncle and his driver", telephone_rules="Only evenings").status_code == 303
        assert entry(theirs.open().text, "telephone_rules") == "Only evenings"
        assert [event.version for event in written(world)] == [1, 2, 3]
    counted = world.by_hand(lambda tx: tx.execute(sql("SELECT count(*) FROM intake.section WHERE section = 'safety-plan'")))
    assert counted.scalar() == 3, "no version is ever overwritten"


def test_a_guess_at_a_sealed_section_learns_nothing(world: World) -> None:
    """The form shows which of my entries differ from what was there when I began: from a version that is sealed it told a right guess."""
    account, case = world.account("worker", CSW), world.case("prizren")
    offer = support(world, case)
    with signed_in(world, "worker") as person:
        form = Desk(person, offer, "care-needs")
        form.open()
        assert form.send(text=SECRET).status_code == 303
        world.say(case, closed(offer, How.CANCELLED), CaseClosed(why=WHY, outcome="done", sealed=True))
        again = Desk(person, support(world, case), "care-needs")
        again.open()
        shown = set()
        for guess in (SECRET, "Marker-Dardha1"):
            data = again.form | {"since": "1", "do": "save", "f.text": guess}
            answer = person.post(again.path, data=data)
            assert answer.status_code == 409, answer.text
            shown.add(re.sub(r'value="[^"]*"', "", answer.text).replace(guess, "GUESS"))
    assert len(shown) == 1 and account


def test_a_form_sent_twice_is_one_version(world: World) -> None:
    world.account("worker", CSW)
    offer = support(world, world.case("prizren"))
    with signed_in(world, "worker") as person:
        form = Desk(person, offer, "note")
        form.open()
        answers = [form.send(text=SECRET) for _ in range(3)]
        assert len({answer.headers["location"] for answer in answers}) == 1
        other = form.send(text="Something else")
        assert other.status_code == 409 and "already sent a different answer" in other.text and "Something else" in other.text
    assert len(written(world)) == 1


@pytest.mark.parametrize("do", ["save", "draft"])
def test_a_draft_survives_the_end_of_a_session_and_nobody_else_reads_it(world: World, do: str) -> None:
    world.account("worker", CSW)
    world.account("colleague", CSW)
    offer = support(world, world.case("prizren"))
    with signed_in(world, "worker") as person:
        form = Desk(person, offer, "note")
        form.open()
        world.by_hand(lambda tx: tx.execute(sql(f"UPDATE intake.session SET created_at = created_at - {rules.ABSOLUTE_US}")))
        ended = form.send(do, text=SECRET)
        assert ended.status_code == 403 and SECRET in ended.text and "kept as a draft" in ended.text and not written(world)
        assert f'href="/signin?to=/offers/{offer}/write"' in ended.text
        before = world.everything()
        forged = person.post(form.path, data=form.form | {"form": "0" * 64, "do": do, "f.text": "Forged"})
        assert forged.status_code == 403 and world.everything() == before, "only a form of that very session is kept"
    with signed_in(world, "colleague") as person:
        form = Desk(person, offer, "note")
        assert "Your draft" not in person.get(form.list).text and SECRET not in form.open().text
    with signed_in(world, "worker") as person:
        form = Desk(person, offer, "note")
        listed = person.get(form.list).text
        assert "Your draft, kept" in listed and SECRET not in listed
        assert entry(form.open().text, "text") == SECRET and "This form shows your draft" in form.page.text
        form.send(text=SECRET)
        assert "Your draft, kept" not in person.get(form.list).text and len(written(world)) == 1


def test_what_was_entered_is_shown_when_the_session_was_ended_elsewhere(world: World) -> None:
    world.account("worker", CSW)
    offer = support(world, world.case("prizren"))
    with signed_in(world, "worker") as person:
        form = Desk(person, offer, "note")
        form.open()
        world.run(lambda tx: tx.execute(sql("DELETE FROM intake.session")))
        ended = form.send("save", text=SECRET)
        assert ended.status_code == 403 and SECRET in ended.text and "kept as a draft" not in ended.text
        assert f'href="/signin?to=/offers/{offer}/write"' in ended.text and not written(world)


def test_a_draft_meets_a_newer_version_and_can_be_discarded(world: World) -> None:
    world.account("worker", CSW)
    world.account("colleague", CSW)
    offer = support(world, world.case("prizren"))
    with signed_in(world, "worker") as person, signed_in(world, "colleague") as other:
        mine, theirs = Desk(person, offer, "care-needs"), Desk(other, offer, "care-needs")
        mine.open()
        assert "Your draft is kept" in person.get(mine.send("draft", text="Mine").headers["location"]).text
        theirs.open()
        theirs.send(text="Theirs")
        met = mine.open()
        assert met.status_code == 200 and entry(met.text, "text") == "Mine" and "Theirs" in met.text
        mine.send("discard")
        assert entry(mine.open().text, "text") == "Theirs"


def test_a_draft_is_sealed_and_goes_with_the_case(world: World) -> None:
    world.account("worker", CSW)
    case = world.case("prizren")
    offer = support(world, case)
    with signed_in(world, "worker") as person:
        form = Desk(person, offer, "note")
        form.open()
        form.send("draft", text=SECRET)
    sealed = world.run(lambda tx: tx.execute(sql("SELECT sealed, case_id FROM intake.draft"))).one()
    assert SECRET.encode() not in bytes(sealed[0]) and sealed[1] == case
    world.by_hand(lambda tx: destroyed.at_once(tx, [case]))
    assert world.run(lambda tx: tx.execute(sql("SELECT count(*) FROM intake.draft"))).scalar() == 0


def test_only_the_sections_that_the_step_writes_can_be_written(world: World) -> None:
    world.account("officer", POLICE)
    world.account("worker", CSW)
    case = world.case("prizren")
    offer = support(world, case, seat=0, shows=("identity", "safety-plan", "note"), agency=POLICE)  # the advocate's seat
    with signed_in(world, "officer") as person:
        assert "Write: Notes" in person.get(f"/offers/{offer}/write").text
        assert "Write: Identity" not in person.get(f"/offers/{offer}/write").text, "it reads who the child is, and does not write it"
        form = Desk(person, offer, "identity")
        assert form.open().status_code == 403 and "Nothing was saved" in form.page.text and NAMED[0] not in form.page.text
        for section in ("medical", "age-band", "child-view", "nothing", "%00"):
            answer = person.post(f"/offers/{offer}/write/{section}", data=fields(person.get(f"/offers/{offer}").text) | {"do": "open"})
            assert answer.status_code in (403, 404) and "Version" not in answer.text, section
    with signed_in(world, "worker") as person:
        assert person.get(f"/offers/{offer}/write").status_code == 404, "another agency's"
    assert not written(world)


def test_what_is_wrong_is_named_at_its_field_and_nothing_is_lost(world: World) -> None:
    world.account("worker", CSW)
    offer = support(world, world.case("prizren"))
    with signed_in(world, "worker") as person:
        form = Desk(person, offer, "contact")
        form.open()
        wrong = form.send(telephone="ask the school", safe_way=SECRET, safe_to_call="perhaps")
        assert wrong.status_code == 422 and entry(wrong.text, "safe_way") == SECRET
        assert 'href="#f-telephone"' in wrong.text and "Enter a telephone number" in wrong.text and "Choose one of the list" in wrong.text
        empty = form.send(telephone="")
        assert empty.status_code == 422 and "the form is empty" in empty.text
    assert not written(world)


def test_a_withdrawn_consent_ends_reading_in_the_middle_of_a_form(world: World) -> None:
    world.account("advocate", "advocate-prizren")
    case = world.case("prizren")
    track = "7b6e7c1e-0000-4000-8000-0000000000aa"
    world.say(case, began(track, "trafficking-adult"))
    offer = world.offer(case, "advocate-prizren", "support", track_id=track, shows=("identity", "note"))
    with signed_in(world, "advocate") as person:
        form = Desk(person, offer, "note")
        form.open()
        ask = {"form": form.form["form"], "state": "WITHDRAWN", "giver": "person", "do": "ask"}
        said = person.post(f"/offers/{offer}/change/consent", data=ask).text
        assert "These steps end" in said and "Health check" in said and "Yes, send this" in said
        key = fields(said)["key"]
        sent = person.post(f"/offers/{offer}/change/consent", data=ask | {"do": "send", "key": key})
        assert sent.status_code == 303 and "We received this" in person.get(sent.headers["location"]).text
        late = form.send(text=SECRET)
        assert late.status_code == 403 and SECRET in late.text and "may not write here now" in late.text
        assert form.open().status_code == 403
        twice = person.post(f"/offers/{offer}/change/consent", data=ask | {"do": "send", "key": key})
        assert twice.headers["location"] == sent.headers["location"], "sent twice, recorded once"
    assert not written(world)


def test_an_excluded_agency_loses_the_case_and_the_page_does_not_say_whether_it_had_it(world: World) -> None:
    world.account("worker", CSW)
    world.account("officer", POLICE)
    case = world.case("prizren")
    mine, theirs = support(world, case), support(world, case, POLICE, step="police", seat=0, shows=("identity",))
    where = f"/offers/{mine}/change/keep-away"
    with signed_in(world, "worker") as person, signed_in(world, "officer") as officer:
        assert officer.get(f"/offers/{theirs}/write").status_code == 200
        form = fields(person.get(where).text)
        missing = person.post(where, data=form | {"kind": "AGENCY", "do": "ask"})
        assert missing.status_code == 422 and "Choose an answer" in missing.text
        pages = {
            agency: person.post(where, data=form | {"kind": "AGENCY", "agency": agency, "do": "ask"}).text
            for agency in (POLICE, "school-drita")
        }
        told = {re.sub(r"<ul>.*", "", page.partition('id="follows"')[2].partition("</section>")[0]) for page in pages.values()}
        assert len(told) == 1, "the same is said of who has the case and who has not"
        sent = person.post(where, data=form | {"kind": "AGENCY", "agency": POLICE, "do": "send", "key": fields(pages[POLICE])["key"]})
        assert sent.status_code == 303
        assert officer.get(f"/offers/{theirs}/write").status_code == 404, "from this transaction on"
    [event] = [event for event in world.queued() if isinstance(event, ActorExcluded)]
    assert (event.kind, event.actor) == (ActorKind.AGENCY, POLICE)


def test_it_is_written_by_keyboard_on_a_phone_without_scripts(world: World, browser: Chrome, pictures: Path) -> None:
    world.account("worker", CSW, "sq")
    offer = support(world, world.case("prizren"))
    sign_in(browser, world, "worker")
    browser.get(f"{world.url}/offers/{offer}")
    send(browser, f"a[href='/offers/{offer}/write']")
    picture(browser, pictures / "write-list-sq.png")
    send(browser, "form[action$='/write/contact'] button")
    picture(browser, pictures / "write-contact-sq.png")
    width = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["width"]
    assert width <= 375
    tab_to(browser, "#f-safe_way")
    browser.switch_to.active_element.send_keys(SECRET)
    tab_to(browser, "#f-telephone")
    browser.switch_to.active_element.send_keys("askush")
    with leaving(browser):
        tab_to(browser, "button[value=save]")
        browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "f-telephone", "the focus stands at what is wrong"
    picture(browser, pictures / "write-wrong-sq.png")
    field(browser, "f-telephone").clear()
    press(browser, "input[name='f.safe_to_call'][value=no]")
    send(browser, "button[value=save]")
    assert browser.find_elements(By.CSS_SELECTOR, ".notice.good") and SECRET not in browser.current_url
    for what in ("consent", "keep-away", "age", "place"):
        browser.get(f"{world.url}/offers/{offer}/change/{what}")
        assert browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["width"] <= 375, what
        picture(browser, pictures / f"change-{what}-sq.png")
    press(browser, "#content select[name=found_in] option[value=peje]")
    send(browser, "main form button")
    assert "Komuna" in text(browser) and browser.find_elements(By.CSS_SELECTOR, "#follows")
    picture(browser, pictures / "change-place-follows-sq.png")


def test_notes_only_grow_and_each_is_shown_with_its_agency_and_time(world: World) -> None:
    """A warning was replaced by other words, and nobody could read it again."""
    world.account("worker", CSW)
    world.account("shelter", SHELTER)
    case = world.case("prizren")
    mine, theirs = support(world, case), support(world, case, SHELTER, step="shelter", seat=0, shows=("age-band", "note"))
    with signed_in(world, "worker") as person, signed_in(world, "shelter") as shelter:
        form, other = Desk(person, mine, "note"), Desk(shelter, theirs, "note")
        assert "This becomes the newest version" not in form.open().text, "a note replaces nothing"
        assert form.send(text=SECRET).status_code == 303
        other.open()
        assert form.open().status_code == 200 and entry(form.page.text, "text") == "", "a further note, not the old one to be changed"
        late = other.send(text="Arrives at nine")
        assert late.status_code == 303, "notes of two agencies do not clash"
        assert form.send(text="Speaks Romani").status_code == 303
        page = shelter.post(f"/offers/{theirs}/show", data=fields(shelter.get(f"/offers/{theirs}").text)).text
        assert all(said in page for said in (SECRET, "Arrives at nine", "Speaks Romani"))
        assert page.index("Speaks Romani") < page.index("Arrives at nine") < page.index(SECRET), "the newest first"
        assert "Centre for Social Work Prizren" in page.partition("<main")[2] and "<del>" not in page
        assert shelter.post(other.path, data=other.form | {"do": "strike", "version": "1", "key": "s0"}).status_code == 404, (
            "another agency's"
        )
        struck = person.post(form.path, data=form.form | {"do": "strike", "version": "1", "key": "s1"})
        assert struck.status_code == 303 and "The note is struck" in person.get(struck.headers["location"]).text
        page = other.open().text
        assert SECRET in page.partition("<del>")[2].partition("</del>")[0] and "· <strong>struck</strong>" in page
    assert [event.version for event in written(world)] == [1, 2, 3, 4]


def test_an_earlier_version_is_read_and_the_reading_recorded(world: World) -> None:
    account = world.account("worker", CSW)
    offer = support(world, world.case("prizren"))
    with signed_in(world, "worker") as person:
        form = Desk(person, offer, "care-needs")
        for said in (SECRET, "Something else"):
            form.open()
            form.send(text=said)
        assert "Show version 1" in person.get(form.list).text and SECRET not in person.get(form.list).text
        before = [event for event in world.queued() if isinstance(event, SectionDisclosed)]
        page = form.post(do="show", version="1").text
        assert SECRET in page and "Something else" not in page and "Care needs: Version 1" in page
        after = [event for event in world.queued() if isinstance(event, SectionDisclosed)]
        assert len(after) == len(before) + 1 and (after[-1].section, after[-1].by, after[-1].offer_id) == ("care-needs", account, offer)
        for number in ("3", "0", "-1", ""):
            assert SECRET not in form.post(do="show", version=number).text
