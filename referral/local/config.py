"""What somebody wants of a local stack, and what each of its processes is told: pure."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from referral.local.data_folder import default_data
from referral.runtime.settings import LINE


@dataclass(frozen=True, slots=True)
class Wish:
    """data: folder of everything it keeps. instances: of each service. Ports: 0 for a free one, kept for the next start.

    kafka, database: servers that run already (the address, the administrator's URL); None for embedded ones.
    drill: hours may be passed in seconds. prefix: of every topic. services: which to start, as a rule without oversight.
    witnesses: of the log, most of which must cosign. spare: services without which the rest goes on.
    """

    data: Path = default_data()  # noqa: RUF009 (the environment's folder does not change while we run)
    instances: int = 1
    drill: bool = False
    kafka: str | None = None
    database: str | None = None
    kafka_port: int = 0
    http_port: int = 0
    smtp_port: int = 0
    prefix: str = ""
    services: tuple[str, ...] = LINE
    policy: Path | None = None
    witnesses: int = 0
    spare: tuple[str, ...] = ()

    def names(self) -> tuple[tuple[str, str], ...]:
        """(name, service) of every worker: intake-1, intake-2, routing-1 …"""
        return tuple((f"{service}-{n}", service) for service in self.services for n in range(1, self.instances + 1))


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things answer, once known. database: the administrator's URL. smtp: host:port. inbox: base of the links in knocks.

    audit: base of the log's HTTP. witness_policy: who vouches for it.
    """

    kafka: str
    database: str
    smtp: str
    inbox: str
    audit: str
    master_key: Path
    ingress_key: Path
    intake_key: Path
    log_key: Path
    witness_policy: Path


def environment(wish: Wish, at: Addresses, service: str | None = None) -> dict[str, str]:
    """The REFERRAL_* variables of a service, or (None) of a person's commands beside the stack.

    Only intake can open `ingress.<agency>`, and only intake has its signing key: no person's command needs it.
    """
    told = {
        "REFERRAL_KAFKA": at.kafka,
        "REFERRAL_DATABASE": as_role(at.database, service) if service else at.database,
        "REFERRAL_MASTER_KEY_FILE": str(at.master_key),
        "REFERRAL_SMTP": at.smtp,
        "REFERRAL_INBOX_URL": at.inbox,
        "REFERRAL_TOPIC_PREFIX": wish.prefix,
        "REFERRAL_DRILL_CLOCK": "1" if wish.drill else "",
    }
    if service in (None, "intake"):
        told["REFERRAL_INGRESS_KEY_FILE"] = str(at.ingress_key)
    if service in (None, "intake"):
        told["REFERRAL_AUDIT_URL"] = at.audit
    told["REFERRAL_WITNESS_POLICY"] = str(at.witness_policy)
    if service == "intake":
        told["REFERRAL_INTAKE_KEY_FILE"] = str(at.intake_key)
    if service == "audit":
        told["REFERRAL_LOG_KEY_FILE"] = str(at.log_key)
    if service is None:
        told["REFERRAL_URL"] = at.inbox
    if wish.policy is not None:
        told["REFERRAL_POLICY"] = str(wish.policy)
    return told


def as_role(url: str, role: str) -> str:
    """The same database for a service's own role; a password stays."""
    from sqlalchemy.engine import make_url

    return make_url(url).set(username=role).render_as_string(hide_password=False)


STACK = "REFERRAL_STACK"
"""Names the variables that a stack's `environment` file has set: they are this stack's own, no servers named to another."""


def exports(told: Mapping[str, str]) -> str:
    """Return a file for the shell: `. file` lets other commands find the stack, and STACK says which variables came from it."""
    said = {name: value for name, value in told.items() if value}
    return "".join(f"export {name}='{value}'\n" for name, value in {**said, STACK: " ".join(said)}.items())


def forget(environment: MutableMapping[str, str]) -> bool:
    """Take out of an environment what a stack's `environment` file has set. Return whether there was anything."""
    names = environment.pop(STACK, "").split()
    for name in names:
        environment.pop(name, None)
    return bool(names)
