"""Read how a case stands for an agency: as it is now, or, for an excluded agency that only referred it, as it was when it was excluded.

That agency sees a case at rest for ever, so that it does not learn from us that somebody named it (decision 0080). Both readers cost the
same statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct, structs
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.events import How
from services.intake import store
from services.intake.api import schemas
from services.intake.casefile import sections
from services.intake.casefile.access import Case
from services.intake.model import Offer
from services.intake.projection.offers import ended
from services.intake.projection.timeline import Line

OPEN = frozenset(("OFFERED", "ACKNOWLEDGED", "ACCEPTED", "ON_HOLD"))
"""Lines of a timeline that say the state of an open offer."""
ENDED = frozenset(map(ended, How))
"""Lines that say how an offer ended."""


class Seen(Struct, frozen=True, kw_only=True):
    """A case as one agency sees it. state, waits_for: of the whole case. offers: of all agencies. lines: (at, line) of the timeline."""

    state: str
    waits_for: str
    offers: tuple[Offer, ...]
    lines: tuple[tuple[int, Line], ...]

    def __repr__(self) -> str:
        return f"Seen({self.state})"


async def seen(tx: AsyncConnection, leave: Permit, case: Case, until: int) -> Seen:
    """Return the permit's case, which the caller has locked, as it stood then (µs UTC); store.NEVER: as it stands."""
    offers = await store.case_offers(tx, leave)
    about = await store.open_about(tx, leave, until)
    happened = await store.happenings(tx, leave, until)
    lines = tuple(
        (at, msgspec.msgpack.decode(sections.unseal(case.cipher, sealed, case.case_id, "timeline", str(seq)), type=Line))
        for seq, at, sealed in happened
    )
    closed = case.closed
    if until != store.NEVER:
        offers, closed = tuple(_then(offers, lines, until)), _closed(lines)
    return Seen(state=schemas.state(offers, closed=closed, tasks=about), waits_for=schemas.waits_for(about), offers=offers, lines=lines)


def _then(offers: Sequence[Offer], lines: Sequence[tuple[int, Line]], until: int) -> Iterator[Offer]:
    """Yield the offers that had been made then, each in its state of then."""
    for offer in offers:
        if offer.opened_at <= until:
            yield offer if offer.changed_at <= until else structs.replace(offer, state=_state(offer.offer_id, lines))


def _state(offer_id: str, lines: Sequence[tuple[int, Line]]) -> str:
    """Return the state of an offer at the end of these lines. A withdrawn answer opens it again in the state before its end."""
    state = before = "OFFERED"
    for what in (line.what for _, line in lines if line.offer_id == offer_id):
        if what in OPEN:
            state = before = what
        elif what == "ARRIVED":
            state = before = "ACCEPTED"
        elif what in ENDED:
            state = what
        elif what == "REOPENED":
            state = before
    return state


def _closed(lines: Sequence[tuple[int, Line]]) -> bool:
    """Return whether the case was closed at the end of these lines: a procedure that begins opens it again."""
    ends = [line.what for _, line in lines if line.what in ("CASE_CLOSED", "TRACK_OPENED")]
    return bool(ends) and ends[-1] == "CASE_CLOSED"
