"""The servers that tests run against: embedded ones, or such as the environment names for tests, or Docker's. All are the real thing.

REFERRAL_TEST_KAFKA and REFERRAL_TEST_DATABASE name servers, and REFERRAL_TEST_AUTHORITY the authority that such a broker believes; after a
space the first has the address for agencies' systems. The product's own variables never do, because a running stack's may stand in the
shell. REFERRAL_TEST_SERVERS=docker takes containers of the images that `make image` builds and `docker load` loads: nothing is ever pulled.
Under pytest-xdist the servers live in the controlling process, and its workers ask it through a socket, so that all share them.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import shutil
import socket
import socketserver
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from referral.ca.identity import roots
from referral.local import data_folder, kafka, ports, postgres
from referral.local.data_folder import Trouble
from referral.local.kafka import Kafka
from referral.local.postgres import Postgres
from referral.runtime import secret_file
from referral.runtime.postgres import role_passwords
from referral.runtime.postgres.rights import ROLES
from tests.harness import trust, waiting

DOOR = "REFERRAL_TESTS_DOOR"
NAMED = {"postgres": "DATABASE"}
UNSAFE = ("fsync=off", "full_page_writes=off", "autovacuum=off", "max_wal_size=256MB", "max_connections=600")
"""Of the server that a run shares, where a role's share of connections serves several stacks: nobody kills it, and its data ends with the
run. Who kills one starts his own, as the product does."""
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
"""Of a broker in a container, for as long as a run."""
MEMORY, ROOM = Path("/dev/shm"), 2 << 30
"""A file system in memory, and the free bytes (ours) that it must have: one database of a test is 900 small files, which take 0.05 s
of CPU there and 0.3 s on a disk (measured)."""


def prefix() -> str:
    """Of the topics of one stack: no other has it, whatever runs beside it on the same broker."""
    return f"t{uuid.uuid4().hex[:10]}."


class Servers:
    """Started when first asked for, stopped by close."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._known: dict[str, tuple[str, str]] = {}

    def address(self, name: str) -> str:
        """Of `kafka` (bootstrap address), `agencies` (the same for agencies' systems), `postgres` (administrator's URL), or `authority` (a
        folder, see `trust`)."""
        with self._lock:
            if name not in ("kafka", "agencies"):
                return self._started(name)
            self._started("authority")
            services, *agencies = self._started("kafka").split()
            return services if name == "kafka" else agencies[0]

    def _started(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = _start(name, self._stack, Path(self._known["authority"][1]) if name == "kafka" else None)
        return self._known[name][1]

    def said(self) -> list[str]:
        """Which servers ran, one line each."""
        return [f"{name}: {how}, {address}" for name, (how, address) in sorted(self._known.items())]

    def close(self) -> None:
        """Stop what we started and delete its data."""
        self._stack.close()


@contextlib.contextmanager
def hashed_once() -> Iterator[None]:
    """Let PostgreSQL's clients hash a password once, not 4,096 times, at each of the thousands of connections of a run: for the passwords
    that are set in this block."""
    rounds, role_passwords.ROUNDS = role_passwords.ROUNDS, 1
    try:
        yield
    finally:
        role_passwords.ROUNDS = rounds


def passwords(url: str) -> Path:
    """The folder with a password for each role of a server, for `prepare`. url: the administrator's, of whichever database."""
    return Path(str(make_url(url).query["passfile"])).parent


def _with_passwords(url: str, stack: contextlib.ExitStack) -> str:
    """The administrator's URL with a libpq password file that knows every role: a test is any of them, and needs no more than the URL.

    Roles belong to the server, which may outlive this run and serve another one: both make the same passwords from its address.
    """
    folder = Path(tempfile.mkdtemp(prefix="referral-passwords-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    address = make_url(url)
    own = Path(str(address.query["passfile"])).read_text() if "passfile" in address.query else ""
    for role in ROLES:
        secret_file.write(folder / role, hmac.digest(f"{url}{own}".encode(), role.encode(), "sha256").hex().encode())
    lines = [f"*:*:*:{role}:{(folder / role).read_text()}\n" for role in ROLES]
    secret_file.write(folder / "all.pgpass", (own + "".join(lines)).encode())
    return address.update_query_dict({"passfile": str(folder / "all.pgpass")}).render_as_string(hide_password=False)


def _start(name: str, stack: contextlib.ExitStack, authority: Path | None) -> tuple[str, str]:
    """Start one of them, and return how and where. authority: that of a broker."""
    with hashed_once():
        how, address = _started(name, stack, authority)
    return how, _with_passwords(address, stack) if name == "postgres" else address


def _started(name: str, stack: contextlib.ExitStack, authority: Path | None) -> tuple[str, str]:
    named = os.environ.get(f"REFERRAL_TEST_{NAMED.get(name, name.upper())}")
    if named:
        return "named in the environment", named
    docker = os.environ.get("REFERRAL_TEST_SERVERS") == "docker"
    if name == "postgres" and docker:
        return "Docker", _docker_postgres(stack)
    folder = _folder()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    if name == "authority":
        trust.make(folder)
        return "made", str(folder)
    if authority is not None and docker:
        return "Docker", _docker_kafka(stack, authority)
    server = Postgres(folder, settings=UNSAFE) if authority is None else Kafka(folder, trust.identities(authority) / "kafka")
    stack.callback(server.stop)
    address = server.start()
    return "embedded", f"{address} {server.agencies}" if isinstance(server, Kafka) else address


def _folder() -> Path:
    """A new folder for one server's data, in memory where there is room. Short, so that the socket of PostgreSQL fits below it."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM
    return Path(tempfile.mkdtemp(prefix="referral-tests-", dir=MEMORY if roomy else None))


def _docker_kafka(stack: contextlib.ExitStack, authority: Path) -> str:
    services, agencies = ports.free(2)
    chosen, identity = kafka.Ports(services, agencies, 9093), trust.identities(authority) / "kafka"
    root = identity / "root.pem"
    root.write_bytes(roots(identity))
    template = (data_folder.checkout() / "deploy" / "kafka" / "server.properties").read_text()
    text = kafka.render(template, chosen, data=Path("/var/lib/kafka/log"), identity=identity, root=root)
    folder = _for_containers(stack, "server.properties", text)
    # The same paths inside, because certificates name that of their lists; and our own user, whose files these are.
    container = _container("broker", folder, "/etc/kafka").with_volume_mapping(str(authority), str(authority))
    container.with_kwargs(user=f"{os.getuid()}:{os.getgid()}").with_tmpfs_mount("/var/lib/kafka", "mode=1777")
    listeners = f"TLS://0.0.0.0:{chosen.services},AGENCIES://0.0.0.0:{chosen.agencies},CONTROLLER://127.0.0.1:9093"
    container.with_env("CLUSTER", CLUSTER).with_env("BROKER", f"listeners={listeners}\nmax.connections.per.ip=1000")  # all by one gateway
    for port in (services, agencies):
        container.with_bind_ports(port, port)
    stack.enter_context(container)
    probe = Kafka(folder, identity)
    probe.ports = chosen
    if not waiting.comes(probe.answers, within=kafka.READY_S):
        raise Trouble(f"the broker in a container did not start: {_end(container)}")
    return f"{probe.address} {probe.agencies}"


def _docker_postgres(stack: contextlib.ExitStack) -> str:
    port, password = ports.free(1)[0], uuid.uuid4().hex
    container = _container("database", _for_containers(stack, "password", password), "/etc/postgres")
    container.with_env("DATABASE_PASSWORD_FILE", "/etc/postgres/password").with_env("DATABASE_KEEPER", "postgres")
    container.with_command(["-c", "max_connections=200", *(word for setting in UNSAFE for word in ("-c", setting))])
    stack.enter_context(container.with_bind_ports(5432, port))
    if not waiting.comes(lambda: "database system is ready to accept connections" in _end(container), within=postgres.READY_S):
        raise Trouble(f"the database in a container did not start: {_end(container)}")
    return f"postgresql+asyncpg://postgres:{password}@127.0.0.1:{port}/postgres"


def _container(image: str, folder: Path, place: str) -> Any:
    """Return a container of an image that `make image` built. folder: files that it reads at `place`."""
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    testcontainers_config.ryuk_disabled = True  # it would be pulled; we stop what we start
    return DockerContainer(f"referral-{image}").with_volume_mapping(str(folder), place)


def _end(container: Any) -> str:
    """Return the end of what a container has written."""
    return b"".join(container.get_logs()).decode(errors="replace")[-3000:]


def _for_containers(stack: contextlib.ExitStack, name: str, text: str) -> Path:
    """Return a folder with one file that the user of a container can read, in a folder that nobody else on this machine can enter."""
    folder = Path(tempfile.mkdtemp(prefix="referral-containers-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    inner = folder / "files"
    inner.mkdir()
    inner.chmod(0o755)
    (inner / name).write_text(text)
    (inner / name).chmod(0o644)
    return inner


class Door(socketserver.ThreadingUnixStreamServer):
    """Where workers of pytest-xdist ask the controlling process for an address."""

    daemon_threads = True

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.folder = Path(tempfile.mkdtemp(prefix="referral-door-"))
        super().__init__(str(self.folder / "door"), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self.shutdown()
        self.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Answer(socketserver.StreamRequestHandler):
    """One question, one line."""

    server: Door

    def handle(self) -> None:
        name = self.rfile.readline().decode().strip()
        try:
            answer = self.server.servers.address(name)
        except Exception as error:
            answer = f"!{error}"
        self.wfile.write(answer.encode())


def ask(door: str, name: str) -> str:
    """A worker's question to the controlling process."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(door)
        line.sendall(name.encode() + b"\n")
        answer = line.makefile().read()
    if answer.startswith("!") or not answer:
        raise RuntimeError(f"{name} did not start: {answer[1:]}")
    return answer
