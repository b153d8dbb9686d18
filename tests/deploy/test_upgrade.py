"""The release before this one is brought to this one under load, and back, one instance after another: every promise holds both ways."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from referral.cli import run
from referral.local import stack as local
from referral.local.config import StackConfig, environment
from referral.local.postgres import FOLLOWERS, Postgres, binaries
from referral.local.service import Worker
from referral.runtime import bootstrap
from referral.runtime.settings import Settings
from tests.deploy.backups import ENCRYPTS, UNROOT, Backups, in_clear
from tests.faults.line import Line, running
from tests.faults.load import Load
from tests.faults.verdict import judge
from tests.harness import previous_release
from tests.harness.previous_release import ROOT
from tests.harness.waiting import PATIENCE_S, comes, until

ORDER = ("audit", "notifier", "routing", "intake")
"""Readers before writers: who reads a new record knows it before somebody writes one (docs/operators.md)."""
RATE = 0.3
"""New cases a second (ours): the two ways together take minutes, and what they bring must be read and knocked before the verdict."""
BINDS_ITSELF = (
    'for one in /proc/self/fd/*; do case "$(readlink "$one")" in socket:*) eval "exec ${one##*/}>&-";; esac; done; exec env -C "$@"'
)
"""The older release does not know of inherited sockets: without them it finds its ports free, as it did."""
LEFT = frozenset({"topics", "rights"})
"""Rows in which this release's doctor names, on the way back, what the release before needs (`prepare --beside-older`)."""
OPERATORS = ROOT / "docs" / "operators.md"
PAGE_ROLE = re.compile(r"^(?:CREATE ROLE archive|GRANT .* TO archive;).*$", re.M)
PAGE_PASSWORD = re.compile(r"\$\(cat [^)]*\)")
TOGETHER = 4
"""Things that the line acknowledges (ours) while an instance of each release runs."""


def missing() -> str:
    """Return why there is no release before this one here; empty: there is one."""
    commit = previous_release.read(previous_release.FILE.read_text("utf-8")).commit
    try:
        previous_release.git("cat-file", "-e", f"{commit}^{{commit}}")
    except (OSError, subprocess.CalledProcessError):
        return "a shallow clone has not got the release before: git fetch --unshallow"
    return ""


@contextmanager
def checkout(place: Path) -> Iterator[Path]:
    """Yield a checkout of the release before this one."""
    commit = previous_release.read(previous_release.FILE.read_text("utf-8")).commit
    previous_release.git("worktree", "add", "--detach", str(place), commit)
    try:
        # Its codecs, if its commit does not hold them.
        subprocess.run([sys.executable, "-B", "-m", "referral.wire.schema.generate", "codecs"], cwd=place, check=True)
        yield place
    finally:
        previous_release.git("worktree", "remove", "--force", str(place))


class Releases:
    """Which release each instance runs, from its next start on."""

    def __init__(self, older: Path, trust: Path) -> None:
        self.older, self._trust, self._newer = older, trust, set[str]()

    def command(self, worker: Worker) -> tuple[str, ...]:
        """Return the command of an instance: the folder that it begins in decides what it imports. A service that the older release does
        not have is of this one."""
        newer = worker.name in self._newer or not (self.older / "services" / worker.service).is_dir()
        program = (sys.executable, "-m", f"services.{worker.service}")
        return ("env", "-C", str(ROOT), *program) if newer else ("bash", "-c", BINDS_ITSELF, "older", str(self.older), *program)

    async def change(self, line: Line, service: str, load: Load, *, newer: bool) -> float:
        """Restart each instance of a service as the other release, while the other instance serves; return the longest restart."""
        longest = 0.0
        for process in line.stack.of(service):
            (self._newer.add if newer else self._newer.discard)(process.name)
            if newer and isinstance(process.server, Worker):
                process.server.environment = {**process.server.environment, "REFERRAL_TRUST": str(self._trust)}
            began = time.monotonic()
            await process.kill(signal.SIGTERM)
            async with asyncio.timeout(2 * PATIENCE_S):
                await process.ready()
            longest = max(longest, time.monotonic() - began)
            assert os.readlink(f"/proc/{process.pid}/cwd") == str(ROOT if newer else self.older)
            seen = load.done
            await until(lambda seen=seen: load.done >= seen + TOGETHER, within=2 * PATIENCE_S, what="both releases serve side by side")
        return longest


def _older(older: Path, step: str) -> Callable[[Settings], Awaitable[None]]:
    """Return a step of `referral prepare` as the release before this one takes it."""

    async def taken(found: Settings) -> None:
        variables = {
            "REFERRAL_KAFKA": found.kafka or "none:1",  # not known yet where the database is prepared, and not needed
            "REFERRAL_DATABASE": found.database,
            "REFERRAL_DATABASE_PASSWORDS": str(found.database_passwords),
            "REFERRAL_MASTER_KEY_FILE": str(found.master_key_file),
            "REFERRAL_SERVICE_KEYS": str(found.service_keys),
            "REFERRAL_TLS": str(found.tls),
            "REFERRAL_DRILL_CLOCK": "1",
        }
        words = f"import asyncio; from referral.runtime import bootstrap, settings; asyncio.run(bootstrap.{step}(settings.load()))"
        done = await asyncio.create_subprocess_exec(sys.executable, "-c", words, cwd=older, env={**os.environ, **variables})
        assert await done.wait() == 0, f"the release before this one could not {step}"
        # Before its services start, a local stack writes things down by this release, as an operator's command does after `prepare`.
        await getattr(bootstrap, step)(replace(found, beside_older=True))

    return taken


