"""Fill up the block, sign its root, store the checkpoint, ask the witnesses, publish: on each beat (beat.py), and no other root ever.

The first three are one transaction, so a crash signs the same root again or none. Appending waits for no witness. The published
checkpoint is the newest that a quorum has cosigned.
"""

from __future__ import annotations

import asyncio
import os

import httpx
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.errors import Malformed, ReadOnly, Unavailable, Unproven
from referral.proof import cover
from referral.proof.entry import Kind
from referral.runtime.loop import lease
from referral.runtime.loop.units import ALL
from referral.runtime.observe import log, where
from referral.runtime.postgres import bells, clock, database
from referral.tlog import merkle, note
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from referral.tlog.note_keys import SignerKey
from referral.tlog.witness_policy import Policy
from services.audit import beat, checkpoints, news
from services.audit.checkpoints import Head, Signed
from services.audit.handle import Audit
from services.audit.ingest import Says
from services.audit.witnesses import Fork, Witness

PACE_S = 0.5
"""Seconds between two checkpoints of a log without a beat (ours): a busy one fills two blocks a second, a quiet one none."""
AGAIN_S = 1.0
"""Seconds until witnesses that made no quorum are asked again, and until a lost database is retried (ours)."""
IDLE_S = 5.0
"""Polling interval without a notification (ours): a listener may miss one, and a lease may come to this instance."""
ALARM_S = 60
"""Seconds without a quorum that raise an alarm (AUDIT.md §2): a holder of the log's key could rewrite everything above the last
witnessed size."""

SIZE = Gauge("referral_audit_size", "Entries that are signed, and those that a quorum has cosigned.", ["by"])
"""Worry when the two differ for a minute."""
UNWITNESSED = Gauge("referral_audit_unwitnessed_seconds", "How long the oldest entry that no quorum has seen has been signed.")
"""Worry above 60: see the witnesses. Entries are appended all the same."""
REFUSED = Counter("referral_audit_witness_failures", "Checkpoints that a witness did not cosign.", ["witness", "why"])
"""Worry at `fork`, at once: a witness has another history of this log. `away`: ask the operator of the witness."""


