"""Oversight's process: the only wiring."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from starlette.applications import Starlette

from referral.runtime import bundles, clock, database, erasure, kafka, keys
from referral.runtime.observe import Health, configure
from referral.runtime.serve import stand
from referral.runtime.settings import Settings, load
from services.oversight import counts, measures, pages
from services.oversight.closing import Closing
from services.oversight.courses import Courses
from services.oversight.making import Making
from services.oversight.reading import Reading
from services.oversight.suppress import K


async def main(settings: Settings) -> None:
    """Know what was released first: nothing is told twice in two ways."""
    configure()
    engine, doors = (database.engine(settings, "oversight", size=4) for _ in range(2))  # a crowd at the door keeps nobody from counting
    health = Health()
    master, followed, courses = keys.read(settings.master_key_file), bundles.follow(settings), Courses()
    reading = Reading(courses.note, erasure.needed_keys(settings))
    making = Making(courses, reading, lambda: followed.all if followed.caught_up else ())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(doors.dispose)
        async with engine.connect() as tx:
            await clock.check(tx, settings)
        probe = kafka.consumer(settings)
        stack.push_async_callback(kafka.halt, probe)
        await probe.start()
        closing = Closing(settings, engine, master, reading, health, probe, making.due, making.make)
        await closing.start()
        worker = counts.worker(settings, closing.take, closing.look)
        shown = pages.made(
            doors, making.policy, measures.load(K), drill=settings.drill_clock, secure=settings.is_secure(settings.public_url)
        )
        app, ended = Starlette(routes=shown.routes()), asyncio.Event()
        await stand("oversight", settings, health, app, lambda: counts.run(worker, ended), ended.set, [followed.run])


if __name__ == "__main__":
    asyncio.run(main(load()))
