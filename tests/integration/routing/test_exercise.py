"""An exercise on the real line: the real agencies are asked, and no place is taken from a child."""

from __future__ import annotations

import pytest
from msgspec import structs

from referral.domain.events import CaseOpened, OfferAccepted, OfferOpened, Word
from referral.runtime.settings import Settings
from tests.harness.line.routing_stack import Line, answer, new_id, referral, running

pytestmark = pytest.mark.servers
HELD = "SELECT coalesce(sum(held), 0) FROM routing.place"


async def placed(line: Line, case_id: str, drill: bool) -> OfferOpened:
    """Bring a case to its shelter."""
    await line.post(case_id, referral(), drill=drill)
    (police,) = await line.wait_for(case_id, OfferOpened, step="police")
    await line.post(case_id, answer(police, Word.ACCEPT), drill=drill)
    for step in ("support", "csw"):
        (offer,) = await line.wait_for(case_id, OfferOpened, step=step)
        await line.post(case_id, answer(offer, Word.ACCEPT), drill=drill)
        await line.wait_for(case_id, OfferAccepted, offer_id=offer.offer_id)
    (shelter,) = await line.wait_for(case_id, OfferOpened, step="shelter")
    await line.post(case_id, answer(shelter, Word.ACCEPT), drill=drill)
    await line.wait_for(case_id, OfferAccepted, offer_id=shelter.offer_id)
    assert isinstance(shelter, OfferOpened)
    return shelter


@pytest.mark.parametrize("real", [True, False])
async def test_an_exercise_takes_no_place_beside_real_children(settings: Settings, real: bool) -> None:
    async with running(structs.replace(settings, drill_clock=not real)) as line:
        await line.activate()
        exercise, child = new_id(), new_id()
        shelter = await placed(line, exercise, drill=True)
        assert {read.meta.drill for read in await line.reads(exercise)} == {True}
        (opened,) = await line.wait_for(exercise, CaseOpened)
        assert opened.drill and shelter.agency.startswith("shelter-")
        assert await line.scalar(HELD) == (0 if real else 1), "in a database for drills alone exercises compete with one another"
        await placed(line, child, drill=False)
        assert await line.scalar(HELD) == (1 if real else 2)