class Publisher:
    """Publisher of one log.

    policy: its witnesses with their addresses. audit: the handler, which appends cover entries and has the reasons why audit is not ready.
    beat_s: seconds between two checkpoints; 0: one as soon as anything is logged.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        key: SignerKey,
        policy: Policy,
        instance: str,
        client: httpx.AsyncClient,
        audit: Audit,
        beat_s: int,
    ) -> None:
        self._engine, self._key, self._policy, self._me = engine, key, policy, instance
        self._audit, self._not_ready, self._beat_s = audit, audit.not_ready, beat_s
        self._witnesses = [Witness(party, client) for party in policy.witnesses if party.url]
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._claims: set[str] = set()
        self._since: float | None = None
        self._alarmed = 0.0

    async def check(self) -> None:
        """Check for a fork at the start. ReadOnly: a witness shows our signature under another tree; nothing is appended to a fork.

        A witness that is away, or claims a fork without proof, stops nothing, unless the others make no quorum.
        """
        signed = await self._patiently()
        async with asyncio.TaskGroup() as group:
            for witness in self._witnesses:
                group.create_task(self._ask(witness, signed))
        if "fork" in self._not_ready:
            raise ReadOnly(self._not_ready["fork"])

    async def _patiently(self) -> Signed:
        while True:
            try:
                async with self._engine.begin() as tx:
                    return (await self._newest(tx))[0]
            except Exception as error:
                if not database.away(error):
                    raise
                log().error("publisher", service="audit", reason="database away", kind=type(error).__name__, where=where(error))
                await asyncio.sleep(AGAIN_S)

    async def run(self) -> None:
        """Publish until cancelled. ReadOnly: this log is a fork."""
        while True:
            try:
                await (self._beating() if self._beat_s else self._listening())
            except ReadOnly as error:
                self._not_ready.setdefault("fork", str(error))
                raise
            except Exception as error:
                if not (database.away(error) or isinstance(error, Unavailable)):
                    raise
                log().error("publisher", service="audit", reason="database away", kind=type(error).__name__, where=where(error))
                await asyncio.sleep(AGAIN_S)

    async def _beating(self) -> None:
        """Publish on each beat. No notification is heard: the moment of a checkpoint must not follow from what is logged."""
        while True:
            async with self._engine.connect() as tx:
                ours = await checkpoints.owner(tx) == self._me
            done = not ours or await self.round()
            async with self._engine.connect() as tx:
                rest = beat.left(await clock.now(tx), self._beat_s)
            await asyncio.sleep(min(rest, IDLE_S if done else AGAIN_S))

    async def _listening(self) -> None:
        """Publish as soon as anything is logged."""
        async with news.listening(self._engine, bells.HEAD) as heard:
            while heard.alive:
                heard.clear()
                async with self._engine.connect() as tx:
                    ours = await checkpoints.owner(tx) == self._me
                done = not ours or await self.round()
                await asyncio.sleep(PACE_S)
                await heard.wait(IDLE_S if done else AGAIN_S)
        raise Unavailable("the database")

    async def round(self) -> bool:
        """Sign a new root if it is time, and ask the witnesses that are free. Return whether the newest checkpoint is published."""
        signed = await self._sign()
        self._free()
        if signed.cosigned is None:
            for witness in self._witnesses:
                if witness.name not in self._busy:
                    self._busy[witness.name] = asyncio.get_running_loop().create_task(self._ask(witness, signed))
            signed = await self._quorum(signed)
        if "fork" in self._not_ready:
            raise ReadOnly(self._not_ready["fork"])
        self._watch(signed)
        return signed.cosigned is not None

    async def _sign(self) -> Signed:
        """Return the newest checkpoint; if it is time for another, fill up the block and sign its root."""
        async with self._engine.begin() as tx:
            kept, head = await self._newest(tx)
            if await self._due(tx, kept, head) and await lease.held(tx, self._me, ALL) is not None:
                kept, head = await self._newest(tx)  # the lease is locked: nobody else appends from here on
                if await self._due(tx, kept, head):
                    kept = await self._seal(tx, kept, head)
        SIZE.labels("log").set(kept.size)
        return kept

    async def _due(self, tx: AsyncConnection, kept: Signed, head: Head) -> bool:
        return beat.due(head.size, kept.size, kept.at, await clock.now(tx), self._beat_s)

    async def _newest(self, tx: AsyncConnection) -> tuple[Signed, Head]:
        """Return the newest checkpoint, at first that of the empty log, and the committed tree. ReadOnly: they do not belong together."""
        head = await checkpoints.head(tx)
        if head.signed is None:
            return await self._insert(tx, 0, merkle.EMPTY), head
        if head.signed > head.size:
            raise ReadOnly(f"this log has signed {head.signed} entries and holds {head.size}: its tables do not belong together")
        if head.signed == head.size and head.signed_root != head.root:
            raise ReadOnly(f"another root was signed for {head.size} entries; one of the two histories is false")
        return await checkpoints.of_size(tx, head.signed), head

    async def _seal(self, tx: AsyncConnection, kept: Signed, head: Head) -> Signed:
        """Append cover entries up to the end of a block, and sign its root. ReadOnly: the tables do not make the committed root."""
        try:
            await checkpoints.carried(tx, head)
            now = await clock.now(tx)
            await self._audit.append(tx, now, ())  # what audit says itself, if that is not logged yet
            size = (await checkpoints.head(tx)).size
            filling = [Says(Kind.COVER, os.urandom(cover.BYTES)) for _ in range(beat.cover(size, kept.size))]
            await self._audit.append(tx, now, (), filling)
        except Malformed as error:
            raise ReadOnly(f"what would be signed for {head.size} entries is not what the log holds: {error}") from None
        full = await checkpoints.head(tx)
        return await self._insert(tx, full.size, full.root)

    async def _insert(self, tx: AsyncConnection, size: int, root: bytes) -> Signed:
        checkpoint = Checkpoint(self._key.name, size, root)
        kept = await checkpoints.insert(tx, checkpoint, checkpoint.sign(self._key).encode(), await clock.now(tx))
        if self._policy.satisfied(frozenset()):
            await checkpoints.collect(tx, size, kept.note, quorum=True)
            kept = await checkpoints.of_size(tx, size)
        return kept

    async def _quorum(self, signed: Signed) -> Signed:
        """Wait until there is a quorum, or no witness is left to wait for."""
        while (now := await self._now(signed)).cosigned is None and self._busy:
            await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)
            self._free()
        return now

    def _free(self) -> None:
        """Release witnesses that have answered, so that they can be asked again."""
        for name, task in list(self._busy.items()):
            if task.done():
                del self._busy[name]
                task.result()

    async def _now(self, signed: Signed) -> Signed:
        async with self._engine.connect() as tx:
            newest = await checkpoints.cosigned(tx)
        return newest if newest is not None and newest.size >= signed.size else signed

    async def _ask(self, witness: Witness, signed: Signed) -> None:
        """Ask one witness, and store its signature."""
        checkpoint, plain = Checkpoint(self._key.name, signed.size, signed.root), note.parse(signed.note)
        try:
            cosignatures = await witness.ask(checkpoint, plain, self._proof, self._key.verifier)
            await self._keep(signed.size, Note(plain.text, cosignatures))
        except Fork as fork:
            await self._forked(witness.name, fork)
        except (Unavailable, Malformed) as error:
            self._failed(witness.name, "away" if isinstance(error, Unavailable) else "malformed", str(error))
        except Exception as error:
            if not database.away(error):
                raise
            self._failed(witness.name, "database", type(error).__name__)
        else:
            self._claims.discard(witness.name)

    async def _keep(self, size: int, cosigned: Note) -> None:
        """Add signatures to the stored ones; with a quorum the checkpoint is published."""
        async with self._engine.begin() as tx:
            kept = await checkpoints.locked(tx, size)
            before = note.parse(kept.collected or kept.note)
            # keep the newest signature of each key: a witness that is asked each second, until others return, would fill the note
            signatures = {(signature.name, signature.id): signature for signature in (*before.signatures, *cosigned.signatures)}
            names = {party.name for party in self._policy.witnesses if (party.key.name, party.key.id) in signatures}
            collected = Note(before.text, tuple(signatures.values())).encode()
            await checkpoints.collect(tx, size, collected, quorum=self._policy.satisfied(names))

    async def _proof(self, old: int, new: int) -> list[bytes]:
        async with self._engine.connect() as tx:
            return await checkpoints.consistency(tx, old, new)

    async def _forked(self, name: str, fork: Fork) -> None:
        """Handle a fork: a proof stops the log, a claim only if the witnesses without a claim make no quorum."""
        if fork.shown is not None and await self._contradicted(fork.shown):
            self._not_ready["fork"] = (
                f"{fork}, and shows it with this log's own signature: this is a fork, or an old copy; see docs/operators.md"
            )
        else:
            async with self._engine.connect() as tx:
                if fork.shown is not None and fork.shown.size <= (await checkpoints.head(tx)).size:
                    return  # another instance of ours was faster
            self._claims.add(name)
            if not self._policy.satisfied({party.name for party in self._policy.witnesses} - self._claims):
                self._not_ready["fork"] = f"{fork}, and without those who say so there is no quorum; see docs/operators.md"
        self._failed(name, "fork", str(fork))

    async def _contradicted(self, shown: Checkpoint) -> bool:
        """Return whether a checkpoint with our signature is not of this log."""
        if shown.size == 0:  # every log signs the empty tree first: no contradiction, no consistency proof
            return shown.root != merkle.EMPTY
        async with self._engine.connect() as tx:
            head = await checkpoints.head(tx)
            if shown.size > head.size:
                return True
            proof = await checkpoints.consistency(tx, shown.size, head.size)
        try:
            merkle.check_consistency(shown.size, head.size, proof, shown.root, head.root)
        except Unproven:
            return True
        return False

    def _failed(self, name: str, why: str, hint: str) -> None:
        REFUSED.labels(name, why).inc()
        (log().error if why == "fork" else log().warning)("witness", service="audit", reason=why, hint=hint)

    def _watch(self, signed: Signed) -> None:
        """Measure the time without a quorum for the newest entries; raise an alarm each minute."""
        now = asyncio.get_running_loop().time()
        if signed.cosigned is not None:
            SIZE.labels("quorum").set(signed.size)
            self._since = None
        elif self._since is None:
            self._since = now
        waited = 0.0 if self._since is None else now - self._since
        UNWITNESSED.set(waited)
        if waited > ALARM_S and now - self._alarmed > ALARM_S:
            self._alarmed = now
            log().error("audit alarm", service="audit", reason="no-quorum", seconds=int(waited), number=signed.size)
