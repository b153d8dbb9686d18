"""Send notes, each channel on one line of its own: claim one, hand it over, write the result. At least once, as knocks are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.channels import Outgoing, Refused, Unreached
from referral.channels.lane import Lane, Line
from referral.channels.message import OTHERWISE
from referral.domain.durations import SECOND_US
from referral.errors import Malformed
from referral.runtime import i18n, observe
from referral.runtime.i18n import Words
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.runtime.postgres import clock, database
from services.notifier import caps
from services.notifier.blame import OURS
from services.notifier.notes import notes

POLL_SECONDS = 2.0
"""Seconds between two looks (ours): somebody waits for a code before the screen."""
GAP_SECONDS = 20
"""Gap before a second attempt, doubled with each (ours)."""
ATTEMPTS = 5
"""Attempts after which a note has failed (ours): a code is old by then."""
SPOKEN = "voice"
"""A call has no words of its own: it says the drill's, so it can only be a test."""
WORDS = i18n.load(Path(__file__).with_name("words.yaml"))
_CLAIM = text(
    "UPDATE note SET attempt = attempt + 1, lease_until = clock_timestamp() + make_interval(secs => :lease) WHERE id = ("
    " SELECT id FROM note WHERE state = 'WAITING' AND channel = :channel AND due_at <= runtime.clock() AND id <> ALL(:held)"
    " AND (lease_until IS NULL OR lease_until < clock_timestamp()) AND NOT EXISTS (SELECT FROM pause WHERE ended_at IS NULL)"
    " ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *,"
    " (SELECT language FROM intake.account a WHERE a.id = note.account) AS language,"
    " (SELECT c.address FROM contact c WHERE (c.account, c.channel) = (note.account, note.channel) AND c.ended_at IS NULL) AS contact"
)
_RENEW = text(
    "UPDATE note SET lease_until = clock_timestamp() + make_interval(secs => w.lease)"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS integer[]), CAST(:leases AS float8[])) AS w (id, attempt, lease)"
    " WHERE (note.id, note.attempt) = (w.id, w.attempt) AND note.id IN (SELECT id FROM note WHERE id = ANY(CAST(:ids AS bigint[]))"
    " AND state = 'WAITING' AND lease_until IS NOT NULL ORDER BY id FOR UPDATE SKIP LOCKED)"
)
_WAITING = text(
    "SELECT DISTINCT channel FROM note WHERE state = 'WAITING' AND due_at <= runtime.clock()"
    " AND (lease_until IS NULL OR lease_until < clock_timestamp())"
)
_END = text(
    "UPDATE note SET state = :state, reason = :reason, lease_until = NULL, ended_at = runtime.clock(), code = NULL, address = NULL"
    " WHERE (id, attempt) = (:id, :attempt) AND state = 'WAITING'"
)
_AGAIN = text(
    "UPDATE note SET due_at = runtime.clock() + :gap, reason = :reason, lease_until = NULL"
    " WHERE (id, attempt) = (:id, :attempt) AND state = 'WAITING'"
)


