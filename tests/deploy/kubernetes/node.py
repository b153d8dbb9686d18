"""A Kubernetes node beside the API server of `cluster.running`: Kubernetes' controllers, scheduler, proxy and kubelet, Debian's containerd.

For a process that is alone in namespaces of its own (kubelet.py): addresses, firewall, mounts and programs end with them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import cast

import yaml

from tests.deploy.kubernetes.cluster import NODE, Cluster, child, programs
from tests.harness import waiting

ADDRESS, PODS = "192.0.2.10", "10.88.0.0/16"
"""Address of the node and of its pods (ours; nothing of it leaves the namespace)."""
DOMAIN = "cluster.local"
NEEDS = {"containerd": "containerd", "ctr": "containerd", "runc": "runc", "iptables": "iptables", "ip": "iproute2"}
"""Program → the Debian package that has it."""
PLUGINS = Path("/usr/lib/cni")
PAUSE = "referral.invalid/pause:1"
READY_S = 300
"""Longest time in seconds (ours) until the node is ready; it takes 12 s on idle cores."""
LOAD_S = 600
"""Longest import of an image in seconds (ours): the largest has 370 MB."""


def missing() -> str:
    """Return what to install before a node can run here; empty: nothing."""
    lacks = {package for program, package in NEEDS.items() if shutil.which(program) is None}
    lacks |= set() if (PLUGINS / "bridge").exists() else {"containernetworking-plugins"}
    return f"apt-get install {' '.join(sorted(lacks))}" if lacks else ""


class Node:
    """A running node. socket: of its containerd."""

    def __init__(self, cluster: Cluster, socket: Path) -> None:
        self._cluster, self.socket = cluster, socket

    def load(self, *files: Path) -> None:
        """Give containerd images, by the names that their archives have."""
        for file in files:
            words = ["ctr", f"--address={self.socket}", "--namespace=k8s.io", "images", "import", str(file)]
            done = subprocess.run(words, capture_output=True, text=True, timeout=LOAD_S)
            assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"

    def ready(self) -> bool:
        """Return whether the node says that it can run pods."""
        path = "{.items[0].status.conditions[?(@.type=='Ready')].status}"
        return self._cluster.kubectl("get", "nodes", f"--output=jsonpath={path}").stdout == "True"


@contextlib.contextmanager
def running(cluster: Cluster, group: str) -> Iterator[Node]:
    """Make this process's machine a node, ready for pods. group: the cgroup, in each hierarchy, below which they are."""
    folder = cluster.folder / "node"
    folder.mkdir()
    made = Node(cluster, folder / "containerd.sock")
    binaries, known = programs(*NODE), f"--kubeconfig={cluster.folder}/kubeconfig"
    for name, values in {"kubelet": _kubelet(folder, group), "proxy": _proxy(cluster.folder)}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
    (folder / "containerd.toml").write_text(_containerd(folder))
    (folder / "cni").mkdir()
    (folder / "cni" / "pods.conflist").write_text(json.dumps(_network(folder)))
    _pause(binaries / "pause", folder / "pause.tar")
    with contextlib.ExitStack() as held:
        alone = ("--leader-elect=false", "--secure-port=0")
        keys = (f"--service-account-private-key-file={cluster.folder}/accounts.key", f"--root-ca-file={cluster.folder}/tls/apiserver.crt")
        kubelet = (f"--config={folder}/kubelet.yaml", f"--root-dir={folder}/kubelet", f"--cert-dir={folder}/pki", f"--node-ip={ADDRESS}")
        commands: tuple[tuple[str | Path, ...], ...] = (
            ("containerd", f"--config={folder}/containerd.toml"),
            (binaries / "kube-controller-manager", known, *keys, *alone),
            (binaries / "kube-scheduler", known, *alone),
            (binaries / "kube-proxy", f"--config={folder}/proxy.yaml", "--hostname-override=node"),
            (binaries / "kubelet", known, "--hostname-override=node", *kubelet),
        )
        for command in commands:
            name = Path(command[0]).name
            process = held.enter_context(child(command, folder / f"{name}.log"))
            if name == "containerd":
                assert waiting.comes(made.socket.exists), waiting.end(folder / "containerd.log")
                made.load(folder / "pause.tar")
        waiting.comes(lambda: not process.runs() or made.ready(), READY_S)
        assert process.runs() and made.ready(), waiting.end(folder / "kubelet.log")
        yield made


@contextlib.asynccontextmanager
async def names(known: Mapping[str, str]) -> AsyncIterator[None]:
    """Answer the pods' questions for names as a cluster's name server does. known: name → address."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Names(known), local_addr=(ADDRESS, 53))
    try:
        yield
    finally:
        transport.close()


class _Names(asyncio.DatagramProtocol):
    """DNS (RFC 1035) as far as a resolver needs it: one question, one address, or no such name."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self._transport.sendto(answer(data, self._known), address)


def answer(question: bytes, known: Mapping[str, str]) -> bytes:
    """Return the answer to a question for a name."""
    labels, at = list[str](), 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    end, kind = at + 5, question[at + 1 : at + 3]
    found = known.get(".".join(labels).removesuffix(f".{DOMAIN}"))
    record = b""
    if found is not None and kind == b"\x00\x01":
        record = b"\xc0\x0c" + question[at + 1 : end] + (5).to_bytes(4, "big") + b"\x00\x04" + bytes(map(int, found.split(".")))
    flags = b"\x85\x80" if found is not None else b"\x85\x83"
    return question[:2] + flags + b"\x00\x01" + (b"\x00\x01" if record else b"\x00\x00") + b"\x00\x00\x00\x00" + question[12:end] + record


def _kubelet(folder: Path, group: str) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "readOnlyPort": 0,
        "healthzPort": 0,
        # Nobody else is in this network.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{group}",
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "clusterDNS": [ADDRESS],
        "clusterDomain": DOMAIN,
        "resolvConf": "",
        "podLogsDir": f"{folder}/logs",
        "volumePluginDir": f"{folder}/plugins",
        # A machine that others fill too: this node evicts nobody, and takes no image away.
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def _proxy(folder: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{folder}/kubeconfig"},
        "mode": "iptables",
        "clusterCIDR": PODS,
        # Pods of one bridge would answer one another past the firewall.
        "iptables": {"masqueradeAll": True},
        # It leaves this machine's own settings as they are.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def _containerd(folder: Path) -> str:
    return f"""version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{PLUGINS}"
conf_dir = "{folder}/cni"
"""


def _network(folder: Path) -> dict[str, object]:
    ranges = [[{"subnet": PODS}]]
    addresses = {"type": "host-local", "dataDir": f"{folder}/addresses", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}


def _pause(program: Path, file: Path) -> None:
    """Write the image of a pod's own container, which holds one program."""

    def added(archive: tarfile.TarFile, name: str, data: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o755
        archive.addfile(entry, io.BytesIO(data))

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        added(archive, "pause", program.read_bytes())
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    own = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"]}}
    own |= {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}
    with tarfile.open(file, "w") as archive:
        added(archive, "layer.tar", layer.getvalue())
        added(archive, "config.json", json.dumps(own).encode())
        added(archive, "manifest.json", json.dumps([{"Config": "config.json", "RepoTags": [PAUSE], "Layers": ["layer.tar"]}]).encode())
