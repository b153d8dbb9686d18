"""Destroy approved cases in the background: only after the log proves the entry, in repeatable steps, and again after a restore.

approved → the loop emits CaseErased → audit proves it → null on referral-keys → rows and key in one transaction. The rows show which step
is next, so a process that was killed at any point continues from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import httpx
from aiokafka.errors import KafkaError
from starlette.types import ASGIApp, Receive, Scope, Send

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Act, Kind
from referral.domain.events import CaseErased
from referral.errors import Malformed, Unavailable
from referral.runtime import observe, tls
from referral.runtime.kafka import clients, scan
from referral.runtime.keys import erasure_tag, key_topic
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from referral.wire import erasure_approval
from services.intake import audit_client
from services.intake.casefile import access
from services.intake.context import IntakeContext
from services.intake.erasure import store
from services.intake.erasure.store import Erasure

EVERY = 2.0
"""Seconds between two turns (ours): audit publishes a checkpoint within seconds."""
PART = 200
"""Cases (ours) that one transaction destroys: the loop and the doors wait for it, and a flood that is thrown away may be thousands."""
NEW = ("POST", "/v1/referrals")
"""The one request that is accepted while erasures are applied again: a new referral shows nothing."""


def _leave() -> Permit:
    return access.without_case(Who(Kind.SERVICE), Act.DESTROY_CASE)


class ErasureWorker:
    """The background worker of one instance. Several may run at once: each step has the same effect when repeated. Rejected: the witness
    policy cannot be read."""

    def __init__(self, door: IntakeContext, settings: Settings) -> None:
        self._door, self._settings = door, settings
        self._policy = erasure_tag.witness_policy(settings)
        self._erasers = erasure_approval.erasers(self._policy)
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
        """Run one turn: apply erasures again if an older database was restored, then destroy every case that is approved and logged."""
        async with database.single(self._door.engine).connect() as tx:
            done, waits = await store.state(tx, _leave())
        if done < self._known:  # rows of erasures are never deleted, so this is an older copy
            self._applied = False
        if self._applied and not waits:
            self._known = done
            return
        if not self._applied:
            await self._again()
            self._applied = True
        async with self._door.begin() as tx:
            waiting = await store.under_way(tx, _leave())
        if waiting:
            async with httpx.AsyncClient(
                base_url=self._settings.audit_url,
                timeout=audit_client.ANSWER_S,
                verify=tls.within(self._settings.tls, self._settings.audit_url),
            ) as audit:
                covered = [erasure.case_id for erasure in waiting if await self._proven(audit, erasure)]
            await self.destroy(covered)
        async with self._door.begin() as tx:
            self._known, _ = await store.state(tx, _leave())

    async def _proven(self, audit: httpx.AsyncClient, erasure: Erasure) -> bool:
        """Return True if the log contains this erasure, by a proof that satisfies the witness policy. After a false proof nothing is
        destroyed."""
        try:
            return await audit_client.covered(audit, self._door.keys, self._policy, erasure.event_id, erasure.case_id)
        except Malformed as error:
            hint = f"{error}: nothing is destroyed; find out who answers at REFERRAL_AUDIT_URL in the place of audit"
            observe.log().error("the proof of an erasure does not hold", service="intake", case_id=erasure.case_id, hint=hint)
            return False

    async def destroy(self, cases: Collection[str]) -> None:
        """Destroy cases: first the wrapped keys on `referral-keys`, the last place from which a restored copy could get them; then rows and
        keys."""
        if not cases:
            return
        async with clients.producer(self._settings) as producer:
            await key_topic.publish_tombstones(producer, self._settings, cases)
        ordered = sorted(cases)
        for begin in range(0, len(ordered), PART):
            part = ordered[begin : begin + PART]
            async with self._door.begin() as tx:
                await store.destroy(tx, _leave(), part)
            for case_id in part:
                observe.log().info("erased", service="intake", case_id=case_id)

    async def _again(self) -> None:
        """Destroy again every case that the topic or this database records as erased and that has come back.

        Only an erasure under way still waits for the log: its wrapped key is still on `referral-keys`, because that key is deleted first.
        """
        async with self._door.begin() as tx:
            start, gone = await store.read_up_to(tx), await store.destroyed(tx, _leave())
        ends: dict[int, int] = {}
        erasures = {}
        begin = {(CaseErased.TOPIC, partition): offset for partition, offset in start.items()}
        async for (topic, partition), record in scan.whole(self._settings, [CaseErased.TOPIC], begin):
            ends[partition] = record.offset + 1
            if (logged := erasure_tag.signed_erasure(self._erasers, topic, record.value or b"", record.timestamp)) is not None:
                erasures[logged[0].case_id] = logged
        wrapped = await key_topic.read(self._settings, cases=gone | erasures.keys()) if erasures or gone else {}
        async with self._door.begin() as tx:
            for meta, body in erasures.values():
                await store.restore(tx, _leave(), meta.cause_id, meta.case_id, body)
            returned = await store.again(tx, _leave(), gone | (erasures.keys() - wrapped.keys())) | (gone & wrapped.keys())
        await self.destroy(returned)
        async with self._door.begin() as tx:
            await store.have_read(tx, ends)
