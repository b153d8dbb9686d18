"""What a person meets when something is not there, is over or is broken: a page in their language, never a program's text."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from services.intake import crowd, store
from tests.harness.web.forms import fields
from tests.harness.web.world import DESK, POLICE, World, signed_in

LANGUAGES = {
    "sq": "Faqja nuk u gjet",
    "sr-Latn": "Stranica nije pronađena",
    "sr": "Страница није пронађена",
    "en": "Page not found",
}


def test_an_unknown_path_is_a_page_in_the_readers_language_and_a_problem_for_programs(world: World) -> None:
    with world.client(headers={"accept": "text/html,*/*;q=0.8"}) as browser:
        for wish, said in LANGUAGES.items():
            for path in ("/nothing", "/offers", "/offers/1/2/3", "/INBOX", "/inbox/", "/static/../api.py", "/offers/%00", "/%F0%9F"):
                answer = browser.get(path, headers={"accept-language": wish})
                if path == "/offers/%00":  # a page that asks to sign in first
                    assert answer.headers["location"] == "/signin"
                    continue
                assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8"), path
                assert said in answer.text and "default-src 'none'" in answer.headers["content-security-policy"]
        assert browser.request("DELETE", "/inbox").status_code == 405
        for path in ("/v1", "/v1/nothing", "/v1/referrals/", "/v1/offers/%00"):
            answer = browser.get(path, headers={"authorization": "Bearer x"})
            assert answer.headers["content-type"] == "application/problem+json", path
            assert answer.json()["hint"]


def test_what_is_no_id_is_not_found(world: World) -> None:
    world.account("duty", POLICE, desk=True)
    with signed_in(world, "duty") as person:
        form = fields(person.get("/inbox").text)
        for id in ("%00", "x", "%F0%9F%98%80", "'", "a" * 3000):
            for path in (f"/offers/{id}", f"/calls/{id}", f"/tasks/{id}"):
                assert person.get(path).status_code == 404, path
            assert person.post(f"/offers/{id}/answer", data=form | {"word": "ACCEPT", "key": "k"}).status_code == 404


def test_a_bug_of_ours_is_a_page_without_a_word_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.account("duty", POLICE, "sq")

    async def broken(*_: object) -> None:
        raise RuntimeError("Marker-Zorica")

    monkeypatch.setattr(store, "all_offers", broken)
    with signed_in(world, "duty") as person:
        answer = person.get("/inbox")
    assert (answer.status_code, "Marker" in answer.text, "RuntimeError" in answer.text) == (500, False, False)
    assert "Këtu ndodhi një gabim" in answer.text


def test_a_visit_that_ends_while_somebody_writes_gives_the_words_back(world: World) -> None:
    world.account("duty", POLICE)
    offer = world.offer(world.case("prizren"), POLICE, "police")
    with signed_in(world, "duty") as person:
        form = fields(person.get(f"/offers/{offer}").text)
        world.run(lambda tx: tx.execute(text("DELETE FROM intake.session")))
        written = {"word": "DECIDE", "need.reason": "She <b>trusts</b> nobody"}
        answer = person.post(f"/offers/{offer}/answer", data=form | written)
        assert answer.status_code == 403 and "You were signed out" in answer.text
        assert "She &lt;b&gt;trusts&lt;/b&gt; nobody" in answer.text
        assert f'name="to" value="/offers/{offer}"' in answer.text and "Sign in here" in answer.text
    with world.client(headers={"accept-language": "en"}) as stranger:
        answer = stranger.post(f"/offers/{offer}/answer", data=written)
        assert answer.status_code == 403 and "trusts" not in answer.text, "a form from elsewhere puts no words on our page"


def test_a_desk_is_told_of_an_agency_that_sends_very_much(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Knocks are grouped then, so somebody must be told why, and whom to telephone."""
    monkeypatch.setattr(crowd, "MANY", 3)
    world.account("desk", DESK, "en", desk=True)
    world.account("police", POLICE, "en")
    for expected in (False, True):
        with signed_in(world, "desk") as person, signed_in(world, "police") as other:
            assert ("has sent 4 referrals in the last 10 minutes" in person.get("/inbox").text) is expected
            assert "in the last 10 minutes" not in other.get("/inbox").text, "a desk's alone"
        for _ in range(0 if expected else 4):
            world.case("prizren")
