"""A real API server takes every overlay as it stands, and refuses what is wrong with it by name."""

from __future__ import annotations

import json
import re
import shutil
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from referral.runtime.settings import SERVICES
from tests.deploy.kubernetes.cluster import BUILD_S, Cluster, operators_resources, running
from tests.harness import waiting
from tests.harness.page_blocks import blocks

ROOT = Path(__file__).parents[2]
BLOCKS = [block for _, block in blocks(ROOT / "docs" / "deploy.md", "sh cluster")]
"""The blocks that ask the API server alone; those of `sh node` need pods that run."""
BLOCK_S = 300
"""Longest run of one block in seconds (ours): it takes 5 s on idle cores."""
RENEWED = (
    ("referral", "intake-tls", "identity.pem", "intake/tls/identity.pem"),
    ("referral-servers", "kafka-tls", "tls.key", "kafka/identity.pem"),
    ("referral-servers", "postgres-tls", "tls.crt", "postgres/identity.pem"),
)
"""Namespace, Secret, its key, the file of it: three that the page's last block renews."""
OVERLAYS = sorted(path.name for path in (ROOT / "deploy" / "kubernetes" / "overlays").iterdir())
APPLY = ("apply", "--server-side", "--validate=strict")
ACTIVE_S = 60
"""Longest time in seconds (ours) until a new admission policy is in force; it takes 1 to 5 s."""

pytestmark = pytest.mark.timeout(BUILD_S + 300)

WIDTH = 90
"""Characters of the server's answer that the table displays (ours)."""

Document = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a running API server that knows the operators' resources."""
    with running(tmp_path_factory.mktemp("cluster")) as one:
        operators_resources(one)
        yield one


