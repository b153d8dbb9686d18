"""Lay out what a line needs before its servers run: its programs, the hosts in their certificates, and the settings of each. Pure.

The folder is the same for systemd, for containers and for Kubernetes. The programs that take backups are not ours: their settings are an
environment file, lines KEY=value that a shell, systemd and a container engine read alike; none of them is asked to understand a quote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from referral import typed_toml
from referral.errors import Rejected
from referral.runtime.settings import FILE, SERVICES, Settings
from referral.wire.signed import writer_signature

KAFKA, POSTGRES, KEEPER, ARCHIVE = "kafka", "postgres", "keeper", "archive"
DATABASE = "referral"
PORTS: Mapping[str, int] = {"intake": 8443, "audit": 8444, "notifier": 8445, "routing": 8446, "oversight": 8447, "eraser": 8448}
"""Service → port of its doors (those of docs/two-machines.md). Health and metrics are at INNER more."""
INNER = 10_000
BACKUPS = "/var/lib/referral-archive/1"
"""Folder of the backups, on a machine of its own. After a restore the next one begins, as the database's log does."""
BROKER_PORT, DATABASE_PORT = 9092, 5432
HERE = ("localhost", "127.0.0.1")
"""Names of this machine, under which a program is reached on it."""
PLAIN = re.compile(r"[A-Za-z0-9_.,:/@?=%+~\[\]-]*")
"""Characters that none of the readers of an environment file takes for more than themselves."""
PEOPLE = Path("people")
"""Folder of the keys of an exercise's made-up people, below the keeper's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What an operator decides about a line.

    at: folder under which its programs see these files.
    brokers, databases: host:port of each server.
    inbox, audit, notifier, oversight: URLs at which people reach them.
    name: of the log, for ever: its origin.
    smtp, smtp_from: mail relay, and the sender's address.
    inner: address at which health and metrics listen.
    lists: URL at which brokers find the lists of revoked certificates.
    by_name: programs call one another by their own names (audit:8444), as in containers.
    hosts: program → further hosts for its certificate.
    exercise: its people are made up, and all of their keys lie here.
    """

    at: Path
    brokers: tuple[str, ...]
    databases: tuple[str, ...]
    inbox: str
    audit: str
    notifier: str
    oversight: str
    name: str
    smtp: str
    smtp_from: str
    inner: str = "127.0.0.1"
    lists: str = ""
    by_name: bool = False
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exercise: bool = False


def programs(line: Line) -> dict[str, tuple[str, ...]]:
    """Return folder → hosts of the certificate of each program that serves. Several brokers have a folder each: kafka-1, kafka-2."""
    found: dict[str, tuple[str, ...]] = {}
    for program, servers in ((KAFKA, line.brokers), (POSTGRES, line.databases)):
        for number, server in enumerate(servers, 1):
            folder = program if len(servers) == 1 else f"{program}-{number}"
            found[folder] = _hosts(server.rpartition(":")[0], folder, program, *_more(line, folder, program))
    urls = {"intake": line.inbox, "audit": line.audit, "notifier": line.notifier, "oversight": line.oversight}
    for service in SERVICES:
        found[service] = _hosts(host(urls.get(service, "")), service, *_more(line, service))
    return found


def holder(folder: str) -> str:
    """Return the name in the certificate of a program's folder: every broker is service/kafka, every database service/postgres."""
    return f"service/{folder.partition('-')[0]}"


def shared(line: Line) -> dict[str, Any]:
    """Return the words that all programs of a line share."""
    several = len(line.databases) > 1
    place = f"@/{DATABASE}?host={','.join(line.databases)}" if several else f"@{line.databases[0]}/{DATABASE}"
    return {
        "kafka": ",".join(line.brokers),
        "database": f"postgresql+asyncpg://{KEEPER}{place}",
        "trust": line.at / "trust.toml",
        "inbox_url": line.inbox,
    }


