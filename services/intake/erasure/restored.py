"""Hide erased cases again after a restore, before any entry point shows one: the eraser destroys them later (services/eraser)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka.errors import KafkaError
from starlette.types import ASGIApp, Receive, Scope, Send

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Act, Kind
from referral.domain.events import CaseErased
from referral.errors import Unavailable
from referral.runtime import observe
from referral.runtime.kafka import scan
from referral.runtime.keys import erasure_tag
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from services.intake.casefile import access
from services.intake.context import IntakeContext
from services.intake.erasure import store

EVERY = 2.0
"""Seconds between two turns (ours)."""
NEW = ("POST", "/v1/referrals")
"""The one request that is accepted while erasures are applied again: a new referral shows nothing."""


def _leave() -> Permit:
    return access.without_case(Who(Kind.SERVICE), Act.HIDE_ERASED)


class RestoredErasures:
    """The background work of one instance. Several may run at once: each step has the same effect when repeated. Rejected:
    `trust.toml` cannot be read, or names no key of intake."""

    def __init__(self, door: IntakeContext, settings: Settings) -> None:
        self._door, self._settings = door, settings
        self._erasers = erasure_tag.needed(settings)
        self._applied = False
        self._known = 0

    def not_ready(self) -> Mapping[str, str]:
        """Return the reasons why the service is not ready: the database may hold erased cases until the topic was read."""
        reasons = {}
        if not self._applied:
            reasons["erasures"] = "erasures are being applied again; if it stays, do database and broker answer?"
        return reasons

    def gate(self, app: ASGIApp) -> ASGIApp:
        """Return the application behind a gate that stays shut until erasures are applied again."""

        async def gated(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and not self._applied and (scope["method"], scope["path"]) != NEW:
                raise Unavailable("what applies erasures again after a restore")
            await app(scope, receive, send)

        return gated

    async def run(self) -> None:
        """Run turns until cancelled."""
        while True:
            try:
                await self.turn()
            except (KafkaError, OSError, TimeoutError, Unavailable) as error:
                observe.log().warning("erasures wait", service="intake", kind=type(error).__name__, where=observe.where(error))
            except Exception as error:
                kind = "away" if database.away(error) else "fault"
                observe.log().error("erasures wait", service="intake", reason=kind, kind=type(error).__name__, where=observe.where(error))
            await asyncio.sleep(EVERY)

    async def turn(self) -> None:
        """Run one turn: at the start, and once an older database was restored, read the erasures on the topic and hide their cases."""
        async with database.single(self._door.engine).connect() as tx:
            done = await store.done(tx, _leave())
        if done < self._known:  # rows of erasures are never deleted, so this is an older copy
            self._applied = False
        if not self._applied:
            await self._again()
            self._applied = True
        self._known = done

    async def _again(self) -> None:
        async with self._door.begin() as tx:
            start = await store.read_up_to(tx)
        ends: dict[int, int] = {}
        erasures = {}
        begin = {(CaseErased.TOPIC, partition): offset for partition, offset in start.items()}
        async for (topic, partition), record in scan.whole(self._settings, [CaseErased.TOPIC], begin):
            ends[partition] = record.offset + 1
            if (logged := erasure_tag.signed_erasure(self._erasers, topic, record.value or b"", record.timestamp)) is not None:
                erasures[logged[0].case_id] = logged
        async with self._door.begin() as tx:
            for meta, body in erasures.values():
                await store.restore(tx, _leave(), meta.cause_id, meta.case_id, body)
            await store.hide(tx, _leave())
            await store.have_read(tx, ends)
