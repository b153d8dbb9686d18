"""Keep the certificates of a local stack: an authority of its own, an identity for each program, and their renewal while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from referral.ca import authority, bundle, identity, names, renewal
from referral.ca.authority import Place
from referral.ca.names import Name, Plane
from referral.errors import Rejected
from referral.local.config import KEEPER
from referral.runtime import tls
from referral.runtime.kafka import clients
from referral.runtime.observe import log
from referral.runtime.settings import SERVICES, Settings

HOSTS = ("localhost", "127.0.0.1", "::1")
"""Names of this machine by which its programs call one another."""
KAFKA, WITNESS = "kafka", "witness"
NAMES = (*(f"service/{name}" for name in (KAFKA, *SERVICES, "watchman", WITNESS)), f"operator/{KEEPER}", "operator/doctor")
AGENCIES = "agencies"
"""Folder of agencies' identities in a stack's data: apart from our programs', whose names could be the same."""
LISTENERS = ("listener.name.tls", "listener.name.agencies")
"""The broker's listeners in its settings (deploy/kafka/server.properties)."""
LOOK_S = 3600.0
"""Seconds (ours) between two looks whether a certificate is due: a service's is due three days before its end."""


def ensure(ca: Path, folder: Path, wanted: Iterable[str] = NAMES) -> None:
    """Make the authority and the identities that are missing, and renew those that are due.

    ca: folder of the authority, which may be another stack's. folder: of the identities, one folder each, named like its holder.
    """
    at, moment = authority.place(ca), now()
    if not ca.exists():
        authority.init(at, moment, lists=f"file://{ca.absolute()}")
    for name in wanted:
        give(at, folder, names.parse(name), moment)


def give(at: Place, folder: Path, name: Name, now: datetime) -> Path:
    """Return the folder of an identity on this machine; make or renew it first if it is missing, ended, or due."""
    place = folder / name.name
    if not identity.due(place, now):
        identity.install(place, bundle.write(authority.refresh(at, now)), now)
    else:
        hosts = HOSTS if name.plane.is_server else ()
        renewal.create(at, place, identity.request(place, name, hosts), now)
    return place


def agency(ca: Path, data: Path, name: str) -> Path:
    """Return the folder of an agency's identity in a stack's data, made at the first call. Intake takes its token only beside it.

    Rejected: its certificate was revoked, and only a person gives the agency another.
    """
    place = give(authority.place(ca), data / AGENCIES, Name(Plane.AGENCIES, name), now())
    if identity.is_revoked(place):
        raise Rejected("revoked", str(place), f"the certificate of {name} was revoked: delete this folder, and the agency gets another")
    return place


def now() -> datetime:
    """Return the machine's time, by which certificates begin and end."""
    return datetime.now(UTC)  # noqa: TID251 - certificates end by the machine's clock


async def renewing(ca: Path, folder: Path, renewed: Callable[[], Awaitable[None]]) -> None:
    """Renew what is due, every LOOK_S, until cancelled. renewed: called after each look at which something was."""
    while True:
        await asyncio.sleep(LOOK_S)
        due = [name for name in NAMES if identity.due(folder / names.parse(name).name, now())]
        try:
            await asyncio.to_thread(ensure, ca, folder)
            tls.refresh()
            if due:
                await renewed()
        except Exception as error:  # what is due has three days left
            log().error("certificates not renewed", reason=type(error).__name__, hint="it is tried again within the hour")


async def shown_anew(settings: Settings, broker: Path) -> None:
    """Let the broker show its renewed certificate; by itself it would show the old one until it ends.

    A broker reads the file again when its setting is made anew. The setting is then taken back, so that the file server.properties names
    it alone. settings: the keeper's. broker: folder of the broker's identity. KafkaError: the broker refused.
    """
    keystore = {"location": str(broker / identity.IDENTITY), "type": "PEM"}
    place = {f"{listener}.ssl.keystore.{name}": value for listener in LISTENERS for name, value in keystore.items()}
    admin = clients.admin(settings)
    await admin.start()
    try:
        for node in (await admin.describe_cluster())["brokers"]:
            for values in (place, {}):
                await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, str(node["node_id"]), values)])
    finally:
        await admin.close()
