"""Start and stop a whole local stack: broker, database, mail server, telephones, witnesses and services."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg

from referral.ca import files, identity
from referral.local import certificates, cluster, data_folder, keyfiles, ports
from referral.local.cluster import Databases
from referral.local.config import KEEPER, PUBLISHED, Addresses, StackConfig, environment, exports
from referral.local.data_folder import Trouble, of_os
from referral.local.handset.telephones import Handset
from referral.local.jars import Jar
from referral.local.kafka import Kafka
from referral.local.mailbox import Mailbox
from referral.local.postgres import Postgres
from referral.local.service import Lost, Worker
from referral.local.supervisor import Process
from referral.local.witness import Witness, policy
from referral.runtime import trust_file
from referral.runtime.bootstrap import prepare_database, prepare_topics
from referral.runtime.keys import case_keys
from referral.runtime.settings import Settings, read
from referral.tlog import note_keys
from referral.wire.signed import trust
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.operator_word import PLANE, Operators
from referral.wire.signed.policy_signature import Trusted
from referral.wire.signed.trust import Trust
from referral.wire.signed.writer_signature import Writers

DATABASE = "referral"
MOVES = 2
"""Most moves (ours) of a service to other ports, when other programs take those that were chosen before the service holds them."""
Told = Callable[[str], None]
First = Callable[[Settings], Coroutine[None, None, None]]


class Stack:
    """A running stack.

    config: its configuration.
    mailbox: receives every knock by e-mail.
    handset: receives every SMS and call, where the configuration asks for one.
    processes: by name (kafka, postgres, intake-1 …).
    addresses: of its servers.
    """

    def __init__(
        self, config: StackConfig, mailbox: Mailbox, handset: Handset, processes: dict[str, Process], addresses: Addresses
    ) -> None:
        self.config, self.mailbox, self.handset, self.processes, self.addresses = config, mailbox, handset, processes, addresses

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    @property
    def settings(self) -> Settings:
        """Return settings for code in this process that works beside the services: the administrator's database, no HTTP."""
        return settings(self.config, self.addresses)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment for commands in other processes."""
        return environment(self.config, self.addresses)

    def url(self, service: str, number: int = 1) -> str:
        """Return the base URL of an instance's HTTP server."""
        return f"https://{self.processes[f'{service}-{number}'].address}"

    def inner(self, service: str, number: int = 1) -> str:
        """Return the base URL of an instance's health and metrics, for operators only."""
        return f"https://{self.processes[f'{service}-{number}'].inner}"

    def agency(self, name: str) -> Path:
        """Return the folder of an agency's identity, made at the first call: a token counts beside it alone."""
        return certificates.agency(self.addresses.ca, self.config.data, name)

    def of(self, service: str) -> tuple[Process, ...]:
        """Return every instance of a service."""
        return tuple(process for name, process in self.processes.items() if name.rpartition("-")[0] == service)

    def pids(self) -> dict[str, int]:
        """Return name → pid of every running process."""
        return {name: process.pid for name, process in self.processes.items() if process.pid is not None}


def settings(config: StackConfig, at: Addresses) -> Settings:
    """Return the settings with which this process works on the stack."""
    return read({**environment(config, at), "REFERRAL_INSTANCE": "stack"})


def inner(name: str) -> str:
    """Return the name under which `ports.json` has the port of an instance's health and metrics."""
    return f"{name} inner"


async def _nothing(_: Settings) -> None:
    return None


@contextlib.asynccontextmanager
async def stack(config: StackConfig, *, first: First = _nothing, told: Told = lambda _: None) -> AsyncIterator[Stack]:
    """Start the configured stack. It is ready when the block begins, and is stopped in order however the block ends.

    config: the configuration.
    first: prepares policy and accounts, while the services start and once tables and topics exist.
    told: receives one line for each step that takes time.

    Nothing is left running after Trouble, or after Rejected (the data was created with other settings).
    """
    if "oversight" in config.services and "oversight" not in config.spare and data_folder.find("faust") is None:
        raise data_folder.uninstalled("Faust", "oversight")
    data = data_folder.make(config.data)
    async with contextlib.AsyncExitStack() as held:
        lock = data_folder.lock(data)
        held.callback(os.close, lock)
        pool = held.enter_context(
            ThreadPoolExecutor(len(config.names()) + config.witnesses + config.brokers + config.standbys + 3, thread_name_prefix="stack")
        )
        smtp = ports.insist(config.smtp_port, "mail") if config.smtp_port else ports.remembered(data / "ports.json", ["mail"])["mail"]
        mailbox = Mailbox(data / "mail", smtp)
        await mailbox.start()
        held.push_async_callback(mailbox.stop)
        handset = Handset(ports.remembered(data / "ports.json", ["handset"])["handset"] if config.handset else 0)
        if config.handset:
            await handset.start()
            held.push_async_callback(handset.stop)
        started = _Start(config, pool, lock, told, mailbox, handset)
        held.push_async_callback(started.stop)
        started.listen()
        async with asyncio.TaskGroup() as group:
            broker, base = group.create_task(started.broker()), group.create_task(started.database())
            witnesses = group.create_task(started.witnesses())
        started.believe(witnesses.result())
        running = started.stack(broker.result(), base.result())
        await started.workers(running, first)
        _write_environment(running)
        renewing = asyncio.create_task(started.renewing(running))
        held.callback(renewing.cancel)
        yield running


