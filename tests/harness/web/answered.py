"""Answers and what becomes of them: what a person sends from the page of an offer, what routing says of it, and a session that ends."""

from __future__ import annotations

from typing import Any

import httpx
from msgspec import Struct
from sqlalchemy import text

from referral.domain.events import How, OfferReopened, UndoAllowed
from services.intake.accounts import rules
from tests.harness.web.forms import fields
from tests.harness.web.world import MINUTE, POLICE, WHY, World, accepted, closed


def ended(offer: str, how: How, now: int, *, undo: bool = False, minutes: int = 2) -> tuple[Struct, ...]:
    """What routing says of an answer that ends the agency's part."""
    may = UndoAllowed(why=WHY, offer_id=offer, until=now + minutes * MINUTE, arrived=False, due=now + 90 * MINUTE, due_what="complete")
    return (closed(offer, how), may) if undo else (closed(offer, how),)


def reopened(offer: str, now: int) -> OfferReopened:
    return OfferReopened(why=WHY, offer_id=offer, track_id=offer, step="police", arrived=False, due=now + 90 * MINUTE, due_what="complete")


def taken(world: World, case: str, **more: Any) -> str:
    """An offer that police have accepted."""
    offer = world.offer(case, POLICE, "police", **more)
    world.say(case, accepted(offer, world.now() + 90 * MINUTE))
    return offer


def sent(person: httpx.Client, where: str, action: str, **more: str) -> str:
    """Fill in the form of a page and send it; the page to which it leads."""
    answer = person.post(f"{where}/{action}", data=fields(person.get(where).text) | {"sure": "yes"} | more)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def ends(world: World) -> None:
    """All sessions are over by time."""
    world.by_hand(lambda tx: tx.execute(text("UPDATE intake.session SET created_at = created_at - :long"), {"long": rules.ABSOLUTE_US}))
