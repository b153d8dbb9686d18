"""Fixtures of every ring: a broker and a database server for the session, a fresh database and fresh topics for each test."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import ssl
import traceback
import uuid
from collections.abc import AsyncIterator, Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import argon2
import asyncpg
import httpx
import hypothesis
import pytest
import yaml
from msgspec import structs
from sqlalchemy.engine import make_url

from referral.authorities import trusted
from referral.domain.policy.reading.yaml_tree import LOADER
from referral.local import config as stack_config
from referral.runtime import garbage, passwords
from referral.runtime.postgres.rights import ROLES
from referral.wire.signed import trust_lines
from tests.harness import compiled_once, durations, servers, trust, waiting

if TYPE_CHECKING:
    from referral.runtime.settings import Settings

RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)[:12]
"""Names what this run makes on servers that outlive it."""
TEMPLATE_LOCK = 742_051
LOG = re.compile(r"the reason is at the end of (/\S+?\.log)")
"""Where our errors name a log, which is gone with the machine that runs the tests."""

_made = httpx.create_ssl_context
# No property is about the speed of a busy machine. The rest stays as it was: where CI is set, that is Hypothesis' own profile `ci`.
hypothesis.settings.register_profile(
    "patient", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the words of ours."""
    parser.addoption("--keep-durations", action="store_true", help="write tests/durations.tsv")


def pytest_configure(config: pytest.Config) -> None:
    """Forget a running stack that the shell has sourced. In the process that controls the run: hold the servers."""
    stack_config.forget(os.environ)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background a shell has it ignored, and with us every program of a test
        signal.signal(signal.SIGINT, signal.default_int_handler)
    httpx._transports.default.create_ssl_context = _tls
    yaml.safe_load = _yaml
    config.pluginmanager.register(durations.Durations())
    if not hasattr(config, "workerinput"):
        config.referral_servers = servers.Servers()
        if config.getoption("numprocesses", None):
            config.referral_door = servers.Door(config.referral_servers)
            os.environ[servers.DOOR] = str(config.referral_door.server_address)


def _tls(verify: ssl.SSLContext | str | bool = True, cert: None = None, trust_env: bool = True) -> ssl.SSLContext:
    """Give the clients of one process one TLS context: each reads the authorities for 0.03 s, and a test that waits makes hundreds."""
    return trusted() if verify is True else _made(verify, cert, trust_env)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no cyclic garbage while tests are collected, and never again among what was: it is as large as all tests, and stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        compiled_once.use()


