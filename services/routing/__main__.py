"""Start the routing process; the only wiring of this service."""

from __future__ import annotations

import asyncio
from functools import partial

from referral.runtime import policy_feed
from referral.runtime.postgres import database
from referral.runtime.process import run, start
from referral.runtime.service import Service
from referral.runtime.settings import Settings
from services.routing.current_policy import CurrentPolicy
from services.routing.engine_failure import Breaker
from services.routing.handle import Routing
from services.routing.policy_publisher import publish


def service(rules: CurrentPolicy, breaker: Breaker, news: asyncio.Event, exercises: bool = True) -> Service:
    """Describe routing to the consumer loop: topics, handler, readiness.

    news: set when a bundle may wait for its publication. exercises: the database is for drills alone.
    """
    return Service(
        name="routing",
        reads=("referral-intake", "referral-notification"),
        writes="referral-routing",
        handler=Routing(rules, breaker, exercises),
        waits_for=("intake.waiting", "notifier.answered"),
        hears={policy_feed.CHANNEL: news.set},
        not_ready=breaker.not_ready,
    )


async def main(settings: Settings) -> None:
    """Run the consumer loop, and beside it the publisher of policies and the compiler of the one in force."""
    engine = database.engine(settings, "routing", size=2)
    rules = CurrentPolicy(policy_feed.trusted(settings))
    news = asyncio.Event()
    routing = service(rules, Breaker(), news, settings.drill_clock)
    await run(routing, background=(partial(publish, settings, engine, news), partial(rules.follow, engine)), settings=settings)


if __name__ == "__main__":
    start(main)
