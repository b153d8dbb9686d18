"""Play the Kubernetes part of docs/deploy.md on a node of our own, then roll every service under load.

python -m tests.deploy.kubernetes.kubelet, as root, with Debian's containerd, runc and containernetworking-plugins. It takes a quarter of an
hour once it has built Kubernetes, and nothing of it is left: it runs in namespaces of its own, and what a kubelet writes outside of them is
put back. It is no part of `make deploy-test`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

from referral.ca import authority, identity, names, renewal
from referral.cli.policy import policy_folder
from referral.cli.stack import cast
from referral.domain.policy import policy
from referral.local.config import Addresses, StackConfig
from referral.local.handset.telephones import Handset
from referral.local.mailbox import Mailbox
from referral.local.stack import Stack
from referral.runtime import settings
from referral.runtime.settings import Settings
from tests.deploy import images
from tests.deploy.engine import CGROUPS, SHARES
from tests.deploy.kubernetes import cluster as clusters
from tests.deploy.kubernetes import node
from tests.deploy.kubernetes.cluster import Cluster, operators_resources
from tests.faults.load import Load
from tests.faults.verdict import judge
from tests.harness.page_blocks import blocks
from tests.harness.waiting import until

ROOT = images.ROOT
PAGE = ROOT / "docs" / "deploy.md"
OPERATORS = Path(__file__).with_name("operators.yaml")
ORDER = ("audit", "eraser", "notifier", "routing", "intake")
"""Readers before writers (docs/deploy.md)."""
TWICE = tuple(service for service in ORDER if service != "eraser")
"""Services with a second instance; the next step of an erasure comes later."""
DOORS = {"inbox": "intake", "log": "audit", "answers": "notifier", "figures": "oversight"}
"""Host of the page, without `.example` → whose Service it is."""
RATE = 1.0
"""New cases a second (ours): two cores hold the cluster, the servers, the line and the load."""
GROWTH = 20
"""Things that the line must acknowledge before the next step (ours)."""
STEP_S = 900
"""Longest step in seconds (ours), on a machine that others use too."""
SYSCTLS = (
    *("vm.overcommit_memory", "vm.panic_on_oom", "kernel.panic", "kernel.panic_on_oops"),
    *("kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes"),
)
"""Settings of the whole machine that a kubelet writes when it starts."""
HOSTS = f"127.0.0.1 localhost\n{node.ADDRESS} node\n"
BOOT = r"""
set -e
for place in /run /var/log /var/lib; do mount -t tmpfs none $place; done
mount --bind "$1/hosts" /etc/hosts
ip link set lo up
ip link add outside type veth peer name beyond && ip link set beyond up
ip address add "$2/24" dev outside && ip link set outside up && ip route add default dev outside
shift 2
"$@"
exit $?
"""
"""Nothing that its programs write to the places of Debian's packages reaches the machine's own. The shell stays, and buries its dead."""


def told(what: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {what}", flush=True)


def main() -> int:
    """Make namespaces, run the rest of this file in them, and clean up whatever came of it."""
    if os.geteuid() != 0 or node.missing():
        print(f"a node of our own needs root, {node.missing() or 'and nothing more'}", file=sys.stderr)
        return 2
    clusters.programs(*clusters.SERVER, *clusters.NODE)
    for name in ("services", "oversight", "broker", "database"):
        images.archive(name)
    with _folder() as folder, _groups(folder.name), _settings_kept():
        (folder / "hosts").write_text(HOSTS)
        apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        inside = [sys.executable, "-m", "tests.deploy.kubernetes.kubelet", str(folder)]
        boot = subprocess.Popen([*apart, "sh", "-c", BOOT, "boot", str(folder), node.ADDRESS, *inside], cwd=ROOT, stdin=subprocess.DEVNULL)
        try:
            return boot.wait()
        finally:
            boot.kill()
            boot.wait()


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    places = [Path("/proc/sys", *name.split(".")) for name in SYSCTLS]
    kept = [(place, place.read_text()) for place in places if place.exists()]
    try:
        yield
    finally:
        for place, value in kept:
            if place.read_text() != value:
                told(f"put back: {'.'.join(place.parts[3:])}, which was {value.strip()} and had become {place.read_text().strip()}")
                place.write_text(value)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="referral-kubelet-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _groups(name: str) -> Iterator[None]:
    """Make a cgroup in each hierarchy for the pods, and remove it with whatever is below it, once nobody is in it any more."""
    made = [place / name for place in CGROUPS.iterdir() if (place / "cgroup.procs").exists()]
    for group in made:
        group.mkdir()
        if (group / "cpu.shares").exists():
            (group / "cpu.shares").write_text(str(SHARES))
        for setting in ("cpuset.cpus", "cpuset.mems"):  # those of a new one are empty, and it takes nobody in
            if (group / setting).exists():
                (group / setting).write_text((group.parent / setting).read_text())
    try:
        yield
    finally:
        for group in made:
            for folder, _, _ in os.walk(group, topdown=False):
                end = time.monotonic() + 30
                while Path(folder).exists() and time.monotonic() < end:
                    with contextlib.suppress(OSError):
                        Path(folder).rmdir()


class Reached(Stack):
    """A line in a cluster, as the load and the verdict ask for it. line: the folder that `referral init` made."""

    def __init__(self, line: Path, data: Path, mailbox: Mailbox) -> None:
        none = Path()
        super().__init__(
            StackConfig(data=data), mailbox, Handset(0), {}, Addresses("", "", "", "", "", none, none, none, none, none, none, none)
        )
        self.line = line

    @property
    def environment(self) -> dict[str, str]:
        """Return what the administrator's shell has."""
        own = self.config.data / "keeper.toml"
        own.write_text((self.line / "keeper" / "keeper.toml").read_text().replace("/etc/referral/", f"{self.line}/"))
        return {settings.FILE: str(own)}

    @property
    def settings(self) -> Settings:
        return settings.load(self.environment)

    def url(self, service: str, number: int = 1) -> str:
        return self.settings.url

    def agency(self, name: str) -> Path:
        """Return the folder of an agency's identity, made at the first call."""
        place = self.config.data / name
        if not place.exists():
            at = authority.place(self.line / "authority", self.line / "safe" / "root.pem")
            place.mkdir()
            renewal.create(at, place, identity.request(place, names.parse(f"agency/{name}")), datetime.now(UTC))
        return place


