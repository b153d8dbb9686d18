"""A Docker engine of our own: its socket, data and network are in places that nobody else looks at, and all of it ends with the test.

It runs in a network and a mount namespace of its own: whatever it does to addresses, firewall and mounts is gone with it, and no port of
a container is open on this machine. `inside` runs a program in that network.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from referral.local.child import Child, Recipe
from tests.deploy import images
from tests.harness import waiting

STARTS_S = 60
"""Longest start in seconds (ours): it takes 3 s on idle cores."""
SHARES = 16_384
"""Weight of all containers together on a machine that others use too (ours; 1,024 is that of one program): where cgroups are of the first
version, they would share the weight of one among them."""
CGROUPS = Path("/sys/fs/cgroup")
NEEDS = {"dockerd": "docker.io", "unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "iptables": "iptables"}


class Engine:
    """A running engine. socket: where it answers."""

    def __init__(self, folder: Path, child: Child) -> None:
        self.folder, self.socket, self._child = folder, folder / "docker.sock", child

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables with which every client of Docker finds this engine and no other."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))}
        return {
            **kept,
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder / "client"),
            "TESTCONTAINERS_RYUK_DISABLED": "true",
        }

    def docker(self, *words: str, within: float = 120, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker WORDS`. AssertionError with its output: it failed and `check` is set."""
        return _run(["docker", *words], self.environment, within, check)

    def inside(
        self, words: Sequence[str], within: float = 300, folder: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine in the engine's network, where published ports answer at 127.0.0.1. Its failure is the caller's."""
        command = ["nsenter", f"--net=/proc/{self._child.pid}/ns/net", "--", *words]
        return _run(command, {**self.environment, **variables}, within, check=False, folder=folder)

    def load(self, *names: str) -> None:
        """Give the engine images of this commit, as `referral-NAME`, unless it has them."""
        for name in names:
            file = images.archive(name)
            if self.docker("image", "inspect", "--format", "{{.Id}}", f"referral-{name}", check=False).stdout.strip() != images.digest(
                file
            ):
                self.docker("load", "--quiet", "--input", str(file), within=300)


@contextlib.contextmanager
def running() -> Iterator[Engine]:
    """Start an engine and end it. Skips the test where none can run."""
    missing = sorted({package for program, package in NEEDS.items() if shutil.which(program) is None})
    if missing:
        pytest.skip(f"no Docker engine: apt-get install {' '.join(missing)} (without letting the package start one)")
    if os.geteuid() != 0:
        pytest.skip("a Docker engine of our own needs root: run `make deploy-test` as root")
    folder = Path(tempfile.mkdtemp(prefix="referral-engine-"))
    script = f"""set -e
mount --make-rprivate /
ip link set lo up
exec dockerd --host unix://{folder}/docker.sock --data-root {folder}/data --exec-root {folder}/exec --pidfile {folder}/pid \\
  --storage-driver overlay2 --cgroup-parent /{folder.name}"""
    with contextlib.suppress(OSError):  # cgroups of the second version have no such file
        group = CGROUPS / "cpu" / folder.name
        group.mkdir()
        (group / "cpu.shares").write_text(str(SHARES))
    child = Child(Recipe(["unshare", "--net", "--mount", "sh", "-c", script], folder / "engine.log", stop=signal.SIGTERM, grace=40))
    engine = Engine(folder, child)
    try:
        up = waiting.comes(lambda: child.poll() is not None or engine.docker("version", check=False).returncode == 0, within=STARTS_S)
        if not up or child.poll() is not None:
            pytest.skip(f"a Docker engine does not run here: {waiting.end(folder / 'engine.log')[-400:]}")
        yield engine
    finally:
        _end(child)
        for group in CGROUPS.glob(f"*/{folder.name}"):
            with contextlib.suppress(OSError):
                group.rmdir()
        shutil.rmtree(folder, ignore_errors=True)


def _end(child: Child) -> None:
    """Stop the engine, and by their numbers whatever programs of it outlived it."""
    namespace = Path(f"/proc/{child.pid}/ns/mnt")
    ours = namespace.readlink() if child.poll() is None else None
    child.stop()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if ours is not None and (process / "ns" / "mnt").readlink() == ours:
                os.kill(int(process.name), signal.SIGKILL)


def _run(
    words: Sequence[str], environment: dict[str, str], within: float, check: bool, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, timeout=within, check=False)
    assert not check or done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done
