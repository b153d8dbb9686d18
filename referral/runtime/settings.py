"""Settings: one TOML file for each program, which REFERRAL_SETTINGS names; a variable overrides one value. Read once, in wiring.

A variable has the name of its setting in capitals, with `_` for each dot: `sip.tls` is REFERRAL_SIP_TLS. In a list of tables it has one
value for each table, comma-separated, or one for all; the first word of a table is named as the list, REFERRAL_SIP, and replaces the list.
An empty variable stands for the default. The docstring of a class describes its settings, `name (who reads it): meaning`: `referral init`
writes that into its files, and docs/reference/settings.md has it as a table (docs/decisions/0094).
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from referral import typed_toml
from referral.errors import Rejected
from referral.typed_toml import Unfit

CHECKOUT = Path(__file__).parents[2]
LINE = ("intake", "routing", "notifier", "audit")
"""The services that run on the consumer loop, with its leases and positions."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that a browser reaches without a network, so that plain http reveals nothing."""
SERVICES = (*LINE, "oversight", "eraser")
FILE = "REFERRAL_SETTINGS"
"""Variable with the path of this program's file."""
PREFIX = "REFERRAL"
SOCKETS = "REFERRAL_SOCKETS"
MOST_BEAT_S = 300
"""Longest time between two checkpoints of the log (ours): a receipt promises to be logged within ten minutes, which is two of them."""
URI = re.compile(r"(?:sip:)?(?:(?P<user>[A-Za-z0-9+._-]{1,64})@)?(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::(?P<port>\d{1,5}))?")
SECRET = re.compile(r"[!#-:=?-~]{1,128}")
"""Names and passwords that baresip's account line can hold: printable, without space, quotation mark, semicolon, and < >."""


