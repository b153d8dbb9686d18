"""Start the audit process; the only wiring of this service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prometheus_client import Counter
from starlette.types import ASGIApp

from referral.errors import Malformed, ReadOnly, Rejected
from referral.proof.entry import Entry
from referral.runtime import authority, record_signing, trust_file
from referral.runtime.keys import case_keys, erasure_tag
from referral.runtime.observe import Health, log
from referral.runtime.postgres import database
from referral.runtime.process import run, stand, start
from referral.runtime.service import Service
from referral.runtime.settings import Settings
from referral.tlog import note_keys, witness_policy
from referral.tlog.note_keys import SignerKey
from referral.tlog.witness_policy import Policy
from referral.wire.schema import load as schema
from referral.wire.signed.trust import Trust
from services.audit import pages, self_entries, witnesses
from services.audit.api import application
from services.audit.backups import BackupWatch
from services.audit.handle import Audit
from services.audit.heartbeat import Heartbeats
from services.audit.publisher import Publisher
from services.audit.readings import Readings
from services.audit.security import SecurityWatch

ALARMS = Counter("referral_audit_alarms", "Forks and gaps among the entries.", ["kind"])
"""Worry at the first, at once: an intruder writes to a topic, or a record is missing. `referral audit verify` names the entry."""


def alarm(entries: Sequence[Entry]) -> None:
    """Count and log forks and gaps."""
    for entry in entries:
        ALARMS.labels(entry.kind).inc()
        place = {"topic": entry.topic, "partition": entry.partition, "offset": entry.offset}
        log().error("audit alarm", service="audit", reason=entry.kind, number=entry.idx, case_id=entry.case_id, seq=entry.case_seq, **place)


TOPICS = ("referral-intake", "referral-routing", "referral-notification", "referral-policy", "referral-quarantine", "oversight-feed")


def service(audit: Audit | None = None) -> Service:
    """Describe audit to the consumer loop. audit: the handler, shared with the tasks beside the loop."""
    handler = audit or Audit(alarm)
    return Service(name="audit", reads=TOPICS, handler=handler, one_unit=True, not_ready=lambda: handler.not_ready)


async def main(settings: Settings) -> None:
    """Compare the log with the witnesses first: nothing is appended to a fork.

    A forked log is still served, so that others can prove the fork.
    """
    key, trust = _key(settings.log_key_file), trust_file.read(settings)
    policy = _policy(trust)
    if key.verifier not in [party.key for party in policy.logs]:
        raise Rejected("log-key", trust_file.NAME, f"no line of witness_policy names this log: log {key.verifier.encode().decode()}")
    not_ready: dict[str, str] = {}
    engine, doors = (
        database.engine(settings, "audit", size=size) for size in (7, 4)
    )  # separate pools, so that page traffic cannot starve signing
    held = case_keys.read(settings, "audit")
    secure = settings.is_secure(settings.public_url)
    believed = erasure_tag.needed(settings), record_signing.writers(settings)
    shown = pages.Pages(doors, held, policy, *believed, trust.policy, drill=settings.drill_clock, secure=secure)
    app = authority.checked("audit", application(doors, held, shown.routes(), shown.office.refused))
    async with witnesses.client(settings.tls) as client:
        audit = Audit(alarm, [*self_entries.schemas(schema.load(settings.schemas)), self_entries.keys(trust.logged())], not_ready)
        publisher = Publisher(engine, key, policy, settings.instance, client, audit, settings.log_beat_s)
        heartbeats, readings = Heartbeats(engine, settings, audit, TOPICS), Readings(engine, settings, audit)
        try:
            await publisher.check()
        except ReadOnly as error:
            not_ready["fork"] = str(error)
            await reading(settings, app, not_ready, error)
        else:
            watch, journal = SecurityWatch(engine, believed[0]), shown.office.journal
            background = [publisher.run, heartbeats.run, readings.run, watch.run, lambda: journal.run(doors)]
            background.append(BackupWatch(engine, drill=settings.drill_clock).run)
            await run(service(audit), app=app, background=background, settings=settings)


async def reading(settings: Settings, app: ASGIApp, not_ready: dict[str, str], error: ReadOnly) -> None:
    """Serve checkpoint, hashes and pages, and write nothing, until SIGTERM: a comparison of histories needs this log's hashes."""
    health = Health(lambda: not_ready)
    health.green("start")

    async def work() -> None:
        raise error

    await stand("audit", settings, health, app, work, lambda: None, [])


def _key(path: Path | None) -> SignerKey:
    try:
        return note_keys.signer(_read(path, "REFERRAL_LOG_KEY_FILE").removesuffix(b"\n"))
    except Malformed as error:
        raise Rejected("log-key", "REFERRAL_LOG_KEY_FILE", str(error)) from None


def _policy(trust: Trust) -> Policy:
    try:
        return witness_policy.parse(trust.witness_policy)
    except Malformed as error:
        raise Rejected("witness-policy", trust_file.NAME, f"of witness_policy: {error}") from None


def _read(path: Path | None, name: str) -> bytes:
    try:
        if path is not None:
            return path.read_bytes()
    except OSError as error:
        raise Rejected("missing", name, f"the file cannot be read: {error.strerror}") from None
    raise Rejected("missing", name, "set it to a file; `referral audit key` makes it")


if __name__ == "__main__":
    start(main)
