"""The real line as those who live a year on it see it: doors, a clock that they move, and a look whether everything was said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx
from aiokafka import TopicPartition
from msgspec import Struct
from sqlalchemy import text

from referral.cli.stack.cast import Cast
from referral.domain.events import Meta
from referral.local.stack import Stack
from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys
from referral.runtime.postgres import bells, clock, database
from referral.wire import codec, seal
from tests.harness import callers
from tests.harness.waiting import until

LOOK_S = 0.01
ROUTING, INTAKE, NOTIFICATION = "referral-routing", "referral-intake", "referral-notification"
READS = (
    ("routing", INTAKE, "intake"),
    ("intake", ROUTING, "routing"),
    ("notifier", ROUTING, "routing"),
    ("routing", NOTIFICATION, "notifier"),
)
"""Who reads what by whom before anything else may happen."""
WAITS = {
    "intake.queue": "NOT sent",
    "routing.queue": "NOT sent",
    "intake.outbox": "true",
    "routing.outbox": "true",
    "notifier.outbox": "true",
    "routing.alarm": "at <= runtime.clock()",
}
OPEN = text(
    "SELECT json_build_object("
    + ", ".join(f"'{table}', (SELECT count(*) FROM {table} WHERE {which})" for table, which in WAITS.items())
    + ")::text AS waiting, (SELECT json_object_agg(service || '/' || unit, positions)::text FROM ("
    + " UNION ALL ".join(f"SELECT '{s}' AS service, unit, positions FROM {s}.lease" for s in ("intake", "routing", "notifier", "audit"))
    + ") AS leases) AS positions"
)
RELEASED = text(
    "SELECT count(DISTINCT month) FROM oversight.release WHERE published_at IS NOT NULL AND EXISTS (SELECT FROM audit.entry"
    " WHERE kind = 'FIGURE' AND key = convert_to('release/' || number, 'UTF8')"
    " AND idx < (SELECT max(size) FROM audit.checkpoint WHERE cosigned IS NOT NULL))"
)
BELL = text(f"SELECT pg_notify(({bells.channel(bells.of('routing', bells.QUEUE))}), '')")
Said = tuple[Meta, Struct]


class Line:
    """One stack. refused: what the doors did not take, by problem."""

    def __init__(self, stack: Stack, cast: Cast) -> None:
        self.stack, self.cast, self.refused = stack, cast, Counter[str]()
        self.http = callers.client(stack, base_url=stack.url("intake"), timeout=30)
        self._engine = database.admin(stack.settings)
        self._consumer = clients.consumer(stack.settings, auto_offset_reset="earliest")
        self._master = case_keys.read(stack.settings)
        self._keys: dict[str, bytes] = {}
        self._ends: Mapping[int, int] = {}

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        topic = self.stack.settings.topic(ROUTING)
        self._places = [TopicPartition(topic, n) for n in range(12)]
        self._consumer.assign(self._places)
        for place in self._places:
            self._consumer.seek(place, 0)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._consumer.stop()
        await self.http.aclose()
        await self._engine.dispose()

    async def now(self) -> int:
        async with self._engine.connect() as tx:
            return await clock.now(tx)

    async def until(self, at: int) -> int:
        """Let the drill clock come to this moment, unless it is past; what it shows then."""
        async with self._engine.begin() as tx:
            now = await clock.now(tx)
            moved = await clock.advance(tx, self.stack.settings, max(at - now, 0))
            await tx.execute(BELL)  # what is due now is looked at now
            return moved

    async def post(self, agency: str, path: str, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        """The answer of a door; empty where it was refused."""
        headers = {"Authorization": f"Bearer {self.cast.tokens[agency]}", "Idempotency-Key": key}
        return self._answer(await self._sent(path, json=body, headers=headers))

    async def person(self, login: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """As somebody of the cast, by login and password."""
        return self._answer(await self._sent(path, json=body, auth=httpx.BasicAuth(login, self.cast.password)))

    async def state(self, login: str, path: str) -> dict[str, Any]:
        """What somebody of the cast is shown there."""
        return self._answer(await self.http.get(path, auth=httpx.BasicAuth(login, self.cast.password)))

    async def _sent(self, path: str, **more: Any) -> httpx.Response:
        """As the SDK does: a connection that was lost (one that had been idle) is tried again under the same key."""
        try:
            return await self.http.post(path, **more)
        except httpx.TransportError:
            return await self.http.post(path, **more)

    def _answer(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.is_success:
            return dict(answer.json())
        problem = answer.json()
        assert answer.status_code < 500, problem
        self.refused[f"{answer.status_code} {problem.get('code')} {problem.get('where', '')}"] += 1
        return {}

    async def quiet(self) -> None:
        """Return when everything that was sent is decided upon, and every alarm that is due has gone off."""
        await self._read(READS)

    async def logged(self) -> None:
        """Return when audit has everything too."""
        await self._read((*READS, ("audit", INTAKE, "intake"), ("audit", ROUTING, "routing")))

    async def released(self, months: int) -> None:
        """Return when so many periods are released, published, and in the log below a checkpoint that witnesses have seen."""

        async def out() -> bool:
            async with self._engine.connect() as tx:
                return int((await tx.execute(RELEASED)).scalar_one()) >= months

        await until(out, what=f"{months} releases are out", pause=LOOK_S)

    async def _read(self, reads: tuple[tuple[str, str, str], ...]) -> None:
        waits: str | None = None

        async def done() -> bool:
            nonlocal waits
            waits = await self._waits(reads)
            return waits is None

        await until(done, what=lambda: f"the line stands still: {waits}", pause=LOOK_S)

    async def _waits(self, reads: tuple[tuple[str, str, str], ...]) -> str | None:
        async with self._engine.connect() as tx:
            row = (await tx.execute(OPEN)).one()
        if waiting := {where: count for where, count in json.loads(row.waiting).items() if count}:
            return f"waiting: {waiting}"
        positions = {unit: {k: v[0] for k, v in said.items()} for unit, said in json.loads(row.positions).items()}
        for reader, topic, writer in reads:
            for n in range(12):
                unit = f"{reader}/all" if reader == "audit" else f"{reader}/p{n}"
                end = positions[f"{writer}/p{n}"].get(f"{topic}/{n}", 0)
                if positions[unit].get(f"{topic}/{n}", 0) < end:
                    return f"{reader} has not read {topic}/{n}"
        self._ends = {n: positions[f"routing/p{n}"].get(f"{ROUTING}/{n}", 0) for n in range(12)}
        return None

    async def said(self) -> list[Said]:
        """What routing has said since the last look, up to when the line was quiet."""
        values: dict[bytes, None] = {}  # each once: a writer may have published the same bytes again
        while any([await self._consumer.position(place) < self._ends.get(place.partition, 0) for place in self._places]):
            for records in (await self._consumer.getmany(timeout_ms=1000)).values():
                values |= dict.fromkeys(record.value for record in records)
        opened = [seal.open(value) for value in values]
        new = {envelope.meta.case_id for envelope in opened} - self._keys.keys()
        if new:
            async with self._engine.connect() as tx:
                self._keys |= await self._master.load(tx, new)
        opened.sort(key=lambda one: one.meta.recorded_at)  # a case is raised in another partition than its own
        return [(one.meta, self._body(one)) for one in opened if one.meta.case_id in self._keys]

    def _body(self, one: seal.Envelope) -> Struct:
        return codec.decode(one.meta.type, one.meta.fingerprint, seal.unseal(self._keys[one.meta.case_id], ROUTING, one))
