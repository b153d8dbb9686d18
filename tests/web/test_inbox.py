"""The staff inbox in a phone's browser without JavaScript: what the person on duty does, and what must not happen."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from referral.domain.events import How, InputIgnored, OfferKind, Reach, ResponseSubmitted, SectionDisclosed, Via, Word
from services.intake.pages.forms import SPOKE_LIMIT
from tests.harness.markers import in_tables
from tests.harness.web.forms import fields
from tests.harness.web.measured import measure
from tests.harness.web.steps import field, leaving, picture, press, send, sign_in, tab_to, text, word
from tests.harness.web.world import MINUTE, NAMED, PASSWORD, WHY, World, accepted, acknowledged, closed, signed_in

POLICE, DESK = "police-prizren", "desk-prizren"
MENTIONED = {"sq": "Koha e mbetur: 11 minuta", "sr-Cyrl": "Преостало: 11 минута"}


@pytest.mark.parametrize("language", ["sq", "sr-Cyrl"])
def test_an_offer_is_accepted_by_keyboard_alone(world: World, browser: Chrome, pictures: Path, language: str) -> None:
    account = world.account("duty", POLICE, language)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    browser.get(f"{world.url}/inbox")
    tab_to(browser, "#login")
    browser.switch_to.active_element.send_keys("duty", Keys.TAB)
    with leaving(browser):
        browser.switch_to.active_element.send_keys(PASSWORD, Keys.ENTER)
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == language
    assert MENTIONED[language] in text(browser)
    picture(browser, pictures / f"inbox-{language}.png")
    tab_to(browser, f"a[href='/offers/{offer}']")
    with leaving(browser):
        browser.switch_to.active_element.send_keys(Keys.ENTER)
    picture(browser, pictures / f"offer-{language}.png")
    tab_to(browser, "form:has(input[value=ACCEPT]) button")
    with leaving(browser):
        browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.find_elements(By.CSS_SELECTOR, ".notice.good")
    picture(browser, pictures / f"accepted-{language}.png")
    [answer] = [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
    assert (answer.offer_id, answer.word, answer.by, answer.via) == (offer, Word.ACCEPT, account, Via.WEB)


def test_reading_is_recorded_before_it_is_shown_and_only_when_asked_for(world: World, browser: Chrome) -> None:
    account = world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    sign_in(browser, world, "duty")
    browser.get(f"{world.url}/offers/{offer}")
    assert not any(name in browser.page_source for name in NAMED)
    send(browser, "form[action$='/show'] button")
    assert all(name in text(browser) for name in NAMED)
    assert not any(name in browser.title + browser.current_url for name in NAMED)
    [read] = [event for event in world.queued() if isinstance(event, SectionDisclosed)]
    assert (read.section, read.by, read.agency, read.basis) == ("identity", account, POLICE, "offer")


def test_a_decline_without_reason_is_told_beside_the_field_and_reading_ends_with_a_good_one(world: World, browser: Chrome) -> None:
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police", due_what="accept")
    sign_in(browser, world, "duty")
    browser.get(f"{world.url}/offers/{offer}")
    press(browser, "details:has(input[value=DECLINE]) summary")
    word(browser, "DECLINE")
    assert text(browser, "#DECLINE-reason-error") == "Choose a reason."
    assert browser.switch_to.active_element.get_attribute("name") == "reason", "who comes from the keyboard stands at the field"
    assert not [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
    press(browser, "input[value=OUT_OF_AREA]")
    word(browser, "DECLINE")
    [answer] = [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
    assert (answer.word, answer.reason) == (Word.DECLINE, "OUT_OF_AREA")
    browser.get(f"{world.url}/offers/{offer}")
    assert not browser.find_elements(By.CSS_SELECTOR, "form[action$='/show']")


def test_a_decision_keeps_what_was_entered_and_its_words_stay_in_the_case_file(world: World, browser: Chrome) -> None:
    world.account("worker", "csw-prizren")
    deciding = {
        "kind": OfferKind.DECIDE,
        "role": "social-worker",
        "words": ("DECIDE",),
        "codes": ("csw-guardian", "relative"),
        "needs": ("reason", "child-view"),
    }
    offer = world.offer(world.case("prizren"), "csw-prizren", "guardian", due_what="decide", **deciding)
    sign_in(browser, world, "worker")
    browser.get(f"{world.url}/offers/{offer}")
    field(browser, "DECIDE-reason").send_keys("She <b>trusts</b> the centre & nobody else")
    word(browser, "DECIDE")
    assert text(browser, "#DECIDE-code-error") == "Choose a decision."
    assert field(browser, "DECIDE-reason").get_attribute("value") == "She <b>trusts</b> the centre & nobody else"
    press(browser, "input[value=csw-guardian]")
    field(browser, "DECIDE-child-view").send_keys("Зорица жели код куће")
    word(browser, "DECIDE")
    assert "Sent: Record the decision" in text(browser)
    [answer] = [event for event in world.queued() if isinstance(event, ResponseSubmitted)]
    assert (answer.code, answer.recorded) == ("csw-guardian", ("child-view", "reason"))
    assert "trusts" not in str(msgspec.structs.asdict(answer))


def test_a_form_sent_twice_counts_once_and_with_another_answer_is_refused(world: World) -> None:
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    with signed_in(world, "duty") as person:
        form = fields(person.get(f"/offers/{offer}").text)
        answers = [person.post(f"/offers/{offer}/answer", data=form | {"word": "ACCEPT"}) for _ in range(3)]
        assert {answer.headers["location"] for answer in answers} == {answers[0].headers["location"]}
        other = person.post(f"/offers/{offer}/answer", data=form | {"word": "ACKNOWLEDGE"})
        assert other.status_code == 409 and "already sent a different answer" in other.text
    assert len([event for event in world.queued() if isinstance(event, ResponseSubmitted)]) == 1


def test_a_form_without_its_token_is_refused_and_changes_nothing(world: World) -> None:
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    with signed_in(world, "duty") as person:
        key = fields(person.get(f"/offers/{offer}").text)["key"]
        before = world.everything()
        for token in ("", "0" * 64, "é"):
            for path in (f"/offers/{offer}/answer", f"/offers/{offer}/show", "/signout", "/language"):
                answer = person.post(path, data={"form": token, "key": key, "word": "ACCEPT", "language": "sq"})
                assert answer.status_code == 403 and "no longer valid" in answer.text
        assert world.everything() == before


def test_another_agency_finds_nothing(world: World) -> None:
    world.account("other", "csw-prizren")
    world.account("clerk", DESK)
    case = world.case("prizren")
    offer, task = world.offer(case, POLICE, "police"), world.task(case, DESK, "no-candidate", "shelter")
    for login in ("other", "clerk"):
        with signed_in(world, login) as person:
            form = fields(person.get("/inbox").text)
            for path in (f"/offers/{offer}", f"/calls/{offer}", f"/tasks/{task}", f"/offers/{task}"):
                assert person.get(path).status_code == 404
            for path in (f"/offers/{offer}/answer", f"/offers/{offer}/show", f"/calls/{offer}/answer", f"/tasks/{task}/instruct"):
                assert person.post(path, data=form | {"word": "ACCEPT", "key": "k"}).status_code == 404
    assert not [event for event in world.queued() if isinstance(event, ResponseSubmitted | SectionDisclosed)]


def test_get_changes_nothing_whoever_asks(world: World) -> None:
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    paths = ["/", "/inbox", "/signin", "/signin?out=1", "/signout", "/language?language=en", "/static/inbox.css"]
    paths += [f"/offers/{offer}{rest}" for rest in ("", "/answer?word=ACCEPT", "/show")] + [f"/calls/{offer}", f"/tasks/{offer}"]
    with signed_in(world, "duty") as person, world.client() as scanner:
        before = world.everything()
        for path in paths:
            assert person.get(path).status_code < 500
            found = scanner.get(path)
            assert found.status_code in (200, 303), (path, found.status_code)
            assert "police" not in found.text.lower()
        assert world.everything() == before


def test_headers_and_cookies(world: World) -> None:
    world.account("duty", POLICE)
    with signed_in(world, "duty") as person:
        answer = person.get("/inbox")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "script" not in answer.text and " style=" not in answer.text


def test_guessing_is_slowed_in_the_same_words_for_every_login(world: World) -> None:
    world.account("duty", POLICE)
    told: dict[str, list[tuple[int, str]]] = {}
    for login in ("duty", "nobody"):
        with world.client(headers={"accept-language": "en"}) as guesser:
            form = fields(guesser.get("/signin").text)
            answers = [guesser.post("/signin", data=form | {"login": login, "password": "wrong"}) for _ in range(6)]
        told[login] = [(answer.status_code, "Too many tries" if "Too many tries" in answer.text else "") for answer in answers]
    assert told["duty"] == told["nobody"] == [(401, "")] * 5 + [(429, "Too many tries")]


def test_signing_out_ends_the_session_itself(world: World) -> None:
    world.account("duty", POLICE)
    with signed_in(world, "duty") as person:
        cookies = dict(person.cookies)
        assert person.post("/signout", data=fields(person.get("/inbox").text)).status_code == 303
    with world.client(cookies=cookies) as thief:
        assert thief.get("/inbox").headers["location"] == "/signin"


def test_a_desk_records_a_telephone_answer_and_instructs(world: World, browser: Chrome) -> None:
    account = world.account("desk", DESK, desk=True)
    case = world.case("prizren", drill=True)
    call = world.offer(case, "shelter-linden", "shelter", reach=Reach.PHONE, words=("ACCEPT", "DECLINE"), reasons=("NO_CAPACITY",))
    task = world.task(case, DESK, "no-candidate", "shelter")
    sign_in(browser, world, "desk")
    assert "Exercise. No real child." in text(browser)
    send(browser, f"a[href='/calls/{call}']")
    assert not any(button.is_displayed() for button in browser.find_elements(By.CSS_SELECTOR, "button[disabled]"))
    field(browser, "ACCEPT-spoke").send_keys("N. Made-up, 4711", Keys.ENTER)
    assert "What the agency answers" in text(browser), "Enter in a field answers nothing"
    word(browser, "ACCEPT")
    browser.get(f"{world.url}/calls/{call}")
    assert "not decided yet Spoken to: N. Made-up, 4711." in text(browser, "section[aria-labelledby=said]")
    browser.get(f"{world.url}/tasks/{task}")
    press(browser, "details:has(#OFFER-target) > summary")
    send(browser, "details:has(#OFFER-target) form button")
    assert text(browser, "#OFFER-target-error") == "Needed for this choice."
    press(browser, "#OFFER-target option:nth-child(2)")
    press(browser, "details[open]:has(form) input[name=reason]")
    send(browser, "details[open]:has(form) form button")
    assert "Instruction given: Ask this service" in text(browser)
    answer, instruction = world.queued()[-2:]
    assert (answer.via, answer.by, answer.recorded_by) == (Via.PHONE, None, account)
    assert (instruction.word, instruction.step, instruction.by, bool(instruction.target)) == ("OFFER", "shelter", account, True)


def test_whom_a_desk_spoke_to_is_for_the_desk_alone(world: World) -> None:
    who = "N. Made-up, 4711"
    world.account("desk", DESK, desk=True)
    world.account("shelter", "shelter-linden")
    case = world.case("prizren")
    call = world.offer(case, "shelter-linden", "shelter", reach=Reach.PHONE, words=("ACCEPT", "DECLINE"), reasons=("NO_CAPACITY",))
    with signed_in(world, "desk") as desk, signed_in(world, "shelter") as shelter:
        form = fields(desk.get(f"/calls/{call}").text)
        long = desk.post(f"/calls/{call}/answer", data=form | {"word": "ACCEPT", "spoke": "x" * (SPOKE_LIMIT + 1)})
        assert long.status_code == 422 and f"At most {SPOKE_LIMIT} characters." in long.text
        refused = desk.post(f"/calls/{call}/answer", data=form | {"word": "DECLINE", "spoke": who})
        assert refused.status_code == 422 and who in refused.text, "what was entered is kept"
        assert desk.post(f"/calls/{call}/answer", data=form | {"word": "DECLINE", "reason": "NO_CAPACITY", "spoke": who}).status_code == 303
        assert f"Spoken to: {who}." in desk.get(f"/calls/{call}").text
        assert who not in shelter.get(f"/offers/{call}").text
    assert world.by_hand(lambda tx: in_tables(tx, who)) == [], "it is sealed"


def test_no_page_scrolls_sideways_and_every_target_is_large(world: World, measuring: Chrome) -> None:
    world.account("duty", POLICE, "sq")
    world.account("desk", DESK, "sr-Cyrl", desk=True)
    case = world.case("prizren")
    run = world.track(case)
    paths = {"duty": ["/inbox"], "desk": ["/inbox"]}
    helper = world.offer(case, "advocate-prizren", "support", track_id=run)
    world.say(case, accepted(helper, world.now() + 90 * MINUTE))
    for state in ([], [acknowledged], [accepted]):
        offer = world.offer(case, POLICE, "police", track_id=run)
        world.say(case, *(make(offer, world.now() + 90 * MINUTE) for make in state))
        paths["duty"].append(f"/offers/{offer}")
    for how in (How.EXPIRED, How.CANCELLED):
        offer = world.offer(case, POLICE, "police")
        world.say(case, closed(offer, how))
        paths["duty"].append(f"/offers/{offer}")
    paths["desk"] += ["/offers/unknown", f"/tasks/{world.task(case, DESK, 'no-candidate', 'shelter')}"]
    paths["desk"].append(f"/calls/{world.offer(case, 'shelter-linden', 'shelter', reach=Reach.PHONE)}")
    for login, visited in paths.items():
        measuring.delete_all_cookies()
        measuring.get(world.url + "/signin")
        measure(measuring)
        sign_in(measuring, world, login)
        for path in visited:
            measuring.get(world.url + path)
            measure(measuring)


def test_who_answers_second_is_told_by_name_that_it_changed_nothing(world: World) -> None:
    world.account("first.officer", POLICE)
    world.account("second.officer", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    with signed_in(world, "first.officer") as first, signed_in(world, "second.officer") as second:
        forms = [fields(person.get(f"/offers/{offer}").text) for person in (first, second)]
        took = first.post(f"/offers/{offer}/answer", data=forms[0] | {"word": "ACCEPT"}).headers["location"]
        assert "We do not know yet" in first.get(took).text, "nothing is claimed before routing has decided"
        world.decide(case, accepted(offer, world.now() + MINUTE))
        assert "it took effect" in first.get(took).text
        for word, named, more in (("ACCEPT", "Accept", {}), ("DECLINE", "Decline", {"reason": "OUT_OF_AREA"})):
            form = fields(second.get(f"/offers/{offer}").text) if word == "ACCEPT" else forms[1]
            late = second.post(f"/offers/{offer}/answer", data=form | {"key": word, "word": word} | more)
            world.decide(case, InputIgnored(why=WHY, reason="REPEATED", offer_id=offer))
            told = second.get(late.headers["location"]).text
            assert f"{named}: this changed nothing" in told
            assert "first.officer had answered “Accept”" in told
            assert "took effect" not in told
        stays = second.get(f"/offers/{offer}").text
        assert "second.officer · Decline: first.officer had answered “Accept”" in stays, "it can be read later too"
        assert "signed in as second.officer" in stays


def test_nobody_learns_from_an_answer_that_somebody_was_excluded(world: World) -> None:
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    with signed_in(world, "duty") as person:
        form = fields(person.get(f"/offers/{offer}").text)
        where = person.post(f"/offers/{offer}/answer", data=form | {"word": "ACCEPT"}).headers["location"]
        world.decide(case, InputIgnored(why=WHY, reason="EXCLUDED", offer_id=offer))
        told = person.get(where).text
        assert "it was not possible any more" in told and "xclu" not in told
