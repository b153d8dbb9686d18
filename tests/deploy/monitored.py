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
from typing import Any

import httpx
import yaml

from referral.local import certificates, ports
from referral.local.stack import Stack
from referral.runtime.settings import CHECKOUT, SERVICES
from tests.harness.waiting import PATIENCE_S, until
from tests.harness.watchmen import Post, watchmen

FOLDER = CHECKOUT / "deploy" / "monitoring"
PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter")
ABSENT = [program for program in PROGRAMS if shutil.which(program) is None]
WHY = f"no {', '.join(ABSENT)} on this machine: .ci/run unpacks Debian's packages of these names"
SCRAPE = "6s"
"""Instead of a quarter of a minute, because the tests wait for it; longer than a server keeps an idle connection (5 s), as that is."""


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

    async def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {one["metric"]["alertname"] for one in await self.ask('ALERTS{alertstate="firing",severity!="heartbeat"}')}

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


@asynccontextmanager
async def prometheus(
    stack: Stack, folder: Path, *, more: tuple[str, ...] = (), alertmanager: str = "127.0.0.1:9", hasty: bool = False
) -> AsyncIterator[Prometheus]:
    """Run it with node_exporter, until it reads everything.

    more: inner addresses besides those of the services. hasty: no rule waits, and a limit that is passed is an alert at once.
    """
    (folder / "text").mkdir(parents=True, exist_ok=True)
    own, machine = ports.free(2)
    rules = (FOLDER / "rules.yaml").read_text("utf-8")
    (folder / "rules.yaml").write_text(re.sub(r"^ +for: .*\n", "", rules, flags=re.M) if hasty else rules, "utf-8")
    written = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    written["global"] = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE}
    written["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager]}]}]
    inner = [*more, *(process.inner for service in SERVICES for process in stack.of(service))]
    ours, machines = written["scrape_configs"]
    ours |= {"tls_config": identity(stack), "static_configs": [{"targets": inner}]}
    machines["static_configs"] = [{"targets": [f"127.0.0.1:{machine}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(written), "utf-8")
    node = (f"--web.listen-address=127.0.0.1:{machine}", f"--collector.textfile.directory={folder / 'text'}")
    files = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{own}",
    )
    with _run("prometheus-node-exporter", *node, folder=folder), _run("prometheus", *files, folder=folder) as process:
        made = Prometheus(f"http://127.0.0.1:{own}", folder, process)
        await until(lambda: _all_up(made, len(inner) + 1), 2 * PATIENCE_S, what=lambda: f"Prometheus reads everything; {_said(folder)}")
        yield made


def identity(stack: Stack) -> Mapping[str, str]:
    """Make the identity of Prometheus and Alertmanager, and return it as their files name it."""
    certificates.ensure(stack.addresses.ca, stack.config.data / "identities", ["service/prometheus"])
    own = stack.config.data / "identities" / "prometheus"
    return {"ca_file": f"{own}/authority.pem", "cert_file": f"{own}/identity.pem", "key_file": f"{own}/identity.pem"}


@asynccontextmanager
async def telephoned(stack: Stack, folder: Path) -> AsyncIterator[tuple[Prometheus, Post]]:
    """Run all of it as the page says, with a watchman that Alertmanager reaches by TLS, and its telephone."""
    within, own = ports.free(2)
    async with AsyncExitStack() as held:
        folder.mkdir(parents=True)
        (post,) = await held.enter_async_context(watchmen(stack.settings, folder, inner=f"https://127.0.0.1:{within}"))
        written = yaml.safe_load((FOLDER / "alertmanager.yml").read_text("utf-8"))
        written["global"]["smtp_smarthost"] = stack.mailbox.address
        written["route"] |= {"group_wait": SCRAPE, "group_interval": SCRAPE}
        (hook,) = written["receivers"][1]["webhook_configs"]
        hook |= {"url": f"https://127.0.0.1:{within}/alerts", "http_config": {"tls_config": dict(identity(stack))}}
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(written), "utf-8")
        files = (f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'am'}", "--cluster.listen-address=")
        held.enter_context(_run("prometheus-alertmanager", *files, f"--web.listen-address=127.0.0.1:{own}", folder=folder))
        running = prometheus(stack, folder, more=(f"127.0.0.1:{within}",), alertmanager=f"127.0.0.1:{own}")
        yield await held.enter_async_context(running), post


@contextmanager
def _run(*command: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the length of a block; it writes to NAME.log."""
    with (folder / f"{command[0]}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _said(folder: Path) -> str:
    return "\n".join(log.read_text(errors="replace")[-1500:] for log in sorted(folder.glob("*.log")))


async def _all_up(made: Prometheus, count: int) -> bool:
    try:
        return len(await made.ask("up == 1")) == count
    except httpx.HTTPError:  # it starts
        return False
