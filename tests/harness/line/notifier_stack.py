"""A notifier without its loop, on a real database: batches are handed to `handle` as the loop would, and the queue is read as it would."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.channels.email import Email, Relay
from referral.channels.lane import LEASE_SECONDS, Lane
from referral.domain.events import EVENTS, OfferKind, OfferOpened, Reach, Why
from referral.domain.inputs import Due, Input, Source
from referral.roster import changes as roster
from referral.roster import log as roster_log
from referral.runtime.keys import case_keys as keys_
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock, database, queue
from referral.runtime.service import Batch, Outcome
from referral.runtime.settings import Settings
from referral.wire import codec
from services.notifier.duty import instant, local_day
from services.notifier.handle import Notifier
from services.notifier.hush import Hush
from services.notifier.metrics import Figures
from services.notifier.send import Sender

INBOX = "https://inbox.example/"
MINUTE = 60 * 1_000_000
_ACCOUNT = text(
    "INSERT INTO intake.account (id, login, password, agency, language, desk, disabled, created_at)"
    " VALUES (:id, :id, '', :agency, :language, false, false, 0) ON CONFLICT (id) DO UPDATE SET language = excluded.language"
)
_FIELDS: dict[str, Any] = {"passed": (), "engine": 1, "bundle": 1}
WHY = Why(**{name: _FIELDS.get(name, "") for name in Why.__struct_fields__})


@dataclass
class Stack:
    """One database. said: what the loop would have published. hush: as the handler's and the sender's."""

    settings: Settings
    engine: AsyncEngine
    admin: AsyncEngine
    keys: Keys
    said: list[Struct] = field(default_factory=list)
    alarms: dict[str, int | None] = field(default_factory=dict)
    hush: Hush | None = None

    async def case(self) -> str:
        """A new case with its key."""
        case_id = str(uuid.uuid4())
        async with self.admin.begin() as tx:
            await self.keys.create(tx, case_id)
        return case_id

    async def person(self, name: str, *, agency: str = "police", rung: str = "duty", language: str = "sq", email: bool = True) -> str:
        """Somebody at a rung, with an inbox account and an address that carries a marker."""
        account = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        address = f"marker.{name}@{agency}.example" if email else None
        async with self.admin.begin() as tx:
            await tx.execute(_ACCOUNT, {"id": account, "agency": agency, "language": language})
            await roster.add_person(tx, self.keys, account=account, agency=agency, rungs=[rung], email=address)
        return account

    async def account(self, account: str, agency: str, language: str = "sq") -> None:
        """An inbox account of somebody whom the notifier does not know yet."""
        async with self.admin.begin() as tx:
            await tx.execute(_ACCOUNT, {"id": account, "agency": agency, "language": language})

    @asynccontextmanager
    async def change(self) -> AsyncIterator[AsyncConnection]:
        """A change of the roster, as a command makes it."""
        async with self.admin.begin() as tx, roster_log.change(tx, self.settings):
            yield tx

    async def tell(self, case_id: str, *events: Struct, age: int = 0, drill: bool = False) -> Outcome:
        """Hand events of one case to the handler in one batch and commit it. age: µs since they were decided."""
        return await self.tell_all([(case_id, event, drill) for event in events], age)

    async def tell_all(self, told: Iterable[tuple[str, Struct, bool]], age: int = 0) -> Outcome:
        """Hand events to the handler in one batch and commit it. told: case, event, drill. age: µs since they were decided."""
        async with self.engine.begin() as tx:
            now = await clock.now(tx)
            source = Source(topic="referral-routing", partition=0, offset=0)
            made = [Input(id=str(uuid.uuid4()), case_id=c, body=e, source=source, at=now - age, drill=d) for c, e, d in told]
            return await self._batch(tx, made, now)

    async def due(self, case_id: str) -> Outcome:
        """The case's alarm, when it is due."""
        at = self.alarms[case_id]
        assert at is not None
        async with self.engine.begin() as tx:
            now = await clock.now(tx)
            assert at <= now, "the loop would not fire it yet"
            source = Source(topic="alarm")
            return await self._batch(tx, [Input(id=str(uuid.uuid4()), case_id=case_id, body=Due(at=at), source=source, at=now)], now)

    async def drain(self) -> list[Struct]:
        """What the sender queued, handed to the handler as the loop does. All events so far."""
        async with self.engine.begin() as tx:
            rows = (await tx.execute(text("SELECT * FROM queue WHERE NOT sent"))).all()
            keys = await self.keys.load(tx, [r.case_id for r in rows])
            made: list[Input] = []
            for row in sorted(rows, key=lambda r: r.n):
                body = codec.decode(row.type, row.fingerprint, queue.unseal(row.body, row.id, keys[row.case_id]))
                assert isinstance(body, EVENTS[row.type])
                made.append(Input(id=row.id, case_id=row.case_id, body=body, source=Source(topic="queue"), drill=row.drill))
            await self._batch(tx, made, await clock.now(tx))
            await tx.execute(text("UPDATE queue SET sent = true WHERE id = ANY(:ids)"), {"ids": [r.id for r in rows]})  # last, as the loop
        return self.said

    async def _batch(self, tx: Any, made: list[Input], now: int) -> Outcome:
        keys = await self.keys.load(tx, {i.case_id for i in made})
        outcome = await Notifier(self.hush).handle(tx, Batch(now=now, inputs=tuple(made), keys=keys, owned=frozenset()))
        self.said += [event for _, event in outcome.emitted]
        self.alarms |= outcome.alarms
        return outcome

    async def rows(self, sql: str, **values: object) -> list[Any]:
        async with self.admin.begin() as tx:
            result = await tx.execute(text(sql), values)
            assert result.returns_rows or not sql.startswith("SELECT"), "select a column: without one there are no rows to see"
            return list(result.all()) if result.returns_rows else []

    async def states(self) -> list[str]:
        return [row.state for row in await self.rows("SELECT state FROM notifier.delivery ORDER BY id")]

    async def now(self) -> int:
        async with self.admin.begin() as tx:
            return await clock.now(tx)

    async def advance(self, by: int) -> None:
        async with self.admin.begin() as tx:
            await clock.advance(tx, self.settings, by)

    async def by_day(self) -> None:
        """Pass time until Tuesday, ten in the morning: what can wait wakes nobody at night, whenever a test runs."""
        now = await self.now()
        today = local_day(now)
        await self.advance(instant(today + timedelta(days=7 - (today.weekday() - 1) % 7), 10 * 60) - now)

    def sender(self, port: int, lines: int = 4, lease: float = LEASE_SECONDS) -> Sender:
        relay = Relay("127.0.0.1", port, "inbox@referral.example")
        return self.sender_of({"email": Lane(lambda: Email(relay), lines, lease=lease)})

    def sender_of(self, lanes: Mapping[str, Lane]) -> Sender:
        return Sender(self.engine, self.keys, lanes, INBOX, Figures(CollectorRegistry()), hush=self.hush)


