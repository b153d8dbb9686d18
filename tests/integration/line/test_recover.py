"""The database is set back to an older copy with Kafka ahead: units stop, `recover` puts back what the topics prove, the line goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import pytest
from msgspec import structs
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection as log
from referral.cli.admin.doctor import installation
from referral.cli.admin.doctor.checks import diagnose
from referral.cli.admin.doctor.facts import gather
from referral.cli.admin.doctor.result import Result
from referral.domain.events import OfferAccepted, OfferOpened, Word
from referral.proof.verify.log import verify
from referral.runtime import bootstrap
from referral.runtime.recovery import recover
from referral.runtime.recovery.recover import Hook
from referral.runtime.recovery.topic_snapshot import Tape
from referral.runtime.settings import Settings
from referral.wire import topics
from services.audit.recover import hook as audit
from services.intake.recover import hook as intake
from services.notifier.recover import hook as notifier
from services.routing.recover import hook as routing
from tests.harness.line.routing_stack import Line, answer, new_id, referral, running
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


async def copied(settings: Settings) -> Settings:
    """The same stack on a copy of its database as it is now."""
    url = make_url(settings.database)
    name = f"{url.database}_copy"
    connection = await asyncpg.connect(
        settings.database.replace("postgresql+asyncpg://", "postgresql://", 1).replace(f"/{url.database}", "/postgres", 1)
    )
    try:
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", url.database)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {url.database}")
    finally:
        await connection.close()
    copy = structs.replace(settings, database=url.set(database=name).render_as_string(hide_password=False))
    await bootstrap.prepare_database(copy)  # as after every restore
    return copy


async def test_a_database_set_back_goes_on_without_loss_or_repetition(settings: Settings) -> None:
    old, new = new_id(), new_id()
    async with running(settings, "r1") as line:
        await line.activate()
        await line.post(old, referral())
        (police,) = await line.wait_for(old, OfferOpened, step="police")
    await line.post(old, answer(police, Word.ACKNOWLEDGE))  # waits in the queue while the copy is made
    copy = await copied(settings)

    async with running(settings, "r2") as line:
        await line.post(new, referral())
        (asked,) = await line.wait_for(new, OfferOpened, step="police")
        await line.post(old, answer(police, Word.ACCEPT))
        await line.post(new, answer(asked, Word.ACCEPT))
        (first,) = await line.wait_for(new, OfferOpened, step="support")
        await line.wait_for(old, OfferAccepted)
        before = {case_id: [r.body_bytes for r in await line.reads(case_id)] for case_id in (old, new)}

    async with running(copy, "r3") as line:
        await until(lambda: stopped(line))
        for service, hook in (("routing", routing), ("intake", intake), ("notifier", notifier), ("audit", audit)):
            held = list[set[int]]()
            counts = await recover.recover(copy, service, partial(watched, hook, held))
            assert len(held) == (0 if service == "audit" else topics.PARTITIONS) and all(len(numbers) <= 1 for numbers in held)
            if service == "routing":
                assert (counts["cases"], counts["cases without a key"], counts["bundles"]) == (2, 0, 1)
        await until(lambda: going(line))
        assert {case_id: [r.body_bytes for r in await line.reads(case_id)] for case_id in (old, new)} == before
        await line.post(new, answer(first, Word.ACCEPT))
        await line.wait_for(new, OfferAccepted, offer_id=first.offer_id)
        await line.logged()
        async with line.admin() as tx:
            report = verify([e async for e in log.entries(tx)], await log.case_keys(tx, copy))
            facts, beside = await gather(tx, copy), await installation.examine(tx, copy)
        facts.unlogged = []  # this line's audit has no task that logs the act of `policy activate`, which a busy machine makes late
        checks = {c.name: c for c in (*diagnose(facts), *beside)}
        assert report.exit_code() == 0, report.findings
        bad = {name: c.said for name, c in checks.items() if c.result not in (Result.GOOD, Result.WARN) and name != "leases"}
        assert not bad


async def watched(hook: Hook, held: list[set[int]], tx: AsyncConnection, settings: Settings, tapes: AsyncIterator[Tape]) -> dict[str, int]:
    """A service's hook; `held` gets the partition numbers of each tape."""

    async def each() -> AsyncIterator[Tape]:
        async for tape in tapes:
            held.append({taped.place[1] for taped in tape.all})
            yield tape

    return await hook(tx, settings, each())


async def stopped(line: Line) -> bool:
    return all("stopped" in line.loops[name][0].health.not_ready() for name in ("r3", "i1"))


async def going(line: Line) -> bool:
    return not any(loop.health.not_ready() for loop, _ in line.loops.values())