class Pulse:
    """Looks all the time whether something more was acknowledged."""

    def __init__(self, load: Load) -> None:
        self._load, self._seen = load, [time.monotonic()]

    async def run(self) -> None:
        done = self._load.done
        while True:
            if self._load.done > done:
                done = self._load.done
                self._seen.append(time.monotonic())
            await asyncio.sleep(0.02)

    def longest(self, since: float) -> float:
        """Return the longest time without a receipt since then, in seconds."""
        times = [since, *(at for at in self._seen if at > since), time.monotonic()]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


async def inside(folder: Path) -> int:
    """Run a cluster, the page, the load and the rollouts; return 0 when nothing was lost."""
    began = time.monotonic()
    with clusters.running(folder) as cluster, node.running(cluster, folder.name) as machine:
        told(f"etcd, API server, controllers, scheduler, proxy, containerd, kubelet: node ready after {time.monotonic() - began:.0f} s")
        machine.load(*(images.archive(name) for name in ("services", "oversight", "broker", "database")))
        operators_resources(cluster)
        place = folder / "checkout" / "deploy" / "kubernetes"
        shutil.copytree(ROOT / "deploy" / "kubernetes", place, ignore=shutil.ignore_patterns("line"))
        known: dict[str, str] = {"mail.example": node.ADDRESS}
        async with node.names(known), _mailbox(folder) as mailbox:
            for number, (_, block) in enumerate(blocks(PAGE, "sh cluster", "sh node"), start=1):
                since = time.monotonic()
                print(await asyncio.to_thread(cluster.run, block, place, STEP_S), end="", flush=True)
                told(f"block {number} of docs/deploy.md: {time.monotonic() - since:.0f} s")
                _act_as_the_operators(cluster, place, folder, known)
            return await _rolled(cluster, Reached(place / "line", folder / "data", mailbox))


@contextlib.asynccontextmanager
async def _mailbox(folder: Path) -> AsyncIterator[Mailbox]:
    """Receive the knocks at port 25 of the node."""
    mailbox = Mailbox(folder / "mail")
    port = (await mailbox.start()).rpartition(":")[2]
    Path("/proc/sys/net/ipv4/conf/all/route_localnet").write_text("1")  # of this namespace
    to = ("--protocol", "tcp", "--destination", node.ADDRESS, "--dport", "25", "--jump", "DNAT", "--to-destination", f"127.0.0.1:{port}")
    subprocess.run(["iptables", "--table", "nat", "--append", "PREROUTING", *to], check=True)
    try:
        yield mailbox
    finally:
        await mailbox.stop()


