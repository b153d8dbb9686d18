"""The database as it was a second before an accident: backups under load, a restore, `recover`, a new log; and nothing erased comes back.

The scripts and settings are those of deploy/postgres, the steps those of docs/operators.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from referral.cli.stack.stage import Stage
from referral.local.config import StackConfig
from referral.local.postgres import Postgres, binaries
from referral.local.stack import Stack
from referral.runtime.settings import LINE
from tests.deploy.backups import ENCRYPTS, POSTGRES, SETTING, Backups, in_clear
from tests.faults.line import Line, running
from tests.faults.load import Load
from tests.faults.verdict import judge
from tests.harness import callers
from tests.harness.servers import prefix
from tests.harness.waiting import until

pytestmark = [ENCRYPTS, pytest.mark.servers, pytest.mark.timeout(1500)]
ROOT = Path(__file__).parents[2]
STEPS = re.compile(r"^ *```sh restore\n(.*?)^ *```$", re.M | re.S)
ANA, BEN = "desk-prizren.focal-point", "desk-prizren.back-up"
ACCIDENT = ("intake.section", "intake.happening")
"""What somebody deletes by hand: case files, which stand nowhere else."""
SEGMENT = 16 << 20
"""Bytes of a segment of the log (PostgreSQL's default)."""
RATE = 0.5
"""New cases a second (ours)."""
LOAD_S = 3.0
"""Seconds of load between two acts (ours)."""


@asynccontextmanager
async def archived(line: Line, folder: Path) -> AsyncIterator[Backups]:
    """The settings of deploy/postgres on the stack's server, and its log received as it is written: each commit waits for that."""
    server = line.stack["postgres"].server
    assert isinstance(server, Postgres)
    access, passfile = server.folder / "pg_hba.conf", folder.with_name("archive.pgpass")
    access.write_text(f"{access.read_text()}local replication archive scram-sha-256\n")
    passfile.write_text("*:*:*:archive:made-up\n")
    passfile.chmod(0o600)
    await line.rows("CREATE ROLE archive LOGIN REPLICATION PASSWORD 'made-up'")
    await line.rows("GRANT SET ON PARAMETER referral.backup TO archive")
    await line.rows("GRANT CONNECT ON DATABASE postgres TO archive")
    where = {"PGHOST": str(server.socket), "PGUSER": "archive", "PGPASSFILE": str(passfile), "PGDATABASE": "postgres"}
    path = f"{binaries()}:{os.environ['PATH']}"
    backups = Backups.made(folder, {**os.environ, **where, "PATH": path})
    with backups.received():
        settings = dict(SETTING.findall((POSTGRES / "postgresql.conf").read_text()))
        assert settings["summarize_wal"] == "on"
        for name, value in {**settings, "synchronous_standby_names": "ANY 1 (archive)"}.items():
            await altered(line, name, value)
        counts = "SELECT 1 FROM pg_stat_replication WHERE application_name = 'archive' AND sync_state = 'quorum'"
        await until(lambda: line.rows(counts), what="the archive counts for each commit")
        yield backups


async def altered(line: Line, name: str, value: str) -> None:
    async with line.admin.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.exec_driver_sql(f"ALTER SYSTEM SET {name} = '{value}'")
        await alone.exec_driver_sql("SELECT pg_reload_conf()")


ALL = (*LINE, "eraser")


async def referral(stack: Stack, *words: str, said: str = "") -> Any:
    """What a command prints as JSON. said: what it reads."""
    command = (sys.executable, "-m", "referral.cli", *words, "--json")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **stack.environment})
    out, err = await process.communicate(said.encode())
    assert process.returncode == 0, (words, out, err)
    return json.loads(out)


async def erase(line: Line, case_id: str) -> None:
    """Two persons have a case erased, and its keys are out of use; a day later they would be destroyed."""
    password = line.cast.password + "\n"
    as_ = ("--password-stdin", "--login")
    await referral(line.stack, "case", "erase", case_id, "--basis", "storage-ended", *as_, ANA, said=password)
    await referral(line.stack, "case", "erase", case_id, "--approve", *as_, BEN, said=password)
    gone = "SELECT 1 FROM keys.retirement WHERE case_id = :c"
    await until(lambda: line.rows(gone, c=case_id), what="its keys are out of use")


