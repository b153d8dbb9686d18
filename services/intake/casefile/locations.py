"""Return the facts of each case that every card shows, and the agencies that send very many referrals. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.runtime.keys.case_keys import Keys
from services.intake import crowd
from services.intake.casefile import sections
from services.intake.model import Spot
from services.intake.store import rows


async def spots(tx: AsyncConnection, leave: Permit, keys: Keys, case_ids: Iterable[str]) -> dict[str, Spot]:
    """Return case id → its facts. An erased case is missing. The caller has checked that the reader may see these cases."""
    ids = sorted(set(case_ids))
    if not ids:
        return {}
    sql = (
        "SELECT case_id, drill, sealed, desk, closed_at, coalesce(outcome, '') FROM intake.casefile "
        "WHERE case_id = ANY(CAST(:ids AS text[]))"
    )
    cases = await rows(tx, sql, {"ids": ids})
    opened = await keys.load(tx, ids)
    traits = {
        case_id: sections.facts(sections.box(opened[case_id]), case_id, bytes(sealed)).traits
        for case_id, _, sealed, *_ in cases
        if case_id in opened
    }
    return {
        case_id: Spot(
            found_in=traits[case_id].found_in,
            drill=drill,
            age_band=traits[case_id].age_band,
            desk=desk,
            closed_at=closed_at,
            outcome=outcome,
        )
        for case_id, drill, _, desk, closed_at, outcome in cases
        if case_id in traits
    }


_CROWDS = (
    "SELECT r.agency, count(*) FROM intake.referral r JOIN intake.casefile c ON c.case_id = r.case_id "
    "WHERE c.desk = :desk AND r.received_at > :since GROUP BY r.agency HAVING count(*) >= :many ORDER BY count(*) DESC, r.agency"
)


async def crowds(tx: AsyncConnection, leave: Permit, now: int) -> tuple[tuple[str, int], ...]:
    """Return the agencies that have sent the reader's desk at least MANY referrals within WINDOW_S, with their number."""
    values = {"desk": leave.agency, "since": now - int(crowd.WINDOW_S * 1_000_000), "many": crowd.MANY}
    return tuple((row[0], row[1]) for row in await rows(tx, _CROWDS, values))