class Account(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A name and a password at a server: both, or neither."""

    user: str = ""
    password_file: Path | None = None

    def __post_init__(self) -> None:
        if bool(self.user) != (self.password_file is not None):
            raise Unfit("user", "set it together with `password_file`, or neither", "incomplete")


class SmtpServer(Account, frozen=True, kw_only=True, omit_defaults=True):
    """A mail relay.

    server: host:port.
    from: Sender's address.
    tls: `offered`: STARTTLS if the relay has it; `required`: outside one machine; or `never`. With a user it is required in any case.
    user: Name at the relay, if it wants one: set it together with `password_file`, or neither. A relay without STARTTLS gets no password
        and no message: `not-secured` in `referral_knocks_put_off`.
    password_file: File with the password.
    """

    server: str = "localhost:25"
    sender: str = field(name="from", default="inbox@localhost")
    tls: Literal["offered", "required", "never"] = "offered"

    def __post_init__(self) -> None:
        super().__post_init__()
        host, _, port = self.server.rpartition(":")
        if not host or not port.isdigit():
            raise Unfit("server", "write host:port")
        if self.sender.count("@") != 1 or not self.sender.isascii():
            raise Unfit("from", "an address like inbox@example.org")
        if self.user and self.tls == "never":
            what = "the password would go out in clear: write `required`, or take `user` and `password_file` away"
            raise Unfit("tls", what, "password-in-clear")


class SmsGateway(Account, frozen=True, kw_only=True, omit_defaults=True):
    """An SMS gateway.

    url: Address of Kannel's `sendsms` or of an aggregator's own, https. Plain http only on this machine, or with `tls = "never"`.
    user: Name at the gateway; set it together with `password_file`, or neither.
    password_file: File with the password.
    from: Number or name that the handset displays.
    tls: `required`: https; `never`: plain http on a network that you trust: the password and the numbers travel in clear.
    method: `GET`, or `POST` with JSON.
    names: An aggregator's names for Kannel's parameters, `to=recipient text=message`. An empty name leaves a parameter out, and an empty
        `username` signs in by HTTP Basic.
    statuses: An aggregator's HTTP statuses, each with a word of ours, `422=wrong-number 430=server-busy`.
    """

    url: str
    sender: str = field(name="from", default="")
    tls: Literal["required", "never"] = "required"
    method: Literal["GET", "POST"] = "GET"
    names: dict[Annotated[str, Meta(pattern="^(username|password|to|text|from|coding|charset|dlr-mask|dlr-url)$")], str] = {}
    statuses: dict[int, Literal["wrong-number", "server-refuses-us", "server-busy"]] = {}

    def __post_init__(self) -> None:
        super().__post_init__()
        at, what = urlsplit(self.url), "https://host/path without a user or a query; plain http only on this machine, or with `tls` never"
        if at.scheme not in ("http", "https") or not at.hostname or at.query or at.username is not None:
            raise Unfit("url", what)
        if at.scheme == "http" and at.hostname not in LOOPBACK and self.tls != "never":
            raise Unfit("url", what, "password-in-clear")


class SipTrunk(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A trunk that takes calls.

    server: user@host or user@host:port; without a port 5061, by UDP 5060 (RFC 3261). The host is an address or a name that DNS knows:
        /etc/hosts is not read.
    user: Name for the password, if it is not the user of `server`.
    password_file: File with the password, which itself never travels (digest).
    tls: `required`: signalling by TLS, sound by SRTP; `never`: by UDP on a line that is private by itself: numbers and sound travel in
        clear.
    ca: File with the trunk's own certificate, or that of an authority which signs for your operator alone; needed with TLS. Not the
        system's list: the name in a certificate is not checked.
    """

    server: str
    user: str = ""
    password_file: Path | None = None
    tls: Literal["required", "never"] = "required"
    ca: Path | None = None

    def __post_init__(self) -> None:
        found = URI.fullmatch(self.server)
        if found is None or not 0 < int(found["port"] or 1) < 65536:
            raise Unfit("server", "write user@host or user@host:port, as your operator tells you")
        if self.user and not SECRET.fullmatch(self.user):
            raise Unfit("user", 'without space, " ; < and >')


class Channels(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ways to a person of one program. variable: begins the names of its variables."""

    variable: ClassVar[str] = PREFIX
    smtp: tuple[SmtpServer, ...] = ()
    sms: tuple[SmsGateway, ...] = ()
    sip: tuple[SipTrunk, ...] = ()
    prompts: Path | None = None
    handset: str = ""

    def __post_init__(self) -> None:
        if self.handset and urlsplit(self.handset).scheme != "http":
            raise Unfit("handset", "the handset's address, as `referral up` prints it: http://127.0.0.1:PORT")


class Watchman(Channels, frozen=True, kw_only=True, omit_defaults=True):
    """A watchman, whose channels are its own: it never calls through the trunk whose failure it reports.

    operators (watchman): File of the people whom it calls, readable by its owner alone.
    smtp (watchman): As the notifier's; its own, for a written message beside the call.
    sms (watchman): As the notifier's; its own, for a written message beside the call.
    sip (watchman): As the notifier's; its own trunks.
    prompts (watchman): As the notifier's.
    handset (watchman): As the notifier's, on a local stack.
    trunks (watchman): The notifier's trunks, if this machine may reach them: tcp:host:port, or udp:host:port for SIP by UDP. If none
        answers for half a minute, that is an alarm, before any call is due.
    beat (watchman): Addresses that take its beats, https://west.example:8090/beat.
    beat_key_file (watchman): 64 hexadecimal digits that the watchmen share (openssl rand -hex 32), readable by its owner alone.
    expects (watchman): Names (`instance`) of the watchmen whose silence is an alarm.
    """

    variable: ClassVar[str] = f"{PREFIX}_WATCHMAN"
    operators: Path | None = None
    trunks: tuple[str, ...] = ()
    beat: tuple[str, ...] = ()
    beat_key_file: Path | None = None
    expects: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname for url in self.beat):
            raise Unfit("beat", "addresses like https://host:port/beat")
        if not all(re.fullmatch(r"(?:tcp|udp):.+:\d+", trunk) for trunk in self.trunks):
            raise Unfit("trunks", "write tcp:host:port, or udp:host:port for SIP by UDP")
        if (self.beat or self.expects) and self.beat_key_file is None:
            raise Unfit("beat_key_file", "the key that the watchmen share: openssl rand -hex 32", "missing")


class Address(NamedTuple):
    """Where a program listens. port 0: any free one. tls: it speaks TLS, as the folder `tls` names it."""

    host: str
    port: int
    tls: bool


def address(text: str) -> Address:
    """Read host:port, or https://host:port. ValueError: it is neither."""
    scheme, separator, place = text.rpartition("://")
    host, _, port = place.rpartition(":")
    if not port.isdigit() or (separator and scheme not in ("http", "https")):
        raise ValueError("write host:port, or https://host:port")
    return Address(host or "127.0.0.1", int(port), scheme == "https")


class Settings(Channels, frozen=True, kw_only=True, omit_defaults=True):
    """The settings of one process.

    kafka (all): Bootstrap address, host:port; of several brokers all of them, comma-separated. `referral up` uses it in place of its own.
    database (all): SQLAlchemy URL, postgresql+asyncpg://…: a service connects as the role of its own name, commands as an administrator. Of
        several hosts, @/referral?host=a.example:5432,b.example:5432, the one that takes writes is used. A server elsewhere is believed by
        the authorities in `tls`, or by ?sslmode=verify-full&sslrootcert=FILE.
    database_password_file (all): File with the password of the program's role. Only its owner may read it (chmod 600; a file of root's
        may be read by its group, as systemd and Kubernetes hand it out).
    service_key_file (all): File with the keys of this service, readable by its owner alone. The watchman needs none.
    tls (all): Folder of this program's identity, made by `referral ca install`: its key and certificate, the authorities that it believes,
        and their lists of revoked certificates. A changed folder counts after 10 s, without a restart.
    trust (all): trust.toml, which names the log's witnesses and everybody's keys; the same for every service and auditor.
    instance (all): Name of this process; no two are alike. By default host, pid and a random tail.
    http (all): Public address, host:port or https://host:port, which speaks TLS 1.3 with the certificate in `tls`. Port 0 takes a free one
        and prints it. See "Where a service listens" of docs/operators.md.
    inner (all): Address of metrics and of health with its reasons, https://host:port for whoever shows a certificate of an operator or a
        service; host:port, without TLS, on loopback alone. Never one that agencies or staff can reach.
    proxy (all): Address of the proxy in front of the service: of it alone X-Forwarded-For is believed.
    topic_prefix (all): Prefix of every topic, for several stacks on one broker.
    drill_clock (all): A drill, whose hours pass in seconds. Never beside real cases: a database is for drills or for real cases for ever.
    schemas (all): Folder of the schemas; by default the checkout's.
    policy (all): Folder of the policy; by default the checkout's.
    ingress_key_file (intake): X25519 private key (PKCS 8, PEM) that opens `ingress.<agency>`. Without it agencies cannot send by Kafka.
    intake_key_file (intake): Ed25519 private key (PKCS 8, PEM) with which intake signs receipts and erasures (`referral audit key`). On
        intake's machines alone: its holder can have a case erased.
    writer_key_file (intake, routing, notifier, oversight): Ed25519 private key (PKCS 8, PEM) with which the service signs the records that
        it writes (`referral audit writer`). Needed unless `trust.toml` has `writers = "off"`.
    log_key_file (audit): The key that signs the log's checkpoints (`referral audit key`). On audit's machine alone: its holder can sign a
        false history above the last witnessed size, that is of up to five minutes.
    log_beat_s (audit): Seconds between two checkpoints of the log, at most 300: a receipt promises ten minutes (ours). 0 signs each batch
        at once, and tells every stranger when a child is referred: for exercises alone. Each instance needs the same.
    audit_url (intake, eraser, commands): Address of audit's HTTP. Nobody believes its answers without a proof.
    notifier_url (intake): Address of the notifier's HTTP, which intake's pages ask who was told, and by which they change the rota; without
        it they say nothing of either.
    inbox_url (intake, notifier): Address of the inbox as staff reach it; links in knocks begin with it. If it is https, agencies sign for
        its host.
    help_number (intake): Telephone number that the sign-in page names to whoever cannot sign in: yours, answered at night.
    public_url (audit, oversight, notifier): Address at which people reach this service's pages. Cookies are `Secure` and `__Host-` unless
        it is plain http on loopback.
    smtp (notifier): Mail relays, the preferred one first.
    sms (notifier): SMS gateways, the preferred one first. Without one no SMS is sent.
    sms_callback (notifier): Address at which a gateway reaches the notifier for receipts and replies; by default `public_url`. With neither
        no receipt is asked for.
    sms_signing_file (notifier): File with the key of an aggregator that signs its callbacks: X-Signature, HMAC-SHA-256, hexadecimal.
    sip (notifier): Trunks that take calls, the preferred one first. Without one no telephone rings.
    prompts (notifier): Folder of the spoken prompts, made by `referral prompts make`.
    handset (notifier): Address of a local stack's stand-in for telephones: no telephone rings. Never with real cases.
    caps (notifier): Most messages a day by a paid channel, `sms=500,voice=200`; the same for all instances. Above it only first knocks of
        what is urgent leave; nothing is dropped.
    canary (notifier): A number of yours with its country, +38344000001, that a robot answers by key 1. It is called every quarter of an
        hour; the same for all instances.
    master_key_file (commands): File of 64 hexadecimal digits, the master key, readable by its owner alone. A service that gets it does not
        start.
    database_passwords (commands): Folder with the password of each role, in a file named as it; `referral prepare` makes missing ones.
    service_keys (commands): Folder in which `referral prepare` writes the key file of each service, named as it.
    policy_keys (`referral policy activate`): The key files of both signers: a local stack's alone. Never with real cases.
    approval_keys (`referral case erase`, `case erase-refused`): File of your own key for erasures. Two, of which the first asks and the
        last approves, are a local stack's: never with real cases.
    operator_keys (commands): File of your own key for what takes two operators. Two are a local stack's: never with real cases.
    ca (`referral up`, `referral agency connect`): Folder of the authority that a broker of your own believes.
    witness_policy (`referral receipt`): What `trust.toml` names, as the log publishes it (`referral audit trust show`): one C2SP policy
        file. Release 0.1.0 read it in place of `trust.toml`; set alone, it stops every program with the remedy.
    url (agencies' commands): Address of intake.
    signing_key_file (agencies' commands): File of the key with which the agency signs what it sends. Without it nothing is signed.
    agency_tls (agencies' commands): Folder of the agency's certificate. On a trial stack `eval "$(referral agency connect …)"` sets it.
    agency_kafka (agencies' commands): Address of the broker's listener for agencies, host:port.
    java (`referral up`): A Java ≥ 17, in place of the one that is found.
    jars (`referral up`): Folder for Kafka's jars, in place of one below the user's cache.
    sockets (`referral up`): Descriptors of two bound sockets, public and inner. A local stack binds the ports of its services when it
        chooses them, so that no other program takes one of them before the service starts.
    watchman (watchman): A table for the watchman alone.
    """

    kafka: str = ""
    database: str = ""
    database_password_file: Path | None = None
    service_key_file: Path | None = None
    tls: Path | None = None
    trust: Path | None = None
    instance: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}")
    http: str = "127.0.0.1:0"
    inner: str = "127.0.0.1:0"
    proxy: str = ""
    topic_prefix: str = ""
    drill_clock: bool = False
    schemas: Path = CHECKOUT / "schemas" / "avro"
    policy: Path = CHECKOUT / "policy"
    ingress_key_file: Path | None = None
    intake_key_file: Path | None = None
    writer_key_file: Path | None = None
    log_key_file: Path | None = None
    log_beat_s: Annotated[int, Meta(ge=0, le=MOST_BEAT_S)] = MOST_BEAT_S
    audit_url: str = "http://localhost:8084"
    notifier_url: str = ""
    inbox_url: str = "http://localhost:8080"
    help_number: str = ""
    public_url: str = ""
    smtp: tuple[SmtpServer, ...] = (SmtpServer(),)
    sms_callback: str = ""
    sms_signing_file: Path | None = None
    caps: dict[Annotated[str, Meta(pattern="^(sms|voice)$")], Annotated[int, Meta(gt=0)]] = {}
    canary: Annotated[str, Meta(pattern=r"^(\+[1-9][0-9]{6,14})?$")] = ""
    master_key_file: Path | None = None
    database_passwords: Path | None = None
    service_keys: Path | None = None
    policy_keys: tuple[Path, ...] = ()
    approval_keys: tuple[Path, ...] = ()
    operator_keys: tuple[Path, ...] = ()
    ca: Path | None = None
    witness_policy: Path | None = None
    url: str = ""
    signing_key_file: Path | None = None
    agency_tls: Path | None = None
    agency_kafka: str = ""
    java: Path | None = None
    jars: Path | None = None
    sockets: tuple[int, ...] = ()
    watchman: Watchman = Watchman()
    beside_older: bool = False
    """No word of the file: `prepare` leaves the release before this one what it needs, while that one runs too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for word in ("http", "inner"):
            try:
                address(getattr(self, word))
            except ValueError as error:
                raise Unfit(word, str(error)) from None

    def is_secure(self, url: str) -> bool:
        """Return whether cookies are for https only: always, except for pages reached by plain http on loopback.

        url: URL at which people reach the pages; empty: the address that the service listens on.
        """
        own = address(self.http)
        reached = urlsplit(url or f"http{'s' if own.tls else ''}://{own.host}")
        return reached.scheme != "http" or reached.hostname not in LOOPBACK

    def identity(self) -> Path:
        """Return the folder of this process's identity. Rejected: none is set."""
        if self.tls is None:
            raise Rejected("missing", "REFERRAL_TLS", "set it to a folder that `referral ca install` made: the broker asks who we are")
        return self.tls

    def trust_file(self) -> Path | None:
        """Return the file that names whom we believe; None: none is set. Rejected: release 0.1.0's file is set in its place, which names
        nobody any more."""
        if self.trust is None and self.witness_policy is not None:
            hint = f"run `referral audit trust import {self.witness_policy}`, and set this to the file that it writes"
            why = "REFERRAL_WITNESS_POLICY is of release 0.1.0"
            raise Rejected("missing", "REFERRAL_TRUST", f"{why}: {hint}: the comment lines there name nobody any more")
        return self.trust

    def topic(self, name: str) -> str:
        """Return a topic's name on the broker."""
        return self.topic_prefix + name

    def plain(self, topic: str) -> str:
        """Return a topic's name in topics.yaml."""
        return topic.removeprefix(self.topic_prefix)

    def __repr__(self) -> str:
        return f"Settings({self.instance})"  # the URL may hold a password


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return what the file and the variables say, also without servers. Rejected: a word is unknown, or a value malformed."""
    return typed_toml.read(Settings, FILE, environment, PREFIX)


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a process that needs broker and database. Rejected: as `read`, or one of them is missing."""
    found = read(environment)
    for name, value in (("REFERRAL_KAFKA", found.kafka), ("REFERRAL_DATABASE", found.database)):
        if not value:
            hint = f"name the program's file in {FILE}, or set it in the environment; beside `referral up`: . <its data folder>/environment"
            raise Rejected("missing", name, hint)
    found.trust_file()
    return found


def given(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the words that the file and the variables give. Rejected: as `read`."""
    return typed_toml.given(Settings, FILE, environment, PREFIX)


def option(variable: str) -> str:
    """Return what the file says in place of a variable that an option of a command reads; empty: nothing. Rejected: as `read`."""
    value = given({FILE: os.environ.get(FILE, "")}).get(variable.removeprefix(f"{PREFIX}_").lower(), "")
    return os.pathsep.join(map(str, value)) if isinstance(value, list) else str(value)


def secret(file: Path | None, variable: str) -> str:
    """Return the content of a secret's file; empty without one. Rejected: it cannot be read."""
    try:
        return file.read_text("utf-8").strip() if file else ""
    except (OSError, UnicodeError):
        raise Rejected("unreadable", variable, "a file that this process may read") from None
