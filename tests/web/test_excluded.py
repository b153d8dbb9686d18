"""A member of staff whom a case keeps away finds nothing of it in the inbox; colleagues go on."""

from __future__ import annotations

from referral.domain import events as e
from services.intake.casefile import access
from tests.harness import permits
from tests.harness.web.forms import fields
from tests.harness.web.world import DESK, POLICE, WHY, World, signed_in


def excluded(world: World, case_id: str, account: str) -> None:
    """As a door does it, in its own transaction."""
    world.run(lambda tx: access.exclude(tx, permits.ROUTING, {case_id: [f"staff:{account}"]}))


def test_an_offer_is_not_there_for_the_excluded_one_and_stays_for_a_colleague(world: World) -> None:
    implicated = world.account("implicated", POLICE)
    world.account("colleague", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    excluded(world, case, implicated)
    with signed_in(world, "implicated") as person:
        inbox = person.get("/inbox").text
        assert offer not in inbox
        form = fields(inbox)
        answers = [
            person.get(f"/offers/{offer}"),
            person.post(f"/offers/{offer}/show", data=form),
            person.post(f"/offers/{offer}/answer", data=form | {"word": "ACCEPT", "key": "k"}),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        unknown = person.get("/offers/00000000-0000-4000-8000-000000000000").text
        assert _plain(answers[0].text, offer) == _plain(unknown, "00000000-0000-4000-8000-000000000000")
    with signed_in(world, "colleague") as person:
        assert offer in person.get("/inbox").text
        page = person.get(f"/offers/{offer}")
        assert page.status_code == 200
        assert person.post(f"/offers/{offer}/show", data=fields(page.text)).status_code == 200
    assert [type(event) for event in world.queued()] == [e.ReferralSubmitted, e.SectionDisclosed]


def test_a_desk_has_neither_task_nor_call_for_the_excluded_one(world: World) -> None:
    implicated = world.account("implicated", DESK, desk=True)
    world.account("colleague", DESK, desk=True)
    case = world.case("prizren")
    task = world.task(case, DESK, "no-candidate", "police")
    call = world.offer(case, "labour-inspectorate", "police", reach=e.Reach.PHONE)
    excluded(world, case, implicated)
    with signed_in(world, "implicated") as person:
        inbox = person.get("/inbox").text
        assert task not in inbox and call not in inbox
        form = fields(inbox)
        assert person.get(f"/tasks/{task}").status_code == 404
        assert person.get(f"/calls/{call}").status_code == 404
        assert person.post(f"/tasks/{task}/instruct", data=form | {"word": "STOP", "reason": "other", "key": "k"}).status_code == 404
        assert person.post(f"/calls/{call}/answer", data=form | {"word": "ACCEPT", "key": "k"}).status_code == 404
    with signed_in(world, "colleague") as person:
        inbox = person.get("/inbox").text
        assert task in inbox and call in inbox


def test_an_agency_that_is_excluded_finds_no_offer_before_routing_has_closed_it_or_after(world: World) -> None:
    """Its page named the municipality, the steps and the offices that hold them, for as long as the agency held a duty."""
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    nothing = "00000000-0000-4000-8000-000000000000"
    with signed_in(world, "duty") as person:
        form = fields(person.get(f"/offers/{offer}").text) | {"word": "ACKNOWLEDGE"}
        world.run(lambda tx: access.exclude(tx, permits.ROUTING, {case: [f"agency:{POLICE}"]}))

        def everything(id: str) -> list[tuple[int, str]]:
            answers = [
                person.get(f"/offers/{id}"),
                person.post(f"/offers/{id}/show", data=form),
                person.post(f"/offers/{id}/answer", data=form),
                person.post(f"/offers/{id}/write/note", data=form | {"do": "discard"}),
            ]
            return [(answer.status_code, _plain(answer.text, id)) for answer in answers]

        assert offer not in person.get("/inbox").text
        assert everything(offer) == everything(nothing)
        world.say(case, e.OfferClosed(why=WHY, offer_id=offer, how=e.How.CANCELLED, reason="EXCLUDED"))
        assert offer not in person.get("/inbox").text
        assert everything(offer) == everything(nothing)


def _plain(page: str, id: str) -> str:
    """A page without what differs from one request to the next."""
    return "\n".join(line for line in page.replace(id, "ID").splitlines() if 'name="form"' not in line)