@pytest.fixture(scope="module")
def laid_out(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of deploy/kubernetes in which the page's first block has made the folder `line`."""
    place = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(ROOT / "deploy" / "kubernetes", place, ignore=shutil.ignore_patterns("line"))
    cluster.run(BLOCKS[0], place, BLOCK_S)
    return place


@pytest.fixture(scope="module")
def ministry(cluster: Cluster, laid_out: Path) -> dict[tuple[str, str], Document]:
    """Return (kind, name) → resource of the ministry's overlay, once it is applied and its admission policy is in force."""
    cluster.does(*APPLY, "-k", str(laid_out / "overlays" / "ministry"))
    found = {(one["kind"], one["metadata"]["name"]): one for one in rendered(cluster, laid_out / "overlays" / "ministry")}
    loose = deepcopy(found["Deployment", "intake"])
    loose["metadata"]["name"] = "loose"
    del loose["spec"]["template"]["spec"]["automountServiceAccountToken"]
    waiting.comes(lambda: cluster.kubectl(*APPLY, "--dry-run=server", "-f", "-", given=yaml.safe_dump(loose)).returncode, ACTIVE_S)
    return found


def rendered(cluster: Cluster, folder: Path) -> list[Document]:
    """Return the resources that kustomize makes of a folder."""
    return list(yaml.safe_load_all(cluster.does("kustomize", str(folder))))


def pod(workload: Document) -> Document:
    """Return the pod that a workload would make: Pod Security judges pods, and this cluster has nobody who makes them."""
    template = deepcopy(workload["spec"]["template"])
    template["metadata"] |= {"name": workload["metadata"]["name"], "namespace": workload["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", **template}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_is_taken_whole(
    cluster: Cluster, laid_out: Path, overlay: str, record_property: Callable[[str, object], None]
) -> None:
    taken = cluster.does(*APPLY, "-k", str(laid_out / "overlays" / overlay)).splitlines()
    documents = rendered(cluster, laid_out / "overlays" / overlay)
    assert len(taken) == len(documents) and all(line.endswith("serverside-applied") for line in taken)
    record_property("figure", f"{overlay}: {len(taken)} resources")
    pods = [pod(one) for one in documents if one["kind"] == "Deployment"]
    assert {one["metadata"]["labels"]["app.kubernetes.io/name"] for one in pods} == set(SERVICES)
    cluster.does(*APPLY, "--dry-run=server", "-f", "-", given=yaml.safe_dump_all(pods))


def test_the_page_is_taken_block_by_block(
    cluster: Cluster, laid_out: Path, ministry: object, record_property: Callable[[str, object], None]
) -> None:
    """Run what the API server alone can answer; the last block as the machine that renews certificates, which can do nothing else."""
    began = time.monotonic()
    for block in BLOCKS[1:-1]:
        cluster.run(block, laid_out, BLOCK_S)

    def may(verb: str, what: str) -> bool:
        return cluster.kubectl("auth", "can-i", verb, what, "--namespace=referral", "--as=renewal").stdout.strip() == "yes"

    assert waiting.comes(lambda: may("patch", "secrets/intake-tls"), 30)
    assert not any(
        may(*asked)
        for asked in (
            ("get", "secrets/intake-tls"),
            *(("get", "secrets/intake"), ("list", "secrets"), ("delete", "secrets/intake-tls"), ("get", "pods")),
        )
    )

    cluster.run("referral ca renew line/authority line/*/tls line/kafka line/postgres --always", laid_out, BLOCK_S)
    known = yaml.safe_load((cluster.folder / "kubeconfig").read_text())
    known["users"][0]["user"]["as"] = "renewal"
    (cluster.folder / "renewal").write_text(yaml.safe_dump(known))
    cluster.run(f"export KUBECONFIG={cluster.folder}/renewal\n{BLOCKS[-1]}", laid_out, BLOCK_S)
    record_property("figure", f"{len(BLOCKS)} blocks of docs/deploy.md: {time.monotonic() - began:.0f} s")
    for namespace, name, key, file in RENEWED:
        secret = json.loads(cluster.does("get", "secret", name, f"--namespace={namespace}", "--output=json"))
        assert b64decode(secret["data"][key]) == (laid_out / "line" / file).read_bytes(), name
        assert ("cnpg.io/reload" in secret["metadata"]["labels"]) == (name == "postgres-tls"), name


class Mutant(NamedTuple):
    """A fault, and some words with which the server must refuse it. kind, name: the resource. as_pod: it is judged when the pod is made."""

    kind: str
    name: str
    change: Callable[[Any], object]
    words: str
    as_pod: bool = False


def workload(change: Callable[[Document], object], words: str) -> Mutant:
    """Return a fault in a workload's pod that the workload is refused for already."""
    return Mutant("Deployment", "routing", lambda spec: change(spec["template"]["spec"]), words)


def of_pod(change: Callable[[Document], object], words: str) -> Mutant:
    """Return a fault for which Pod Security refuses the pod."""
    return Mutant("Deployment", "routing", change, words, as_pod=True)


MUTANTS = {
    "root": of_pod(lambda pod: pod["securityContext"].update(runAsNonRoot=False, runAsUser=0), "runAsNonRoot"),
    "a folder of the node": of_pod(lambda pod: pod["volumes"].append({"name": "x", "hostPath": {"path": "/etc"}}), "hostPath"),
    "privileged": of_pod(lambda pod: pod["containers"][0].update(securityContext={"privileged": True}), "privileged (container"),
    "a capability": of_pod(
        lambda pod: pod["containers"][0]["securityContext"]["capabilities"].update(add=["NET_ADMIN"]), "unrestricted capabilities"
    ),
    "the node's network": of_pod(lambda pod: pod.update(hostNetwork=True), "host namespaces"),
    "any system call": of_pod(lambda pod: pod["securityContext"].update(seccompProfile={"type": "Unconfined"}), "seccompProfile"),
    "no limit of memory": workload(lambda pod: pod["containers"][0]["resources"].pop("limits"), "resources.limits.memory"),
    "a file system to write to": workload(
        lambda pod: pod["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False), "readOnlyRootFilesystem"
    ),
    "a token of the cluster": workload(lambda pod: pod.update(automountServiceAccountToken=True), "automountServiceAccountToken"),
    "a misspelt key": workload(lambda pod: pod.update(terminationGracePeriodSecond=60), "terminationGracePeriodSecond"),
    "a budget of two kinds": Mutant("PodDisruptionBudget", "intake", lambda spec: spec.update(minAvailable=1), "cannot be both set"),
    "a port that is none": Mutant(
        "NetworkPolicy", "intake", lambda spec: spec["egress"][0]["ports"][0].update(port=70000), "must be between 1 and 65535"
    ),
    "a misspelt key of Strimzi's": Mutant("KafkaNodePool", "broker", lambda spec: spec.update(replicaz=3), "replicaz"),
    "a word that Strimzi does not know": Mutant("KafkaNodePool", "broker", lambda spec: spec.update(roles=["brokr"]), "brokr"),
    "a word that CloudNativePG does not know": Mutant(
        "Cluster", "database", lambda spec: spec["postgresql"]["synchronous"].update(method="some"), "some"
    ),
    "a misspelt key of CloudNativePG's": Mutant(
        "Cluster", "database", lambda spec: spec["postgresql"]["synchronous"].update(failoverQuorums=True), "failoverQuorums"
    ),
}


@pytest.mark.parametrize("fault", MUTANTS)
def test_what_is_wrong_is_refused_by_name(
    cluster: Cluster, ministry: dict[tuple[str, str], Document], fault: str, record_property: Callable[[str, object], None]
) -> None:
    mutant = MUTANTS[fault]
    right = ministry[mutant.kind, mutant.name]  # as it stands it was taken, so it is the fault that is refused
    one = pod(right) if mutant.as_pod else deepcopy(right)
    mutant.change(one["spec"])
    done = cluster.kubectl(*APPLY, "--dry-run=server", "-f", "-", given=yaml.safe_dump(one))
    assert done.returncode == 1 and mutant.words in done.stderr, done.stderr or done.stdout
    said = re.split(r'restricted:latest": |denied request: |is invalid: |Kind=\w+\): |}: ', " ".join(done.stderr.split()))
    record_property("figure", f"{fault}: {said[-1][:WIDTH]}")
