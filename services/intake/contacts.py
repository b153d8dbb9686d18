"""Whom an agency may telephone about a case: the offices that hold the steps which the procedure names, and the desk. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.intake.model import Asking, Offer
from services.intake.policy_view import Lists

HELD = ("ACCEPTED", "ON_HOLD")
"""States of an offer whose agency holds the step."""


@dataclass(frozen=True, slots=True)
class Contact:
    """An office. step: the one that it holds; empty for the desk of the case. telephone: E.164; empty where the directory has none."""

    step: str
    agency: str
    telephone: str


def contacts(lists: Lists, offer: Offer, offers: Iterable[Asking], desk: str) -> tuple[Contact, ...]:
    """Return the offices that the agency of an offer is shown beside it; none once it is asked no more.

    offers: of the same track. An office is shown while it holds its step, and no longer.
    """
    if offer.closed_at is not None or offer.declined_by is not None:
        return ()
    named = lists.contacts.get((offer.pathway, offer.step), ())
    held = [one for one in offers if one.open and one.state in HELD and one.agency != offer.agency]
    found = [(step, one.agency) for step in named for one in held if one.step == step]
    if desk and desk != offer.agency:
        found.append(("", desk))
    return tuple(Contact(step, agency, lists.telephones.get(agency, "")) for step, agency in dict.fromkeys(found))
