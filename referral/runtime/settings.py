"""Settings: the REFERRAL_* environment variables, read once in wiring and passed on as a value."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from referral.errors import Rejected

CHECKOUT = Path(__file__).parents[2]
LINE = ("intake", "routing", "notifier", "audit")
"""The services that run on the consumer loop, with its leases and positions."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that a browser reaches without a network, so that plain http reveals nothing."""
SERVICES = (*LINE, "oversight", "eraser")
BOUND = "LISTENING_ON"
"""Variable with the descriptors of two sockets, public and inner, on which a service listens in place of binding them itself. A local stack
binds its services' ports when it chooses them, so that no other program takes one of them before the service starts."""
MOST_BEAT_S = 300
"""Longest time between two checkpoints of the log (ours): a receipt promises to be logged within ten minutes, which is two of them."""


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of one process.

    database: SQLAlchemy URL; a service connects as the role of its own name.
    database_password_file: file with the password of a service's own role.
    database_passwords: folder with such a file for each role; for the commands of an administrator.
    master_key_file: the master key, for the operator's commands alone. service_key_file: the keys of a service, in its place.
    service_keys: folder with such a file for each service; for the commands of an administrator.
    intake_key_file: intake's signing key; no other service has it.
    log_key_file: audit's signing key.
    writer_key_file: the key with which a service signs the records that it writes; each service has its own.
    log_beat_s: seconds between two checkpoints of the log; 0: one for each batch, which tells strangers when something happens.
    trust: the file `trust.toml`, which names the log's witnesses, and the keys of everybody who is believed (wire/signed/trust.py).
    policy_keys: the secret keys of a local stack's two signers; no other stack has them in one place.
    operator_keys: the secret key of the operator who types a command; a local stack has those of both.
    audit_url: base URL of audit's HTTP.
    notifier_url: base URL of the notifier's HTTP, which intake asks who was told; empty: pages do not say it.
    http_host, http_port: public address (port 0: any free one, printed). http_tls: it speaks TLS, as `tls` names us.
    inner_host, inner_port, inner_tls: address of health and metrics, for operators.
    public_url: URL at which people reach this service's pages.
    bound: descriptors of the sockets of both, if whoever started this process has bound them.
    proxy: address of a proxy in front of it, whose X-Forwarded-For is trusted.
    drill_clock: a drill may pass hours in seconds (demo, tests).
    topic_prefix: prefix of every topic, for several stacks on one broker.
    help_number: number that the sign-in page names to whoever cannot sign in; empty: it says whom to call.
    beside_older: `prepare` leaves the release before this one what it needs, while that one runs too.
    tls: folder of this process's identity: its certificate, whom it trusts, and whom no longer (decision 0039).
    """

    kafka: str
    database: str
    database_password_file: Path | None = None
    database_passwords: Path | None = None
    master_key_file: Path | None = None
    service_key_file: Path | None = None
    service_keys: Path | None = None
    ingress_key_file: Path | None = None
    intake_key_file: Path | None = None
    log_key_file: Path | None = None
    writer_key_file: Path | None = None
    log_beat_s: int = MOST_BEAT_S
    trust: Path | None = None
    policy_keys: tuple[Path, ...] = ()
    operator_keys: tuple[Path, ...] = ()
    audit_url: str = "http://localhost:8084"
    notifier_url: str = ""
    instance: str
    http_host: str = "127.0.0.1"
    http_port: int = 0
    http_tls: bool = False
    inner_host: str = "127.0.0.1"
    inner_port: int = 0
    inner_tls: bool = False
    bound: tuple[int, ...] = ()
    public_url: str = ""
    proxy: str = ""
    drill_clock: bool = False
    topic_prefix: str = ""
    beside_older: bool = False
    smtp: str = "localhost:25"
    inbox_url: str = "http://localhost:8080"
    help_number: str = ""
    tls: Path | None = None
    schemas: Path = CHECKOUT / "schemas" / "avro"
    policy: Path = CHECKOUT / "policy"

    def is_secure(self, url: str) -> bool:
        """Return whether cookies are for https only: always, except for pages reached by plain http on loopback.

        url: URL at which people reach the pages; empty: the address that the service listens on.
        """
        reached = urlsplit(url or f"http{'s' if self.http_tls else ''}://{self.http_host}")
        return reached.scheme != "http" or reached.hostname not in LOOPBACK

    def identity(self) -> Path:
        """Return the folder of this process's identity. Rejected: none is set."""
        if self.tls is None:
            raise Rejected("missing", "REFERRAL_TLS", "set it to a folder that `referral ca install` made: the broker asks who we are")
        return self.tls

    def topic(self, name: str) -> str:
        """Return a topic's name on the broker."""
        return self.topic_prefix + name

    def plain(self, topic: str) -> str:
        """Return a topic's name in topics.yaml."""
        return topic.removeprefix(self.topic_prefix)

    def __repr__(self) -> str:
        return f"Settings({self.instance})"  # the URL may hold a password


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment. Rejected: a variable is missing or malformed."""

    def need(name: str) -> str:
        if not environment.get(name):
            raise Rejected("missing", name, "set it in the environment; beside `referral up`: . <its data folder>/environment")
        return environment[name]

    def address(name: str) -> tuple[str, int, bool]:
        scheme, separator, place = environment.get(name, "127.0.0.1:0").rpartition("://")
        host, _, port = place.rpartition(":")
        if not port.isdigit() or (separator and scheme not in ("http", "https")):
            raise Rejected("malformed", name, "write host:port, or https://host:port")
        return host or "127.0.0.1", int(port), scheme == "https"

    (host, port, secure), (inner_host, inner_port, inner_secure) = address("REFERRAL_HTTP"), address("REFERRAL_INNER")

    def file(name: str) -> Path | None:
        return Path(environment[name]) if environment.get(name) else None

    def files(name: str) -> tuple[Path, ...]:
        return tuple(map(Path, filter(None, environment.get(name, "").split(os.pathsep))))

    return Settings(
        kafka=need("REFERRAL_KAFKA"),
        database=need("REFERRAL_DATABASE"),
        database_password_file=file("REFERRAL_DATABASE_PASSWORD_FILE"),
        database_passwords=file("REFERRAL_DATABASE_PASSWORDS"),
        master_key_file=file("REFERRAL_MASTER_KEY_FILE"),
        service_key_file=file("REFERRAL_SERVICE_KEY_FILE"),
        service_keys=file("REFERRAL_SERVICE_KEYS"),
        ingress_key_file=file("REFERRAL_INGRESS_KEY_FILE"),
        intake_key_file=file("REFERRAL_INTAKE_KEY_FILE"),
        log_key_file=file("REFERRAL_LOG_KEY_FILE"),
        writer_key_file=file("REFERRAL_WRITER_KEY_FILE"),
        log_beat_s=_beat(environment.get("REFERRAL_LOG_BEAT_S", "")),
        trust=trust_file(environment),
        policy_keys=files("REFERRAL_POLICY_KEYS"),
        operator_keys=files("REFERRAL_OPERATOR_KEYS"),
        audit_url=environment.get("REFERRAL_AUDIT_URL", "http://localhost:8084"),
        notifier_url=environment.get("REFERRAL_NOTIFIER_URL", ""),
        instance=environment.get("REFERRAL_INSTANCE") or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
        http_host=host,
        http_port=port,
        http_tls=secure,
        inner_host=inner_host,
        inner_port=inner_port,
        inner_tls=inner_secure,
        bound=tuple(map(int, filter(None, environment.get(BOUND, "").split(",")))),
        public_url=environment.get("REFERRAL_PUBLIC_URL", ""),
        proxy=environment.get("REFERRAL_PROXY", ""),
        drill_clock=environment.get("REFERRAL_DRILL_CLOCK") == "1",
        topic_prefix=environment.get("REFERRAL_TOPIC_PREFIX", ""),
        smtp=environment.get("REFERRAL_SMTP", "localhost:25"),
        inbox_url=environment.get("REFERRAL_INBOX_URL", "http://localhost:8080"),
        help_number=environment.get("REFERRAL_HELP_NUMBER", ""),
        tls=file("REFERRAL_TLS"),
        schemas=Path(environment.get("REFERRAL_SCHEMAS", CHECKOUT / "schemas" / "avro")),
        policy=Path(environment.get("REFERRAL_POLICY", CHECKOUT / "policy")),
    )


def trust_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file that names whom we believe; None: none is set. Rejected: release 0.1.0's file is set in its place, which names nobody
    any more."""
    if environment.get("REFERRAL_TRUST"):
        return Path(environment["REFERRAL_TRUST"])
    if not (before := environment.get("REFERRAL_WITNESS_POLICY")):
        return None
    hint = "run `referral audit trust import {}`, and set this to the file that it writes: the comment lines there name nobody any more"
    raise Rejected("missing", "REFERRAL_TRUST", f"REFERRAL_WITNESS_POLICY is of release 0.1.0: {hint.format(before)}")


def _beat(given: str) -> int:
    """Return the seconds between two checkpoints. Rejected: they are no number, or too many for the promise of a receipt."""
    if not given:
        return MOST_BEAT_S
    if not given.isascii() or not given.isdigit() or int(given) > MOST_BEAT_S:
        raise Rejected("malformed", "REFERRAL_LOG_BEAT_S", f"write whole seconds, at most {MOST_BEAT_S}; 0 only for exercises")
    return int(given)
