"""An operator's night, played from docs/operators.md, A night: the alert that fires, the line's own words, the way back; nothing lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from referral.local import ports
from referral.local.config import StackConfig, environment
from referral.runtime.kafka import clients
from referral.runtime.settings import CHECKOUT
from tests.deploy.monitored import ABSENT, Prometheus, prometheus
from tests.faults.line import Line, running
from tests.faults.load import Load
from tests.faults.verdict import judge
from tests.harness import callers
from tests.harness.waiting import PATIENCE_S, until

LONG_S = 3 * PATIENCE_S
"""A server starts, or a client of a broker gives up: seconds on a quiet machine."""
SMALL = "256m"
"""Size of the broker's disk (ours): its files are about 20 MB here, and a few seconds fill the rest."""
LACKS = [*ABSENT, *(program for program in ("faketime",) if shutil.which(program) is None)]
pytestmark = [
    pytest.mark.servers,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(LACKS), reason=f"no {', '.join(LACKS)} on this machine: .ci/run unpacks Debian's packages of these names"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the broker gets a small disk of its own (mount): run it as root"),
]


class Night:
    """One line under load, and what watches it."""

    def __init__(self, line: Line, watched: Prometheus) -> None:
        self.line, self.stack, self.watched = line, line.stack, watched
        self.data = line.stack.config.data

    async def fires(self, alert: str) -> None:
        await until(lambda: self._fires(alert), LONG_S, what=f"{alert} fires")

    async def ends(self, alert: str) -> None:
        await until(lambda: self._ended(alert), LONG_S, what=f"{alert} ends")

    async def says(self, service: str, word: str) -> None:
        """Return once the service's /readyz says the word."""
        await until(lambda: self._says(service, word), LONG_S, what=f"{service} says {word}")

    async def types(self, *words: str, before: tuple[str, ...] = ()) -> tuple[int, str]:
        """Run a command as the operator types it. before: a program that runs it."""
        process = await asyncio.create_subprocess_exec(
            *(*before, sys.executable, "-m", "referral.cli", *words),
            cwd=CHECKOUT,
            env={**os.environ, **self.stack.environment, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    async def doctor(self) -> tuple[int, str]:
        return await self.types("doctor", "--textfile", str(self.watched.text / "doctor.prom"))

    async def _fires(self, alert: str) -> bool:
        return alert in await self.watched.firing()

    async def _ended(self, alert: str) -> bool:
        return alert not in await self.watched.firing()

    async def _says(self, service: str, word: str) -> bool:
        async with httpx.AsyncClient(verify=callers.operator(self.stack), trust_env=False, timeout=30) as http:
            return word in (await http.get(f"{self.stack.inner(service)}/readyz")).json()["not_ready"]


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Give a folder a disk of its own for the length of a block."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def a_disk_is_full(night: Night) -> None:
    filler = night.data / "kafka" / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(filler.parent).free - 8192)
    await night.fires("DiskFull")
    await night.says("routing", "loop")
    code, said = await night.doctor()
    assert code == 2 and "the broker is away" in said, said
    filler.unlink()
    await night.line.ready()
    await night.ends("DiskFull")
    await night.ends("NotReady")


async def a_certificate_has_ended(night: Night) -> None:
    place, old, ca = night.data / "identities" / "audit", night.data / "old", str(night.stack.addresses.ca)
    shutil.copytree(place, old)
    for ago, alert in (("-156h", "CertificateEnds"), ("-192h", "ServiceDown")):  # a service's certificate lasts a week
        code, said = await night.types("ca", "renew", ca, str(old), "--always", before=("faketime", "-f", ago))
        assert code == 0, said
        shutil.copy(old / "identity.pem", place / "identity.new")
        (place / "identity.new").rename(place / "identity.pem")
        await night.fires(alert)
    code, said = await night.types("ca", "renew", ca, str(place), "--always")
    assert code == 0, said
    await night.ends("ServiceDown")
    await night.ends("CertificateEnds")


async def a_standby_is_behind(night: Night) -> None:
    """A slot stands for a standby that is away: the database keeps its WAL for it."""
    await night.line.rows("SELECT pg_create_physical_replication_slot('standby', true)")
    for _ in range(5):  # 16 MiB each, and the alert is above 64
        await night.line.rows("CREATE TABLE public.filler AS SELECT 1")
        await night.line.rows("SELECT pg_switch_wal()")
        await night.line.rows("DROP TABLE public.filler")
    await night.fires("StandbyBehind")
    ((_, is_active, _),) = await night.line.rows(
        "SELECT slot_name, active, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) FROM pg_replication_slots"
    )
    assert not is_active, "the page's question says that the standby is away"
    await night.line.rows("SELECT pg_drop_replication_slot('standby')")
    await night.ends("StandbyBehind")


async def an_agencys_topic_is_gone(night: Night) -> None:
    code, said = await night.types("agency", "topic", "iom")
    assert code == 0, said
    leased = "SELECT 1 FROM intake.lease WHERE unit LIKE 'ingress.iom%'"
    await until(lambda: night.line.rows(leased), LONG_S, what="intake reads the topic")
    admin = clients.admin(night.stack.settings)
    await admin.start()
    await admin.delete_topics([night.stack.settings.topic("ingress.iom")])
    await admin.close()
    await night.fires("AgencyStopped")
    code, said = await night.types("agency", "topic", "iom")
    assert code == 0, said
    await night.ends("AgencyStopped")


async def a_clock_is_wrong(night: Night) -> None:
    """One more instance of audit, on a machine whose clock is two minutes ahead."""
    (within,) = ports.free(1)
    more = {"REFERRAL_INNER": f"https://127.0.0.1:{within}", "REFERRAL_INSTANCE": "ahead"}
    command = ("faketime", "--exclude-monotonic", "-f", "+120s", sys.executable, "-m", "services.audit")
    told = {**os.environ, **environment(night.stack.config, night.stack.addresses, "audit"), **more}
    with (
        (night.watched.folder / "ahead.log").open("wb") as log,
        subprocess.Popen(command, cwd=CHECKOUT, env=told, stdout=log, stderr=log) as ahead,
        night.watched.also(f"127.0.0.1:{within}"),
    ):
        try:
            await night.fires("ClockOff")
            (seen,) = await night.watched.ask("referral_clock_ahead_seconds > 5")
            assert seen["metric"]["instance"] == f"127.0.0.1:{within}" and 119 < float(seen["value"][1]) < 121
        finally:
            ahead.terminate()
            ahead.wait(LONG_S)
    await night.ends("ClockOff")


async def a_key_file_is_missing(night: Night) -> None:
    key, own = night.stack.addresses.master_key, night.data / "keys" / "services" / "audit"
    key.rename(key.with_suffix(".away"))
    code, said = await night.doctor()
    assert code == 1 and "REFERRAL_MASTER_KEY_FILE" in said, said
    await night.fires("DoctorRed")
    key.with_suffix(".away").rename(key)
    await night.doctor()
    await night.ends("DoctorRed")
    before = own.read_bytes()
    own.unlink()
    code, said = await night.types("prepare")
    assert code == 0 and own.read_bytes() == before, said


NIGHTS = (
    a_key_file_is_missing,
    a_standby_is_behind,
    an_agencys_topic_is_gone,
    a_clock_is_wrong,
    a_certificate_has_ended,
    a_disk_is_full,
)


async def test_each_fault_of_a_night_is_called_and_mended_by_the_page(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with small_disk(tmp_path / "line" / "kafka"):
        async with running(StackConfig(data=tmp_path / "line")) as line, prometheus(line.stack, tmp_path / "own", hasty=True) as watched:
            load = Load(line.stack, seed=16, rate=0.3)
            working = asyncio.create_task(load.run())
            for fault in NIGHTS:
                began = time.monotonic()
                await fault(Night(line, watched))
                record_property("figure", f"{fault.__name__.replace('_', ' ')}: {time.monotonic() - began:.0f} s")
            load.end()
            await working
            verdict = await judge(line.stack, load)
            assert verdict.good, verdict
            record_property("figure", f"{load.done} things acknowledged meanwhile, nothing lost")
