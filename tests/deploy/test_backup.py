"""Backups of a small server: what is kept and what goes, what never counts, a restore to the end of the log; and over TLS, from Debian's
own PostgreSQL, which knows no incremental ones."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from referral.installation import folder as installation
from referral.installation.layout import Line
from referral.local import ports
from referral.local.postgres import binaries
from tests.deploy.backups import ENCRYPTS, POSTGRES, SETTING, UNROOT, Backups
from tests.harness import machines
from tests.harness.certificates import today
from tests.harness.servers import MEMORY
from tests.harness.waiting import comes

pytestmark = ENCRYPTS
CLUSTER = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--wal-segsize=1")
"""Segments of 1 MB: a test fills many."""
SETTINGS = dict(SETTING.findall((POSTGRES / "postgresql.conf").read_text("utf-8")))
ROLE = ("CREATE ROLE archive LOGIN REPLICATION PASSWORD 'made-up'", "GRANT SET ON PARAMETER referral.backup TO archive")
LOCAL = "local replication,postgres archive trust\n"
TLS = dict(re.findall(r"^(ssl\w*) = '?([^'\n]*)'?$", (POSTGRES / "postgresql.conf").read_text("utf-8"), re.M))
HOSTSSL = re.findall(r"^hostssl.*\n", (POSTGRES / "pg_hba.conf").read_text("utf-8"), re.M)
DAMAGE = """python3 -c 'import sys
tar = bytearray(sys.stdin.buffer.read())
tar[tar.index(b"\\0PG_VERSION\\0") + 513] ^= 1
sys.stdout.buffer.write(tar)'"""
"""One bit of a file is another one: it begins 512 bytes behind its name."""
LINE = Line(
    at=Path("/etc/referral"),
    brokers=("none:1",),
    databases=(),
    inbox="https://a.example",
    audit="https://b.example",
    notifier="https://c.example",
    oversight="https://d.example",
    name="b.example/referral",
    smtp="localhost:25",
    smtp_from="line@a.example",
    exercise=True,
)


