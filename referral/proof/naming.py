"""What an event's ids stand for: an offer by its agency, step and seat, a task by its desk. Learnt from the case's own events."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from referral.domain.events import NeedsPerson, OfferOpened, StepOpened

SHORT = 8
"""Hex digits of an id in a text: one case has a few dozen ids. The whole id is in --json."""


class Asked(Struct, frozen=True, kw_only=True):
    """One offer: who was asked for what. seat: in words; the step alone where it has one seat. ladder: rungs of the agency by name."""

    agency: str
    seat: str
    ladder: tuple[str, ...]


class Names(Struct, frozen=True, kw_only=True):
    """offers, tasks: by id. tasks: the desk and what it was asked."""

    offers: dict[str, Asked]
    tasks: dict[str, NeedsPerson]

    def offer(self, offer_id: str | None) -> Asked:
        """The offer of an id; one that the log does not explain is named by its short id."""
        return self.offers.get(offer_id or "") or Asked(agency=f"offer {short(offer_id)}", seat="", ladder=())

    def rung(self, offer_id: str | None, number: int) -> str:
        """The name of a rung, such as duty-officer."""
        ladder = self.offer(offer_id).ladder
        return ladder[number] if 0 <= number < len(ladder) else f"rung {number}"


def names(bodies: Iterable[Struct]) -> Names:
    """Everything that the events of one case give a name to."""
    found = Names(offers={}, tasks={})
    seats: dict[tuple[str, str, int], int] = {}
    for body in bodies:
        if isinstance(body, StepOpened):
            seats[body.track_id, body.step, body.round] = len(body.seats)
        elif isinstance(body, OfferOpened):
            joint = seats.get((body.track_id, body.step, body.round), 1) > 1
            seat = f"{body.step}, {body.role}" if joint else body.step
            again = f" (round {body.round + 1})" if body.round else ""
            found.offers[body.offer_id] = Asked(agency=body.agency, seat=seat + again, ladder=body.ladder)
        elif isinstance(body, NeedsPerson):
            found.tasks.setdefault(body.task_id, body)
    return found


def short(id_: str | None) -> str:
    """The first hex digits of an id."""
    return (id_ or "?")[:SHORT]
