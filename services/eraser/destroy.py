"""Destroy the keys and rows of erased cases in the background, in two steps a day apart, and trust nobody's word for it.

On `referral-intake` with two approvals → in the log, as witnesses have signed it → keys retired → a day → keys and rows destroyed → null
on `referral-keys`. The rows show which step is next, so a process that was killed at any point continues from there.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Mapping, Sequence

import httpx
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine

from referral.domain.events import CaseErased
from referral.errors import Malformed, NewerVersion, Rejected, Unavailable
from referral.proof import receipt
from referral.runtime import observe, tls, trust_file
from referral.runtime.background import pause
from referral.runtime.kafka import clients, scan
from referral.runtime.keys import erasure_tag, key_topic, log_proof
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock, database, rights, schema
from referral.runtime.settings import Settings
from services.eraser import store
from services.eraser.store import Found

NAME = "eraser"
EVERY_S = 2.0
"""Seconds between two turns (ours): audit publishes a checkpoint within seconds."""
ANSWER_S = 5.0
"""Seconds to wait for audit (ours); it is asked again in the next turn."""
PART = 200
"""Cases (ours) of one transaction: a flood that is thrown away may be thousands."""
ROLL_S = 3600.0
"""Seconds between two segments of the key topic (ours): an erased key leaves the broker's disks within three hours."""


