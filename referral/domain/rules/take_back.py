"""Let an agency take back that its part is done, while nobody else was asked because of it (docs/decisions/0038-take-back.md).

The decision about an answer says at once whether, and until when, the answer may be taken back. The window closes as soon as the case goes
on (`evolve.GOES_ON`): nobody is ever asked upon an answer that is then taken back.
"""

from __future__ import annotations

from msgspec import Struct

from referral.domain.case import PLACE, RANK, find
from referral.domain.durations import MINUTE_US
from referral.domain.events import AnswerWithdrawn, How, OfferClosed, OfferReopened, ResponseSubmitted, StepDone, UndoAllowed, Word
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.seats import LocatedOffer, locate

TAKE_BACK = "TAKE_BACK"
"""Word of an answer that was taken back, in every list of answers. It is a word of no offer."""
READ_LATE = 30 * MINUTE_US
"""µs after the window in which routing still reads what was sent within it (ours). Figures are released an hour after their close, and none
of them may change afterwards (docs/decisions/0018-measures.md)."""
UNDO = "undo"
"""Rule of both events: the permission to take an answer back, and what follows from it."""


def allow(d: DecisionContext, body: Struct) -> None:
    """Allow an answer to be taken back, after everything that follows from it: only where its procedure says so, and nothing followed but
    the end of the agency's own part.

    Never for a place: it is free from this moment on, and other children are offered it.
    """
    if not isinstance(body, ResponseSubmitted) or body.word is not Word.COMPLETE or d.before is None:
        return
    at, was = locate(d, body.offer_id), find(d.before, body.offer_id)
    if at is None or was is None or at.pathway.take_back is None or at.step.kind is PLACE:
        return
    if was.offer.how or RANK[was.offer.state] < RANK["ACCEPTED"] or not all(_own(event, at) for event in d.events):
        return
    done = any(isinstance(event, StepDone) for event in d.events)
    d.emit(
        UndoAllowed(
            why=d.why(UNDO, at.track),
            offer_id=body.offer_id,
            until=d.due(at.pathway.take_back),
            arrived=was.offer.state == "ARRIVED",
            due=was.offer.due,
            due_what=was.offer.due_what,
            done_at=d.facts.now if done else None,
        )
    )


def _own(event: Struct, at: LocatedOffer) -> bool:
    """Return True for an event of the agency's own part: its offer is completed, and with it this round of its step."""
    if isinstance(event, OfferClosed):
        return event.offer_id == at.offer.offer_id and event.how is How.COMPLETED
    own = (at.track.track_id, at.run.step, at.run.round)
    return isinstance(event, StepDone) and (event.track_id, event.step, event.round) == own


def taken_back(d: DecisionContext, body: AnswerWithdrawn) -> None:
    """Handle an answer that its agency takes back: the offer is open again, with the limit that ran.

    The time at which the door took it counts, because that is what the page has promised: if routing stood still meanwhile, nobody relies
    on the answer yet.
    """
    at = locate(d, body.offer_id)
    if at is None:
        return d.ignore("UNKNOWN_OFFER", body.offer_id)
    if body.agency != at.offer.agency:
        return d.ignore("NOT_YOURS", body.offer_id)
    if f"agency:{body.agency}" in d.case.excluded or f"staff:{body.by}" in d.case.excluded:
        return d.ignore("EXCLUDED", body.offer_id)
    undo = next((undo for undo in d.case.undos if undo.offer_id == body.offer_id), None)
    now = d.facts.now
    if undo is None or undo.until < min(body.received_at, now) or undo.until + READ_LATE < now:
        return d.ignore("NOTHING_TO_TAKE_BACK", body.offer_id)
    return d.emit(
        OfferReopened(
            why=d.why(UNDO, at.track),
            offer_id=body.offer_id,
            by=body.by,
            track_id=at.track.track_id,
            step=at.run.step,
            arrived=undo.arrived,
            due=undo.due,
            due_what=undo.due_what,
            done_at=undo.done_at,
        )
    )
