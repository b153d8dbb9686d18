"""Two machines on one: network namespaces with a cable between them, a folder each as home, and what is installed on both.

Each sees the other, itself, and nothing else. What crosses the cable is written down.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from referral.local import data_folder, jars, kafka
from tests.harness.waiting import PATIENCE_S, comes

HOSTS: Final[Mapping[str, str]] = {"east": "10.77.0.1", "west": "10.77.0.2"}
CLEAR = b"this crosses the cable in clear"
RECORDER = """
import socket, sys
line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
line.bind((sys.argv[1], 0))
with open(sys.argv[2], "wb", buffering=0) as file:
    while True:
        file.write(line.recv(70000))
"""
"""Write every frame of a cable to a file. It sees what leaves and what comes."""


def missing() -> str:
    """Return why the machines cannot be made here; empty: they can."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    lacks = [name for name in ("ip", "unshare", "openssl", "curl") if shutil.which(name) is None]
    if lacks:
        return f"needs {' and '.join(lacks)}"
    return "" if servers() else "needs a PostgreSQL with TLS: apt-get install postgresql"


def servers() -> Path | None:
    """Return the folder with Debian's newest PostgreSQL server; None: there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


class Machines:
    """The two machines, each with its folder below `place`. captured: every frame that has crossed the cable."""

    def __init__(self, place: Path) -> None:
        self._place, self._programs, self.captured = place, place / "programs", place / "captured"
        self._space = f"t{os.getpid()}"

    def name(self, host: str) -> str:
        """Return the name of a host's namespace: other runs on this machine may have theirs."""
        return f"{self._space}-{host}"

    def run(self, host: str, block: str, seconds: float) -> str:
        """Run a block of shell on a machine, in its folder, and return what it printed. AssertionError: it failed."""
        done = subprocess.run(
            self.within(host, "sh", "-eu", "-c", block),
            cwd=self._place / host,
            env=self._environment(host),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"on {host}: exit {done.returncode}\n{done.stdout}\n{self._logs()}"
        return done.stdout

    def within(self, host: str, *words: str) -> list[str]:
        """Return a command as it runs on a machine."""
        return ["ip", "netns", "exec", self.name(host), *words]

    def speak_in_clear(self) -> None:
        """Let CLEAR cross the cable, and wait until it is written down: what is not there has then not crossed it."""
        program = "import socket, sys; socket.socket(type=socket.SOCK_DGRAM).sendto(sys.argv[1].encode(), ('east.example', 9))"
        subprocess.run(self.within("west", sys.executable, "-c", program, CLEAR.decode()), check=True)
        assert comes(lambda: CLEAR in self.captured.read_bytes()), "the cable is not listened to"

    def _environment(self, host: str) -> dict[str, str]:
        """Return a new user's environment: of this run's only what finds programs and a Java."""
        path = os.pathsep.join((str(self._programs), str(Path(sys.executable).parent), os.environ["PATH"]))
        kept = {name: value for name, value in os.environ.items() if name in ("LANG", "TZ")}
        return {**kept, "PATH": path, "HOME": str(self._place / host), "CHECKOUT": str(data_folder.checkout())}

    def _logs(self) -> str:
        logs = [path for host in HOSTS for path in sorted((self._place / host).glob("*.log"))]
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-1500:]}" for path in logs)

    def make(self, held: ExitStack) -> None:
        """Make both, lay the cable, install the programs, and listen. What is made is taken away with `held`."""
        self._programs.mkdir()
        _install(self._programs, self)
        for host in HOSTS:
            (self._place / host).mkdir()
            self._begin(host, held)
        east, west = (self.name(host) for host in HOSTS)
        _ip("link", "add", "cable", "netns", east, "type", "veth", "peer", "name", "cable", "netns", west)
        for host, address in HOSTS.items():
            _ip("-n", self.name(host), "addr", "add", f"{address}/24", "dev", "cable")
            for link in ("lo", "cable"):
                _ip("-n", self.name(host), "link", "set", link, "up")
        listening = subprocess.Popen(self.within("east", sys.executable, "-c", RECORDER, "cable", str(self.captured)))
        held.callback(listening.wait)
        held.callback(listening.kill)
        assert comes(self.captured.exists)

    def _begin(self, host: str, held: ExitStack) -> None:
        names = Path("/etc/netns") / self.name(host)
        names.mkdir(parents=True)
        held.callback(shutil.rmtree, names)
        lines = ["127.0.0.1 localhost", *(f"{address} {name}.example" for name, address in HOSTS.items())]
        (names / "hosts").write_text("".join(f"{line}\n" for line in lines))
        _ip("netns", "add", self.name(host))
        held.callback(_ip, "netns", "delete", self.name(host))
        held.callback(self._end, host)

    def _end(self, host: str) -> None:
        """End every process of a machine."""
        end = time.monotonic() + PATIENCE_S
        while pids := subprocess.run(["ip", "netns", "pids", self.name(host)], capture_output=True, text=True, check=True).stdout.split():
            subprocess.run(["kill", "-9", *pids], capture_output=True, check=False)
            assert time.monotonic() < end, f"processes of {host} do not end: {pids}"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _install(folder: Path, machines: Machines) -> None:
    """Write the programs that the machines have: ssh from one to the other, Debian's PostgreSQL, and Kafka as Apache ships it.

    PostgreSQL refuses root, so it runs as another user of a user namespace, as `referral.local.child` does.
    """
    postgres, java = servers(), kafka.find()
    parsed = jars.parse(kafka.lock_file().read_text(), str(kafka.lock_file()))
    path = jars.classpath(parsed, data_folder.default_jars(), lambda *_: None)
    place = machines.within("$host", "sh", "-c", '"$*"')
    texts = {
        "ssh": f"host=$1; shift; cd {folder.parent}/$host; export HOME=$PWD; exec {' '.join(place)}",
        "kafka-storage.sh": f"exec {java} -cp '{path}' kafka.tools.StorageTool \"$@\"",
        "kafka-server-start.sh": f"shift; nohup {java} $KAFKA_OPTS $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS"
        f" -cp '{path}' kafka.Kafka \"$@\" > kafka.log 2>&1 < /dev/null &",
    }
    texts |= {
        name: f'exec unshare --user --map-user=1000 --map-group=1000 {postgres}/{name} "$@"' for name in ("initdb", "pg_ctl", "createdb")
    }
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)


@contextmanager
def two(place: Path) -> Iterator[Machines]:
    """Yield the two machines; everything that runs on them ends with the block. place: an empty folder."""
    with ExitStack() as held:
        made = Machines(place)
        made.make(held)
        yield made