@asynccontextmanager
async def stack(url: str, master: Path, passwords: Path | None = None) -> AsyncIterator[Stack]:
    """passwords: folder of the roles' passwords, where the URL does not lead to them."""
    settings = Settings(kafka="", database=url, database_passwords=passwords, master_key_file=master, instance="test", drill_clock=True)
    made = Stack(settings, database.engine(settings, "notifier", size=20), database.admin(settings), keys_.read(settings))
    try:
        yield made
    finally:
        await made.engine.dispose()
        await made.admin.dispose()


@asynccontextmanager
async def sending(*senders: Sender) -> AsyncIterator[None]:
    """Senders that run for the length of a block."""
    tasks = [asyncio.create_task(s.run()) for s in senders]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


def opened(offer_id: str | None = None, **changes: Any) -> OfferOpened:
    """An offer to the police, to be acknowledged within the quarter of an hour."""
    values: dict[str, Any] = dict.fromkeys(OfferOpened.__struct_fields__, "")
    values |= dict.fromkeys(("shows", "words", "reasons", "codes", "needs", "skip"), ())
    values |= {"head": None, "why": WHY, "round": 0, "seat": 0, "kind": OfferKind.REQUEST, "reach": Reach.WEB, "rung": 0}
    values |= {"offer_id": offer_id or str(uuid.uuid4()), "track_id": str(uuid.uuid4()), "agency": "police", "ladder": ("duty", "back-up")}
    values |= {"due": 4_000_000_000_000_000, "due_what": "acknowledge"}
    return OfferOpened(**(values | changes))


def of(said: Iterable[Struct], kind: type) -> list[Any]:
    return [event for event in said if type(event) is kind]


async def ended(notifier: Stack, count: int) -> bool:
    """Whether so many deliveries are there, and all have ended."""
    states = await notifier.states()
    return len(states) == count and "WAITING" not in states
