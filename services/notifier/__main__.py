"""Start the notifier process; the only wiring of this service."""

from __future__ import annotations

import secrets
from functools import partial

from referral.channels import baresip, gateway, handset, lane
from referral.channels.email import Email, relays
from referral.channels.gateway import Gateway
from referral.channels.lane import Lane
from referral.channels.voice import Voice, trunks
from referral.errors import Rejected
from referral.runtime import authority, policy_feed
from referral.runtime.keys import case_keys
from referral.runtime.postgres import database
from referral.runtime.process import run, start
from referral.runtime.service import Service
from referral.runtime.settings import Settings, secret
from services.notifier import canary, caps, door, holes, providers, tidy
from services.notifier.answers import Answers
from services.notifier.canary import Canary
from services.notifier.handle import Notifier
from services.notifier.health import Watch
from services.notifier.holidays import Holidays
from services.notifier.hush import Hush
from services.notifier.metrics import Figures
from services.notifier.notes import daily
from services.notifier.notes.sender import Notes
from services.notifier.providers import Providers
from services.notifier.roster_door import addresses
from services.notifier.roster_door.door import RosterDoor
from services.notifier.send import Sender
from services.notifier.steps import WAKES
from services.notifier.told import WhoWasTold

CONNECTIONS = 6
"""PostgreSQL connections of the sender: one listens, the others claim and write results. A delivery holds none while its message
travels."""
SMS_SECONDS = 15.0
"""Limit of one call of a gateway: to connect, and to answer."""


def chance() -> float:
    """Return a random number below 1."""
    return secrets.randbelow(2**32) / 2**32


def service(watch: Watch, hush: Hush | None = None) -> Service:
    """Describe the notifier to the consumer loop. hush: as `Notifier`.

    It reads referral-intake for written sections (others who may read them are knocked) and for erasures.
    """
    reads = ("referral-routing", "referral-intake")
    return Service(name="notifier", reads=reads, writes="referral-notification", handler=Notifier(hush), not_ready=watch.not_ready)


async def main(settings: Settings) -> None:
    """Run the consumer loop, and the sender and the backlog watch beside it."""
    engine = database.engine(settings, "notifier", size=CONNECTIONS)
    keys = case_keys.read(settings, "notifier")
    figures = Figures()
    watch = Watch(engine, figures)
    mail = {name: partial(Email, found) for name, found in relays(settings).items()}
    lanes = {"email": providers.lane(mail, Providers(engine, "email", [*mail], chance), lane.CALL_SECONDS)}
    if calls := {name: partial(Voice, found) for name, found in trunks(settings).items()}:
        baresip.sweep()
        lanes["voice"] = providers.calls(calls, Providers(engine, "voice", [*calls], chance))
    elif settings.handset:  # a local stack's
        lanes["voice"] = Lane(lambda: handset.Handset(settings.handset), handset.LINES, handset.CALL_SECONDS)
    back = settings.sms_callback or settings.public_url
    gateways = gateway.providers(settings, gateway.receipts(back, keys.callback("sms")))
    if sms := {found.name: partial(Gateway, found) for found in gateways}:
        lanes["sms"] = providers.lane(sms, Providers(engine, "sms", [*sms], chance), SMS_SECONDS)
    most, robot = settings.caps, settings.canary or None
    if robot is not None and canary.CHANNEL not in lanes:
        raise Rejected("incomplete", "REFERRAL_CANARY", "it is called by the trunk of REFERRAL_SIP: set both")
    bundles = policy_feed.follow(settings)
    # The clock of a stack for drills alone may be moved: no hour is night there.
    hush = None if settings.drill_clock else Hush(Holidays(bundles).days)
    sender = Sender(engine, keys, lanes, settings.inbox_url, figures, settings.public_url, most, hush)
    calls_itself, loud = Canary(engine, keys, robot), frozenset(lanes).intersection(WAKES)
    background = (
        bundles.run,
        sender.run,
        watch.run,
        calls_itself.run,
        lambda: tidy.run(engine),
        lambda: addresses.run(engine, keys, drill=settings.drill_clock),
        lambda: holes.run(engine, loud, hush),
        lambda: caps.run(engine, most),
        Notes(engine, keys, lanes, settings.inbox_url, most).run,
        lambda: daily.run(engine),
    )
    rosters = RosterDoor(engine, keys, frozenset(lanes), drill=settings.drill_clock)
    told, signing = WhoWasTold(engine, keys), secret(settings.sms_signing_file, "REFERRAL_SMS_SIGNING_FILE").encode()
    made = door.made(Answers(engine, keys, figures), told, keys.callback("sms"), signing, rosters)
    app = authority.checked("notifier", made.application())
    try:
        await run(service(watch, hush), app=app, background=background, settings=settings)
    finally:
        await database.close(engine)


if __name__ == "__main__":
    start(main)
