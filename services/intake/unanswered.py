"""Raise an alarm when a receipt has no effect in time: routing has not answered the referral after a minute, or the log does not prove it
a minute after its beat, whichever part failed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prometheus_client import Gauge
from sqlalchemy import text

from referral.errors import Rejected, Unavailable
from referral.runtime import observe
from referral.runtime.keys import log_proof
from referral.runtime.postgres import database
from referral.runtime.settings import MOST_BEAT_S
from services.intake.context import IntakeContext

EVERY = 10.0
"""Seconds between two checks (ours). Each check reads two columns of the tables; an index would slow down every receipt."""
LATE_S = 60
"""Seconds without an answer that raise the alarm (ours): routing takes one or two."""
UNLOGGED_S = MOST_BEAT_S + 60
"""Seconds without a proof that raise the alarm (ours): the log is signed on a beat. A receipt promises longer (PROMISE_S)."""
SINCE_S = 24 * 3600
"""Age of the oldest receipt that a process asks for after its start (ours); `referral doctor --all` asks for every one."""
MOST, AGAIN = 200, 50
"""New receipts, and unproven ones, that one check asks audit for (ours): a few seconds at ten milliseconds each."""
LATE = Gauge("referral_promises_late", "Receipts that nobody has made true in time.", ["stage"])
"""Worry above 0, at once: `decided` is the number of referrals that routing has not answered; `logged` is the number of receipts that the
log does not prove."""
_UNANSWERED = text(
    "SELECT count(*) FROM intake.referral r JOIN intake.casefile c USING (case_id) "
    "WHERE r.became = 'RECEIVED' AND r.received_at < runtime.clock() - CAST(:late AS bigint) AND c.erasing_at IS NULL"
)
_OWED = text(
    "SELECT event_id, received_at FROM intake.submission WHERE body <> '' AND received_at < runtime.clock() - CAST(:late AS bigint)"
    " AND (event_id = ANY(CAST(:unproven AS text[])) OR (received_at >= runtime.clock() - CAST(:since AS bigint)"
    " AND (received_at, event_id) > (CAST(:at AS bigint), CAST(:event AS text)))) ORDER BY received_at, event_id LIMIT :most"
)


class ReceiptCheck:
    """The periodic check of receipts. Several instances report the same."""

    def __init__(self, door: IntakeContext) -> None:
        self._door = door
        self._late: dict[str, int] = {}
        self._asked_to = (0, "")
        """Time and event of the newest receipt that audit was asked for."""
        self._unproven: dict[str, int] = {}
        """Events of receipts that the log did not prove when it was asked last, and when each was received; the oldest first."""

    async def run(self) -> None:
        """Check periodically until cancelled."""
        while True:
            try:
                await self.turn()
            except Exception as error:
                kind = "away" if isinstance(error, Unavailable) or database.away(error) else "fault"
                observe.log().warning("promises are not looked at", service="intake", reason=kind, kind=type(error).__name__)
            await asyncio.sleep(EVERY)

    async def turn(self) -> None:
        """Check once, and set the metric. A receipt is asked for until the log proves it; one of an erased case is owed nothing."""
        again = [*self._unproven][:AGAIN]
        at, event = self._asked_to
        values = {"late": UNLOGGED_S * 1_000_000, "since": SINCE_S * 1_000_000, "unproven": again, "at": at, "event": event}
        async with self._door.begin() as tx:
            unanswered = (await tx.execute(_UNANSWERED, {"late": LATE_S * 1_000_000})).scalar_one()
            owed = [(row.event_id, row.received_at) for row in await tx.execute(_OWED, values | {"most": MOST + len(again)})]
        self._report("decided", unanswered)
        self._report("logged", await self._count(again, owed))

    async def _count(self, again: Sequence[str], owed: Sequence[tuple[str, int]]) -> int:
        """Ask audit for these receipts, and return how many are unproven now. again: those that were asked for before."""
        before = {event: self._unproven.pop(event) for event in again}
        for number, (event, at) in enumerate(owed):
            try:
                proven = await self._logged(event)
            except Unavailable:  # the rest is asked for at the next check
                self._unproven |= {event: at for event, at in owed[number:] if event in before}
                return len(self._unproven) + sum(event not in before for event, _ in owed[number:])
            if not proven:
                self._unproven[event] = at
            if event not in before:
                self._asked_to = max(self._asked_to, (at, event))
        return len(self._unproven)

    async def _logged(self, event_id: str) -> bool:
        """Return whether the log proves an event. Unavailable: audit is away."""
        try:
            await log_proof.fetch(self._door.log, self._door.keys, event_id)
        except Rejected:
            return False
        return True

    def _report(self, stage: str, count: int) -> None:
        """Set the metric, and log an error whenever the number has risen: a first loss must not hide a second."""
        if count > self._late.get(stage, 0):
            hint = "receipts have no effect in time: check that routing and audit run; `referral doctor` names the receipts"
            observe.log().error("promises late", service="intake", reason=stage, count=count, hint=hint)
        self._late[stage] = count
        LATE.labels(stage).set(count)
