"""What a stranger, a colleague or a sender may try on the pages, and what comes of it."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.durations import SECOND_US
from referral.domain.events import OfferKind, ResponseSubmitted
from referral.proof.security import Alarm, Sum, alarms
from referral.runtime import http_listener, http_server
from referral.runtime.postgres import clock
from referral.wire.security_event import Kind
from services.intake.accounts import rules, store
from tests.harness.attackers.strangers import networks
from tests.harness.waiting import comes
from tests.harness.web.forms import fields
from tests.harness.web.world import DESK, PASSWORD, POLICE, World, signed_in
from tests.web.test_seen import rest

MARKER = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}&lt;"


class Tags(HTMLParser):
    """Elements and attributes of a page, as a browser would find them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def quiet(page: str) -> Tags:
    """The page holds no script, image or handler."""
    tags = Tags()
    tags.feed(page)
    assert not tags.names & {"script", "img", "iframe", "object", "style", "base"}
    assert not {name for name in tags.attributes if name.startswith("on")} and "style" not in tags.attributes
    return tags


def test_what_a_sender_wrote_is_text_wherever_it_is_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.account("duty", POLICE)
    world.account("desk", DESK, desk=True)
    written = list(world.lists.codes["written"])
    nested = {MARKER: MARKER, "list": [MARKER, {MARKER: [MARKER, None, True]}], "deep": {"a": {"b": MARKER}}}
    monkeypatch.setattr("tests.harness.web.world.IDENTITY", nested)
    case = world.case("prizren")
    odd = {"role": MARKER, "step": MARKER, "urgency": MARKER, "ladder": (MARKER,), "due_what": MARKER, "service": MARKER}
    offers = [world.offer(case, POLICE, "police", shows=tuple(written)), world.offer(case, POLICE, **odd)]
    deciding = {"kind": OfferKind.DECIDE, "words": ("DECIDE",), "codes": (MARKER,), "needs": ("reason", MARKER), "reasons": (MARKER,)}
    offers.append(world.offer(case, POLICE, "guardian", **deciding))
    task = world.task(case, DESK, MARKER, MARKER)
    with signed_in(world, "duty") as person:
        quiet(person.get("/inbox").text)
        for offer in offers:
            form = fields(quiet_page(person, f"/offers/{offer}"))
            shown = person.post(f"/offers/{offer}/show", data=form)
            tags = quiet(shown.text)
            if offer == offers[0]:
                assert tags.text.count(MARKER.replace("_", " ").replace("-", " ")) + tags.text.count(MARKER) >= 5
            answer = person.post(
                f"/offers/{offer}/answer", data=form | {"word": MARKER, "reason": MARKER, "code": MARKER, "need.reason": MARKER}
            )
            quiet(answer.text)
        again = person.post(f"/offers/{offers[2]}/answer", data=form | {"word": "DECIDE", "code": "", "need.reason": MARKER})
        assert MARKER in quiet(again.text).text, "what was entered stays, as text"
    with signed_in(world, "desk") as desk:
        quiet(desk.get("/inbox").text)
        form = fields(quiet_page(desk, f"/tasks/{task}"))
        quiet(desk.post(f"/tasks/{task}/instruct", data=form | {"word": MARKER, "reason": MARKER, "service": MARKER, "code": MARKER}).text)
    with world.client() as stranger:
        form = fields(stranger.get("/signin").text)
        page = stranger.post("/signin", data=form | {"login": MARKER, "password": "x", "to": MARKER}, params={"to": MARKER}).text
        quiet(page)
        quiet(stranger.get(f"/{MARKER}").text)


def quiet_page(person: httpx.Client, path: str) -> str:
    page = person.get(path).text
    quiet(page)
    return page