@dataclass(frozen=True, slots=True)
class Notes:
    """The sender of notes. lanes: by channel. inbox: address of the sign-in page. most: caps of the day, by channel.

    held: the rows of the notes that are under way, by id; their claims are renewed, as those of deliveries.
    """

    engine: AsyncEngine
    keys: Keys
    lanes: Mapping[str, Lane]
    inbox: str
    most: Mapping[str, int] = field(default_factory=dict)
    held: dict[int, Any] = field(default_factory=dict)

    async def run(self) -> None:
        """Send by every channel until cancelled. One look serves them all; a slow channel delays no other."""
        looking = database.single(self.engine)
        lines = {channel: Line(lane) for channel, lane in self.lanes.items()}
        busy: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                try:
                    async with looking.connect() as tx:
                        if self.held:
                            await self._renew(tx)
                        waiting = set((await tx.execute(_WAITING)).scalars())
                except Exception as error:
                    observe.log().warning("notes not looked for", kind=type(error).__name__)
                    waiting = set()
                for channel in waiting & lines.keys():
                    if channel not in busy or busy[channel].done():
                        busy[channel] = asyncio.create_task(self._empty(channel, lines[channel]))
                await asyncio.sleep(POLL_SECONDS)
        finally:
            for task in busy.values():
                task.cancel()
            await asyncio.gather(*busy.values(), return_exceptions=True)
            await asyncio.gather(*(line.close() for line in lines.values()))

    async def _renew(self, tx: AsyncConnection) -> None:
        """Renew the claims of what is under way."""
        rows = [*self.held.values()]
        leases = [self.lanes[row.channel].lease for row in rows]
        await tx.execute(_RENEW, {"ids": [row.id for row in rows], "attempts": [row.attempt for row in rows], "leases": leases})

    async def _empty(self, channel: str, line: Line) -> None:
        """Send what waits on one channel."""
        try:
            while await self.send(channel, line):
                pass
        except Exception as error:
            observe.log().warning("note not sent", channel=channel, kind=type(error).__name__)

    async def send(self, channel: str, line: Line) -> bool:
        """Send one note. False: none waits."""
        values = {"channel": channel, "held": list(self.held), "lease": self.lanes[channel].lease}
        async with self.engine.begin() as tx:
            row = (await tx.execute(_CLAIM, values)).one_or_none()
            now = await clock.now(tx)
        if row is None:
            return False
        self.held[row.id] = row
        try:
            await self._send(row, now, line)
        finally:
            del self.held[row.id]
        return True

    async def _send(self, row: Any, now: int, line: Line) -> None:
        """Send a claimed note and write its result."""
        out = self._outgoing(row, now)
        state, reason = "SENT", None
        if out is None:
            state, reason = "FAILED", "no-address"
        else:
            try:
                await line.open()
                await line.send(out)
            except Refused as refused:
                state, reason = "FAILED", str(refused)
            except Unreached as away:
                reason = str(away)
                state = "WAITING" if reason in OURS and row.attempt < ATTEMPTS else "FAILED"
        async with self.engine.begin() as tx:
            values = {"id": row.id, "attempt": row.attempt, "reason": reason}
            if state == "WAITING":
                await tx.execute(_AGAIN, {**values, "gap": GAP_SECONDS * SECOND_US * 2 ** (row.attempt - 1)})
            else:
                await tx.execute(_END, {**values, "state": state})
            if state == "SENT":
                await caps.count(tx, Counter([row.channel]), self.most, now)

    def _outgoing(self, row: Any, now: int) -> Outgoing | None:
        """Return the message of a row; None: there is no address to send it to."""
        sealed = row.address if row.address is not None else row.contact
        try:
            if sealed is None:
                return None
            address = self.keys.box(CONTACT_BOX).open(sealed, contact_context(row.account, row.channel)).decode()
            code = "" if row.code is None else notes.opened(self.keys, row.code)
        except Malformed:
            return None
        language = row.language if row.language in WORDS else OTHERWISE
        if (language, row.channel) == ("sr-Cyrl", "sms"):
            language = "sr-Latn"  # of the GSM alphabet
        words = "" if row.channel == SPOKEN else worded(WORDS[language], row.words or row.kind, row.channel, code, self.inbox)
        drill = row.kind == "test" and row.channel == SPOKEN  # a written test says so in its own words
        return Outgoing(
            address=address, reference=row.reference, code="", language=language, drill=drill, inbox=self.inbox, at=now, text=words
        )


def worded(say: Words, kind: str, channel: str, code: str, inbox: str) -> str:
    """Return the words of a note. An SMS has its own: at most 160 letters of the GSM alphabet, without marks, and never a link."""
    if channel == "sms":
        return say(f"sms.{kind}", code=code)
    return say(f"mail.{kind}", code=code, inbox=inbox)
