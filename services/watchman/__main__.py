"""Start a watchman process; the only wiring of this service. It has no loop, no master key and no topic: it looks, and calls."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

from referral.channels import Channel, baresip, gateway, handset, voice
from referral.channels.email import Email, relays
from referral.channels.failover import Failover
from referral.channels.gateway import Gateway
from referral.channels.handset import Handset
from referral.channels.lane import Lane
from referral.channels.voice import Voice, trunks
from referral.errors import Rejected
from referral.runtime import authority, settings
from referral.runtime.observe import Health
from referral.runtime.process import stand, start
from referral.runtime.settings import Settings
from services.watchman import beat, operators
from services.watchman.alerts import Alerts
from services.watchman.beat import Beats
from services.watchman.caller import OURS, Caller
from services.watchman.look import Sources
from services.watchman.reach import Server
from services.watchman.watch import Watchman

SMS_SECONDS = 15.0
"""Limit of one call of a gateway, as the notifier's: to connect, and to answer."""
LOUDNESS = ("email", "sms", "voice")
"""Channels, the loudest last. The loudest that is set up is the one whose answer counts: e-mail alone is for a trial."""


class InOrder(NamedTuple):
    """The providers of a channel, the preferred one first. Nothing is remembered: the watchman calls seldom."""

    names: tuple[str, ...]

    async def order(self) -> Sequence[str]:
        """Return all of them."""
        return self.names

    async def result(self, name: str, reached: bool) -> None:
        """Forget it."""


class Way(NamedTuple):
    """One channel that is set up: how it is called, and its servers, of which one must answer."""

    lane: Lane
    servers: tuple[Server, ...]


def ways(own: settings.Watchman) -> dict[str, Way]:
    """Return the channels that are set up by the watchman's own settings. Rejected: there is none, or one is malformed."""
    found = {}
    if mails := relays(own):
        mail = next(iter(mails.values()))
        found["email"] = Way(Lane(lambda: Email(mail), lines=1), (Server(mail.host, mail.port),))
    if gateways := gateway.providers(own, receipts=""):
        lane = _lane({one.name: partial(Gateway, one) for one in gateways}, SMS_SECONDS)
        found["sms"] = Way(lane, tuple(_server(one.url) for one in gateways))
    if calls := trunks(own):
        baresip.sweep()
        lane = _lane({name: partial(Voice, one) for name, one in calls.items()}, voice.SECONDS)
        servers = (Server(one.host.strip("[]"), one.port, udp=one.authority is None) for one in calls.values())
        found["voice"] = Way(lane, tuple(servers))
    elif own.handset:
        found["voice"] = Way(Lane(lambda: Handset(own.handset), lines=1, seconds=handset.CALL_SECONDS), (_server(own.handset),))
    if not found:
        raise Rejected("missing", "REFERRAL_WATCHMAN_SIP", "a trunk of the watchman's own; see docs/operators.md, A watchman")
    return found


def _lane(made: Mapping[str, Callable[[], Channel]], seconds: float) -> Lane:
    """Return one line that tries each provider in order. seconds: limit of a call of one."""
    return Lane(lambda: Failover({n: make() for n, make in made.items()}, InOrder(tuple(made)), OURS, seconds), 1, len(made) * seconds)


def _server(url: str) -> Server:
    at = urlsplit(url)
    return Server(at.hostname or "", at.port or (443 if at.scheme == "https" else 80))


def now() -> int:
    """Return µs UTC by this machine's clock: the database, whose clock all others use, may be what is away."""
    return time.time_ns() // 1000


def name() -> str:
    """Return a new id for a message."""
    return str(uuid.uuid4())  # noqa: TID251 - the wiring is where ids come from


async def main(found: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    own = found.watchman
    if own.operators is None:
        hint = "the file of the people to call; see docs/operators.md, A watchman"
        raise Rejected("missing", operators.WHERE, hint)
    key = beat.key(own.beat_key_file) if own.beat_key_file else None
    set_up = ways(own)
    loud = max(set_up, key=LOUDNESS.index)
    ended, beats, alerts = asyncio.Event(), Beats(found.instance, key, time.monotonic, now), Alerts(time.monotonic)
    lanes, servers = {channel: way.lane for channel, way in set_up.items()}, set_up[loud].servers
    async with AsyncExitStack() as stack:
        sources = Sources(found)
        stack.push_async_callback(sources.close)
        caller = Caller(lanes, loud, servers, found.drill_clock, name, now)
        stack.push_async_callback(caller.close)
        watchman = Watchman(
            me=found.instance,
            own=own,
            key=key,
            people=operators.read(own.operators, loud),
            sources=sources,
            caller=caller,
            beats=beats,
            alerts=alerts,
            health=Health(),
            clock=time.monotonic,
            now=now,
            ids=name,
        )
        app, inner = (authority.checked("watchman", one.application()) for one in (beats, alerts))
        work = (watchman.poll, watchman.call_operators, watchman.send_beats)

        async def until_ended() -> None:
            await ended.wait()

        await stand("watchman", found, watchman.health, app, until_ended, ended.set, work, inner)


if __name__ == "__main__":
    start(main, opens_cases=False)
