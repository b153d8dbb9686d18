"""An operator's night, played from docs/operators.md, A night: an alert calls, the page's commands are run, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest

from referral.local import ports
from referral.local.config import StackConfig, environment
from referral.local.supervisor import Process
from referral.runtime.kafka import clients
from referral.runtime.settings import CHECKOUT, LINE
from tests.deploy.monitored import ABSENT, Prometheus, telephoned
from tests.deploy.night import LONG_S, Night, answering, asked, filled, frozen, small_disks
from tests.faults import servers
from tests.faults.line import running
from tests.faults.load import Load
from tests.faults.verdict import judge
from tests.harness.waiting import end, until

SEGMENT = "SELECT pg_logical_emit_message(true, 'filler', repeat('.', 16000000))"
"""Fills about one file of the database's log; five are above the limit of StandbyBehind."""
LACKS = [*ABSENT, *(program for program in ("faketime",) if shutil.which(program) is None)]
pytestmark = [
    pytest.mark.servers,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(LACKS), reason=f"no {', '.join(LACKS)} on this machine: `make tools` unpacks Debian's packages of these names"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the servers get small disks of their own (mount): run it as root"),
]


async def a_service_lacks_its_key(night: Night) -> None:
    """The first call: about nothing else, answered by a key, and ended by Alertmanager."""
    audit, key = night.stack["audit-1"], night.data / "keys" / "services" / "audit"
    before = key.read_bytes()
    key.unlink()
    await audit.kill()
    await until(lambda: "REFERRAL_SERVICE_KEY_FILE" in end(audit.server.log), what="audit dies with the name of its setting")
    await audit.hold()
    await night.fires("ServiceDown")
    assert '"ServiceDown#servicedown"' in night.called()[0], "the first call is about this alone"
    assert (await night.follows("A key file is missing", 1)).code == 0 and key.read_bytes() == before
    await audit.release()
    await night.ends("ServiceDown")
    await until(lambda: '"ready again"' in night.watchman.program.said(), what="the watchman hears that it is over")
    mails = [str(mail.message["Subject"]) for mail in night.mailbox.mails]
    assert any("ServiceDown" in subject for subject in mails), "and it is written to people"


async def the_master_key_is_missing(night: Night) -> None:
    key = night.stack.addresses.master_key
    key.rename(key.with_suffix(".away"))
    code, said = await night.doctor()
    assert code == 1 and "REFERRAL_MASTER_KEY_FILE" in said, said
    await night.fires("DoctorRed", check="keys")
    key.with_suffix(".away").rename(key)
    await night.doctor()
    await night.ends("DoctorRed", check="keys")


async def a_standby_is_behind(night: Night) -> None:
    """A standby's machine is frozen for a while, and goes on; then it is lost, and a new one is made."""
    name, page, standby = "postgres_2", "A standby is behind", night.stack["postgres-2"]
    await _gets_its_slot(night, standby, name)
    with frozen(standby):
        for _ in range(5):
            await night.line.rows(SEGMENT)
        await night.fires("StandbyBehind", slot=name)
        assert name in (await night.follows(page, 1)).text
    await night.ends("StandbyBehind")
    await servers.follows(night.stack, standby)

    await standby.hold()
    shutil.rmtree(night.data / standby.name / "data")
    await night.follows(page, 3, NAME=name)
    await standby.release()
    await _gets_its_slot(night, standby, name)


async def _gets_its_slot(night: Night, standby: Process, name: str) -> None:
    await night.follows("A standby is behind", 4, NAME=name)
    await night.follows("A standby is behind", 5, on=standby, NAME=name)
    active = f"SELECT 1 FROM pg_replication_slots WHERE active AND slot_name = '{name}'"
    await until(lambda: night.line.rows(active), what="the standby reads by its slot")


async def an_agencys_topic_is_gone(night: Night) -> None:
    page = "A topic is gone"
    await night.follows(page, 2, AGENCY="iom")
    leased = "SELECT 1 FROM intake.lease WHERE unit LIKE 'ingress.iom%'"
    await until(lambda: night.line.rows(leased), LONG_S, what="intake reads the topic")
    await _deleted(night, "ingress.iom")
    await night.fires("AgencyStopped")
    code, said = await night.follows(page, 2, AGENCY="iom")
    assert code == 0, said
    await night.ends("AgencyStopped")


async def a_topic_of_the_line_is_gone(night: Night) -> None:
    page, topic = "A topic is gone", "referral-notification"
    await _deleted(night, topic)
    await night.fires("UnitsStopped", cause="no-topic")
    code, said = await night.follows(page, 1)
    assert code == 1 and topic in said, said
    services = [process for service in LINE for process in night.stack.of(service)]
    await asyncio.gather(*(process.stop() for process in services))
    code, said = await night.follows(page, 4, TOPIC=topic)
    assert code == 0, said
    await asyncio.gather(*(process.start() for process in services))
    await night.line.ready()
    await night.ends("UnitsStopped")


async def _deleted(night: Night, topic: str) -> None:
    admin = clients.admin(night.stack.settings)
    await admin.start()
    await admin.delete_topics([night.stack.settings.topic(topic)])
    await admin.close()