def closed(stage: Stage, count: int) -> list[str]:
    """Cases that their desk has closed."""
    cases = list[str]()
    for _ in range(count):
        case_id = stage.agency("school-drita").submit(json.loads((ROOT / "examples" / "referral.json").read_text("utf-8")))["case_id"]
        stage.offered("police-prizren", case_id, "police")
        stage.agency("desk-prizren").instruct(case_id, {"word": "CLOSE", "reason": "error"})
        cases.append(case_id)
    return cases


async def left(line: Line, case_id: str) -> int:
    """Keys of a case that are in use."""
    return int((await line.rows("SELECT count(*) AS n FROM keys.case_key WHERE case_id = :c", c=case_id))[0].n)


async def file(line: Line, case_id: str) -> set[tuple[Any, ...]]:
    """The case's rows in the tables of the accident."""
    return {tuple(row) for table in ACCIDENT for row in await line.rows(f"SELECT * FROM {table} WHERE case_id = :c", c=case_id)}


async def now(line: Line) -> str:
    """The database's time, as restore.sh takes it."""
    (row,) = await line.rows("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US+00:00') AS now")
    return str(row.now)


@contextmanager
def flipped(path: Path, at: int) -> Iterator[None]:
    """One bit of a file is another one, within a block."""
    for _ in range(2):
        with path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))
        if _ == 0:
            yield


@contextmanager
def flipped_before_it_came(backups: Backups, path: Path, at: int) -> Iterator[None]:
    """One bit of what a file held before it was encrypted is another one, within a block."""
    kept, plain = path.read_bytes(), path.with_suffix(".plain")
    subprocess.run(["age", "--decrypt", "--identity", str(backups.keys[1]), "--output", str(plain), str(path)], check=True)
    with flipped(plain, at):
        to = backups.environment["RECIPIENTS"]
        subprocess.run(["age", "--encrypt", "--recipients-file", to, "--output", str(path), str(plain)], check=True)
    plain.unlink()
    yield
    path.write_bytes(kept)


@contextmanager
def away(path: Path) -> Iterator[None]:
    """A file is not there, within a block."""
    elsewhere = path.rename(path.with_name("away"))
    yield
    elsewhere.rename(path)


def shell(stack: Stack, script: str) -> str:
    """What an operator types, as docs/operators.md has it."""
    data = stack.config.data
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFERRAL_")}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DATA": str(data)}
    script = f'. "$DATA/environment"\n{script}'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=data.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@asynccontextmanager
async def busy(load: Load) -> AsyncIterator[None]:
    """Load beside a block, and every request of it brought to its receipt."""
    task = asyncio.create_task(load.run())
    try:
        yield
    finally:
        load.end()
        await task


def size(*folders: Path) -> int:
    """MB of all files."""
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file()) // 1_000_000


