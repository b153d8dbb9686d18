"""Say which case a page is about, and where it stands; and ask once before something of it ends.

None of it tells who the child is. It is part of an offer, as the municipality is; what can tell who the child is stands in the case file,
behind a button that records the reading (docs/decisions/0031).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from referral.domain.authority.matrix import Permit
from referral.domain.events import StepKind
from referral.domain.policy import Policy
from services.intake.casefile import locations
from services.intake.contacts import HELD
from services.intake.model import Asking, Offer, Spot, Task
from services.intake.pages.forms import SURE
from services.intake.pages.page_request import PageRequest
from services.intake.projection import as_of

AHEAD, ASKED, TAKEN, DONE, TOLD = "ahead", "asked", "taken", "done", "told"
"""States of a step, as its offers show them."""
_WAITS = ("OFFERED", "ACKNOWLEDGED")


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the procedure. state: AHEAD, ASKED, TAKEN, DONE or TOLD. ours: we are asked."""

    step: str
    state: str
    ours: bool


@dataclass(frozen=True, slots=True)
class CaseHead:
    """The case of a card or page (`cases.html`). stages: the steps in the procedure's order, or none. ended: the reader's part is over, and
    the age band is not shown any more, nor the municipality, which is where the child is now."""

    case_id: str
    spot: Spot
    pathway: str
    stages: tuple[Stage, ...] = ()
    ended: bool = False


def stages(policy: Policy, pathway: str, offers: Iterable[Asking], agency: str) -> tuple[Stage, ...]:
    """Return where a case stands in one procedure; nothing for one that the policy in force does not have.

    offers: of its track, of all agencies. Feeds are no steps of a case.
    """
    procedure = next((found for found in policy.every if found.id == pathway), None)
    by_step: dict[str, list[Asking]] = {}
    for offer in offers:
        by_step.setdefault(offer.step, []).append(offer)
    steps = [step.id for step in procedure.steps if step.kind is not StepKind.FEED] if procedure else []
    return tuple(Stage(step, state(by_step.get(step, ())), any(one.agency == agency for one in by_step.get(step, ()))) for step in steps)


def state(offers: Collection[Asking]) -> str:
    """Return the state of a step. One of several seats that still waits makes it ASKED: that is what people ask about."""
    if not offers:
        return AHEAD
    if all(offer.kind == "NOTIFY" for offer in offers):
        return TOLD
    live = [offer.state for offer in offers if offer.open]
    if any(at in _WAITS for at in live):
        return ASKED
    if any(at in HELD for at in live):
        return TAKEN
    return DONE if any(offer.state == "COMPLETED" for offer in offers) else AHEAD


def ended(row: Offer | Task) -> bool:
    """Return whether an offer or task has ended, or was declined."""
    return row.closed_at is not None or getattr(row, "declined_by", None) is not None


async def headed(tx: AsyncConnection, permit: Permit, call: PageRequest, about: Offer | Task) -> CaseHead:
    """Return the head of a page about the case of an offer or task that the person may see, without its stages."""
    spots = await locations.spots(tx, permit, call.door.keys, [about.case_id])
    return CaseHead(about.case_id, spots.get(about.case_id, Spot()), about.pathway, ended=ended(about))


async def where(tx: AsyncConnection, call: PageRequest, rows: Sequence[Offer | Task]) -> dict[str, tuple[Stage, ...]]:
    """Return track id → where its case stands, for the tracks of these rows."""
    pathways = {row.track_id: row.pathway for row in rows if row.track_id and row.pathway}
    offers = await as_of.track_offers(tx, call.own, call.door.keys, {row.case_id for row in rows if row.track_id in pathways})
    policy, agency = call.policy, call.account.agency
    return {track: stages(policy, pathway, offers.get(track, ()), agency) for track, pathway in pathways.items()}


def question(call: PageRequest, head: CaseHead, title: str, label: str, means: Sequence[str], here: str) -> Response:
    """Return the page that asks once: what was pressed, what ends by it, and a button that means it.

    title: of the step or task. label: of the word. means: what ends, and whether it can be taken back. here: path of the page of the
    offer or task. Nothing is stored: the page carries what was entered.
    """
    entered = {name: value for name, value in call.form.items() if name not in ("form", SURE)}
    values: dict[str, Any] = {"head": head, "title": title, "label": label, "means": means, "action": call.path, "entered": entered}
    return call.page("ask_once.html", here=here, **values)
