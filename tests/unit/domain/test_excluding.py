"""Whom a further referral keeps away is kept away like by an exclusion of its own."""

from __future__ import annotations

from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.case import open_offers
from tests.stories.teller import World, policy

POLICY = policy()


def test_a_further_referral_that_names_somebody_ends_what_was_asked_of_them() -> None:
    world = World(POLICY)
    for line in ("refer", "police: ACCEPT"):
        world.tell(line)
    further = world.body("refer")
    assert isinstance(further, e.ReferralSubmitted)
    said = world.put(replace(further, excludes=("agency:csw-prishtine", "relation:parent")))
    assert world.case is not None
    assert {"agency:csw-prishtine", "relation:parent"} <= set(world.case.excluded)
    assert all(offer.agency != "csw-prishtine" for offer in open_offers(world.case))
    assert [event.reason for event in said if isinstance(event, e.OfferClosed)] == ["EXCLUDED"]
    assert not any(
        isinstance(event, e.CaseChanged) for event in world.put(replace(further, referral_id="x", excludes=("relation:parent",)))
    )
