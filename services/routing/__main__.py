"""Routing's process: the only wiring."""

from __future__ import annotations

import asyncio
from functools import partial

from referral.runtime import database
from referral.runtime.service import Service, run
from referral.runtime.settings import Settings, load
from services.routing.failure import Breaker
from services.routing.handle import Routing
from services.routing.publish import publish
from services.routing.rules import Rules


def service(rules: Rules, breaker: Breaker) -> Service:
    """What the loop is told about routing."""
    routing = Routing(rules, breaker)
    return Service(
        name="routing",
        reads=("referral-intake", "referral-notification"),
        writes="referral-routing",
        handle=routing.handle,
        fallback=routing.ask_person,
        waits_for="intake.waiting",
        against=breaker.against,
    )


async def main(settings: Settings) -> None:
    engine = database.engine(settings, "routing", size=2)
    await run(service(Rules(), Breaker()), background=(partial(publish, settings, engine),), settings=settings)


if __name__ == "__main__":
    asyncio.run(main(load()))
