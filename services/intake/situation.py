"""How the case of a desk's task stands, as far as it decides what can be ordered now. Reads only."""

from __future__ import annotations

from functools import partial

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
    lines = await _lines(tx, keys, task.case_id) if task.about in ("confirm-default", "confirm-change") else []
    found = map(partial(_default, task.step), reversed(lines)) if task.about == "confirm-default" else iter(())
    proposal = next((one for one in lines if one.task_id == task.task_id), None)
    return Situation(
        closed=closed,
        pathway=pathway,
        asked=bool(states),
        taken=not {"ACCEPTED", "ON_HOLD"}.isdisjoint(states),
        default=next((code for code in found if code is not None), ""),
        proposed=proposal.detail if proposal else "",
        proposer=proposal.agency if proposal else "",
        links=await linking.links(tx, task.case_id, agency, account),
        others=await linking.others(tx, task.case_id, agency),
    )


async def _lines(tx: AsyncConnection, keys: Keys, case_id: str) -> list[Line]:
    """The timeline of a case, in order; nothing of one that is erased."""
    key = (await keys.load(tx, [case_id])).get(case_id)
    if key is None:
        return []
    cipher = casefile.box(key)
    return [
        msgspec.msgpack.decode(casefile.unseal(cipher, sealed, case_id, "timeline", str(seq)), type=Line)
        for seq, _, sealed in await store.happenings(tx, case_id)
    ]


def _default(step: str, line: Line) -> str | None:
    """The code that silence took for the step, where this line says how it was decided; empty where a person did."""
    if (line.what, line.step) != ("DECIDED", step):
        return None
    code, _, how = line.detail.rpartition(": ")[2].partition(" ")
    return code if how == Decided.SILENCE else ""