class Eraser:
    """The work of the process. Several may run at once: each step has the same effect when repeated. Rejected: `trust.toml` cannot be
    read, or names no key of intake."""

    def __init__(self, engine: AsyncEngine, keys: Keys, settings: Settings) -> None:
        self._engine, self._keys, self._settings = engine, keys, settings
        self._policy, self._erasers = trust_file.read(settings).witness_policy, erasure_tag.needed(settings)
        self._applied, self._known, self._rolled = False, 0, -math.inf
        self._ended = asyncio.Event()

    def not_ready(self) -> Mapping[str, str]:
        """Return the reasons why the process is not ready."""
        reasons = {}
        if not self._applied:
            reasons["erasures"] = "it has not read the topic for erasures yet; if it stays, do database and broker answer?"
        if not self._erasers.approvers:
            reasons["approvers"] = "`trust.toml` puts approvers off, so nothing is destroyed: name two (`referral case key`)"
        return reasons

    def end(self) -> None:
        """Let `run` return after its turn."""
        self._ended.set()

    async def run(self, health: observe.Health) -> None:
        """Run turns until ended."""
        while not self._ended.is_set():
            try:
                await self.turn()
                health.green("start")
            except (KafkaError, OSError, TimeoutError, Unavailable) as error:
                observe.log().warning("erasures wait", service=NAME, kind=type(error).__name__, hint=str(error) or None)
            except Exception as error:
                kind = "away" if database.away(error) else "fault"
                observe.log().error("erasures wait", service=NAME, reason=kind, kind=type(error).__name__, where=observe.where(error))
            await pause(self._ended, EVERY_S)

    async def turn(self) -> None:
        """Copy new keys, find erasures, and take the next step of each that is ready for it."""
        if not self._applied:
            await self._check()
        hourly = time.monotonic() - self._rolled > ROLL_S
        await self._copy(roll=hourly)
        async with self._engine.begin() as tx:
            done, unknown = await store.state(tx)
        if done < self._known:  # rows of erasures are never deleted, so this is an older copy
            self._applied = False
        if self._erasers.approvers and (unknown or hourly or not self._applied):
            await self._find()
        if not self._applied:
            async with self._engine.begin() as tx:
                for case_id in await store.came_back(tx):
                    observe.log().warning("an erased case has come back", service=NAME, case_id=case_id)
            self._applied = True
        if self._erasers.approvers:
            await self._prove()
            await self._retire()
            await self._destroy()
        self._known = done

    async def _check(self) -> None:
        """Check clock, tables and rights. FalseClock, OlderSchema, WithoutRights, Misconfigured."""
        async with self._engine.connect() as tx:
            await clock.check(tx, self._settings)
            await schema.check(tx, NAME)
            await rights.check(tx, NAME)

    async def _copy(self, *, roll: bool) -> None:
        """Copy new keys to `referral-keys`, so that they outlast `referral-new-keys`. roll: let the broker close its segment."""
        while True:
            async with self._engine.begin() as tx:
                forms = await store.uncopied(tx, PART)
                cases = {case_id for case_id, _, _ in forms}
                if forms or roll:
                    async with clients.producer(self._settings) as producer:
                        await key_topic.copy(producer, self._settings, forms)
                        if roll:
                            await key_topic.roll(producer, self._settings)
                            self._rolled, roll = time.monotonic(), False
                if cases:
                    await store.copied(tx, cases)
            if len(cases) < PART:
                return

    async def _find(self) -> None:
        """Read `referral-intake` on, and store each erasure that intake and two approvers have signed."""
        async with self._engine.begin() as tx:
            start = await store.read_up_to(tx)
        ends, found = dict[int, int](), list[Found]()
        begin = {(CaseErased.TOPIC, partition): offset for partition, offset in start.items()}
        async for (topic, partition), record in scan.whole(self._settings, [CaseErased.TOPIC], begin):
            ends[partition] = record.offset + 1
            value = record.value or b""
            if (signed := erasure_tag.signed_erasure(self._erasers, topic, value, record.timestamp)) is not None:
                found.append(Found(signed[0].case_id, signed[0].event_id, hashlib.sha256(value).hexdigest()))
        async with self._engine.begin() as tx:
            await store.found(tx, found, ends)

    async def _prove(self) -> None:
        """Ask audit for the proof of each new erasure, and check it by the witnesses whom we believe."""
        async with self._engine.begin() as tx:
            unproven = await store.unproven(tx)
        if not unproven:
            return
        url = self._settings.audit_url
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S, verify=tls.within(self._settings.tls, url)) as log:
            for one in unproven:
                if await self._covered(log, one):
                    async with self._engine.begin() as tx:
                        await store.proven(tx, one)

    async def _covered(self, log: httpx.AsyncClient, one: Found) -> bool:
        """Return whether witnesses have signed a log with this very record. After a false proof nothing is destroyed."""
        try:
            proof = await log_proof.fetch(log, self._keys, one.event_id)
        except (Rejected, Unavailable):
            return False
        try:
            entry = receipt.check({"event_id": one.event_id, "case_id": one.case_id}, proof.encode(), self._policy)
            if entry.sha256 != one.sha256:
                raise Malformed("proof", "it proves another record under this id")
        except (Malformed, NewerVersion) as error:
            hint = f"{error}: nothing is destroyed; find out who answers at REFERRAL_AUDIT_URL in the place of audit"
            observe.log().error("the proof of an erasure does not hold", service=NAME, case_id=one.case_id, hint=hint)
            return False
        return True

    async def _retire(self) -> None:
        """Take the first step for every proven erasure of a case that is closed."""
        async with self._engine.begin() as tx:
            waiting = await store.new(tx)
        for case_id in (case_id for case_id, open_ in waiting.items() if open_):
            hint = "two approvers signed its erasure while intake has it as open: nothing is destroyed; ask both, and close the case"
            observe.log().error("the erasure of an open case waits", service=NAME, case_id=case_id, hint=hint)
        for part in parts([case_id for case_id, open_ in waiting.items() if not open_]):
            async with self._engine.begin() as tx:
                await store.retire(tx, part)
            for case_id in part:
                observe.log().info("retired", service=NAME, case_id=case_id)

    async def _destroy(self) -> None:
        """Take the second step for what was retired a day ago: the rows and keys, then the wrapped keys on `referral-keys`."""
        async with self._engine.begin() as tx:
            due = await store.due(tx)
        for part in parts(due):
            async with self._engine.begin() as tx:
                await store.destroy(tx, part)
            async with clients.producer(self._settings) as producer:
                await key_topic.publish_tombstones(producer, self._settings, part)
            async with self._engine.begin() as tx:
                await store.done(tx, part)
            for case_id in part:
                observe.log().info("erased", service=NAME, case_id=case_id)


def parts(cases: Sequence[str]) -> list[Sequence[str]]:
    """Return the cases in parts, each for one transaction."""
    return [cases[begin : begin + PART] for begin in range(0, len(cases), PART)]