async def test_a_second_before_the_accident(tmp_path: Path, kafka: str, ca: Path, record_property: Callable[[str, object], None]) -> None:
    folder, steps = tmp_path / "backups", STEPS.findall((ROOT / "docs" / "operators.md").read_text("utf-8"))
    recover, renew, swap = steps
    config = StackConfig(data=tmp_path / "data", kafka=kafka, ca=ca, prefix=prefix(), drill=True, witnesses=1, services=ALL, spare=ALL)
    data, new = config.data / "postgres" / "data", tmp_path / "new"
    async with running(config) as line, archived(line, folder) as backups:
        before, after, other = await asyncio.to_thread(closed, Stage(line.stack, line.cast), 3)
        load = Load(line.stack, seed=1, rate=RATE)
        async with busy(load):
            full = await asyncio.to_thread(backups.take, "full")
            await asyncio.sleep(LOAD_S)
            await erase(line, before)
            part = await asyncio.to_thread(backups.take, "incremental")
            await asyncio.sleep(LOAD_S)
            moment, known, whole = await now(line), receipts(load), await file(line, other)
            await asyncio.sleep(1.0)
            for table in ACCIDENT:
                await line.rows(f"DELETE FROM {table}")
            await erase(line, after)
        shown = await asyncio.to_thread(callers.metrics, line.stack, "audit")
        assert re.search(r"^referral_backup_age_seconds [1-9]", shown, re.M), shown
        assert 'referral_wal_waiting_bytes{slot="archive"}' in shown
        await line.stack["postgres"].stop()  # nobody gives a unit back, as when a machine is taken off
    told = ("school-drita", "police-prizren", "desk-prizren", other)
    assert in_clear(data, *told) == set(told) and in_clear(folder, *told) == set(), "a backup names nobody of a case"
    numbers = {line.cast.number(login) for login in (ANA, BEN, "police-prizren.duty-officer")} - {""}
    assert in_clear(data, "Lule Shembull", "She told her teacher", *numbers) == set(), "and an operator's key alone: no file, no number"
    damaged(backups, part, new, moment)

    began = time.monotonic()
    restored = await asyncio.to_thread(backups.restore, new, moment)
    assert restored.returncode == 0, restored.stderr
    took = time.monotonic() - began
    data.rename(tmp_path / "lost")
    new.rename(data)
    (data / "postgresql.auto.conf").unlink()  # no commit waits for the archive of before
    async with running(config) as line:
        stopped = [line.stack[name] for name in ("routing-1", "audit-1")]
        await until(lambda: all(service.state == "unready" for service in stopped), what="both say that the database is an older copy")
        assert "rewound-sql" in line.stack["routing-1"].trouble and "fork" in line.stack["audit-1"].trouble
        await asyncio.to_thread(shell, line.stack, recover)
        for name in ("intake-1", "routing-1", "notifier-1"):
            await line.stack[name].ready()
        ready = time.monotonic() - began
        assert await left(line, before) == await left(line, after) == 0 < await left(line, other)
        taken = {row.id for row in await line.rows("SELECT id FROM intake.submission")}
        assert known <= taken, "what was acknowledged before that moment is there"
        late = receipts(load) - known
        load.receipts = {key: kept for key, kept in load.receipts.items() if kept[1]["referral_id"] in taken}
        load.answers = {key: kept for key, kept in load.answers.items() if kept[1]["id"] in taken}
        more = Load(line.stack, seed=2, rate=RATE, receipts=load.receipts, answers=load.answers)
        async with busy(more):
            await asyncio.sleep(LOAD_S)
        await asyncio.to_thread(shell, line.stack, renew)
    await asyncio.to_thread(shell, line.stack, swap)
    async with running(config) as line:
        load.stack = line.stack
        verdict = await judge(line.stack, load)
        assert verdict.good, verdict
        await asyncio.to_thread(shell, line.stack, "referral audit verify")
        assert await left(line, before) == await left(line, after) == 0 < await left(line, other)
        assert set() < whole <= await file(line, other), "what the accident took is there again"
    again = time.monotonic() - began
    lost = len(late - taken)
    record_property("figure", f"{size(full)} MB full, {size(part)} MB incremental, {size(folder / 'wal')} MB of log, {len(known)} receipts")
    record_property("figure", f"RPO: {lost} lost of {len(late)} receipts given after that moment, none of {len(known)} before it")
    record_property("figure", f"RTO: restored in {took:.0f} s, doors open after {ready:.0f} s, a new log, all judged after {again:.0f} s")


def receipts(load: Load) -> set[str]:
    """Ids of what was acknowledged."""
    return {kept["referral_id"] for _, kept in load.receipts.values()} | {kept["id"] for _, kept in load.answers.values()}


def damaged(backups: Backups, part: Path, new: Path, moment: str) -> None:
    """Whatever is wrong with a backup is said before anything is written."""
    ranges = json.loads((part / "backup_manifest").read_bytes())["WAL-Ranges"][0]
    start = int(ranges["Start-LSN"].partition("/")[2], 16)
    segment = re.search(r"\(file (\w+)\)", (part / "backup_label").read_text())
    assert segment
    wal, base = backups.folder / "wal" / f"{segment[1]}.age", part / "base.tar.age"
    with flipped(base, base.stat().st_size // 2):
        backups.not_restored(new, moment, f"{base}: damaged")
    with away(wal):
        backups.not_restored(new, moment, f"wal/{segment[1]}: missing")
    with flipped(wal, wal.stat().st_size // 2):
        backups.not_restored(new, moment, f"{wal}: damaged")
    with flipped_before_it_came(backups, wal, start % SEGMENT + 40):
        backups.not_restored(new, moment, "wal: damaged")
    backups.not_restored(backups.folder, moment, "is not empty")
    backups.not_restored(new, "2026-11-01T00:00:00Z", "no full backup had ended by then")
