"""Changes of a case from its pages: age and place, a repeat, and the end of a consent."""

from __future__ import annotations

import secrets
from datetime import timedelta

import httpx
from msgspec import structs

from referral.domain import local_time
from referral.domain.case import Case
from referral.domain.events import CaseChanged, TraitsChanged
from referral.domain.rules.proposals import recorded
from tests.harness.web.forms import fields
from tests.harness.web.support import CSW, support
from tests.harness.web.world import WHY, World, signed_in


def changed(person: httpx.Client, offer: str, what: str, **entered: str) -> httpx.Response:
    """A person records a change and sends it, without looking back."""
    where = f"/offers/{offer}/change/{what}"
    return person.post(where, data=fields(person.get(where).text) | entered | {"do": "send", "key": secrets.token_hex(16)})


def test_age_and_place_change_what_was_said_and_no_more(world: World) -> None:
    """Between the two nothing has been decided: as when two people press at the same time, or routing is away."""
    world.account("worker", CSW)
    world.account("colleague", CSW)
    offer = support(world, world.case("prizren"))
    with signed_in(world, "worker") as person, signed_in(world, "colleague") as other:
        for what, entered, says in (
            ("age", {"age": "child", "age_band": "15-17"}, "From then on this age holds"),
            ("place", {"found_in": "peje"}, "The duty desk of the new municipality"),
        ):
            where = f"/offers/{offer}/change/{what}"
            assert says in person.post(where, data=fields(person.get(where).text) | entered | {"do": "ask"}).text
        assert changed(person, offer, "age", age="child", age_band="15-17").status_code == 303
        assert changed(other, offer, "place", found_in="peje").status_code == 303
        assert changed(person, offer, "age", age="uncertain").status_code == 303
        assert changed(other, offer, "age", age="adult").status_code == 303
        wrong = changed(person, offer, "age", age="adult", age_band="12-14")
        assert wrong.status_code == 422 and "contradicts" in wrong.text
    sent = [event for event in world.queued() if isinstance(event, TraitsChanged)]
    assert [{name: getattr(event.traits, name) for name in event.only} for event in sent] == [
        {"age": "child", "age_band": "15-17"},
        {"found_in": "peje"},
        {"age": "uncertain"},  # who names no band leaves the one that is known
        {"age": "adult", "age_band": "unknown"},  # nobody who is adult is 12-14
    ]
    case = Case(case_id="", seq=1, opened=True, traits=sent[1].traits)
    for event in sent[:3]:
        case = structs.replace(case, traits=recorded(case, event))
    assert (case.traits.age, case.traits.age_band, case.traits.found_in) == ("uncertain", "15-17", "peje")


def test_what_somebody_learnt_is_said_of_the_case_and_a_no_is_kept_beside_it(world: World) -> None:
    """The page of this change was an error of ours for every procedure with two questions."""
    world.account("worker", CSW)
    case = world.case("prizren")
    offer = support(world, case)
    where = f"/offers/{offer}/change/known"
    with signed_in(world, "worker") as person:
        page = person.get(where)
        assert page.status_code == 200 and page.text.count("<details>") >= 5, "a group of questions is one line until somebody opens it"
        assert person.post(where, data=fields(page.text) | {"do": "ask"}).status_code == 422, "nothing was answered"
        learnt = {"known.siblings": "yes", "known.injured": "no", "known.languages.rom": "yes"}
        asked = person.post(where, data=fields(page.text) | learnt | {"do": "ask"})
        assert asked.status_code == 200 and "Are there brothers or sisters?" in asked.text
        assert changed(person, offer, "known", **learnt).status_code == 303
    [event] = [event for event in world.queued() if isinstance(event, TraitsChanged)]
    assert (event.only, event.traits.flags, event.traits.languages) == (("flags", "languages"), ("siblings",), ("rom",))


def test_a_repeated_change_is_the_same_although_the_case_has_changed_meanwhile(world: World) -> None:
    world.account("worker", CSW)
    case = world.case("prizren")
    offer = support(world, case)
    where = f"/offers/{offer}/change/place"
    with signed_in(world, "worker") as person:
        form = fields(person.get(where).text) | {"found_in": "peje", "do": "send", "key": "k" * 32}
        first = person.post(where, data=form)
        [event] = [event for event in world.queued() if isinstance(event, TraitsChanged)]
        grown = structs.replace(event.traits, found_in="prizren", age_band="15-17")
        world.say(case, CaseChanged(why=WHY, traits=grown, consent=None, excluded=(), consent_by=""))
        again = person.post(where, data=form)
        assert (again.status_code, again.headers["location"]) == (303, first.headers["location"])


def test_a_consent_ends_today_or_later(world: World) -> None:
    world.account("advocate", "advocate-prizren")
    case = world.case("prizren")
    track = world.track(case, "trafficking-adult")
    offer = world.offer(case, "advocate-prizren", "support", track_id=track, shows=("identity", "note"))
    where = f"/offers/{offer}/change/consent"
    with signed_in(world, "advocate") as person:
        form = fields(person.get(where).text) | {"giver": "person", "do": "ask"}
        for days, is_past in ((-1, True), (0, False), (30, False)):
            form["until"] = (local_time.local(world.now()) + timedelta(days=days)).date().isoformat()
            given = person.post(where, data=form | {"state": "GIVEN"})
            assert given.status_code == (422 if is_past else 200)
            assert ("This day is past" in given.text) == ('href="#until"' in given.text) == is_past, "the field is named"
            assert person.post(where, data=form | {"state": "REFUSED"}).status_code == 200, "a refusal has no end"