def test_a_session_begins_anew_with_signing_in_and_knows_no_other_form(world: World) -> None:
    world.account("duty", POLICE)
    world.account("other", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    planted = {"session": "planted.1-x", "visit": "planted"}
    with world.client(cookies=planted) as victim:
        form = fields(victim.get("/signin").text)
        entered = victim.post("/signin", data=form | {"login": "duty", "password": PASSWORD})
        [session] = [c for c in entered.headers.get_list("set-cookie") if c.startswith("session=")]
        assert "planted" not in session
    with world.client(cookies=planted) as attacker:
        assert attacker.get("/inbox").headers["location"] == "/signin"
    with signed_in(world, "other") as other, signed_in(world, "duty") as person:
        foreign = fields(other.get(f"/offers/{offer}").text)
        answer = person.post(f"/offers/{offer}/answer", data=foreign | {"word": "ACCEPT"})
        assert answer.status_code == 403
        token = dict(person.cookies)["session"]
        with world.client(cookies={"session": token.partition(".")[0] + "." + dict(other.cookies)["session"].partition(".")[2]}) as mixed:
            assert mixed.get("/inbox").status_code == 303, "a mark of another session does not keep one alive"
    assert not [event for event in world.queued() if isinstance(event, ResponseSubmitted)]


@pytest.mark.parametrize("rested", [False, True])
def test_signing_in_again_ends_the_session_that_the_browser_had(world: World, rested: bool) -> None:
    """Whoever copied its cookie has nothing; sessions of the same person in other browsers go on."""
    world.account("duty", POLICE)
    world.account("other", POLICE)
    with signed_in(world, "duty") as person, signed_in(world, "duty") as elsewhere:
        copy = dict(person.cookies)
        if rested:
            rest(world, person)
        for login in ("other", "duty"):
            form = fields(person.get("/inbox", follow_redirects=True).text)
            entered = person.post("/signin", data=form | {"login": login, "password": PASSWORD})
            assert entered.status_code == 303
        left = world.run(lambda tx: tx.execute(text("SELECT count(*) FROM intake.session"))).scalar_one()
        assert left == 2, "this browser's newest, and the other browser's"
        with world.client(cookies={"session": copy["session"]}) as thief:
            assert thief.get("/inbox").headers["location"] == "/signin"
        assert elsewhere.get("/inbox").status_code == person.get("/inbox").status_code == 200


def test_a_number_that_somebody_puts_into_a_form_takes_none_of_the_systems(world: World) -> None:
    """The agency's system was then refused its own referral as `key-reused`."""
    world.account("duty", POLICE)
    world.account("other", POLICE)
    case = world.case("prizren")
    offers = [world.offer(case, POLICE, "police") for _ in range(2)]
    number = "police-2026-0042"
    for login, offer in zip(("duty", "other"), offers, strict=True):
        with signed_in(world, login) as person:
            form = fields(person.get(f"/offers/{offer}").text)
            assert person.post(f"/offers/{offer}/answer", data=form | {"word": "ACCEPT", "key": number}).status_code == 303, login
    traits = {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "urgent"}
    sql = text("INSERT INTO intake.agency_token VALUES (:hash, :agency, 'test', 0, NULL)")
    world.by_hand(lambda tx: tx.execute(sql, {"hash": hashlib.sha256(f"token-of-{POLICE}".encode()).digest(), "agency": POLICE}))
    headers = {"Authorization": f"Bearer token-of-{POLICE}", "Idempotency-Key": number}
    with world.client(headers=headers) as agency:
        answer = agency.post("/v1/referrals", json={"traits": traits})
    assert answer.status_code == 202, answer.text


ELSEWHERE = ("//evil.example", "https://evil.example/inbox", "/\\evil.example", "javascript:alert(1)", "/inbox\r\nX: y", "/signout")


@pytest.mark.parametrize("door", ["signin", "password"])
def test_a_password_that_is_changed_while_it_is_checked_opens_nothing(world: World, door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thief with the old one kept a sign-in under way: its session began after all others had been ended."""
    world.account("duty", POLICE)
    right = rules.matches

    def slowly(known: str | None, typed: str) -> bool:
        world.by_hand(lambda tx: tx.execute(text("UPDATE intake.account SET password = 'another' WHERE login = 'duty'")))
        return right(known, typed)

    with signed_in(world, "duty") as owner, world.client() as thief:
        monkeypatch.setattr(rules, "matches", slowly)
        if door == "signin":
            answer = thief.post("/signin", data=fields(thief.get("/signin").text) | {"login": "duty", "password": PASSWORD})
            assert answer.status_code == 401 and thief.get("/inbox").headers["location"] == "/signin"
        else:
            form = fields(owner.get("/me").text) | {"password": PASSWORD, "new": "another password 7", "repeat": "another password 7"}
            assert owner.post("/me/password", data=form).status_code == 422
            counted = world.by_hand(lambda tx: tx.execute(text("SELECT password FROM intake.account WHERE login = 'duty'")))
            assert counted.scalar() == "another"


def test_signing_in_leads_nowhere_else(world: World) -> None:
    world.account("duty", POLICE)
    for to in ELSEWHERE:
        with world.client() as person:
            form = fields(person.get("/signin", params={"to": to}).text)
            sent = form | {"login": "duty", "password": PASSWORD, "to": to}
            entered = person.post("/signin", data=sent, headers={"Host": "evil.example"})
            assert (entered.status_code, entered.headers["location"]) == (303, "/inbox"), to


def test_a_guesser_gains_nothing_by_writing_the_login_differently_or_claiming_addresses(world: World) -> None:
    world.account("duty", POLICE)
    spellings = ["duty", " DUTY", "Duty ", "du\u200bty", "\tdUTY", "dutY\u00a0"]
    with world.client() as guesser:  # no proxy of ours: what it claims of others counts for nothing, also on loopback
        form = fields(guesser.get("/signin").text)
        answers = [
            guesser.post(
                "/signin", data=form | {"login": login, "password": "wrong"}, headers={"X-Forwarded-For": f"10.0.0.{n}"}
            ).status_code
            for n, login in enumerate(spellings)
        ]
    assert answers == [401] * 5 + [429]


def test_a_login_that_exists_is_answered_like_one_that_does_not(world: World) -> None:
    world.account("duty", POLICE)
    world.account("gone", POLICE)
    world.run(disabled)
    told = set()
    for login in ("duty", "gone", "nobody"):
        with world.client() as guesser:
            form = fields(guesser.get("/signin").text)
            answer = guesser.post("/signin", data=form | {"login": login, "password": "wrong password 1"})
            page = re.sub(r'value="[^"]*"', "", answer.text)
            told.add((answer.status_code, page, tuple(name for name in answer.headers if name != "content-length")))
    assert len(told) == 1


async def disabled(tx: AsyncConnection) -> None:
    await tx.execute(text("UPDATE intake.account SET disabled = true WHERE login = 'gone'"))


def test_an_account_that_is_disabled_is_out_at_once_and_its_agencys_offers_stay(world: World) -> None:
    """Primero R2-3526: nothing is addressed to one person alone."""
    world.account("gone", POLICE)
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    with signed_in(world, "gone") as person, signed_in(world, "duty") as colleague:
        assert person.get("/inbox").status_code == 200
        world.run(disabled)
        assert person.get("/inbox").headers["location"] == "/signin"
        assert f"/offers/{offer}" in colleague.get("/inbox").text


def test_a_copied_cookie_that_asks_for_page_after_page_is_refused_and_its_officer_signs_in_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """130 pages a second by one cookie stopped the line."""
    monkeypatch.setattr(http_listener, "SESSION_ASKS_S", 0.01)
    monkeypatch.setattr(http_listener, "AT_ONCE_S", 500.0)
    monkeypatch.setattr(world.listener, "asked", http_listener.Allowances())
    monkeypatch.setattr(http_server, "REFUSED_S", 0.0)
    world.account("duty", POLICE)
    with signed_in(world, "duty") as officer, world.client() as thief:
        thief.cookies = officer.cookies
        answers = [thief.get("/inbox", headers={"Accept": "text/html"}) for _ in range(7)]
        refused = answers[-1]
        assert (answers[0].status_code, refused.status_code) == (200, 429) and int(refused.headers["Retry-After"]) >= 1
        assert "sign in again" in refused.text and refused.headers["Cache-Control"] == "no-store"
        with signed_in(world, "duty") as again:
            assert again.get("/inbox").status_code == 200


def test_thirty_guesses_from_six_addresses_lock_no_officer_out_and_a_known_browser_is_not_even_slowed(world: World) -> None:
    world.account("duty", POLICE)
    ahead = rules.LINE_MOST - 2

    async def guessed(tx: AsyncConnection) -> list[tuple[int, float]]:
        now = await clock.now(tx) - ahead * rules.GAP_US
        subjects = [store.subject(world.door.keys, "duty", f"192.0.2.{n % 6}") for n in range(5 + ahead)]
        return [await store.reserve_attempt(tx, one, now) for one in subjects]

    waits = world.run(guessed)
    assert {seconds for seconds, _ in waits} == {0} and waits[-1][1] == ahead * 2, "each guess waits in line, none of these is refused"

    async def crowded(tx: AsyncConnection) -> None:
        now = await clock.now(tx)
        for n in range(rules.ADDRESS_LIMIT):
            await store.reserve_attempt(tx, store.subject(world.door.keys, f"somebody-{n}", "127.0.0.1"), now)

    with world.client() as officer:
        form = fields(officer.get("/signin").text)
        entered = officer.post("/signin", data=form | {"login": "duty", "password": PASSWORD})
        assert entered.status_code == 303, "the officer with the right password gets in"
        device = entered.cookies["device"]
    world.run(crowded)
    with world.client() as stranger:
        form = fields(stranger.get("/signin").text)
        assert stranger.post("/signin", data=form | {"login": "duty", "password": PASSWORD}).status_code == 429, "the address is throttled"
    with world.client(cookies={"device": device}) as officer:
        form = fields(officer.get("/signin").text)
        assert officer.post("/signin", data=form | {"login": "duty", "password": PASSWORD}).status_code == 303
    for wrong in (device.replace("-", "-0"), "1-" + device.partition("-")[2], "", "x"):
        assert not store.is_known(world.door.keys, "duty", wrong, world.now())
    assert not store.is_known(world.door.keys, "other", device, world.now()), "another login is not known there"


def test_a_copied_mark_of_a_browser_shuts_nobody_out_where_that_browser_last_signed_in(world: World) -> None:
    """Five wrong passwords with it kept its officer out for a quarter of an hour, wherever they came from."""
    world.account("duty", POLICE)
    with signed_in(world, "duty") as officer:
        mark = {"device": officer.cookies["device"]}
    with world.client(cookies=mark, transport=httpx.HTTPTransport(local_address="127.0.0.2")) as thief:
        form = fields(thief.get("/signin").text)
        tried = [thief.post("/signin", data=form | {"login": "duty", "password": f"guess {n}"}).status_code for n in range(7)]
    assert tried == [401] * 5 + [429] * 2
    with world.client(cookies=mark) as officer:
        form = fields(officer.get("/signin").text)
        assert officer.post("/signin", data=form | {"login": "duty", "password": PASSWORD}).status_code == 303


def test_two_hundred_addresses_have_thirty_five_passwords_of_a_login_checked_in_a_minute(world: World) -> None:
    """Each address tries again each second, for a minute of the line's time; what is refused is never checked."""

    async def guessed(tx: AsyncConnection) -> tuple[list[float], int]:
        begun, turns, refused = await clock.now(tx), list[float](), 0
        for second in range(60):
            for address in networks(200)[second % 5 :: 5]:
                now = begun + second * SECOND_US
                seconds, wait_s = await store.reserve_attempt(tx, store.subject(world.door.keys, "duty", address), now)
                refused += bool(seconds)
                turns += [] if seconds else [second + wait_s]
        return turns, refused

    turns, refused = world.run(guessed)
    assert len([at for at in turns if at < 60]) in range(30, 36) and max(turns) <= 60 + rules.LINE_MOST * 2 and refused > 2000


def test_a_known_browser_signs_in_while_strangers_hold_every_slot_and_the_whole_line(world: World) -> None:
    """The line of its login is full, both slots of strangers are held, and so are the connections of strangers."""
    world.account("duty", POLICE)
    with world.client() as officer:
        device = officer.post("/signin", data=fields(officer.get("/signin").text) | {"login": "duty", "password": PASSWORD}).cookies[
            "device"
        ]

    async def crowded(tx: AsyncConnection) -> set[int]:
        now, keys = await clock.now(tx), world.door.keys
        later = now + rules.LINE_US * 3 // 4  # so that the line stays full while a slow machine goes on
        return {
            bool((await store.reserve_attempt(tx, store.subject(keys, "duty", one), at))[0]) for at in (now, later) for one in networks(200)
        }

    assert world.run(crowded) == {True, False}
    with world.client(cookies={"device": device}) as officer, world.held_by_strangers():
        entered = officer.post("/signin", data=fields(officer.get("/signin").text) | {"login": "duty", "password": PASSWORD})
        assert entered.status_code == 303, "the known browser waits for nobody"
    with world.client() as stranger:
        answer = stranger.post("/signin", data=fields(stranger.get("/signin").text) | {"login": "duty", "password": PASSWORD})
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0


def test_a_flood_of_attempts_at_a_full_line_asks_no_database(world: World) -> None:
    """So guesses at one officer's login cost nobody a connection. Another login is asked about as before."""
    world.account("duty", POLICE)

    def tries(login: str) -> int:
        with world.client() as person:
            return person.post(
                "/signin", data=fields(person.get("/signin").text) | {"login": login, "password": "wrong-password"}
            ).status_code

    async def crowded(tx: AsyncConnection) -> None:
        now, keys = await clock.now(tx), world.door.keys
        for at in (now, now + rules.LINE_US * 3 // 4):
            for one in networks(200):
                await store.reserve_attempt(tx, store.subject(keys, "duty", one), at)

    world.run(crowded)
    subject = store.subject(world.door.keys, "duty", "127.0.0.1")

    def remembered() -> bool:
        return tries("duty") == 429 and world.door.full_lines.refused(subject.login, 0.0)[0] > 0

    assert comes(remembered), "a refusal is remembered for a moment"
    world.door.full_lines.note(subject.login, 7, "", float("inf"))
    world.run(lambda tx: tx.execute(text("DELETE FROM intake.signin_line")))
    assert tries("duty") == 429 and tries("other") == 401, "refused unread: the line itself is empty"


def test_one_password_at_fifty_logins_is_an_event_and_an_alarm(world: World) -> None:
    """From whatever addresses, each of them once: no limit of an address or a login is reached."""

    def guess(login: str) -> int:
        with world.client() as guesser:
            return guesser.post(
                "/signin", data=fields(guesser.get("/signin").text) | {"login": login, "password": "Summer2026Summer"}
            ).status_code

    async def others(tx: AsyncConnection) -> None:
        now, keys = await clock.now(tx), world.door.keys
        for n, address in enumerate(networks(rules.SPRAYED - 2)):
            await store.reserve_attempt(tx, store.subject(keys, f"officer-{n}", address), now)

    async def events(tx: AsyncConnection) -> list[Sum]:
        rows = await tx.execute(text("SELECT kind, who, detail, times FROM audit.security WHERE detail = 'sprayed'"))
        return [Sum(Kind(row.kind), row.who, row.detail, row.times) for row in rows]

    world.run(others)
    assert guess("officer-a") == 401 and world.by_hand(events) == [], "49 logins are no alarm"
    assert guess("officer-b") == 401
    assert alarms(world.by_hand(events))[Alarm.SPRAYED] == {"logins"}
    assert guess("officer-c") == 401 and len(world.by_hand(events)) == 1, "said once in a quarter of an hour"


def test_only_its_own_browser_is_told_that_an_account_is_switched_off(world: World) -> None:
    account = world.account("duty", POLICE)

    async def disabled(tx: AsyncConnection) -> None:
        await tx.execute(text("UPDATE intake.account SET disabled = true WHERE id = :id"), {"id": account})

    def tries(**cookies: str) -> tuple[int, bool]:
        with world.client(cookies=cookies, headers={"Accept-Language": "en"}) as person:
            answer = person.post("/signin", data=fields(person.get("/signin").text) | {"login": "duty", "password": PASSWORD})
            return answer.status_code, "Your account is switched off. Ask your head." in answer.text

    with world.client() as person:
        device = person.post("/signin", data=fields(person.get("/signin").text) | {"login": "duty", "password": PASSWORD}).cookies["device"]
    world.run(disabled)
    assert tries(device=device) == (401, True) and tries() == (401, False), "a stranger learns nothing of a login"


def test_whoever_cannot_sign_in_is_told_whom_to_call_and_where_a_code_goes(world: World) -> None:
    world.account("duty", POLICE)
    with world.client(headers={"Accept-Language": "en"}) as person:
        page = person.get("/signin").text
        assert "+383 38 000 111" in page and 'href="tel:+38338000111"' in page
        assert 'href="/invitation"' in page and 'href="/refer"' in page
        for _ in range(6):
            answer = person.post("/signin", data=fields(page) | {"login": "duty", "password": "wrong-password"})
    assert answer.status_code == 429 and "In an emergency call +383 38 000 111 now." in answer.text


def test_signing_in_leaves_a_trace_without_what_was_typed(world: World) -> None:
    account = world.account("duty", POLICE)
    with structlog.testing.capture_logs() as said, world.client() as person:
        form = fields(person.get("/signin").text)
        for login, password in (("duty", "wrong-password"), ("zorica.made-up", "x"), ("duty", PASSWORD)):
            person.post("/signin", data=form | {"login": login, "password": password})
        person.post("/signout", data={"form": fields(person.get("/inbox").text)["form"]})
    told = [(line["reason"], line["account"]) for line in said if line["event"] == "sign-in"]
    assert told == [("refused", account), ("refused", ""), ("in", account), ("out", account)]
    assert not [line for line in said for typed in ("zorica", "wrong-password", PASSWORD, "127.0.0.1") if typed in str(line)]


def test_each_way_to_sign_in_or_to_fail_is_a_security_event_without_what_was_typed(world: World) -> None:
    account = world.account("duty", POLICE)
    with world.client() as person:
        form = fields(person.get("/signin").text)
        for login, password in (("duty", "wrong-password"), ("zorica.made-up", "x"), ("duty", PASSWORD)):
            person.post("/signin", data=form | {"login": login, "password": password})
        person.post("/inbox-is-no-form", data={})
        person.post("/seen", data={"form": "made on another page"})
        person.get("/offers/zorica")
        mine = fields(person.get("/inbox").text)
        changed = {"password": PASSWORD, "new": f"{PASSWORD} again", "repeat": f"{PASSWORD} again"}
        person.post("/me/password", data=mine | changed | {"password": "not-it"})
        assert person.post("/me/password", data=mine | changed).status_code == 303
        person.post("/signout", data={"form": fields(person.get("/inbox").text)["form"]})
        form = fields(person.get("/signin").text)
        person.post("/signin", data=form | {"login": "duty", "password": f"{PASSWORD} again"})
    with world.client() as stranger:
        form = fields(stranger.get("/signin").text)
        for _ in range(6):
            stranger.post("/signin", data=form | {"login": "duty", "password": "wrong-password"})
        code = {"code": "K7QM-2F9D-XH3T-0R5W", "new": PASSWORD, "repeat": PASSWORD}
        assert stranger.post("/invitation", data=fields(stranger.get("/invitation").text) | code).status_code == 422
    world.run(lambda tx: world.door.journal.flush(tx.engine, 1000.0))
    world.run(lambda tx: world.door.journal.flush(tx.engine, 2000.0))

    async def rows(tx: AsyncConnection) -> list[tuple[Any, ...]]:
        kept = await tx.execute(text("SELECT kind, who, detail, sum(times) FROM audit.security GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"))
        return [(kind, who.replace(account, "duty"), detail, int(times)) for kind, who, detail, times in kept]

    assert world.by_hand(rows) == [
        ("denied", "account:duty", "foreign-form", 1),
        ("denied", "account:duty", "unknown-offer", 1),
        ("password-set", "account:duty", "own", 1),
        ("refused", "account:duty", "password", 7),
        ("refused", "unknown", "code", 1),
        ("refused", "unknown", "password", 1),
        ("signed-in", "account:duty", "new-device", 1),
        ("signed-in", "account:duty", "page", 1),
        ("signed-out", "account:duty", "", 1),
        ("throttled", "account:duty", "page", 1),
    ]
