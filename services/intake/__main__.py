"""Run the intake process: read keys and settings, wire the parts together, and start the loop, the HTTP server and the background work."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from starlette.applications import Starlette

from referral.errors import Rejected, Unavailable
from referral.runtime import authority, policy_feed, tls
from referral.runtime.keys import case_keys, erasure_tag
from referral.runtime.postgres import database
from referral.runtime.process import run, start
from referral.runtime.service import Service
from referral.runtime.settings import Settings
from services.intake import audit_client
from services.intake.api import person_routes
from services.intake.api import routes as api
from services.intake.context import IntakeContext
from services.intake.erasure.restored import RestoredErasures
from services.intake.handle import Intake
from services.intake.pages import routes as pages
from services.intake.policy_view import PolicyInForce
from services.intake.public import routes as public_door
from services.intake.unanswered import ReceiptCheck

CONNECTIONS = 8
"""Connections of the HTTP server's pool (ours): two carry referrals, the others answers, readings and pages."""


def new_id() -> str:
    """Return a random id; nothing about a person can be read from it."""
    return str(uuid.uuid4())  # noqa: TID251 - the wiring is where ids come from


def seconds() -> int:
    """Return the Unix time of this machine."""
    return int(time.time())  # noqa: TID251 - the wiring is where time comes from


def ingress_key(settings: Settings) -> X25519PrivateKey | None:
    """Return the key that decrypts `ingress.*`; None where this stack has no ingress topics. Rejected: the file holds no such key."""
    if settings.ingress_key_file is None:
        return None
    try:
        key = serialization.load_pem_private_key(settings.ingress_key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        key = None
    if not isinstance(key, X25519PrivateKey):
        raise Rejected("ingress-key", "REFERRAL_INGRESS_KEY_FILE", "a readable X25519 private key, PKCS 8 in PEM, is needed")
    return key


def signing_key(settings: Settings) -> Ed25519PrivateKey:
    """Return intake's own signing key. Rejected: no file holds it, or `trust.toml` names another key, so that nobody would accept its
    signatures."""
    key = case_keys.signing(settings.intake_key_file)
    if key.public_key().public_bytes_raw() not in erasure_tag.needed(settings).intake:
        hint = "`trust.toml` names another key of intake than this file holds: bring its line `intake` and this file together"
        raise Rejected("intake-key", "REFERRAL_INTAKE_KEY_FILE", hint)
    return key


def service(door: IntakeContext, private: X25519PrivateKey | None, not_ready: Callable[[], Mapping[str, str]] = dict) -> Service:
    """Return the description of intake for the consumer loop. not_ready: further reasons why the service is not ready."""
    return Service(
        name="intake",
        reads=("referral-routing",),
        writes="referral-intake",
        handler=Intake(door, private),
        ingress=private is not None,
        agencies=lambda: _agencies(door),
        not_ready=not_ready,
    )


def _agencies(door: IntakeContext) -> frozenset[str] | None:
    """Return the agencies whose ingress topics are read: those of the directory in force; None before the first policy."""
    try:
        return frozenset(door.lists().codes["agency"])
    except Unavailable:
        return None


def application(
    door: IntakeContext, in_force: PolicyInForce, private: X25519PrivateKey | None, *, secure: bool, by_day: bool, settings: Settings
) -> Starlette:
    """Return the HTTP application: the agencies' API and the staff inbox. secure: people reach the pages over https. Others as `Pages`."""
    public = private.public_key().public_bytes_raw() if private else None
    routes = [*api.routes(door, public), *person_routes.routes(door)]
    policy, url, number = (lambda: in_force.policy), settings.inbox_url, settings.help_number
    inbox = pages.made(door, policy, secure=secure, by_day=by_day, inbox_url=url, help_number=number)
    return authority.checked("intake", pages.application([*routes, *public_door.routes(inbox)], inbox))


async def main(settings: Settings) -> None:
    engine = database.engine(settings, "intake", size=CONNECTIONS)
    followed = policy_feed.follow(settings)
    in_force = PolicyInForce(followed)
    private = ingress_key(settings)
    log = httpx.AsyncClient(base_url=settings.audit_url, timeout=audit_client.DOOR_S, verify=tls.within(settings.tls, settings.audit_url))
    notifier = (
        httpx.AsyncClient(base_url=settings.notifier_url, verify=tls.within(settings.tls, settings.notifier_url))
        if settings.notifier_url
        else None
    )
    url = httpx.URL(settings.inbox_url)
    authority = url.netloc.decode().lower() if url.scheme == "https" else ""
    own, approvers = signing_key(settings), erasure_tag.needed(settings).approvers
    keys = case_keys.read(settings, "intake")
    door = IntakeContext(engine, keys, lambda: in_force.lists, new_id, seconds, own, log, authority, notifier, approvers=approvers)
    restored = RestoredErasures(door, settings)
    secure, by_day = settings.is_secure(settings.inbox_url), not settings.drill_clock
    app = restored.gate(application(door, in_force, private, secure=secure, by_day=by_day, settings=settings))
    try:
        background = (followed.run, in_force.follow, restored.run, ReceiptCheck(door).run, lambda: door.journal.run(engine))
        await run(service(door, private, restored.not_ready), app=app, background=background, settings=settings)
    finally:
        await log.aclose()
        if notifier is not None:
            await notifier.aclose()
        await database.close(engine)


if __name__ == "__main__":
    start(main)