def keeper(line: Line, people: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the words of the administrator's commands. people: word → key files of made-up people, below the keeper's folder."""
    own = line.at / KEEPER
    return shared(line) | {
        "tls": own / "tls",
        "database_password_file": own / "password",
        "database_passwords": own / "passwords",
        "master_key_file": own / "master.key",
        "service_keys": own / "services",
        "ingress_key_file": own / "ingress.key",
        "audit_url": line.audit,
        "url": line.inbox,
        **({"ca": line.at / "authority"} if line.exercise else {}),
        **{word: [own / file for file in files] for word, files in people.items()},
    }


def service(line: Line, name: str) -> dict[str, Any]:
    """Return the words of one service: its own secrets, and those alone."""
    own = line.at / name
    found = shared(line) | {
        "tls": own / "tls",
        "database_password_file": own / "password",
        "service_key_file": own / "keys",
        "http": f"https://0.0.0.0:{PORTS[name]}",
        "inner": f"https://{line.inner}:{PORTS[name] + INNER}",
    }
    if name in writer_signature.OWNERS.values():
        found["writer_key_file"] = own / "writer.key"
    if name == "intake":
        found |= {"intake_key_file": own / "intake.key", "ingress_key_file": own / "ingress.key"}
    for other in {"intake": ("audit", "notifier"), "eraser": ("audit",)}.get(name, ()):
        found[f"{other}_url"] = f"https://{other}:{PORTS[other]}" if line.by_name else getattr(line, other)
    if name == "notifier":
        found["smtp"] = [{"server": line.smtp, "from": line.smtp_from}]
    if name == "audit":
        found["log_key_file"] = own / "log.key"
    if name in ("audit", "notifier", "oversight"):
        found["public_url"] = getattr(line, name)
    return found


def settings(words: Mapping[str, Any], whose: str) -> bytes:
    """Return the file of a program."""
    about = f"Settings of {whose}. Further words, and their variables: docs/reference/settings.md."
    return typed_toml.written(Settings, words, about).encode()


def archive(line: Line) -> dict[str, str]:
    """Return the environment of the programs that take backups (deploy/postgres): libpq's, and the folder of the backups.

    RECIPIENTS is a file that `referral init` cannot make: the two operators send their public keys.
    """
    own, servers = line.at / ARCHIVE, [server.rpartition(":") for server in line.databases]
    return {
        "PGHOST": ",".join(host.strip("[]") for host, _, _ in servers),
        "PGPORT": ",".join(port for _, _, port in servers),
        "PGTARGETSESSIONATTRS": "read-write",
        "PGUSER": ARCHIVE,
        "PGPASSFILE": str(own / "pgpass"),
        "PGDATABASE": "postgres",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(own / "root.pem"),
        "BACKUPS": BACKUPS,
        "RECIPIENTS": str(own / "recipients"),
    }


def written(variables: Mapping[str, str], about: str) -> bytes:
    """Return an environment file. about: its first line, a comment. Rejected: a value that some reader would take for something else."""
    for name, value in variables.items():
        if not PLAIN.fullmatch(value):
            hint = (
                "an environment file is read by shells and by engines that know no quotes: letters, digits and . , : / @ ? = % + ~ - alone"
            )
            raise Rejected("unfit", name, hint)
    return "".join([f"# {about}\n", *(f"{name}={value}\n" for name, value in variables.items() if value)]).encode()


def _hosts(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip("[]") for name in (*names, *HERE) if name))


def _more(line: Line, *programs: str) -> tuple[str, ...]:
    return tuple(host for program in programs for host in line.hosts.get(program, ()))


def host(url: str) -> str:
    """Return the host of a URL; empty: it has none."""
    place = url.partition("://")[2].partition("/")[0]
    return place.rpartition("]")[0] + "]" if place.startswith("[") else place.partition(":")[0]


def inventory(line: Line) -> list[tuple[str, str, str]]:
    """Return rows: where something lies, what it is, and who needs it."""
    servers = [name for name in programs(line) if name not in SERVICES]
    rows = [
        (
            "trust.toml",
            "whom everybody believes: log, witnesses, intake, writers, policy keepers, approvers, operators",
            "everybody; it is public",
        ),
        ("lists/", "lists of revoked certificates", "every broker; they are public"),
        ("authority/, safe/", "the authority of all certificates, and the key of its root", "its keeper; the root's key a safe"),
        *((f"{name}/", _SERVER[name.partition("-")[0]], f"{name}'s machine alone") for name in servers),
        (f"{ARCHIVE}/", "what takes backups; two operators send `recipients`", "the backup machine alone, never the database's"),
        (f"{KEEPER}/", "settings, certificate, password, master key, every role's password, every service's keys", "the administrator"),
        *((f"{name}/", "settings, certificate, password, keys", f"{name}'s machine alone") for name in SERVICES),
    ]
    if line.exercise:
        rows.append((f"{KEEPER}/{PEOPLE}/", "keys of two policy signers, two approvers, two operators", "an exercise alone"))
    return rows


_SERVER = {
    KAFKA: "certificate; root.pem is all that a broker may trust",
    POSTGRES: "certificate, and two passwords to begin with: the administrator's, and of the role that takes backups",
}


def taken_away(line: Line) -> list[str]:
    """Return what must not stay on a machine with services."""
    people = [f"{KEEPER}/{PEOPLE}/ (each key to its owner, before real cases)"] if line.exercise else []
    return [
        "safe/ (into a safe)",
        "authority/ (to its own machine)",
        f"{ARCHIVE}/ (to the backup machine)",
        f"{KEEPER}/ (to the administrator's; the master key also on paper)",
        *people,
    ]


def next_commands(line: Line) -> list[str]:
    """Return the next three commands, once the servers run."""
    policy = "referral policy activate" if line.exercise else "referral policy propose   # then sign, endorse, activate"
    return [
        f"export {FILE}={line.at / KEEPER / KEEPER}.toml; referral prepare",
        policy,
        "referral doctor   # once the services run",
    ]