def _yaml(stream: Any) -> Any:
    """Read stories and lists of words by the parser in C, where PyYAML has it, as policies are read: ten times faster, to equal values."""
    return yaml.load(stream, LOADER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say what a failure's own words leave out: where every task waits at the test's limit, and the end of a log that is named."""
    said = "".join(traceback.format_exception(call.excinfo.value)) if call.excinfo else ""
    waits = waiting.pending() if "from pytest-timeout" in said else ""
    logs = [Path(name) for name in dict.fromkeys(LOG.findall(said))]
    report = yield
    if waits:
        report.sections.append(("tasks that have not ended", waits))
    report.sections += [(f"the end of {log.name}", waiting.end(log)) for log in logs]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which servers ran."""
    for line in config.referral_servers.said():
        terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop them."""
    if hasattr(config, "referral_door"):
        config.referral_door.close()
    if hasattr(config, "referral_servers"):
        config.referral_servers.close()


def _address(request: pytest.FixtureRequest, name: str) -> str:
    door = os.environ.get(servers.DOOR)
    if door and hasattr(request.config, "workerinput"):
        return servers.ask(door, name)
    return request.config.referral_servers.address(name)


@pytest.fixture(autouse=True)
def _cheap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords cheaply in this process: people of a test sign in by the dozen. And do not look through the whole memory for each
    service that starts in this process: it holds all tests. Unit tests and real processes pay the price."""
    if "unit" not in request.path.parts:
        monkeypatch.setattr(passwords, "hasher", partial(argon2.PasswordHasher, time_cost=1, memory_cost=64, parallelism=1))
        monkeypatch.setattr(garbage, "settle", lambda: None)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """Bootstrap address of a real broker."""
    return _address(request, "kafka")


@pytest.fixture(scope="session")
def agencies(request: pytest.FixtureRequest) -> str:
    """Address at which the same broker answers agencies' systems."""
    return _address(request, "agencies")


@pytest.fixture(scope="session")
def authority(request: pytest.FixtureRequest) -> Path:
    """Folder of the run's authority and identities, see `tests.harness.trust`; the broker that tests share believes it."""
    return Path(_address(request, "authority"))


@pytest.fixture(scope="session")
def identities(authority: Path) -> Path:
    """Folder of an identity for each program of ours, by name."""
    return trust.identities(authority)


@pytest.fixture(scope="session")
def ca(authority: Path) -> Path:
    """Folder of the authority that the shared broker believes, for a stack that uses this broker."""
    return trust.ca(authority)


@pytest.fixture(scope="session")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an operator's identity, where nobody is reached with it."""
    from referral.local import certificates

    folder = tmp_path_factory.mktemp("keeper")
    certificates.ensure(folder / "ca", folder, ["operator/keeper"])
    return folder / "keeper"


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> str:
    """The administrator's URL of a real PostgreSQL."""
    return _address(request, "postgres")


@pytest.fixture(scope="session")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A master key and an ingress key of this run: (master, ingress)."""
    from referral.local import keyfiles

    return keyfiles.ensure(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def intake_files(key_files: tuple[Path, Path]) -> tuple[Path, Path]:
    """Intake's own key of `erased`, and `trust.toml` with the log of `made_log`, intake and two policy keepers: (key, trust)."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from referral.runtime import secret_file
    from tests.harness import believed, made_log, policies
    from tests.harness.erased import INTAKE, KEY

    folder = key_files[0].parent
    key, trust = folder / "intake.key", folder / "trust.toml"
    if not key.exists():
        secret_file.write(key, KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        believed.file(trust, made_log.policy() + trust_lines.intake_line(INTAKE.intake[0]) + policies.LINES)
    return key, trust


@pytest.fixture(scope="session")
def template(postgres: str, key_files: tuple[Path, Path]) -> str:
    """Name of a database that `prepare` filled, made once a run by whichever worker comes first."""
    name = f"referral_template_{RUN}"
    asyncio.run(_fill(postgres, name, key_files[0]))
    return name


async def _fill(postgres: str, name: str, master: Path) -> None:
    from referral.runtime.bootstrap import prepare_database
    from referral.runtime.settings import Settings

    connection = await asyncpg.connect(_plain(postgres))
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        if await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name):
            return
        await connection.execute(f"CREATE DATABASE {name}")
        try:
            url = _named(postgres, name)
            own = {"database_passwords": servers.passwords(url), "master_key_file": master}
            with servers.hashed_once():
                await prepare_database(Settings(kafka="", database=url, instance="template", drill_clock=True, **own))
        except BaseException:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            raise
    finally:
        await connection.close()


def _plain(url: str) -> str:
    """The address as asyncpg takes it."""
    return url.replace("postgresql+asyncpg://", "postgresql://", 1)


def _named(url: str, database: str) -> str:
    """The address of another database on the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


@pytest.fixture
async def database(postgres: str, template: str) -> AsyncIterator[str]:
    """URL (administrator) of a fresh database with everything in it that `prepare` makes."""
    name = f"referral_{uuid.uuid4().hex[:16]}"
    connection = await asyncpg.connect(_plain(postgres))
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        # the rights on the database itself are no part of a template
        roles = ", ".join(ROLES)
        await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO {roles}")
        yield _named(postgres, name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture
def bare(database: str, key_files: tuple[Path, Path], intake_files: tuple[Path, Path]) -> Settings:
    """A database of its own, and no broker."""
    from referral.runtime.settings import Settings
    from tests.harness import policies

    return Settings(
        kafka="",
        database=database,
        database_passwords=servers.passwords(database),
        master_key_file=key_files[0],
        intake_key_file=intake_files[0],
        trust=intake_files[1],
        policy_keys=policies.key_files(intake_files[1].parent),
        instance="test",
        drill_clock=True,
        log_beat_s=0,
    )


@pytest.fixture
async def on_kafka(bare: Settings, kafka: str, identities: Path, key_files: tuple[Path, Path]) -> AsyncIterator[Settings]:
    """A stack of its own on the shared servers: fresh database, fresh topics under a prefix, keys, drill clock."""
    from referral.runtime.kafka import access, clients
    from referral.wire.topics import INGRESS

    made = _with_broker(bare, kafka, key_files[1], identities)
    await clients.create_topics(made)
    yield made
    admin = clients.admin(made)
    await admin.start()
    try:
        there = [name for name in await admin.list_topics() if name.startswith(made.topic_prefix)]
        await access.forget(admin, [*there, made.topic(INGRESS)])
        await admin.delete_topics(there)
    finally:
        await admin.close()


@pytest.fixture
def settings(on_kafka: Settings) -> Settings:
    """As `on_kafka`. A folder whose tests need no real broker has `either` in its place."""
    return on_kafka


@pytest.fixture
async def in_memory(bare: Settings, identities: Path, key_files: tuple[Path, Path]) -> AsyncIterator[Settings]:
    """As `on_kafka`, but the broker is in memory: for what one process does, and where no promise rests on Kafka."""
    from referral.runtime.kafka import clients
    from referral.runtime.testing.broker import Broker
    from referral.runtime.testing.clients import in_place_of_kafka

    made = _with_broker(bare, "memory", key_files[1], identities)
    with in_place_of_kafka(Broker(), made.kafka):
        await clients.create_topics(made)
        yield made


def _with_broker(bare: Settings, kafka: str, ingress_key: Path, identities: Path) -> Settings:
    own = {"ingress_key_file": ingress_key, "instance": f"test-{uuid.uuid4().hex[:8]}", "topic_prefix": servers.prefix()}
    return structs.replace(bare, kafka=kafka, tls=identities / "keeper", **own)


@pytest.fixture
def either(request: pytest.FixtureRequest) -> Settings:
    """As `in_memory`; `on_kafka` where a test is marked `kafka`, and everywhere where REFERRAL_TEST_BROKER=kafka."""
    real = request.node.get_closest_marker("kafka") or os.environ.get("REFERRAL_TEST_BROKER") == "kafka"
    made: Settings = request.getfixturevalue("on_kafka" if real else "in_memory")
    return made
