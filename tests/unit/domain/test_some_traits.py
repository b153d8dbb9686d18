"""A person records some traits on a page: what others record at the same time stays."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from referral.domain import events as e
from referral.domain.rules.proposals import recorded
from tests.stories.teller import TRAITS, World, policy, replayed

SHIPPED = policy()


def says(seen: e.Traits, agency: str = "dsw", **changed: Any) -> e.TraitsChanged:
    """What a page sends for somebody who saw the case as `seen`."""
    traits = structs.replace(seen, **changed)
    return e.TraitsChanged(agency=agency, by=None, traits=traits, received_at=0, only=tuple(sorted(changed)))


def told(*lines: str) -> tuple[World, e.Traits]:
    """The world after these lines, and its traits."""
    world = World(SHIPPED)
    for line in lines:
        world.tell(line)
    assert world.case is not None
    return world, world.case.traits


def test_two_changes_made_at_once_both_hold() -> None:
    world, seen = told("refer age_band=unknown")
    world.put(says(seen, found_in="prizren"))
    followed = world.put(says(seen, age_band="15-17"))
    assert world.case is not None and world.case.traits == structs.replace(seen, found_in="prizren", age_band="15-17")
    assert not [event for event in followed if isinstance(event, e.OfferClosed)], "the police of the new place stay asked"
    replayed(world)


def test_a_system_that_names_no_trait_records_all() -> None:
    world, seen = told("refer", "traits found_in=prizren")
    world.put(structs.replace(says(seen, age_band="15-17"), only=()))
    assert world.case is not None and world.case.traits.found_in == seen.found_in


def test_a_change_of_the_place_is_no_second_voice_for_the_age() -> None:
    world, seen = told("refer", "police: ACCEPT")
    assert type(world.put(says(seen, "school-drita", age="adult", age_band="18-120"))[0]) is e.ChangeProposed
    adult = structs.replace(seen, age="adult", age_band="18-120")
    world.put(says(adult, "police-prishtine", found_in=seen.found_in))
    assert world.case is not None and world.case.traits == seen and len(world.case.proposals) == 1
    world.put(says(seen, "police-prishtine", age="adult", age_band="18-120"))
    assert world.case.traits == adult and not world.case.proposals
    replayed(world)


def test_what_cannot_hold_beside_the_newer_traits_is_taken_with_all_that_its_sender_saw() -> None:
    world, _ = told("refer age=uncertain age_band=unknown")
    assert world.case is not None
    seen = world.case.traits
    met = structs.replace(world.case, traits=structs.replace(seen, age="child", age_band="12-14"))
    assert recorded(met, says(seen, age="adult")) == structs.replace(seen, age="adult")


def test_where_the_first_record_was_lost_all_that_the_sender_saw_counts() -> None:
    world = World(SHIPPED)
    world.tell("lost")
    world.put(says(TRAITS, age_band="15-17"))
    assert world.case is not None and world.case.traits == structs.replace(TRAITS, age_band="15-17")