def _act_as_the_operators(cluster: Cluster, place: Path, folder: Path, known: dict[str, str]) -> None:
    """Once there are resources of Strimzi and CloudNativePG, run a broker and a database under the names that these give; tell names."""
    servers = ("--namespace=referral-servers",)
    if cluster.kubectl("get", "kafka", "line", *servers).returncode == 0 and "database-rw.referral-servers.svc" not in known:
        lists = [f"--from-file={file.parent.name}={file}" for file in sorted((place / "line" / "lists").glob("*/list.pem"))]
        cluster.does("create", "configmap", "lists", *lists, *servers)
        shared = ROOT / "deploy" / "compose" / "broker.properties"
        cluster.does("create", "configmap", "broker", f"--from-file=server.properties={shared}", *servers)
        cluster.does("apply", f"--filename={OPERATORS}")
    for one in json.loads(cluster.does("get", "services", "--all-namespaces", "--output=json"))["items"]:
        known[f"{one['metadata']['name']}.{one['metadata']['namespace']}.svc"] = one["spec"]["clusterIP"]
    for host, service in DOORS.items():
        if address := known.get(f"{service}.referral.svc"):
            known[f"{host}.example"] = address
    rows = (f"{address} {name}\n" for name, address in known.items())
    (folder / "hosts").write_text("".join((HOSTS, *rows)))


async def _rolled(cluster: Cluster, stack: Reached) -> int:
    stack.config.data.mkdir()
    people = cast.gather(stack.config.data, policy.compile(policy_folder.read(ROOT / "policy")).agencies.values())
    await cast.seed(stack.settings, people, telephones=False)
    cluster.does("scale", "deployment", *TWICE, "--replicas=2", "--namespace=referral")
    for service in ORDER:
        await _rollout(cluster, service)
    load = Load(stack, seed=16, rate=RATE, settings=stack.settings)
    pulse, under = Pulse(load), asyncio.create_task(load.run())
    looking = asyncio.create_task(pulse.run())
    await _goes_on(load, under)
    since = time.monotonic()
    await _goes_on(load, under)
    told(f"before: {load.done} receipts; longest time without one {pulse.longest(since):.1f} s")
    for service in ORDER:
        since = time.monotonic()
        cluster.does("rollout", "restart", f"deployment/{service}", "--namespace=referral")
        await _rollout(cluster, service)
        took = time.monotonic() - since
        await _goes_on(load, under)
        told(f"{service}: rolled in {took:.0f} s; longest time without a receipt {pulse.longest(since):.1f} s")
    for service in ("routing", "intake"):
        since = time.monotonic()
        before = _restarts(cluster, service)
        os.kill(_process(service), signal.SIGKILL)
        await until(lambda before=before, service=service: _restarts(cluster, service) > before, STEP_S, f"kubelet starts {service} again")
        await _rollout(cluster, service)
        took = time.monotonic() - since
        await _goes_on(load, under)
        told(f"{service}: a container killed, ready again after {took:.0f} s; longest time without a receipt {pulse.longest(since):.1f} s")
    load.end()
    await under
    looking.cancel()
    verdict = await judge(stack, load)
    told(f"verdict {'good' if verdict.good else 'BAD'}: " + ", ".join(f"{count} {name}" for name, count in verdict.facts.items()))
    for line in (*(f"{name}: {count}" for name, count in verdict.counts.items() if count), *verdict.notes):
        told(line)
    return 0 if verdict.good else 1


async def _rollout(cluster: Cluster, service: str) -> None:
    words = ("rollout", "status", f"deployment/{service}", "--namespace=referral", "--timeout=200s")
    await until(lambda: asyncio.to_thread(lambda: cluster.kubectl(*words).returncode == 0), STEP_S, f"{service} is rolled")


async def _goes_on(load: Load, under: asyncio.Task[None]) -> None:
    """Wait until the line has acknowledged more. The load's own failure is raised."""
    seen = load.done

    def grown() -> bool:
        if under.done():
            under.result()
        return load.done >= seen + GROWTH

    await until(grown, STEP_S, "the line goes on")


def _restarts(cluster: Cluster, service: str) -> int:
    words = ("get", "pods", f"--selector=app.kubernetes.io/name={service}", "--namespace=referral", "--output=json")
    pods = json.loads(cluster.does(*words))["items"]
    return sum(status["restartCount"] for pod in pods for status in pod["status"].get("containerStatuses", ()))


def _process(service: str) -> int:
    """Return the number of one process of a service: all are in this namespace."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"\0services.{service}\0" in place.read_text():
                return int(place.parent.name)
    raise AssertionError(f"no process of {service}")


if __name__ == "__main__":
    sys.exit(asyncio.run(inside(Path(sys.argv[1]))) if len(sys.argv) > 1 else main())
