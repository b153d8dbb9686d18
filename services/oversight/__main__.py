"""Start the oversight process; the only wiring of this service."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from starlette.applications import Starlette

from referral.runtime import authority, policy_feed, record_signing
from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys, erasure_tag
from referral.runtime.observe import Health
from referral.runtime.postgres import clock, database, rights, schema
from referral.runtime.process import stand, start
from referral.runtime.settings import Settings
from services.oversight import faust_worker
from services.oversight.counting.projection import Courses
from services.oversight.disclosure.suppress import K
from services.oversight.pages import naming, routes
from services.oversight.record_reader import RecordReader
from services.oversight.release_builder import ReleaseBuilder
from services.oversight.scheduler import ReleaseScheduler


async def main(settings: Settings) -> None:
    """Load the past releases before counting, so that no release is made twice with different figures."""
    engine, doors = (database.engine(settings, "oversight", size=4) for _ in range(2))  # pages must not starve counting
    health = Health()
    writers, _ = record_signing.writers(settings), record_signing.signer(settings, "oversight")  # without its key it does not start
    master, followed = case_keys.read(settings, "oversight"), policy_feed.follow(settings)
    reading = RecordReader(Courses(), erasure_tag.needed(settings))
    builder = ReleaseBuilder(reading, lambda: followed.all if followed.caught_up else ())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(doors.dispose)
        async with engine.connect() as tx:
            await clock.check(tx, settings)
            await schema.check(tx, "oversight")
            await rights.check(tx, "oversight")
        probe = clients.consumer(settings)
        stack.push_async_callback(clients.halt, probe)
        await probe.start()
        scheduler = ReleaseScheduler(settings, engine, master, builder, health, probe, writers)
        await scheduler.start()
        await faust_worker.begin(settings, scheduler.done)
        worker = faust_worker.worker(settings, scheduler)
        shown = routes.Pages(
            doors, builder.policy, naming.load(K), drill=settings.drill_clock, secure=settings.is_secure(settings.public_url)
        )
        app, ended = authority.checked("oversight", Starlette(routes=shown.routes())), asyncio.Event()
        background = [followed.run, lambda: shown.office.journal.run(doors)]
        await stand("oversight", settings, health, app, lambda: faust_worker.run(worker, ended), ended.set, background)


if __name__ == "__main__":
    start(main)
