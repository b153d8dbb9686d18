"""Where the cases of an inbox are, for its one line about each: municipality and whether it is an exercise. Reads, never writes."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.runtime.keys import Keys
from services.intake import casefile
from services.intake.kept import Spot
from services.intake.store import rows


async def spots(tx: AsyncConnection, keys: Keys, case_ids: Iterable[str]) -> dict[str, Spot]:
    """Case id → its spot. A case that was erased is missing. The caller has checked that its reader may see these cases."""
    asked = sorted(set(case_ids))
    if not asked:
        return {}
    sql = "SELECT case_id, drill, sealed FROM intake.casefile WHERE case_id = ANY(CAST(:ids AS text[]))"
    found = await rows(tx, sql, {"ids": asked})
    opened = await keys.load(tx, asked)
    return {
        case_id: Spot(found_in=casefile.standing(casefile.box(opened[case_id]), case_id, bytes(sealed)).traits.found_in, drill=drill)
        for case_id, drill, sealed in found
        if case_id in opened
    }
