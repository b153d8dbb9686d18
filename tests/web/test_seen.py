"""“I have seen it” without a password: from a browser whose session rests, for what its page listed, and nothing else."""

from __future__ import annotations

import re

import httpx
import pytest
from sqlalchemy import text as sql

from referral.domain.case_number import case_number
from referral.domain.events import ResponseSubmitted, Via, Word
from referral.runtime import random_secret
from services.intake.accounts import rules
from tests.harness.web.forms import fields, hidden
from tests.harness.web.world import NAMED, POLICE, World, acknowledged, signed_in

UNSEEN = "Not seen yet"


def rest(world: World, person: httpx.Client, since: int = rules.IDLE_US) -> None:
    """The person's last page was so long ago (µs)."""
    token = person.cookies["session"].partition(".")[0]
    own = {"digest": random_secret.digest(token)}
    seal = world.run(lambda tx: tx.execute(sql("SELECT seal FROM intake.session WHERE digest = :digest"), own)).scalar()
    person.cookies.set("session", f"{token}.{rules.seen_mark(bytes(seal), world.now() - since)}", domain="127.0.0.1")


def form(page: str) -> dict[str, str]:
    """The hidden fields of the form that acknowledges."""
    found = re.search(r'<form method="post" action="/seen">(.*?)</form>', page, re.S)
    assert found, page
    return hidden(found[1])


def answers(world: World) -> list[ResponseSubmitted]:
    return [event for event in world.queued() if isinstance(event, ResponseSubmitted)]


def test_a_session_that_rests_says_i_have_seen_it_and_no_more(world: World) -> None:
    account = world.account("duty", POLICE)
    with signed_in(world, "duty") as person:
        case = world.case("prizren")
        offer = world.offer(case, POLICE, "police")
        rest(world, person)
        before = world.everything()
        page = person.get("/inbox", follow_redirects=True)
        assert page.url.path == "/signin" and world.everything() == before, "a GET changes nothing"
        assert f"{UNSEEN} (1)" in page.text and case_number(case) in page.text and 'value="duty"' in page.text
        assert not any(name in page.text for name in NAMED) and "Prizren" not in page.text and offer not in page.text
        later = world.offer(world.case("prizren"), POLICE, "police")
        sent = person.post("/seen", data=form(page.text))
        [answer] = answers(world)
        assert (answer.offer_id, answer.word, answer.by, answer.via) == (offer, Word.ACKNOWLEDGE, account, Via.WEB)
        after = person.get(sent.headers["location"]).text
        assert "Sent: I have seen it" in after and case_number(case) not in after, "it waits for routing, and is not asked again"
        assert f"{UNSEEN} (1)" in after, "what came after the page is still there"
        assert "Sent:" not in person.get(sent.headers["location"].replace("ACKNOWLEDGE", "ACCEPT")).text, "nobody can forge such a link"
        again = person.post("/seen", data=form(page.text))
        assert again.headers["location"] == sent.headers["location"] and len(answers(world)) == 1, "sent twice, counted once"
        world.decide(case, acknowledged(offer, world.now() + 10**9))
        for path in (f"/offers/{offer}", f"/offers/{later}", "/overview", "/me"):
            assert person.get(path).headers["location"].startswith("/signin"), "it reads nothing"
        for path in (f"/offers/{later}/answer", f"/offers/{later}/show"):
            wrong = person.post(path, data=form(page.text) | {"word": "ACCEPT"})
            assert wrong.status_code == 403 and len(answers(world)) == 1, "it accepts nothing"


def test_a_referral_in_another_language_takes_nothing_from_a_session_that_rests(world: World) -> None:
    world.account("duty", POLICE)
    with signed_in(world, "duty") as person:
        chosen = fields(person.get("/refer").text) | {"at": "danger", "go": "language", "language": "en"}
        assert person.post("/refer", data=chosen).status_code == 200
        offer = world.offer(world.case("prizren"), POLICE, "police")
        rest(world, person)
        person.post("/seen", data=form(person.get("/signin").text))
    assert [answer.offer_id for answer in answers(world)] == [offer]


OVER = {
    "after the shift": f"UPDATE intake.session SET created_at = created_at - {rules.ABSOLUTE_US}",
    "disabled": "UPDATE intake.account SET disabled = true",
    "signed out": "DELETE FROM intake.session",
}


@pytest.mark.parametrize("over", OVER.values(), ids=OVER)
def test_a_session_that_has_ended_says_nothing(world: World, over: str) -> None:
    world.account("duty", POLICE)
    with signed_in(world, "duty") as person:
        world.offer(world.case("prizren"), POLICE, "police")
        rest(world, person)
        page = person.get("/signin").text
        world.by_hand(lambda tx: tx.execute(sql(over)))
        assert UNSEEN in page and UNSEEN not in person.get("/signin").text
        assert person.post("/seen", data=form(page)).status_code in (303, 403)
    assert answers(world) == []


def test_another_visitor_cannot_send_the_form(world: World) -> None:
    world.account("duty", POLICE)
    with signed_in(world, "duty") as person, world.client() as stranger:
        world.offer(world.case("prizren"), POLICE, "police")
        rest(world, person)
        page = person.get("/signin").text
        for visitor, data in (
            (stranger, form(page)),
            (person, form(page) | {"form": "0" * 64}),
            (stranger, fields(stranger.get("/signin").text)),
        ):
            assert visitor.post("/seen", data=data).status_code in (303, 403)
    assert answers(world) == []
