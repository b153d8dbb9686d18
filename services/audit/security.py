"""Watch the security events: count the alarms that stand, seal the events in the log's heartbeats, and remove those of a year ago."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.durations import DAY_US
from referral.domain.events import EntryKind
from referral.proof.security import WINDOW_US, Alarm, Sum, alarms, root
from referral.runtime.background import attempt
from referral.runtime.keys.erasure_tag import signed_erasure
from referral.runtime.observe import log
from referral.wire import leaf
from referral.wire.security_event import KEPT_DAYS, Kind, Row
from referral.wire.signed.erasure_approval import NO_ERASERS, Erasers

LOOK_S = 10.0
"""Seconds between two looks (ours): an alarm stands that long after its event."""
TIDY_S = 3600.0
"""Seconds between two removals (ours)."""
MOST = 5000
"""Events that one heartbeat seals, and that one statement removes (ours): what a minute of the busiest attack leaves, several times."""
STANDING = Gauge("referral_security_alarms", "Accounts, agencies and offices about which a security alarm stands.", ["alarm"])
"""Worry above 0. `referral security events` names who; docs/operators.md, Security events, says what to do."""
OUT_OF_USE = Gauge(
    "referral_keys_out_of_use",
    "Cases whose keys were taken out of use, without an erasure in the log that intake and two approvers signed.",
)
"""Worry above 0, at once: in a day they can be destroyed. docs/operators.md, A case without a key."""
RETIRED = text(
    "SELECT r.case_id, e.topic, e.value, e.leaf FROM keys.retirement r LEFT JOIN audit.entry e ON e.case_id = r.case_id"
    " AND e.case_id <> '' AND e.kind = :erasure WHERE NOT r.erased"
)
SUMS = text(
    "SELECT kind, who, detail, sum(times)::bigint AS times FROM audit.security WHERE at > runtime.clock() - CAST(:window AS bigint)"
    " GROUP BY kind, who, detail"
)
WAITING = text(
    "SELECT id, at, service, kind, who, detail, place, times, idx FROM audit.security WHERE idx IS NULL ORDER BY id LIMIT :most FOR UPDATE"
)
SEALED = text("UPDATE audit.security SET idx = :idx WHERE id = ANY(CAST(:ids AS bigint[]))")
OLD = text(
    "DELETE FROM audit.security WHERE id IN (SELECT id FROM audit.security WHERE at < runtime.clock() - CAST(:kept AS bigint)"
    " ORDER BY at LIMIT :most)"
)


class SecurityWatch:
    """The watch of one process; every instance of audit counts the same."""

    def __init__(self, engine: AsyncEngine, erasers: Erasers = NO_ERASERS) -> None:
        """Watch a database. erasers: those whom an erasure is believed; by default nobody."""
        self._engine, self._erasers = engine, erasers
        self._stood: dict[Alarm, frozenset[str]] = {}
        self._out_of_use: frozenset[str] = frozenset()
        self._tidied = float("-inf")

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            if not await attempt(self._turn, "no look at security events", service="audit", level=logging.ERROR):
                STANDING.clear()  # so that `SecurityUnwatched` says it
            await asyncio.sleep(LOOK_S)

    async def _turn(self) -> None:
        await self.look()
        now = asyncio.get_running_loop().time()
        if now - self._tidied >= TIDY_S:
            await remove(self._engine)
            self._tidied = now

    async def look(self) -> dict[Alarm, frozenset[str]]:
        """Count the alarms that stand, and log each of them once while it does."""
        async with self._engine.connect() as tx:
            rows = (await tx.execute(SUMS, {"window": WINDOW_US})).all()
            retired = (await tx.execute(RETIRED, {"erasure": EntryKind.ERASURE})).all()
        logged = {row.case_id for row in retired if row.value and self._believed(row)}
        out_of_use = frozenset(row.case_id for row in retired) - logged
        OUT_OF_USE.set(len(out_of_use))
        for case_id in sorted(out_of_use - self._out_of_use):
            log().error("keys out of use without an erasure", service="audit", case_id=case_id)
        self._out_of_use = out_of_use
        stands = alarms(Sum(Kind(row.kind), row.who, row.detail, row.times) for row in rows)
        for alarm, about in stands.items():
            STANDING.labels(alarm).set(len(about))
            for who in sorted(about - self._stood.get(alarm, frozenset())):
                log().error("security alarm", service="audit", reason=alarm, account=who)
        self._stood = stands
        return stands

    def _believed(self, row: Any) -> bool:
        """Return whether an entry is an erasure that intake and two approvers signed."""
        at = leaf.decode(row.leaf).kafka_time
        return signed_erasure(self._erasers, row.topic, row.value, at) is not None


async def waiting(tx: AsyncConnection) -> list[Row]:
    """Return the events that no entry seals yet, and lock them. The caller holds the log's lease."""
    rows = await tx.execute(WAITING, {"most": MOST})
    return [Row(**{**row._mapping, "kind": Kind(row.kind)}) for row in rows]


def seal(rows: list[Row]) -> tuple[int, str]:
    """Return what a heartbeat says of events: their number and root; empty for none."""
    return (len(rows), root(rows)) if rows else (0, "")


async def sealed(tx: AsyncConnection, rows: list[Row], idx: int) -> None:
    """Mark events with the entry that seals them."""
    if rows:
        await tx.execute(SEALED, {"idx": idx, "ids": [row.id for row in rows]})


async def remove(engine: AsyncEngine) -> int:
    """Remove the events that are older than KEPT_DAYS, and return how many. The table lets nobody remove a younger one."""
    count = MOST
    removed = 0
    while count == MOST:
        async with engine.begin() as tx:
            count = (await tx.execute(OLD, {"kept": KEPT_DAYS * DAY_US, "most": MOST})).rowcount
        removed += count
    return removed
