"""Call a number of ours every quarter of an hour, so that a dead way to a telephone is found before somebody must be woken by it.

The call is an ordinary delivery: planned in the database, claimed, sent by the trunk, and answered by a key, which a robot presses. It
belongs to no case and has no key, so no event says anything of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.durations import SECOND_US
from referral.runtime.background import attempt
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.postgres import clock
from services.notifier import wakeup

EVERY_SECONDS = 900
"""Seconds between two calls (P, the brief)."""
LOOK_SECONDS = 5.0
"""Seconds between two looks (ours): how much later a call may be planned."""
NAME, CHANNEL = "canary", "voice"
"""Account, agency and rung of the number, in the tables of people who are knocked; no agency of the directory has this name."""
CASE = "00000000-0000-0000-0000-00000000ca11"
"""Case id of the calls. No such case exists: nobody has its key."""
_ADDRESS = text("SELECT address FROM contact WHERE (account, channel) = (:name, :channel) AND ended_at IS NULL FOR UPDATE")
_END_CONTACT = text("UPDATE contact SET ended_at = runtime.clock(), address = NULL WHERE account = :name AND ended_at IS NULL")
_END_PERSON = text("UPDATE person SET ended_at = runtime.clock() WHERE account = :name AND ended_at IS NULL")
_PERSON = text("INSERT INTO person (account, agency, rungs) VALUES (:name, :name, ARRAY[CAST(:name AS text)]) ON CONFLICT DO NOTHING")
_CONTACT = text("INSERT INTO contact (account, channel, address) VALUES (:name, :channel, :address) ON CONFLICT DO NOTHING")
_ASK = text(  # the id is that of its quarter of an hour: however many instances plan it, it is there once
    "INSERT INTO asked (id, case_id, task, agency, ladder, rung, drill, once, system, skip, state, rounds, due, failed)"
    " VALUES (:id, :case, true, :name, ARRAY[CAST(:name AS text)], 0, false, false, false, '{}', 'OPEN', '{}', :due, -1)"
    " ON CONFLICT DO NOTHING RETURNING id"
)
_CLOSE = text("UPDATE asked SET state = 'CLOSED', closed_at = :now WHERE case_id = :case AND state <> 'CLOSED' AND id <> :id")
_DROP = text(
    "UPDATE delivery SET state = 'DROPPED', ended_at = :now WHERE case_id = :case AND state = 'WAITING' AND lease_until IS NULL"
    " AND asked <> :id"
)
_KNOCK = text(
    "INSERT INTO delivery (asked, case_id, task, rung, again, person, channel, drill, planned_at, due_at)"
    " VALUES (:id, :case, true, 0, 0, :name, :channel, false, :now, :now)"
)


class Canary:
    """The calls to one number. number: None ends them, also those that an earlier setting began."""

    def __init__(self, engine: AsyncEngine, keys: Keys, number: str | None) -> None:
        self._engine, self._box, self._number = engine, keys.box(CONTACT_BOX), number

    async def run(self) -> None:
        """Plan each call when it is due, until cancelled."""
        while True:
            planned = await attempt(self.look, "canary not planned", service="notifier")
            if planned and self._number is None:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> bool:
        """Plan the call of this quarter of an hour and end those before it. False: it is planned already, or there is no number."""
        async with self._engine.begin() as tx:
            now = await clock.now(tx)
            slot = now // (EVERY_SECONDS * SECOND_US)
            values = {"id": f"{NAME}-{slot}", "case": CASE, "name": NAME, "channel": CHANNEL, "now": now}
            if self._number is None:
                await _each(tx, (_END_CONTACT, _END_PERSON, _CLOSE, _DROP), {**values, "id": ""})
                return False
            await self._keep(tx, self._number)
            due = (slot + 1) * EVERY_SECONDS * SECOND_US
            if (await tx.execute(_ASK, {"id": values["id"], "case": CASE, "name": NAME, "due": due})).one_or_none() is None:
                return False
            await _each(tx, (_CLOSE, _DROP, _KNOCK), values)
            wakeup.ring(tx)
            return True

    async def _keep(self, tx: AsyncConnection, number: str) -> None:
        """Keep the number as the address of a person, sealed like every address."""
        row = (await tx.execute(_ADDRESS, {"name": NAME, "channel": CHANNEL})).one_or_none()
        context = contact_context(NAME, CHANNEL)
        if row is None or self._box.open(row.address, context) != number.encode():
            sealed = self._box.seal(number.encode(), context)
            await _each(tx, (_END_CONTACT, _PERSON, _CONTACT), {"name": NAME, "channel": CHANNEL, "address": sealed})


async def _each(tx: AsyncConnection, statements: Sequence[TextClause], values: Mapping[str, object]) -> None:
    """Execute statements in their order; each takes those of the values that it names."""
    for statement in statements:
        await tx.execute(statement, {name: values[name] for name in statement.compile().params})