@dataclass(frozen=True)
class Server:
    """A database server. place: a folder with a short name, for its socket. programs: of its version."""

    place: Path
    programs: Path
    port: int = 5432

    @classmethod
    def made(cls, place: Path, programs: Path, access: str, settings: dict[str, str], port: int = 5432) -> Server:
        """Make one with these settings and with a table, and start it."""
        server, data = cls(place, programs, port), place / "data"
        server.run("initdb", f"--pgdata={data}", *CLUSTER)
        (data / "pg_hba.conf").write_text(f"local all postgres trust\n{access}")
        lines = {"unix_socket_directories": str(place), "port": str(port), "listen_addresses": "", "fsync": "off", **settings}
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in lines.items())
        server.start()
        for statement in (*ROLE, "CREATE TABLE kept (number int)"):
            server.sql(statement)
        return server

    @property
    def path(self) -> str:
        return f"{self.programs}:{os.environ['PATH']}"

    def run(self, program: str, *words: str, said: str = "") -> str:
        command = [*UNROOT, str(self.programs / program), *words]
        done = subprocess.run(command, input=said, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        log = self.place / "log"
        command = [*UNROOT, str(self.programs / "pg_ctl"), "start", "--wait", f"--pgdata={self.place / 'data'}", f"--log={log}"]
        assert subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0, log.read_text()

    def sql(self, statement: str) -> str:
        """Run a statement as the superuser, and return what it prints."""
        return self.run("psql", f"--host={self.place}", f"--port={self.port}", "--username=postgres", "-qtAXc", statement).strip()

    def put(self, number: int) -> None:
        """Add a row, in a segment of the log of its own. When it is committed, the archive has it."""
        self.sql(f"INSERT INTO kept VALUES ({number})")
        self.sql("SELECT pg_switch_wal()")

    def now(self, *, after: Path) -> str:
        """Return the server's time, once that is later than the time in a backup's name."""
        named = datetime.strptime(after.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert comes(lambda: datetime.fromisoformat(self.sql("SELECT clock_timestamp()")) > named)
        return self.sql("SELECT clock_timestamp()")

    def rows(self, data: Path) -> list[int]:
        """Return the rows of a folder on which no server runs."""
        said = self.run("postgres", "--single", "-D", str(data), "postgres", said="SELECT number FROM kept ORDER BY number\n")
        return [int(number) for number in re.findall(r'number = "(\d+)"', said)]

    def dies(self) -> None:
        """Kill it: what is on its disk is lost."""
        self.run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={self.place / 'data'}")
        (self.place / "data").rename(self.place / "lost")

    @contextmanager
    def archived(self, environment: dict[str, str], folder: str = "1") -> Iterator[Backups]:
        """Its log is received as it is written, and each commit waits for that, within a block. environment: who receives, and how."""
        backups = Backups.made(self.place / folder, {"PATH": self.path, **environment})
        with backups.received():
            self.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (archive)'")
            self.sql("SELECT pg_reload_conf()")
            counts = "SELECT 1 FROM pg_stat_replication WHERE application_name = 'archive' AND sync_state = 'quorum'"
            assert comes(lambda: self.sql(counts)), self.log()
            yield backups

    def log(self) -> str:
        return (self.place / "log").read_text()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory, if there is one: everything here is written for sure, which takes minutes on a busy disk."""
    made = Path(tempfile.mkdtemp(prefix="backup-", dir=MEMORY if MEMORY.is_dir() else None))
    yield made
    if (pid := made / "data" / "postmaster.pid").exists():
        os.kill(int(pid.read_text().split()[0]), signal.SIGQUIT)
    shutil.rmtree(made, ignore_errors=True)


def local(place: Path) -> dict[str, str]:
    """Return the variables of whoever takes backups, in the role that can do nothing else."""
    return {"PGHOST": str(place), "PGUSER": "archive", "PGDATABASE": "postgres"}


@pytest.fixture
def server(place: Path) -> Server:
    """A server of PostgreSQL 18 with the settings of deploy/postgres."""
    return Server.made(place, binaries(), LOCAL, SETTINGS)


@pytest.fixture
def backups(server: Server) -> Iterator[Backups]:
    """Its backups."""
    with server.archived(local(server.place)) as made:
        yield made


def instead(server: Server, script: str) -> dict[str, str]:
    """Return the PATH on which what pg_basebackup prints goes through a script."""
    programs = server.place / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "pg_basebackup").write_text(f'#!/bin/bash\nset -e\n"{server.programs}/pg_basebackup" "$@" | {script}\n')
    (programs / "pg_basebackup").chmod(0o755)
    return {"PATH": f"{programs}:{server.path}"}


def other(place: Path) -> Path:
    """Return the root of another authority."""
    installation.make(place / "other", replace(LINE, at=place, databases=("none:1",)), b"", today())
    return place / "other" / "archive" / "root.pem"


def begin(backups: Backups) -> str:
    """Return the segment with which the oldest backup's log begins."""
    found = re.search(r"\(file (\w+)\)", (backups.folder / backups.counted()[0] / "backup_label").read_text())
    assert found
    return found[1]


def test_what_is_older_than_the_kept_ones_goes_and_the_oldest_kept_one_restores(server: Server) -> None:
    new = server.place / "new"
    with server.archived(local(server.place)) as backups:
        moment = _kept(server, backups)
        server.put(4)
        server.dies()
    backups.not_restored(new, "2026-01-01T00:00:00Z", "no full backup had ended by then")

    done = backups.restore(new, moment)
    assert done.returncode == 0 and "checked 1 backups" in done.stderr, done.stderr
    assert server.rows(new) == [1, 2]
    shutil.rmtree(new)
    done = backups.restore(new)
    assert done.returncode == 0, done.stderr
    assert server.rows(new) == [1, 2, 3, 4], "without a time: all that was committed"


def _kept(server: Server, backups: Backups) -> str:
    """Take backups until the oldest have gone, and return a moment between two of them."""
    wal = backups.folder / "wal"
    server.put(1)
    gone = [backups.take("full"), backups.take("incremental")]
    server.put(2)
    kept = [backups.take("full", KEEP="2")]
    assert backups.counted() == [path.name for path in (*gone, *kept)], "two full ones are kept, and what is between them"
    moment = server.now(after=kept[0])
    server.put(3)
    kept.append(backups.take("incremental"))
    first, there = begin(backups), len(list(wal.iterdir()))
    kept.append(backups.take("full", KEEP="2"))
    assert backups.counted() == [path.name for path in kept]
    segments = sorted(path.name.removesuffix(".age") for path in wal.iterdir() if not path.name.endswith(".history.age"))
    assert first < segments[0] == begin(backups) and len(segments) < there, "of the log, what the oldest kept one needs"
    return moment


def test_only_what_is_whole_and_alone_counts(server: Server, backups: Backups) -> None:
    comes((backups.folder / "wal").exists)
    backups.refused("there is no full backup to build on", "incremental")
    backups.refused("KEEP is the number", "full", KEEP="0")
    backups.refused("not daily", "daily")
    backups.refused("PG_VERSION: damaged", "full", **instead(server, DAMAGE))
    assert server.sql("SELECT rolconfig IS NULL FROM pg_roles WHERE rolname = 'archive'") == "t", "nobody is told of a good one"

    there = backups.folder.with_name("there")
    held = backups.environment | instead(server, f"{{ touch {there}; sleep infinity; }}")
    command = [str(POSTGRES / "backup.sh"), "full", str(backups.folder)]
    first = subprocess.Popen(command, env=held, start_new_session=True)
    try:
        assert comes(there.exists)
        backups.refused("another backup is being taken", "full")
        assert (backups.folder / "new.part" / "base.tar.age.part").exists(), "the second one leaves the first one's files alone"
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert comes(lambda: subprocess.run(["flock", "--nonblock", backups.folder / "lock", "true"], check=False).returncode == 0)
    assert backups.counted() == []

    full = backups.take("due")
    assert full.name.endswith("-full") and backups.take("due").name.endswith("-incremental")
    assert int(server.sql("SELECT split_part(rolconfig[1], '=', 2) FROM pg_roles WHERE rolname = 'archive'")) > 0
    full.rename(full.with_name("20260101T010000Z-full"))
    assert backups.take("due").name.endswith("-full"), "a week later"
    (backups.folder / "20991231T000000Z-full").mkdir()
    backups.refused("and the database's clock says", "full")


def test_an_archive_that_was_away_too_long_says_so_and_goes_on_in_a_new_folder(place: Path) -> None:
    server = Server.made(
        place, binaries(), LOCAL, {**SETTINGS, "max_slot_wal_keep_size": "1MB", "max_wal_size": "2MB", "min_wal_size": "2MB"}
    )
    with server.archived(local(place)) as backups:
        server.put(1)
        server.sql("ALTER SYSTEM RESET synchronous_standby_names")
        server.sql("SELECT pg_reload_conf()")
    for number in range(2, 8):
        server.put(number)
    server.sql("CHECKPOINT")
    assert server.sql("SELECT wal_status FROM pg_replication_slots") == "lost"
    backups.memory.mkdir()
    said = backups.run("archive.sh", str(backups.folder)).stderr
    shutil.rmtree(backups.memory)
    assert "can no longer access replication slot" in said, said
    server.sql("SELECT pg_drop_replication_slot('archive')")
    with server.archived(local(place), "2") as again:
        again.take("full")


@pytest.mark.skipif(machines.servers() is None, reason="needs a PostgreSQL with TLS: apt-get install postgresql")
def test_over_tls_from_a_server_that_is_who_it_says_and_takes_no_incremental_ones(place: Path) -> None:
    programs, made, (port,) = machines.servers(), place / "line", ports.free(1)
    assert programs is not None
    line = replace(LINE, at=made, databases=(f"127.0.0.1:{port}",))
    installation.make(made, line, b"", today())
    tls = {name: value.replace("/etc/referral", str(made)) for name, value in TLS.items()}
    older = {name: value for name, value in SETTINGS.items() if "summar" not in name}
    access = "".join(HOSTSSL).replace("10.0.0.0/24", "127.0.0.0/8")
    server = Server.made(place, programs, access, {**older, **tls, "listen_addresses": "127.0.0.1, 127.0.0.2"}, port)
    server.sql(f"ALTER ROLE archive PASSWORD '{(made / 'postgres' / 'archive.password').read_text().strip()}'")
    server.sql("CREATE DATABASE referral")
    variables = (row.split("=", 1) for row in (made / "archive" / "archive.env").read_text().splitlines() if not row.startswith("#"))
    with server.archived(dict(variables)) as backups:
        using = "SELECT version FROM pg_stat_replication JOIN pg_stat_ssl USING (pid) WHERE application_name = 'archive'"
        assert server.sql(using) == "TLSv1.3"
        server.put(1)
        assert [backups.take(kind).name.partition("Z-")[2] for kind in ("full", "due")] == ["full", "full"]
        backups.refused("PostgreSQL 15 takes no incremental backups, 17 and newer do: take a full one", "incremental")
        backups.refused("does not match host name", "full", PGHOST="127.0.0.2")
        backups.refused("certificate verify failed", "full", PGSSLROOTCERT=str(other(place)))
        backups.refused("no encryption", "full", PGSSLMODE="disable")
        backups.refused("no pg_hba.conf entry", "full", PGDATABASE="referral")
        server.put(2)
    server.dies()
    new = place / "new"
    backups.not_restored(new, "2026-11-29T01:00:00", "no time zone")
    newer = replace(backups, environment=backups.environment | {"PATH": f"{binaries()}:{os.environ['PATH']}"})
    done = newer.restore(new)
    assert done.returncode == 1 and "PATH has the programs of 18" in done.stderr and not new.exists()
    done = backups.restore(new)
    assert done.returncode == 0, done.stderr
    assert server.rows(new) == [1, 2]
