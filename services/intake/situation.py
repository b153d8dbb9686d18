"""How the case of a desk's task stands, as far as it decides what can be ordered now. Reads only."""

from __future__ import annotations

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import Decided
from referral.runtime.keys import Keys
from services.intake import casefile, linking, store
from services.intake.kept import Situation, Task
from services.intake.timeline import Line

_STANDS = (
    "SELECT c.closed_at IS NOT NULL, coalesce((SELECT t.pathway FROM intake.track t WHERE t.track_id = :track), ''), "
    "ARRAY(SELECT o.state FROM intake.offer o WHERE o.case_id = :case AND o.track_id = :track AND o.step = :step "
    "AND (:seat < 0 OR o.seat = :seat) AND o.closed_at IS NULL) FROM intake.casefile c WHERE c.case_id = :case"
)


async def situation(tx: AsyncConnection, keys: Keys, task: Task, agency: str, account: str | None) -> Situation:
    """For a task that this reader may see."""
    at = {"case": task.case_id, "track": task.track_id or "", "step": task.step, "seat": task.seat}
    [(closed, pathway, states)] = await store.rows(tx, _STANDS, at)
    return Situation(
        closed=closed,
        pathway=pathway,
        asked=bool(states),
        taken=not {"ACCEPTED", "ON_HOLD"}.isdisjoint(states),
        default=await _default(tx, keys, task) if task.about == "confirm-default" else "",
        links=await linking.links(tx, task.case_id, agency, account),
        others=await linking.others(tx, task.case_id, agency),
    )


async def _default(tx: AsyncConnection, keys: Keys, task: Task) -> str:
    """The code that silence took for the step, from the timeline; empty where nothing says so (any more)."""
    key = (await keys.load(tx, [task.case_id])).get(task.case_id)
    if key is None:
        return ""
    found, cipher = "", casefile.box(key)
    for seq, _, sealed in await store.happenings(tx, task.case_id):
        line = msgspec.msgpack.decode(casefile.unseal(cipher, sealed, task.case_id, "timeline", str(seq)), type=Line)
        if (line.what, line.step) == ("DECIDED", task.step):
            code, _, how = line.detail.rpartition(": ")[2].partition(" ")
            found = code if how == Decided.SILENCE else ""
    return found