class Database:
    """The database server of a line, as its administrator asks it. place: where its backups go."""

    def __init__(self, server: Postgres, place: Path) -> None:
        self._server, self.place = server, place

    @property
    def environment(self) -> dict[str, str]:
        """Return libpq's variables of the role that takes backups."""
        path = f"{binaries()}:{os.environ['PATH']}"
        passwords = self.place / "archive.pgpass"
        passwords.write_text("*:*:*:archive:made-up\n")
        passwords.chmod(0o600)
        return {
            "PATH": path,
            "PGHOST": str(self._server.socket),
            "PGUSER": "archive",
            "PGDATABASE": "postgres",
            "PGPASSFILE": str(passwords),
        }

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement, and return what it prints."""
        words = (
            str(binaries() / "psql"),
            f"--host={self._server.socket}",
            "--username=postgres",
            f"--dbname={database}",
            "-qtAXc",
            statement,
        )
        variables = {**os.environ, "PGPASSFILE": str(self._server.passfile)}
        return subprocess.run(words, env=variables, capture_output=True, text=True, check=True).stdout.strip()

    def begin(self) -> None:
        """Take the steps of the page for backups: a role that takes them, and a way in for it."""
        for statement in PAGE_ROLE.findall(OPERATORS.read_text("utf-8")):
            self.sql(PAGE_PASSWORD.sub("made-up", statement))
        with (self._server.folder / "pg_hba.conf").open("a") as file:
            file.write(FOLLOWERS.replace("postgres", "archive"))
        self.sql("SELECT pg_reload_conf()")


def cases(data: Path) -> int:
    """Return the number of case files in a folder of data on which no server runs."""
    words = (*UNROOT, str(binaries() / "postgres"), "--single", "-D", str(data), "referral")
    done = subprocess.run(words, input="SELECT count(*) FROM intake.casefile\n", capture_output=True, text=True, check=True)
    return int(re.findall(r'count = "(\d+)"', done.stdout)[0])


async def back_up(line: Line, place: Path) -> str:
    """Take an encrypted backup of a line under load, lose the line's disk, restore with either key. Return what came back, in words."""
    server = line.stack["postgres"].server
    assert isinstance(server, Postgres)
    place.mkdir()
    database = Database(server, place)
    await asyncio.to_thread(database.begin)
    backups = Backups.made(place / "1", database.environment)

    def archived() -> int:
        with backups.received():
            database.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (archive)'")
            database.sql("SELECT pg_reload_conf()")
            counts = "SELECT 1 FROM pg_stat_replication WHERE application_name = 'archive' AND sync_state = 'quorum'"
            assert comes(lambda: database.sql(counts)), "each commit waits for the archive"
            backups.take("full")
            kept = int(database.sql("SELECT count(*) FROM intake.casefile", "referral"))
            database.sql("ALTER SYSTEM RESET synchronous_standby_names")
            database.sql("SELECT pg_reload_conf()")
        return kept

    kept = await asyncio.to_thread(archived)
    assert in_clear(backups.folder, "trafficking-child", "police-prishtine") == set()
    for number, key in enumerate(backups.keys):
        restored = place / f"restored-{number}"
        done = await asyncio.to_thread(backups.restore, restored, key=key)
        assert done.returncode == 0, done.stderr
        assert cases(restored) >= kept > 0
    return f"{kept} cases in an encrypted backup, restored with each of two keys"


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.skipif(bool(missing()), reason=missing())
@ENCRYPTS
async def test_an_upgrade_and_a_way_back_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    with checkout(tmp_path / "older") as older:
        believed = tmp_path / "believed.toml"
        releases, config = Releases(older, believed), StackConfig(data=tmp_path / "data", instances=2, drill=True)
        monkeypatch.setattr(Worker, "command", lambda worker: releases.command(worker))
        for step in ("prepare_database", "prepare_topics"):
            monkeypatch.setattr(local, step, _older(older, step))
        async with running(config) as line:
            published = environment(config, line.stack.addresses, "routing")["REFERRAL_WITNESS_POLICY"]  # the older programs read it
            assert run(["audit", "trust", "import", published, "--out", str(believed)]) == 0
            for newer, order in ((True, ORDER), (False, ORDER[::-1])):
                load = Load(line.stack, seed=1 + newer, rate=RATE, settings=line.stack.settings)
                under = asyncio.create_task(load.run())
                await until(lambda load=load: load.done >= TOGETHER, within=2 * PATIENCE_S, what="the line is under load")
                await bootstrap.prepare(replace(line.stack.settings, beside_older=True))
                took = {service: await releases.change(line, service, load, newer=newer) for service in order}
                if newer:
                    record_property("figure", await back_up(line, tmp_path / "backups"))
                load.end()
                await under
                if newer:
                    await bootstrap.prepare(line.stack.settings)  # what only the release before needed is taken away
                verdict = await judge(line.stack, load, frozenset() if newer else LEFT)
                way = "to this release" if newer else "and back"
                longest = ", ".join(f"{service} {seconds:.0f} s" for service, seconds in took.items())
                record_property("figure", f"{way}: {load.done} acknowledged, {load.retries} tried again; longest restart {longest}")
                assert verdict.good, "\n".join(
                    (way, *(f"{name}: {count}" for name, count in verdict.counts.items() if count), *verdict.notes)
                )
