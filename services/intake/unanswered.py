"""Raise an alarm when a receipt has no effect in time: routing has not answered the referral after a minute, or the log does not prove it
a minute after its beat, whichever part failed."""

from __future__ import annotations

import asyncio

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
LATE = Gauge("referral_promises_late", "Receipts that nobody has made true in time.", ["stage"])
"""Worry above 0, at once: `decided` is the number of referrals that routing has not answered; `logged` is 1 while the log does not prove
the newest."""
_UNANSWERED = text(
    "SELECT count(*) FROM intake.referral r JOIN intake.casefile c USING (case_id) "
    "WHERE r.became = 'RECEIVED' AND r.received_at < runtime.clock() - CAST(:late AS bigint) AND c.erasing_at IS NULL"
)
_NEWEST = text(
    "SELECT event_id FROM intake.submission WHERE received_at < runtime.clock() - CAST(:late AS bigint) AND body <> '' "
    "ORDER BY received_at DESC LIMIT 1"
)


class ReceiptCheck:
    """The periodic check of receipts. Several instances report the same."""

    def __init__(self, door: IntakeContext) -> None:
        self._door = door
        self._late: dict[str, int] = {}

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
        """Check once, and set the metric."""
        async with self._door.begin() as tx:
            unanswered = (await tx.execute(_UNANSWERED, {"late": LATE_S * 1_000_000})).scalar_one()
            newest = (await tx.execute(_NEWEST, {"late": UNLOGGED_S * 1_000_000})).scalar_one_or_none()
        self._report("decided", unanswered)
        self._report("logged", 0 if newest is None or await self._logged(newest) else 1)

    async def _logged(self, event_id: str) -> bool:
        try:
            await log_proof.fetch(self._door.log, self._door.keys, event_id)
        except (Rejected, Unavailable):
            return False
        return True

    def _report(self, stage: str, count: int) -> None:
        """Set the metric, and log an error when the alarm begins."""
        if count and not self._late.get(stage):
            hint = "receipts have no effect in time: check that routing and audit run; `referral doctor` names the receipts"
            observe.log().error("promises late", service="intake", reason=stage, count=count, hint=hint)
        self._late[stage] = count
        LATE.labels(stage).set(count)
