"""Read how a case stands for an agency: as it is now, or, for an excluded agency that only referred it, as it was when it was excluded.

That agency sees a case at rest for ever, so that it does not learn from us that somebody named it (decision 0080). Both readers cost the
same statements.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from services.intake import store
from services.intake.api import schemas
from services.intake.casefile.access import Case
from services.intake.model import Offer
from services.intake.projection import as_of
from services.intake.projection.timeline import Line


class Seen(Struct, frozen=True, kw_only=True):
    """A case as one agency sees it. state, waits_for: of the whole case. offers: of all agencies, that had been made
    by then, as they are now. lines: (at, line) of the timeline."""

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
    lines = tuple((at, as_of.line(case.cipher, case.case_id, seq, sealed)) for seq, at, sealed in happened)
    then, closed = offers, case.closed
    if until != store.NEVER:
        then, closed = tuple(as_of.offers(offers, [line for _, line in lines], until)), _closed(lines)
    made = tuple(offer for offer in offers if offer.opened_at <= until)
    return Seen(state=schemas.state(then, closed=closed, tasks=about), waits_for=schemas.waits_for(about), offers=made, lines=lines)


def _closed(lines: Sequence[tuple[int, Line]]) -> bool:
    """Return whether the case was closed at the end of these lines: a procedure that begins opens it again."""
    ends = [line.what for _, line in lines if line.what in ("CASE_CLOSED", "TRACK_OPENED")]
    return bool(ends) and ends[-1] == "CASE_CLOSED"
