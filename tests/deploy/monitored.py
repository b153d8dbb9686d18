"""Debian's Prometheus, Alertmanager and node_exporter beside a line, with the example files of deploy/monitoring, and a watchman."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import yaml

from referral.local import certificates, ports
from referral.local.mailbox import Mailbox
from referral.local.stack import Stack
from referral.runtime.settings import CHECKOUT, SERVICES
from tests.harness.moved import listens, moved
from tests.harness.waiting import PATIENCE_S, until
from tests.harness.watchmen import Post, watchmen

FOLDER = CHECKOUT / "deploy" / "monitoring"
PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter")
ABSENT = [program for program in PROGRAMS if shutil.which(program) is None]
SCRAPE, MACHINES, TURN = "6s", "2s", "1s"
"""Pauses between two readings of our processes, of the machine, and two evaluations: a quarter of a minute in service, but the test waits
for them. Our processes less often than the inner address closes an idle connection (INNER_KEEP_ALIVE_S): each reading is a handshake."""
MINUTE_MS = 3000
"""Length of a minute for which a rule waits, its `for`, because the test waits too. promtool tests each rule with its own minutes."""
UNITS = {"s": 1 / 60, "m": 1, "h": 60}


@dataclass
class Prometheus:
    """A Prometheus that reads every process of a line. text: folder in which node_exporter reads *.prom."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def text(self) -> Path:
        return self.folder / "text"

    async def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the result of a query now."""
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            answer = (await http.get(f"{self.url}/api/v1/query", params={"query": query})).raise_for_status()
        return list(answer.json()["data"]["result"])

    async def over(self, query: str, begin: float, until: float) -> list[dict[str, Any]]:
        """Return the result of a query at 200 moments. begin, until: seconds UTC."""
        asked = {"query": query, "start": begin, "end": until, "step": (until - begin) / 200}
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            answer = (await http.get(f"{self.url}/api/v1/query_range", params=asked)).raise_for_status()
        return list(answer.json()["data"]["result"])

    async def firing(self, **labels: str) -> set[str]:
        """Return the names of the alerts that fire. labels: only alerts that have them."""
        matched = "".join(f',{name}="{value}"' for name, value in labels.items())
        return {one["metric"]["alertname"] for one in await self.ask(f'ALERTS{{alertstate="firing",severity!="heartbeat"{matched}}}')}

    @contextmanager
    def also(self, address: str) -> Iterator[None]:
        """Read one process more for the length of a block."""
        file = self.folder / "prometheus.yml"
        before = file.read_text("utf-8")
        written = yaml.safe_load(before)
        written["scrape_configs"][0]["static_configs"][0]["targets"].append(address)
        for text in (yaml.safe_dump(written), before):
            file.write_text(text, "utf-8")
            self.process.send_signal(signal.SIGHUP)
            if text is not before:
                yield


class Watch(NamedTuple):
    """All that watches a line. mailbox: of the people to whom Alertmanager writes."""

    prometheus: Prometheus
    watchman: Post
    mailbox: Mailbox


def hasty(rules: str) -> str:
    """Return the rules with short minutes."""
    return re.sub(r"^( +for: )(\d+)([smh])$", lambda m: f"{m[1]}{int(m[2]) * UNITS[m[3]] * MINUTE_MS:.0f}ms", rules, flags=re.M)


@asynccontextmanager
async def prometheus(stack: Stack, folder: Path, *, watchman: str, alertmanager: str) -> AsyncIterator[Prometheus]:
    """Run it with node_exporter, until it reads everything. watchman: inner address of a process besides the services."""
    async with moved(lambda: _prometheus(stack, folder, watchman, alertmanager)) as made:
        yield made


@asynccontextmanager
async def _prometheus(stack: Stack, folder: Path, watchman: str, alertmanager: str) -> AsyncIterator[Prometheus]:
    """Run both on free ports. AssertionError, with what they have written: one of them has ended."""
    (folder / "text").mkdir(parents=True, exist_ok=True)
    own, machine = ports.free(2)
    (folder / "rules.yaml").write_text(hasty((FOLDER / "rules.yaml").read_text("utf-8")), "utf-8")
    written = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    written["global"] = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": TURN}
    written["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager]}]}]
    inner = [watchman, *(process.inner for service in SERVICES for process in stack.of(service))]
    ours, machines = written["scrape_configs"]
    ours |= {"tls_config": identity(stack), "static_configs": [{"targets": inner}]}
    machines |= {"static_configs": [{"targets": [f"127.0.0.1:{machine}"]}], "scrape_interval": MACHINES, "scrape_timeout": MACHINES}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(written), "utf-8")
    node = (f"--web.listen-address=127.0.0.1:{machine}", f"--collector.textfile.directory={folder / 'text'}")
    files = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{own}",
    )
    with _run("prometheus-node-exporter", *node, folder=folder) as exporter, _run("prometheus", *files, folder=folder) as process:
        await until(lambda: _listen({exporter: machine, process: own}, folder), what="Prometheus and node_exporter listen")
        made = Prometheus(f"http://127.0.0.1:{own}", folder, process)
        await until(lambda: _all_up(made, len(inner) + 1), 2 * PATIENCE_S, what=lambda: f"Prometheus reads everything; {_said(folder)}")
        yield made


def identity(stack: Stack, name: str = "prometheus") -> Mapping[str, str]:
    """Make the identity of Prometheus or Alertmanager, and return it as their files name it."""
    certificates.ensure(stack.addresses.ca, stack.config.data / "identities", [f"service/{name}"])
    own = stack.config.data / "identities" / name
    return {"ca_file": f"{own}/authority.pem", "cert_file": f"{own}/identity.pem", "key_file": f"{own}/identity.pem"}


@asynccontextmanager
async def telephoned(stack: Stack, folder: Path) -> AsyncIterator[Watch]:
    """Run all of it as the page says, with a watchman that Alertmanager reaches by TLS, and its telephone."""
    within, own, smtp = ports.free(3)
    async with AsyncExitStack() as held:
        folder.mkdir(parents=True)
        mailbox = Mailbox(folder / "mail", smtp)
        await mailbox.start()
        held.push_async_callback(mailbox.stop)
        (post,) = await held.enter_async_context(watchmen(stack.settings, folder, inner=f"https://127.0.0.1:{within}"))
        written = yaml.safe_load((FOLDER / "alertmanager.yml").read_text("utf-8"))
        written["global"]["smtp_smarthost"] = mailbox.address
        written["route"] |= {"group_wait": TURN, "group_interval": TURN}
        (hook,) = written["receivers"][1]["webhook_configs"]
        hook |= {"url": f"https://127.0.0.1:{within}/alerts", "http_config": {"tls_config": dict(identity(stack, "alertmanager"))}}
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(written), "utf-8")
        files = (f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'am'}", "--cluster.listen-address=")
        held.enter_context(_run("prometheus-alertmanager", *files, f"--web.listen-address=127.0.0.1:{own}", folder=folder))
        running = prometheus(stack, folder, watchman=f"127.0.0.1:{within}", alertmanager=f"127.0.0.1:{own}")
        yield Watch(await held.enter_async_context(running), post, mailbox)


@contextmanager
def _run(*command: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the length of a block; it writes to NAME.log."""
    with (folder / f"{command[0]}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _listen(programs: Mapping[subprocess.Popen[bytes], int], folder: Path) -> bool:
    """Return whether each program listens on its port. AssertionError: one has ended."""
    assert all(process.poll() is None for process in programs), f"Prometheus or node_exporter has ended: {_said(folder)}"
    return all(listens(process.pid, port) for process, port in programs.items())


def _said(folder: Path) -> str:
    return "\n".join(log.read_text(errors="replace")[-1500:] for log in sorted(folder.glob("*.log")))


async def _all_up(made: Prometheus, count: int) -> bool:
    try:
        return len(await made.ask("up == 1")) == count
    except httpx.HTTPError:  # it starts
        return False
