"""Start a watchman process; the only wiring of this service. It has no loop, no master key and no topic: it looks, and calls."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import NamedTuple
from urllib.parse import urlsplit

from referral.channels import handset, voice
from referral.channels.email import Email, relay
from referral.channels.handset import Handset
from referral.channels.lane import Lane
from referral.channels.voice import Voice, trunk
from referral.errors import Rejected
from referral.runtime.observe import Health, configure
from referral.runtime.process import stand
from referral.runtime.settings import Settings, load
from services.watchman import operators, settings
from services.watchman.caller import Caller
from services.watchman.door import Ear
from services.watchman.look import Sources
from services.watchman.metrics import Figures
from services.watchman.reach import Server
from services.watchman.settings import Own
from services.watchman.watch import Watchman

LOUDNESS = ("email", "sms", "voice")
"""Channels, the loudest last. The loudest that is set up is the one whose answer counts: e-mail alone is for a trial."""


class Way(NamedTuple):
    """One channel that is set up: how it is called, and the server that must answer for it."""

    lane: Lane
    server: Server


def ways(environment: Mapping[str, str]) -> dict[str, Way]:
    """Return the channels that are set up. environment: without the notifier's own settings. Rejected: none, or one is malformed."""
    found = {}
    if address := environment.get("REFERRAL_SMTP"):
        mail = relay(address, environment)
        found["email"] = Way(Lane(lambda: Email(mail), lines=1), Server(mail.host, mail.port))
    if environment.get("REFERRAL_SIP"):
        calls = trunk(environment)
        server = Server(calls.host.strip("[]"), calls.port, udp=calls.authority is None)
        found["voice"] = Way(Lane(lambda: Voice(calls), lines=1, seconds=voice.SECONDS), server)
    elif stand_in := handset.address(environment):
        at = urlsplit(stand_in)
        found["voice"] = Way(
            Lane(lambda: Handset(stand_in), lines=1, seconds=handset.CALL_SECONDS), Server(at.hostname or "", at.port or 80)
        )
    if not found:
        raise Rejected("missing", "REFERRAL_WATCHMAN_SIP", "a trunk of the watchman's own; see docs/operators.md, A watchman")
    return found


def now() -> int:
    """Return µs UTC by this machine's clock: the database, whose clock all others use, may be what is away."""
    return time.time_ns() // 1000


def name() -> str:
    """Return a new id for a message."""
    return str(uuid.uuid4())  # noqa: TID251 - the wiring is where ids come from


async def main(found: Settings, own: Own, environment: Mapping[str, str]) -> None:
    """Run until SIGTERM or SIGINT."""
    configure()
    set_up = ways(settings.channels(environment))
    loud = max(set_up, key=LOUDNESS.index)
    people, figures, health, ended = operators.read(own.operators, loud), Figures(), Health(), asyncio.Event()
    async with AsyncExitStack() as stack:
        sources = Sources(found)
        stack.push_async_callback(sources.close)
        lanes, server = {channel: way.lane for channel, way in set_up.items()}, set_up[loud].server
        caller = Caller(lanes, loud, server, found.drill_clock, name, now, figures)
        stack.push_async_callback(caller.close)
        ear = Ear(found.instance, own.key, time.monotonic, now)
        watchman = Watchman(found.instance, own, people, sources, caller, ear, health, figures, time.monotonic, now)
        await stand("watchman", found, health, ear.application(), lambda: watchman.run(ended), ended.set, ())


if __name__ == "__main__":
    without_key = {**os.environ, "REFERRAL_MASTER_KEY_FILE": os.devnull}  # it opens nothing
    asyncio.run(main(load(without_key), settings.load(os.environ), os.environ))
