"""Read the links of a case, for a reader who may see both cases. Linked is not merged: nothing of one case is ever shown with the other."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from services.intake.casefile import access
from services.intake.model import Link
from services.intake.policy_view import RAISED
from services.intake.store import NEVER, STANDS, rows

MOST = 20
"""Links that are read (ours): siblings are few."""
_LINKS = (
    "SELECT other AS id, how, min(at) AS at FROM (SELECT other, how, at FROM intake.link WHERE case_id = :case "
    "UNION ALL SELECT case_id, how, at FROM intake.link WHERE other = :case AND how <> :raised) found WHERE at <= :until "
    "GROUP BY other, how ORDER BY id LIMIT :most"
)
_AT_DESK = (
    "SELECT o.case_id, o.opened_at FROM intake.casefile o WHERE o.desk = :desk AND o.case_id <> :case AND NOT EXISTS "  # noqa: S608
    "(SELECT FROM intake.exclusion x WHERE x.case_id = o.case_id AND x.kind IN ('AGENCY', 'STAFF')) "
    f"AND {STANDS} ORDER BY o.opened_at DESC LIMIT :most"
)


async def links(tx: AsyncConnection, leave: Permit, until: int = NEVER) -> tuple[Link, ...]:
    """Return the links of the permit's case to other cases that this reader may see as well. A complaint is linked one way: from itself.
    until: the reader sees the case as it stood then, µs UTC."""
    visible = []
    for other, how, at in await rows(tx, _LINKS, {"case": leave.case_id, "raised": RAISED, "most": MOST, "until": until}):
        involved = await access.involvement(tx, leave.agency, other)
        barred = involved.barred(leave.agency, leave.account) and involved.at_rest is None
        if not barred and at <= involved.seen_until and (involved.sender or involved.held or involved.desk):
            visible.append(Link(case_id=other, how=how))
    return tuple(visible)


async def others(tx: AsyncConnection, leave: Permit) -> tuple[tuple[str, int], ...]:
    """Return (case id, opened at) of the newest other cases of the reader's desk that exclude nobody: it may link a case with them."""
    return tuple((row[0], row[1]) for row in await rows(tx, _AT_DESK, {"case": leave.case_id, "desk": leave.agency, "most": MOST}))
