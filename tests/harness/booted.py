"""A server that systemd has booted: this machine's own Debian, seen through an overlay, as pid 1 of namespaces of its own.

It has a network of its own with nothing but a loopback, nothing of what it writes reaches this machine, and it ends as a whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from referral.local import data_folder, jars, kafka
from tests.harness.waiting import comes

PROGRAMS: Final = ("referral", "services", "schemas", "policy", "deploy")
"""What a checkout needs to run."""
NEEDED: Final = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "pg_createcluster": "postgresql",
    "systemctl": "systemd",
    "java": "default-jre-headless",
}
DEBIAN = Path("/usr/bin/python3")
CGROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
BOOT = r"""
place=$1 packages=$2
mount -t tmpfs none "$place"
cd "$place" && mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" root && cd root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do touch dev/$name && mount --bind /dev/$name dev/$name; done
mkdir dev/pts dev/shm && mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts && ln -s pts/ptmx dev/ptmx
for folder in dev/shm run tmp etc/systemd/system; do mount -t tmpfs -o mode=755 tmpfs $folder; done
chmod 1777 tmp dev/shm
site=opt/referral/.venv/lib/python3.11/site-packages && mkdir -p $site && mount --bind -o ro "$packages" $site
mkdir -p etc/systemd/system.conf.d
printf '[Manager]\nDefaultEnvironment=PYTHONPATH=/opt/referral\n' > etc/systemd/system.conf.d/ours.conf
echo line > etc/hostname && ip link set lo up && mkdir -p old && pivot_root . old && umount -l /old
export container=referral PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec /lib/systemd/systemd --unit=basic.target --log-target=null --show-status=false
"""
"""Boot this machine's Debian once more. Units of this machine's own are not started: only what a test asks for."""
SCRIPT = """#!/opt/referral/.venv/bin/python
import os, sys
sys.path.insert(0, '/opt/referral')
os.environ['PYTHONPATH'] = '/opt/referral'
from referral.cli import main
main()
"""
"""The command there. The packages are this checkout's, whose own folder may be hidden there, as one below the temporary folder is: a
program that the command starts finds ours by the path."""


def missing() -> str:
    """Return why no server can be booted here; empty: it can."""
    if os.geteuid() != 0:
        return "needs root, for namespaces"
    if lacks := sorted({package for program, package in NEEDED.items() if shutil.which(program) is None}):
        return f"needs apt-get install {' '.join(lacks)}"
    if _unified() is None:
        return "needs cgroup2: mount -t cgroup2 cgroup /sys/fs/cgroup/unified"
    version = subprocess.run([DEBIAN, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, check=False).stdout
    return "" if version.strip() == "(3, 11)" else "needs Debian's python3 of version 3.11, for which this environment's packages are made"


class Server:
    """The server. pid: its systemd, as this machine counts."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def run(self, block: str, seconds: float) -> str:
        """Run a block of shell there, as root, and return what it printed. AssertionError: it failed."""
        environment = ("env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME=/root")
        done = subprocess.run(
            self.within(*environment, "timeout", str(seconds), "sh", "-eu", "-c", block),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"exit {done.returncode} (124: not within {seconds} s)\n{block}\n{done.stdout}\n{self.journal()}"
        return done.stdout

    def within(self, *words: str) -> list[str]:
        """Return a command as it runs there."""
        return ["nsenter", "--target", str(self.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", *words]

    def journal(self) -> str:
        """Return the last lines of its journal."""
        words = self.within("journalctl", "--no-pager", "--lines=60", "--output=cat")
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout[-8000:]


@contextmanager
def server(place: Path) -> Iterator[Server]:
    """Yield a booted server with what docs/deploy.md presupposes; it ends with the block. place: an empty folder."""
    with ExitStack() as held:
        group = (_unified() or CGROUPS[0]) / f"referral-{os.getpid()}"
        group.mkdir()
        held.callback(_removed, group)
        namespaces = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"]
        enter = f'echo $$ > {group}/cgroup.procs; exec "$@"'
        packages = next(path for path in map(Path, sys.path) if path.name == "site-packages")
        words = [*namespaces, "--propagation", "private", "sh", "-eu", "-c", BOOT, "boot", str(place), str(packages)]
        log = held.enter_context((place.parent / "boot.log").open("wb"))
        boot = subprocess.Popen(["sh", "-eu", "-c", enter, "enter", *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        held.callback(boot.wait)
        held.callback(boot.kill)
        children = Path(f"/proc/{boot.pid}/task/{boot.pid}/children")
        assert comes(lambda: _child(children) is not None), (place.parent / "boot.log").read_text()
        made = Server(_child(children) or 0)
        held.callback(_killed, made.pid)
        assert comes(lambda: _state(made) in ("running", "degraded")), (place.parent / "boot.log").read_text()
        _installed(made)
        yield made


def _installed(made: Server) -> None:
    """Put there what the page presupposes: the program with its packages, Kafka's jars, Debian's PostgreSQL as it comes."""
    checkout, root = data_folder.checkout(), Path(f"/proc/{made.pid}/root")
    for name in PROGRAMS:
        shutil.copytree(checkout / name, root / "opt" / "referral" / name, ignore=shutil.ignore_patterns("__pycache__"))
    binaries = root / "opt" / "referral" / ".venv" / "bin"
    binaries.mkdir()
    (binaries / "python").symlink_to(DEBIAN)
    (binaries.parent / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (binaries / "referral").write_text(SCRIPT)
    (binaries / "referral").chmod(0o755)
    libs = root / "opt" / "kafka" / "libs"
    libs.mkdir(parents=True)
    parsed = jars.parse(kafka.lock_file().read_text(), str(kafka.lock_file()))
    for path in jars.classpath(parsed, data_folder.default_jars(), lambda *_: None).split(os.pathsep):
        shutil.copy(path, libs)
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost line line.example\n")
    made.run("set -- $(ls /usr/lib/postgresql | sort -n | tail -1) main; pg_dropcluster --stop $1 $2 || true; pg_createcluster $1 $2", 120)
    made.run("systemctl daemon-reload", 60)


def _state(made: Server) -> str:
    words = made.within("systemctl", "is-system-running")
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _child(children: Path) -> int | None:
    with suppress(OSError, IndexError):
        return int(children.read_text().split()[0])
    return None


def _killed(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, 9)


def _removed(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        assert comes(partial(_gone, Path(folder)))


def _gone(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return not folder.exists()
    return True


def _unified() -> Path | None:
    return next((path for path in CGROUPS if (path / "cgroup.controllers").exists()), None)
