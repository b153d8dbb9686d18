# ruff: noqa: S608 - only constants of this file and of the store are put together
"""Return the facts of each case that every card shows, and the agencies that send very many referrals. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.runtime.keys.case_keys import Keys
from services.intake import crowd
from services.intake.casefile import sections
from services.intake.model import Spot
from services.intake.store import SEEN_THEN, rows

_THEN = "CASE WHEN x.at IS NULL THEN c.{0} ELSE x.{0} END"
_SINCE = "CASE WHEN c.closed_at > x.at THEN NULL ELSE c.{0} END"
_CASES = (
    f"SELECT c.case_id, c.drill, {_THEN.format('sealed')} AS sealed, coalesce({_THEN.format('desk')}, '') AS desk, "
    f"{_SINCE.format('closed_at')} AS closed_at, coalesce({_SINCE.format('outcome')}, '') AS outcome, x.at AS then_at "
    f"FROM intake.casefile c LEFT JOIN intake.exclusion x ON x.case_id = c.case_id AND {SEEN_THEN} "
    "WHERE c.case_id = ANY(CAST(:ids AS text[]))"
)


async def spots(tx: AsyncConnection, leave: Permit, keys: Keys, case_ids: Iterable[str]) -> dict[str, Spot]:
    """Return case id → its facts. An erased case is missing. The caller has checked that the reader may see these cases.

    To the holder of a duty whom one party alone excludes: the facts as they were then, and none where nobody stored them (0071).
    """
    ids = sorted(set(case_ids))
    if not ids:
        return {}
    cases = await rows(tx, _CASES, {"ids": ids, "agency": leave.agency})
    opened = await keys.load(tx, ids)
    traits = {
        row.case_id: sections.facts(sections.box(opened[row.case_id]), row.case_id, bytes(row.sealed)).traits
        for row in cases
        if row.case_id in opened and row.sealed is not None
    }
    return {
        row.case_id: Spot(
            found_in=traits[row.case_id].found_in if row.case_id in traits else "",
            drill=row.drill,
            age_band=traits[row.case_id].age_band if row.case_id in traits else "",
            desk=row.desk,
            closed_at=row.closed_at,
            outcome=row.outcome,
            then_at=row.then_at,
        )
        for row in cases
        if row.case_id in opened
    }


_CROWDS = (
    "SELECT r.agency, count(*) FROM intake.referral r JOIN intake.casefile c ON c.case_id = r.case_id "
    "WHERE c.desk = :desk AND r.received_at > :since GROUP BY r.agency HAVING count(*) >= :many ORDER BY count(*) DESC, r.agency"
)


async def crowds(tx: AsyncConnection, leave: Permit, now: int) -> tuple[tuple[str, int], ...]:
    """Return the agencies that have sent the reader's desk at least MANY referrals within WINDOW_S, with their number."""
    values = {"desk": leave.agency, "since": now - int(crowd.WINDOW_S * 1_000_000), "many": crowd.MANY}
    return tuple((row[0], row[1]) for row in await rows(tx, _CROWDS, values))
