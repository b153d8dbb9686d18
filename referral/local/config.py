"""Configuration of a local stack: the options of its user, its addresses, and the environment of each process. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from referral.local import keyfiles
from referral.local.data_folder import default_data
from referral.runtime.settings import LINE
from referral.wire.signed import writer_signature


@dataclass(frozen=True, slots=True)
class StackConfig:
    """The options of a local stack.

    data: folder of all its data.
    instances: number of instances of each service.
    drill: a drill may pass hours in seconds.
    kafka, database: existing servers (address, administrator's URL); None: start embedded ones.
    agencies: address at which an existing broker answers agencies' systems; empty: nobody has told it.
    ca: folder of the authority that signed an existing broker's certificate; None: the stack has one of its own.
    passwords: folder with a password for each role of the database; None: one of this stack.
    kafka_port, http_port, smtp_port: 0: a free one, kept for the next start.
    prefix: prefix of every topic.
    services: services to start, by default without oversight and the eraser.
    policy: policy folder; None: the one of the checkout.
    witnesses: number of the log's witnesses; a majority must cosign.
    spare: services that may fail to start while the rest runs; they are tried again until they do.
    handset: start the stand-in for telephones; without it the notifier knocks by e-mail alone.
    log_beat_s: seconds between two checkpoints of the log; 0: one for each batch, so that a receipt is proven at once.
    brokers: 1, or 3 that hold three copies of each topic.
    standbys: database servers that follow the first; from two on, a commit waits until one of them has it.
    """

    data: Path = default_data()  # noqa: RUF009 (the environment's folder does not change while we run)
    instances: int = 1
    drill: bool = False
    kafka: str | None = None
    agencies: str = ""
    ca: Path | None = None
    database: str | None = None
    passwords: Path | None = None
    kafka_port: int = 0
    http_port: int = 0
    smtp_port: int = 0
    prefix: str = ""
    services: tuple[str, ...] = LINE
    policy: Path | None = None
    witnesses: int = 0
    spare: tuple[str, ...] = ()
    handset: bool = False
    log_beat_s: int = 0
    brokers: int = 1
    standbys: int = 0

    def names(self) -> tuple[tuple[str, str], ...]:
        """Return (name, service) of every service instance: intake-1, intake-2, routing-1 …"""
        return tuple((f"{service}-{n}", service) for service in self.services for n in range(1, self.instances + 1))


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses and key files of a stack.

    kafka: bootstrap address.
    agencies: bootstrap address of agencies' systems.
    database: the administrator's URL.
    smtp: host:port.
    handset: base URL of the stand-in for telephones; empty: there is none.
    notifier: base URL at which receipts, replies, answers and intake reach the notifier.
    inbox: base URL of the links in knocks.
    audit: base URL of the log's HTTP.
    master_key, ingress_key, intake_key, log_key: key files.
    ca: folder of the authority that signs the stack's certificates.
    identities: folder with an identity for each program, named like it; a person's commands have the keeper's.
    trust: file that names the log's witnesses and everybody's keys; PUBLISHED stands beside it.
    policy_keys: the two signers' key files.
    approval_keys: the key files of two persons who sign erasures.
    operator_keys: the key files of two operators.
    passwords: folder with the password of each role of the database.
    service_keys: folder with the keys of each service.
    writer_keys: folder with the key of each service that signs records.
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
    trust: Path
    ca: Path
    identities: Path
    handset: str = ""
    notifier: str = ""
    policy_keys: tuple[Path, ...] = ()
    passwords: Path | None = None
    service_keys: Path | None = None
    writer_keys: Path | None = None
    approval_keys: tuple[Path, ...] = ()
    operator_keys: tuple[Path, ...] = ()
    agencies: str = ""


def root(at: Addresses) -> Path:
    """Return the file of the one certificate from which all others of a stack follow: a browser or curl may be told to believe it."""
    return at.ca / "root" / "certificate.pem"


AGENCY_KAFKA = "REFERRAL_AGENCY_KAFKA"
"""Variable with the address at which the broker answers agencies' systems, for an agency's developer beside a stack."""
PUBLISHED = "witness.policy"
"""File beside `trust.toml` with the same as the log publishes it: for agencies' commands, and for programs of release 0.1.0."""
KEEPER = "keeper"
"""The operator who may do everything on the broker: a person's commands beside a local stack are his."""


def environment(config: StackConfig, at: Addresses, service: str | None = None) -> dict[str, str]:
    """Return the REFERRAL_* variables of a service; None: of a person's commands beside the stack.

    Of the services, only intake gets the key that opens `ingress.<agency>`. Intake alone gets its signing key: no command needs it.
    """
    variables = {
        "REFERRAL_KAFKA": at.kafka,
        "REFERRAL_DATABASE": as_role(at.database, service) if service else at.database,
        "REFERRAL_DATABASE_PASSWORDS": "" if service else str(at.passwords or ""),  # "": this shell may name the folder for `prepare`
        "REFERRAL_DATABASE_PASSWORD_FILE": str(at.passwords / service) if service and at.passwords else "",
        "REFERRAL_MASTER_KEY_FILE": "" if service else str(at.master_key),
        "REFERRAL_SERVICE_KEYS": "" if service else str(at.service_keys or ""),
        "REFERRAL_SERVICE_KEY_FILE": str(at.service_keys / service) if service and at.service_keys else "",
        "REFERRAL_SMTP": at.smtp,
        "REFERRAL_INBOX_URL": at.inbox,
        "REFERRAL_TOPIC_PREFIX": config.prefix,
        "REFERRAL_DRILL_CLOCK": "1" if config.drill else "",
    }
    if service in (None, "intake"):
        variables["REFERRAL_INGRESS_KEY_FILE"] = str(at.ingress_key)
    if service in (None, "intake", "eraser"):
        variables["REFERRAL_AUDIT_URL"] = at.audit
    if service == "intake":
        variables["REFERRAL_NOTIFIER_URL"] = at.notifier
    variables["REFERRAL_TLS"] = str(at.identities / (service or KEEPER))
    variables |= {"REFERRAL_TRUST": str(at.trust), "REFERRAL_WITNESS_POLICY": str(at.trust.with_name(PUBLISHED))}
    if service in (None, "notifier") and at.handset:
        variables["REFERRAL_HANDSET"] = at.handset
    if service == "notifier" and at.handset:
        variables |= {"REFERRAL_SMS": f"{at.handset}/cgi-bin/sendsms", "REFERRAL_PUBLIC_URL": at.notifier}
        variables["REFERRAL_SIP"] = ""  # this shell may name a real trunk
    if service == "intake":
        variables["REFERRAL_INTAKE_KEY_FILE"] = str(at.intake_key)
    if service and service in writer_signature.OWNERS.values() and at.writer_keys:
        variables["REFERRAL_WRITER_KEY_FILE"] = str(keyfiles.writer(at.writer_keys, service))
    if service == "audit":
        variables["REFERRAL_LOG_KEY_FILE"] = str(at.log_key)
        variables["REFERRAL_LOG_BEAT_S"] = str(config.log_beat_s)
    if service is None:
        variables |= {"REFERRAL_URL": at.inbox, "REFERRAL_CA": str(at.ca), AGENCY_KAFKA: at.agencies}
        variables["REFERRAL_POLICY_KEYS"] = os.pathsep.join(map(str, at.policy_keys))
        variables["REFERRAL_APPROVAL_KEYS"] = os.pathsep.join(map(str, at.approval_keys))
        variables["REFERRAL_OPERATOR_KEYS"] = os.pathsep.join(map(str, at.operator_keys))
    if config.policy is not None:
        variables["REFERRAL_POLICY"] = str(config.policy)
    return variables


def as_role(url: str, role: str) -> str:
    """Return the URL of the same database for a service's own role: without a password, which is in the role's file."""
    from sqlalchemy.engine import make_url

    own = make_url(url).difference_update_query(["passfile"])
    return own._replace(username=role, password=None).render_as_string()


STACK = "REFERRAL_STACK"
"""Variable with the names of all variables that a stack's `environment` file has set, so that another stack does not use its servers."""


def exports(variables: Mapping[str, str]) -> str:
    """Return a file for the shell: `. file` lets other commands find the stack, and STACK lists the variables that it sets."""
    filled = {name: value for name, value in variables.items() if value}
    return "".join(f"export {name}='{value}'\n" for name, value in {**filled, STACK: " ".join(filled)}.items())


def forget(environment: MutableMapping[str, str]) -> bool:
    """Remove the variables that a stack's `environment` file has set. Return whether there were any."""
    names = environment.pop(STACK, "").split()
    for name in names:
        environment.pop(name, None)
    return bool(names)
