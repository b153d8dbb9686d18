"""The manifests agree with the program: whom the network lets through, what is mounted, whom the brokers take for whom."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from referral.runtime.postgres import rights
from referral.runtime.settings import SERVICES
from referral.wire import topics
from tests.deploy.kubernetes import kubelet

ROOT = Path(__file__).parents[3]
PLACE = ROOT / "deploy" / "kubernetes"
FILES = sorted(file for file in PLACE.rglob("*.yaml") if "line" not in file.relative_to(PLACE).parts)
DOCUMENTS = [one for file in FILES if file.name != "kustomization.yaml" for one in yaml.safe_load_all(file.read_text())]
WORKLOADS = {one["metadata"]["name"]: one for one in DOCUMENTS if one["kind"] == "Deployment" and one["metadata"]["name"] != "every"}
POLICIES = {one["metadata"]["name"]: one["spec"] for one in DOCUMENTS if one["kind"] == "NetworkPolicy"}
ALONE, DOORLESS = {"oversight", "eraser"}, {"routing", "eraser"}
KAFKA, DATABASE = ("strimzi.io/cluster", "line"), ("cnpg.io/cluster", "database")


def named(kind: str) -> dict[str, Any]:
    return {one["metadata"]["name"]: one for one in DOCUMENTS if one["kind"] == kind}


def peers(service: str) -> set[tuple[tuple[str, str], int]]:
    """Return (label, port) of whom a service may reach."""
    return {
        (label, port["port"])
        for rule in POLICIES[service]["egress"]
        for to in rule["to"]
        for label in to["podSelector"]["matchLabels"].items()
        for port in rule["ports"]
    }


def test_every_file_is_in_a_kustomization_and_every_kustomization_finds_its_files() -> None:
    used = set()
    for file in FILES:
        if file.name == "kustomization.yaml" and "secrets" not in file.parts:
            found = yaml.safe_load(file.read_text())
            for path in (*found.get("resources", ()), *(patch["path"] for patch in found.get("patches", ()) if "path" in patch)):
                if "line" not in Path(path).parts:
                    assert (file.parent / path).exists(), f"{file}: {path}"
                    used.add((file.parent / path).resolve())
    assert [file for file in FILES if file.name != "kustomization.yaml" and file not in used] == []


def test_every_service_is_a_workload_and_the_watchman_is_none() -> None:
    """Compare with the services of a line. The watchman calls when the cluster is dead, so it must not die with it."""
    assert WORKLOADS.keys() == set(SERVICES)
    assert named("ServiceAccount").keys() == {*SERVICES, "keeper"}
    for name, one in WORKLOADS.items():
        spec = one["spec"]["template"]["spec"]
        (container,) = spec["containers"]  # named as the patch that holds it, base/workload.yaml, expects
        assert container["name"] == "service" and spec["serviceAccountName"] == name and container["args"] == [f"services.{name}"]
        assert container["image"] == ("referral-oversight" if name == "oversight" else "referral-services")
        assert one["spec"]["replicas"] == (1 if name in ALONE else 2)
        assert (name in named("PodDisruptionBudget")) == (name not in ALONE)
        assert container["env"] == [{"name": "REFERRAL_SETTINGS", "value": f"/etc/referral/{name}/{name}.toml"}]
        assert "envFrom" not in container


@pytest.mark.parametrize("service", SERVICES)
def test_the_network_lets_through_what_the_topic_cards_and_the_rights_ask_for(service: str) -> None:
    cards = topics.load(ROOT / "schemas" / "avro" / "topics.yaml").values()
    asks = any(service in (*card.writers, *card.readers, *card.blind, *card.ends) for card in cards)
    reached = {label for label, _ in peers(service)}
    assert (KAFKA in reached) == asks
    assert (DATABASE in reached) == (service in rights.ROLES)
    others = {name for label, name in reached if label == "app.kubernetes.io/name"}
    assert others == {"intake": {"audit", "notifier"}, "eraser": {"audit"}}.get(service, set())


def test_ports_are_the_same_everywhere() -> None:
    doors = {name: named("Service")[name]["spec"]["ports"][0]["port"] for name in SERVICES if name not in DOORLESS}
    for name, one in WORKLOADS.items():
        at = {port["name"]: port["containerPort"] for port in one["spec"]["template"]["spec"]["containers"][0]["ports"]}
        assert at["inner"] == at["doors"] + 10_000 and doors.get(name, at["doors"]) == at["doors"]
        open_to_all = {port["port"] for rule in POLICIES[name]["ingress"] if "from" not in rule for port in rule["ports"]}
        assert open_to_all == ({at["doors"]} if name in doors else set())
        assert {port["port"] for rule in POLICIES[name]["ingress"] if "from" in rule for port in rule["ports"]} == {at["inner"]}
    for name in (*SERVICES, "keeper"):
        wanted = {KAFKA[0]: 9093, DATABASE[0]: 5432}
        assert all(port == wanted.get(label, doors.get(other)) for (label, other), port in peers(name)), name


def test_nobody_else_comes_in_or_goes_out() -> None:
    assert POLICIES["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert all(set(spec["policyTypes"]) >= {"Egress"} for name, spec in POLICIES.items() if name != "database")


def test_the_brokers_call_everybody_as_our_own_do() -> None:
    properties = (ROOT / "deploy" / "kafka" / "server.properties").read_text()
    ours = dict(line.split("=", 1) for line in properties.splitlines() if "=" in line and not line.startswith("#"))
    spec = named("Kafka")["line"]["spec"]["kafka"]
    assert [one["name"] for one in spec["listeners"]] == ["tls", "agencies"]
    for one in spec["listeners"]:
        listener, prefix = one["authentication"]["listenerConfig"], f"listener.name.{one['name']}."
        rules = "ssl.principal.mapping.rules"
        assert listener[rules] == ours[prefix + rules].replace("$$", "$")
        for setting in ("ssl.client.auth", "ssl.protocol", "ssl.enabled.protocols", "ssl.truststore.type"):
            assert listener[setting] == ours[setting], setting
    assert all(str(spec["config"][name]) == ours[name] for name in ("socket.request.max.bytes", "max.connections.per.ip"))
    assert f"User:{named('Kafka')['line']['spec']['kafka']['authorization']['superUsers'][0]};" in ours["super.users"]


def test_a_renewed_certificate_is_the_only_secret_that_keeps_its_name() -> None:
    found = {
        folder: yaml.safe_load((PLACE / "secrets" / folder / "kustomization.yaml").read_text()) for folder in ("", "kafka", "postgres")
    }
    ours = found[""]["secretGenerator"]
    kept = {one["name"] for one in ours if one.get("options", {}).get("disableNameSuffixHash")}
    assert kept == {f"{service}-tls" for service in SERVICES}
    assert {one["name"] for one in ours} - kept == set(SERVICES)
    allowed = {name for one in DOCUMENTS if one["kind"] == "Role" for name in one["rules"][0]["resourceNames"]}
    assert allowed == kept | {"kafka-tls", "postgres-tls"}
    roles = [one for one in DOCUMENTS if one["kind"] == "Role"]
    assert [rule["verbs"] for one in roles for rule in one["rules"]] == [["patch"]] * 2, "it gives keys, and asks for none"
    asks = [line for line in (PLACE / "renew.sh").read_text().splitlines() if "kubectl" in line and not line.startswith("#")]
    assert len(asks) == 1 and "kubectl apply --server-side " in asks[0], "of all that kubectl can send, one patch for each Secret alone"
    given = {
        one["name"]
        for file in found.values()
        for one in file["secretGenerator"]
        if "referral.example/renewed" in {**file.get("generatorOptions", {}).get("labels", {}), **one.get("options", {}).get("labels", {})}
    }
    assert given == allowed


def test_the_exercise_on_a_kubelet_rolls_every_service_that_a_release_rolls() -> None:
    """In the order of README.md. Oversight may end between two releases of its figures, and is no part of a referral."""
    (told,) = re.findall(r"set `images` for (\w+) first, wait, then ([\w, ]+);", (PLACE / "README.md").read_text())
    assert (told[0], *told[1].split(", ")) == kubelet.ORDER and {*kubelet.ORDER, "oversight"} == set(SERVICES)
    assert set(kubelet.TWICE) == set(SERVICES) - ALONE


def test_the_administrators_pod_finds_what_it_is_given() -> None:
    """Follow each name of the pod: what another kustomization makes must have it without a tail."""
    made = {"keeper-people"}  # by hand, in an exercise
    for folder in ("", "keeper"):
        found = yaml.safe_load((PLACE / "secrets" / folder / "kustomization.yaml").read_text())
        kept = found.get("generatorOptions", {}).get("disableNameSuffixHash", False)
        for one in (*found.get("configMapGenerator", ()), *found["secretGenerator"]):
            if one.get("options", {}).get("disableNameSuffixHash", kept):
                made.add(one["name"])
    spec = named("Pod")["keeper"]["spec"]
    wanted = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    wanted |= {volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume}
    assert {"trust", "keeper"} <= wanted <= made


def test_every_mount_is_of_a_volume_of_its_pod_and_every_volume_is_mounted() -> None:
    pods = [one["spec"]["template"]["spec"] for kind in ("Deployment", "StatefulSet") for one in named(kind).values()]
    for spec in (*pods, named("Pod")["keeper"]["spec"]):
        mounts = {mount["name"] for container in spec["containers"] for mount in container.get("volumeMounts", ())}
        assert mounts == {volume["name"] for volume in spec["volumes"]}


def test_what_people_read_names_what_is_there() -> None:
    page = (PLACE / "README.md").read_text()
    for path in re.findall(r"`((?:base|overlays|secrets|keeper|servers|kafka|postgres|admission)/[\w./-]*)`", page):
        assert (PLACE / path).exists(), path
