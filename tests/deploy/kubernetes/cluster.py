"""A Kubernetes API server with a store of its own on loopback, built of published Go modules: it judges manifests, and runs nothing.

The programs are built once for each go.sum and kept in ~/.cache/referral/control-plane: a quarter of an hour of processor time, once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from referral.local import data_folder, ports
from referral.local.child import Child, Recipe
from tests.deploy.kubernetes import definitions
from tests.harness import waiting

MODULE = Path(__file__).with_name("control_plane")
SERVER = ("etcd", "kube-apiserver", "kubectl")
"""Programs that judge manifests. kubectl is built too: Debian's is of 2021 and knows no strict validation."""
NODE = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "pause")
"""Programs that run them (tests/deploy/kubernetes/node.py)."""
PACKAGES = {"etcd": "go.etcd.io/etcd/server/v3", "pause": "./pause"}
"""Program → its package, where that is not Kubernetes' own of its name."""
BUILD_S = 3000
"""Longest build in seconds (ours): eight minutes on two idle cores, many times that on busy ones."""
CALL_S = 240
"""Longest call of kubectl in seconds (ours): it takes 0.5 s on idle cores."""
STARTS_S = 300
"""Longest start in seconds (ours): it takes 3 s on idle cores."""


class Cluster:
    """A running API server. folder: where its kubeconfig is. binaries: of its programs."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder, self.binaries = folder, binaries

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables with which a shell finds this cluster and no other, and its kubectl first."""
        path = os.pathsep.join((str(self.binaries), str(Path(sys.executable).parent), os.environ["PATH"]))
        return {**os.environ, "HOME": str(self.folder), "KUBECONFIG": str(self.folder / "kubeconfig"), "PATH": path}

    def kubectl(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl; its failure is the caller's. given: its input."""
        command = [str(self.binaries / "kubectl"), *words]
        return subprocess.run(command, input=given, env=self.environment, capture_output=True, text=True, timeout=CALL_S)

    def run(self, block: str, place: Path, within: float) -> str:
        """Run a block of shell in a folder and return what it printed. AssertionError: it failed."""
        words = ["timeout", str(within), "sh", "-eu", "-c", block]
        done = subprocess.run(words, cwd=place, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"exit {done.returncode} (124: not within {within} s)\n{block}\n{done.stdout}"
        return done.stdout

    def does(self, *words: str, given: str = "") -> str:
        """Run kubectl and return what it prints. AssertionError with its words: it failed."""
        done = self.kubectl(*words, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout


def programs(*names: str) -> Path:
    """Return the folder of the programs, building those that are missing. Skips the test where they cannot be built."""
    named = hashlib.sha256(b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))).hexdigest()[:16]
    place = data_folder.default_jars().parent / "control-plane"
    place.mkdir(parents=True, exist_ok=True)
    made = place / named
    with (place / "lock").open("w") as lock:  # two runs that want them build them once
        fcntl.flock(lock, fcntl.LOCK_EX)
        absent = [name for name in names if not (made / name).exists()]
        if absent and shutil.which("go") is None:
            pytest.skip("no Go, which builds Kubernetes: install golang 1.26 or newer")
        for name in absent:
            package = PACKAGES.get(name, f"k8s.io/kubernetes/cmd/{name}")
            _run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(made / "new"), package])
            (made / "new").rename(made / name)
        for older in place.glob("*/kubectl") if absent else ():
            if older.parent != made:
                shutil.rmtree(older.parent)
    return made


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Run an API server whose data lie in a folder. Skips the test where it cannot be built."""
    binaries = programs(*SERVER)
    store, peer, port = ports.free(3)
    key = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "accounts.key").write_bytes(key)
    token = secrets.token_urlsafe(24)
    (folder / "tokens.csv").write_text(f"{token},administrator,1,system:masters\n")
    etcd = [binaries / "etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--log-level=error"]
    etcd += [f"--{kind}-client-urls=http://127.0.0.1:{store}" for kind in ("listen", "advertise")]
    etcd += [f"--listen-peer-urls=http://127.0.0.1:{peer}"]
    server = [binaries / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{store}", "--bind-address=127.0.0.1", f"--secure-port={port}"]
    server += [f"--cert-dir={folder}/tls", "--service-account-issuer=https://cluster.invalid", "--service-cluster-ip-range=10.96.0.0/24"]
    server += [f"--service-account-{kind}={folder}/accounts.key" for kind in ("signing-key-file", "key-file")]
    server += [f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=RBAC"]
    server += ["--allow-privileged"]  # so that Pod Security is what refuses such a pod, as in most clusters
    with child(etcd, folder / "etcd.log"), child(server, folder / "apiserver.log") as process:
        authority = folder / "tls" / "apiserver.crt"
        address = f"https://127.0.0.1:{port}"
        waiting.comes(lambda: not process.runs() or (authority.exists() and _ready(address, authority, token)), STARTS_S)
        assert process.runs() and _ready(address, authority, token), waiting.end(folder / "apiserver.log")
        configuration = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": address, "certificate-authority": str(authority)}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(configuration))
        yield Cluster(folder, binaries)


def operators_resources(cluster: Cluster) -> None:
    """Let a cluster know the resources of Strimzi and CloudNativePG. Skips the test where no registry has their definitions."""
    cluster.does("apply", "--server-side", *(f"--filename={file}" for file in definitions.written(cluster.folder)))
    words = ("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")  # it fails at once for one that has no status yet
    assert waiting.comes(lambda: cluster.kubectl(*words).returncode == 0), cluster.kubectl(*words).stderr


def _ready(address: str, authority: Path, token: str) -> bool:
    asked = urllib.request.Request(f"{address}/readyz", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=5, context=ssl.create_default_context(cafile=authority)) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@contextlib.contextmanager
def child(command: Sequence[object], log: Path) -> Iterator[Child]:
    """Run a program for the length of a block."""
    made = Child(Recipe([str(word) for word in command], log))
    try:
        yield made
    finally:
        made.stop()


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, timeout=BUILD_S)
    if "dial tcp" in done.stderr or "no such host" in done.stderr:
        pytest.skip(f"no Go module proxy answers, and {command[-1]} is not built yet: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stderr}"
