"""A whole line for tests: two instances of each service, a drill clock, agencies that ask and answer, and the log read back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from referral.cli import connection
from referral.cli.stack import up
from referral.local.config import StackConfig
from referral.local.stack import Stack
from referral.proof.entry import SEQUENCED
from referral.proof.history.case import unseal
from referral.proof.verify.log import verify
from referral.proof.verify.report import Report
from referral.runtime.postgres import clock
from referral.runtime.settings import Settings
from tests.faults.load import SENDER, Json, Load
from tests.harness import callers, waiting
from tests.harness.waiting import PATIENCE_S, until

Event = TypeVar("Event", bound=Struct)
MINUTE = 60_000_000
ENTRIES = "SELECT count(*) FROM audit.entry WHERE case_id = :case"
TRAITS: Json = {"concern": "trafficking", "age": "child", "found_in": "prishtine", "urgency": "urgent", "sex": "female"}


class Line:
    """One running stack. cast: its made-up people and tokens."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self.stack, self.http, self.door = stack, http, Load(stack, seed=1)
        self.cast = self.door.cast
        self.admin = create_async_engine(stack.settings.database, pool_pre_ping=True)  # the database is killed and comes back

    async def refer(self, key: str, **more: Any) -> Json:
        """The receipt of a new referral."""
        body = {"traits": TRAITS, "drill": True, **more}
        answer = await self.door.send(self.http, SENDER, "/v1/referrals", key, body)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def offer(self, agency: str, case_id: str, step: str) -> Json:
        """The open offer of a step that an agency holds, once it is there."""

        async def look() -> Json | None:
            found = await self.door.ask(self.http, agency, "/v1/offers")
            return next((o for o in found.json()["offers"] if (o["case_id"], o["step"]) == (case_id, step)), None)

        return await until(look, what=f"{agency} is asked for {step}")

    async def respond(self, agency: str, offer_id: str, word: str, **more: Any) -> Json:
        """The receipt of an answer."""
        key = f"{offer_id}-{word}"
        answer = await self.door.send(self.http, agency, f"/v1/offers/{offer_id}/responses", key, {"word": word, **more})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def answers(self, agency: str, case_id: str, step: str, word: str, **more: Any) -> str:
        """Answer the offer of a step as soon as it is there; the offer's id."""
        offer = await self.offer(agency, case_id, step)
        await self.respond(agency, offer["offer_id"], word, **more)
        return str(offer["offer_id"])

    async def pass_time(self, minutes: float) -> None:
        """Let the drill clock jump."""
        async with self.admin.begin() as tx:
            await clock.advance(tx, self.stack.settings, int(minutes * MINUTE))

    async def said(self, case_id: str, kind: type[Event], **fields: Any) -> list[Event]:
        """What the log holds of a case: events of one type with these fields, in order."""

        async def read(tx: AsyncConnection, found: Settings) -> list[Any]:
            keys = await connection.case_keys(tx, found, [case_id])
            return [unseal(x, keys[case_id]).body for x in await connection.of_case(tx, case_id) if x.kind in SEQUENCED]

        bodies = await asyncio.to_thread(connection.ask, read, self.stack.settings)
        return [b for b in bodies if isinstance(b, kind) and all(getattr(b, name) == value for name, value in fields.items())]

    async def logged(self, case_id: str, kind: type[Event], count: int = 1, **fields: Any) -> list[Event]:
        """The same, once there are so many."""

        entries = 0

        async def look() -> list[Event] | None:
            nonlocal entries
            before, ((entries,),) = entries, await self.rows(ENTRIES, case=case_id)
            found = await self.said(case_id, kind, **fields) if entries > before else []
            return found if len(found) >= count else None

        return await until(look, what=f"{count} {kind.__name__} {fields}")

    async def verified(self) -> Report:
        """What `audit verify` finds in the whole log, once a heartbeat says that its clocks are a drill's."""
        beats = "SELECT 1 FROM audit.entry WHERE kind = 'HEARTBEAT'"
        await until(lambda: self.rows(beats), what="audit has said that it is a drill")

        async def read(tx: AsyncConnection, found: Settings) -> Report:
            return verify([x async for x in connection.entries(tx)], await connection.case_keys(tx, found))

        return await asyncio.to_thread(connection.ask, read, self.stack.settings)

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        """Of a statement by the administrator."""
        async with self.admin.begin() as tx:
            result = await tx.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    async def ready(self) -> None:
        """Until everything runs, also what a test had held or stopped."""
        processes = self.stack.processes.values()
        try:
            async with asyncio.timeout(2 * PATIENCE_S):
                for process in processes:
                    if process.state == "paused":
                        await process.resume()
                await asyncio.gather(*(process.release() for process in processes if process.state == "down"))
                for process in processes:
                    await process.ready()
        except TimeoutError:
            late = [process for process in processes if process.state != "ready"]
            said = "\n".join(f"{p.name}: {p.state}, {p.restarts} restarts, {p.trouble}\n{waiting.end(p.server.log)}" for p in late)
            raise AssertionError(f"not ready:\n{said}") from None


@asynccontextmanager
async def running(config: StackConfig) -> AsyncIterator[Line]:
    """A line on a stack of its own."""
    async with up.running(config) as stack, callers.client(stack, timeout=8) as http:
        line = Line(stack, http)
        try:
            yield line
        finally:
            await line.admin.dispose()