class _Start:
    """The steps of a start. Every process that they start is in `processes` or `instances`, and `stop` stops it."""

    def __init__(self, config: StackConfig, pool: ThreadPoolExecutor, lock: int, told: Told, mailbox: Mailbox, handset: Handset) -> None:
        self.config, self.pool, self.lock, self.told, self.mailbox, self.handset = config, pool, lock, told, mailbox, handset
        self.processes: dict[str, Process] = {}
        self.instances: dict[str, Process] = {}
        self.folder = data_folder.make(config.data / "keys")
        self.keys = keyfiles.ensure(self.folder)
        self.agencies = ""
        self.log_key, self.trust, self.policy = keyfiles.log(self.folder), self.folder / "trust.toml", self.folder / PUBLISHED
        self.intake_key = self.folder / "intake.key"
        self.ca, self.identities = config.ca or config.data / "ca", data_folder.make(config.data / "identities")
        certificates.ensure(self.ca, self.identities)
        self.signers, self.writers = keyfiles.signers(self.folder), keyfiles.writers(self.folder)
        self.approvers, self.operators = keyfiles.approvers(self.folder), keyfiles.operators(self.folder)
        self.passwords, self.services = config.passwords or self.folder / "database", self.folder / "services"
        self.named = {"intake-1": config.http_port} if config.http_port else {}
        names = [name for name, _ in config.names()]
        every = [*names, *map(inner, names), *cluster.port_names(config.brokers)]
        self.ports = ports.remembered(config.data / "ports.json", every, self.named)

    async def broker(self) -> str:
        """Start the brokers, unless there are some, and return their addresses."""
        if self.config.kafka:
            self.agencies = self.config.agencies
            return self.config.kafka
        members = cluster.brokers(self.config.data, self.config.brokers, self.ports)
        for member in members:
            name = cluster.name(member.node, len(members))
            server = Kafka(
                self.config.data / name,
                self.identities / certificates.KAFKA,
                port=self.config.kafka_port,
                keep=(self.lock,),
                told=self._fetched if member.node == 1 else lambda *_: None,
                member=member,
            )
            self.processes[name] = Process(name, server, self.pool)
        started = [self.processes[cluster.name(member.node, len(members))] for member in members]
        await asyncio.gather(*(process.start() for process in started))  # two of three must run before any of them answers
        self.agencies = ",".join(process.server.agencies for process in started if isinstance(process.server, Kafka))
        return ",".join(process.address for process in started)

    async def database(self) -> str:
        """Start the database server, unless there is one, prepare the database, and return its URL."""
        url = self.config.database or await _own_database(await self._databases())
        await prepare_database(settings(self.config, self._addresses("", url)))
        return url

    async def _databases(self) -> Postgres:
        """Start the database server, and its standbys if it has any. A standby that a promotion made the primary starts as that again."""
        first = self.config.data / "postgres"
        folders = (first, *(self.config.data / f"postgres-{number}" for number in range(2, self.config.standbys + 2)))
        among = Databases(folders, data_folder.make(first) / "administrator.pgpass") if self.config.standbys else None
        if among:
            among.check()
        servers = [Postgres(folder, keep=(self.lock,), among=among) for folder in folders]
        for server in servers:
            self.processes[server.folder.name] = process = Process(server.folder.name, server, self.pool)
            await process.start()
        return servers[0]

    async def witnesses(self) -> bytes:
        """Start the witnesses, each with its own key, and return the policy file that names them."""
        key = note_keys.signer(self.log_key.read_bytes().strip()).verifier
        names = [f"witness-{number}" for number in range(1, self.config.witnesses + 1)]
        known = ports.remembered(self.config.data / "ports.json", names)
        logs = data_folder.make(self.config.data / "log")
        own = self.identities / certificates.WITNESS
        witnesses = [Witness(name, self.folder, known[name], key, logs / f"{name}.log", identity=own, keep=(self.lock,)) for name in names]
        for witness in witnesses:
            self.processes[witness.name] = Process(witness.name, witness, self.pool)
        await asyncio.gather(*(self.processes[name].start() for name in names))
        return policy(key, witnesses)

    def believe(self, policy: bytes) -> None:
        """Write whom the stack believes: as before, with the witnesses of now; or from its keys. policy: names the witnesses."""
        if self.trust.exists():
            before = trust_file.at(self.trust)
        elif self.policy.exists():  # release 0.1.0 wrote no other file
            before = trust.imported(self.policy.read_bytes())
        else:
            before = self._everybody()
        now = keyfiles.renewed(before, policy, keyfiles.intake(self.intake_key))
        files.replace(self.trust, now.written(), files.PUBLIC)
        files.replace(self.policy, now.logged(), files.PUBLIC)

    def _everybody(self) -> Trust:
        """Name the policy's two signers, the writers of records, those who sign erasures and the two operators."""
        signers, approvers, operators = (
            {name: keyfiles.intake(path) for name, path in people.items()} for people in (self.signers, self.approvers, self.operators)
        )
        writers = {service: (public,) for service, public in self.writers.items()}
        return Trust(
            b"",
            Trusted(signers, {}),
            Erasers((), approvers, 0),
            Writers(writers, 0),
            Operators({PLANE + name: public for name, public in operators.items()}, 0),
        )

    def listen(self) -> None:
        """Hold the ports of the service instances from the moment they are chosen, so that no other program takes one meanwhile."""
        logs, own = data_folder.make(self.config.data / "log"), self.identities / KEEPER
        for name, service in self.config.names():
            for left in reversed(range(MOVES + 1)):
                at = self.ports[name], self.ports[inner(name)]
                worker = Worker(name, service, *at, logs / f"{name}.log", identity=own, keep=(self.lock,))
                self.instances[name] = Process(name, worker, self.pool)
                try:
                    worker.listen()
                    break
                except Lost:
                    if not left:
                        raise
                    self.ports |= ports.remembered(self.config.data / "ports.json", (name, inner(name)), self.named)

    def stack(self, broker: str, base: str) -> Stack:
        """Return the stack on these servers, with the environment of each service."""
        known = self.ports
        inbox = f"https://127.0.0.1:{known.get('intake-1', 0)}"
        audit = f"https://127.0.0.1:{known.get('audit-1', 0)}"
        notifier = f"https://127.0.0.1:{known['notifier-1']}" if "notifier-1" in known else ""
        at = self._addresses(broker, base, inbox, audit, notifier)
        running = Stack(self.config, self.mailbox, self.handset, self.processes, at)
        self.handset.replies_to = f"{notifier}/sms/{case_keys.read(running.settings).callback('sms')}/reply?from=%p&text=%a"
        self.handset.believed = ssl.create_default_context(cafile=at.identities / KEEPER / identity.AUTHORITY)
        for name, service in self.config.names():
            worker = self.instances[name].server
            assert isinstance(worker, Worker)
            worker.environment = environment(self.config, running.addresses, service)
        self.processes |= self.instances
        return running

    async def workers(self, running: Stack, first: First) -> None:
        """Create the topics, then start the service instances, and `first` beside them."""
        await prepare_topics(running.settings)
        async with asyncio.TaskGroup() as group:
            group.create_task(first(running.settings))
            for name, service in self.config.names():
                group.create_task(self._worker(name, service))

    async def renewing(self, running: Stack) -> None:
        """Renew certificates while the stack runs. The programs read theirs by themselves; the broker is told."""

        async def renewed() -> None:
            if not self.config.kafka:
                await certificates.shown_anew(running.settings, self.identities / certificates.KAFKA)

        await certificates.renewing(self.ca, self.identities, renewed)

    async def _worker(self, name: str, service: str) -> None:
        """Start one instance. Trouble of a spare service is only reported: the rest runs, and an operator repairs it beside that."""
        process, spare = self.processes[name], service in self.config.spare
        try:
            await process.start(patient=spare)
        except Trouble as error:
            if not spare:
                raise
            self.told(f"{error}. The rest runs; {name} is tried again every half minute")
        else:
            if process.state == "unready" and process.trouble:  # without a word it was late for one look, and waits for nobody
                self.told(f"{name} runs and is not ready: {process.trouble}")

    async def stop(self) -> None:
        """Stop everything, the services first, so that they release their leases while broker and database still answer."""
        every = {**self.instances, **self.processes}
        servers = [process for process in every.values() if isinstance(process.server, Kafka | Postgres)]
        await asyncio.gather(*(process.stop() for process in every.values() if process not in servers))
        await asyncio.gather(*(process.stop() for process in servers))

    def _addresses(self, broker: str, base: str, inbox: str = "", audit: str = "", notifier: str = "") -> Addresses:
        files = (*self.keys, self.intake_key, self.log_key, self.trust, self.ca, self.identities)
        handset = self.handset.url if self.config.handset else ""
        persons = (tuple(self.approvers.values()), tuple(self.operators.values()))
        keys = (tuple(self.signers.values()), self.passwords, self.services, self.folder, *persons)
        return Addresses(broker, base, self.mailbox.address, inbox, audit, *files, handset, notifier, *keys, agencies=self.agencies)

    def _fetched(self, _: Jar, done: int, of: int) -> None:
        if done % 10 == 0 or done in (1, of):
            self.told(f"fetched {done} of the broker's {of} jars (44 MB, once)")


async def _own_database(server: Postgres) -> str:
    """Return the URL of the database `referral` of an embedded server; create it if missing."""
    connection = await asyncpg.connect(server.url().replace("+asyncpg", ""))
    try:
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
        await connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")  # a service has one database
    finally:
        await connection.close()
    return server.url(DATABASE)


def _write_environment(running: Stack) -> None:
    """Write <data>/environment: `. <data>/environment` lets a shell's commands find the stack. Only its owner may read it."""
    try:
        file = running.config.data / "environment"
        file.touch(mode=0o600)
        file.write_text(exports(running.environment))
    except OSError as error:
        raise of_os(error, running.config.data) from error