async def a_clock_is_wrong(night: Night) -> None:
    """One more instance of audit, on a machine whose clock is two minutes ahead."""
    (within,) = ports.free(1)
    more = {"REFERRAL_INNER": f"https://127.0.0.1:{within}", "REFERRAL_INSTANCE": "ahead"}
    command = ("faketime", "--exclude-monotonic", "-f", "+120s", sys.executable, "-m", "services.audit")
    told = {**os.environ, **environment(night.stack.config, night.stack.addresses, "audit"), **more}
    with (
        (night.watched.folder / "ahead.log").open("wb") as log,
        subprocess.Popen(command, cwd=CHECKOUT, env=told, stdout=log, stderr=log, start_new_session=True) as ahead,
        night.watched.also(f"127.0.0.1:{within}"),
    ):
        try:
            await night.fires("ClockOff", instance=f"127.0.0.1:{within}")
            (seen,) = await night.watched.ask("referral_clock_ahead_seconds > 5")
            assert seen["metric"]["instance"] == f"127.0.0.1:{within}" and 119 < float(seen["value"][1]) < 121
        finally:
            os.killpg(ahead.pid, signal.SIGTERM)  # faketime runs it as a child, and ends before it
            await until(lambda: not alive(ahead), what="the instance with the wrong clock has ended")
    await night.ends("ClockOff")


async def a_certificate_has_ended(night: Night) -> None:
    place, old, ca = night.data / "identities" / "audit", night.data / "old", str(night.stack.addresses.ca)
    shutil.copytree(place, old)
    for ago, alert in (("-156h", "CertificateEnds"), ("-192h", "ServiceDown")):  # a service's certificate lasts a week
        code, said = await night.types("referral", "ca", "renew", ca, str(old), "--always", before=("faketime", "-f", ago))
        assert code == 0, said
        shutil.copy(old / "identity.pem", place / "identity.new")
        (place / "identity.new").rename(place / "identity.pem")
        await night.fires(alert)
    page = "A certificate has ended"
    code, said = await night.follows(page, 1, authority=ca)
    assert code in (0, 1) and "service/audit" in said, said  # it names the newest certificate, and this one was made older
    code, said = await night.follows(page, 2, authority=ca, FOLDER=str(place))
    assert code == 0, said
    await night.ends("ServiceDown")
    await night.ends("CertificateEnds")


async def the_brokers_disk_is_full(night: Night) -> None:
    broker, taken = night.stack["kafka"], night.load.done
    with filled(night.data / "kafka"):
        await until(lambda: broker.pid is None, LONG_S, what="the broker ends")
        await broker.hold()
        await _is_seen(night, night.data / "kafka")
        await until(lambda: night.load.done > taken, what="the doors take what comes")
        code, said = await night.follows("A disk is full", 4)
        assert code == 2 and "the broker is away" in said, said
    await broker.release()
    await _is_over(night, night.data / "kafka")


async def the_databases_disk_is_full(night: Night) -> None:
    database = night.stack["postgres"]
    with filled(night.data / "postgres"):
        await until(lambda: _filling(night, database), LONG_S, what="the database ends")
        await database.hold()
        taken, retries = night.load.done, night.load.retries
        await _is_seen(night, night.data / "postgres")
        await until(lambda: night.load.retries > retries, what="the doors refuse")
        assert night.load.done == taken, "nothing is taken that is not stored"
        code, said = await night.follows("A disk is full", 4)
        assert code == 2 and "the database is away" in said, said
    await database.release()
    await _is_over(night, night.data / "postgres")


async def _filling(night: Night, database: Process) -> bool:
    with contextlib.suppress(Exception):  # it refuses, or ends
        await asyncio.wait_for(night.line.rows(SEGMENT), 10)
    return database.pid is None


async def _is_seen(night: Night, disk: Path) -> None:
    await night.fires("DiskFull", mountpoint=str(disk))
    assert any("100%" in line and str(disk) in line for line in (await night.follows("A disk is full", 1)).text.splitlines())
    await night.says("routing", "loop")


async def _is_over(night: Night, disk: Path) -> None:
    await night.line.ready()
    await night.ends("DiskFull", mountpoint=str(disk))
    await night.ends("NotReady")


def alive(group: subprocess.Popen[bytes]) -> bool:
    """Return whether a process of the group runs; whoever began it is waited for."""
    group.poll()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group.pid, 0)
        return True
    return False


Incident = Callable[[Night], Coroutine[None, None, None]]
TONIGHT: tuple[tuple[Incident, ...], ...] = (
    (a_service_lacks_its_key,),
    (the_master_key_is_missing, a_standby_is_behind, a_clock_is_wrong),
    (an_agencys_topic_is_gone, a_certificate_has_ended),
    (a_topic_of_the_line_is_gone,),
    (the_brokers_disk_is_full,),
    (the_databases_disk_is_full,),
)
"""Incidents, one after another; those that do not touch one another's servers, and mostly wait, at once."""


@contextlib.asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Do something until the end of the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_each_fault_of_a_night_is_called_and_mended_by_the_page(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()

    def told(what: str) -> None:
        nonlocal began
        record_property("figure", f"{what}: {time.monotonic() - began:.0f} s")
        began = time.monotonic()

    with small_disks(tmp_path / "line"):
        config = StackConfig(data=tmp_path / "line", drill=True, standbys=1)
        async with running(config) as line, telephoned(line.stack, tmp_path / "own") as watch, beside(answering(watch.watchman)):
            load = Load(line.stack, seed=16, rate=0.3)
            await Night(line, load, watch).doctor()
            await until(lambda: _silent(watch.prometheus), LONG_S, what="a line that works is silent")
            working = asyncio.create_task(load.run())
            told("a line, and what watches it")
            evening = time.time()
            for incidents in TONIGHT:
                async with asyncio.TaskGroup() as group:
                    for incident in incidents:
                        group.create_task(incident(Night(line, load, watch)))
                told(", ".join(incident.__name__.replace("_", " ") for incident in incidents))
            await asked(Night(line, load, watch), evening)
            load.end()
            await working
            verdict = await judge(line.stack, load)
            assert verdict.good, verdict
            told(f"{load.done} things acknowledged meanwhile, nothing lost: the verdict")


async def _silent(watched: Prometheus) -> bool:
    return await watched.firing() <= {"ClockFree"}  # this machine's own, after a minute and a half
