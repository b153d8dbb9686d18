"""Every broker that we ship holds what its limits allow: the largest request of every connection that may stand, and itself (0067)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from referral.local import kafka
from referral.local.kafka import Ports
from referral.runtime.kafka import clients
from referral.wire import topics
from tests.unit.docs.test_docs import ROOT

MIB = 1024 * 1024
ITSELF = 150 * MIB
"""A broker's own memory while it is attacked (measured: 112 MB)."""
OUTSIDE = 300 * MIB
"""What Java needs beside its heap: classes, stacks, buffers of sockets (measured: 200 MB)."""
STRIMZI = 24
"""Connections of Strimzi's own listeners and of its controllers: they take no certificate of ours."""
UNITS = {"m": MIB, "M": MIB, "Mi": MIB, "g": 1024 * MIB}


def size(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


@dataclass(frozen=True)
class Shipped:
    """A broker: its settings, its heap, the memory of its container or unit (0: without a limit), its options of Java."""

    settings: dict[str, str]
    heap: int
    memory: int
    options: str

    @property
    def listeners(self) -> dict[str, int]:
        found = {re.fullmatch(r"listener\.name\.(\w+)\.max\.connections", name): value for name, value in self.settings.items()}
        return {match[1]: int(value) for match, value in found.items() if match}


def filled(**more: object) -> dict[str, str]:
    template = (ROOT / "deploy/kafka/server.properties").read_text()
    place = Path("/none")
    return properties(kafka.render(template, Ports(9092, 9094, 9093), data=place, identity=place, root=place)) | {
        name: str(value) for name, value in more.items()
    }


def local() -> Shipped:
    return Shipped(filled(), size(kafka.HEAP), 0, " ".join(kafka.JVM))


def one_server() -> Shipped:
    unit = (ROOT / "deploy/systemd/referral-kafka.service").read_text()
    page = (ROOT / "docs/deploy.md").read_text()
    connections = re.search(r"s\|\$\{connections\}\|(\d+)\|", page)
    heap, memory = re.search(r"-Xmx(\w+)", unit), re.search(r"^MemoryMax=(\w+)", unit, re.M)
    assert connections and heap and memory
    settings = filled() | {"listener.name.tls.max.connections": connections[1]}
    return Shipped(settings, size(heap[1]), size(memory[1]), unit)


def compose() -> Shipped:
    services = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())["services"]
    brokers = [one for name, one in services.items() if name.startswith("kafka")]
    ((heap, memory),) = {(one["environment"]["HEAP"], one["mem_limit"]) for one in brokers}
    return Shipped(properties((ROOT / "deploy/compose/broker.properties").read_text()), size(heap), size(memory), " ".join(kafka.JVM))


def kubernetes() -> Shipped:
    brokers, pool = yaml.safe_load_all((ROOT / "deploy/kubernetes/kafka/kafka.yaml").read_text())
    spec, java = brokers["spec"]["kafka"], pool["spec"]["jvmOptions"]
    settings = {name: str(value) for name, value in spec["config"].items()} | {"listener.name.strimzi.max.connections": str(STRIMZI)}
    for one in spec["listeners"]:
        settings[f"listener.name.{one['name']}.max.connections"] = str(one["configuration"]["maxConnections"])
    options = " ".join(f"-XX:+{name}" if value == "true" else f"-XX:{name}={value}" for name, value in java["-XX"].items())
    return Shipped(settings, size(java["-Xmx"]), size(pool["spec"]["resources"]["limits"]["memory"]), options)


@pytest.mark.parametrize("shipped", [local, one_server, compose, kubernetes])
def test_the_heap_holds_what_may_be_announced(shipped: type[Shipped]) -> None:
    found = shipped()  # type: ignore[call-arg]
    request = int(found.settings["socket.request.max.bytes"])
    assert {"tls", "agencies"} < found.listeners.keys() and len(found.listeners) == 3
    assert found.heap >= sum(found.listeners.values()) * request + ITSELF
    assert not found.memory or found.memory >= found.heap + OUTSIDE
    assert {"-XX:+ExitOnOutOfMemoryError", "-XX:+UseSerialGC", *kafka.GROWTH} <= set(found.options.split())
    assert all(most > int(found.settings["max.connections.per.ip"]) for most in found.listeners.values()), "one machine fills a listener"


def test_the_largest_request_is_a_bundle_and_little_more() -> None:
    cards = topics.load(ROOT / "schemas/avro/topics.yaml").values()
    largest = max(int(card.config.get("max.message.bytes", 0)) for card in cards)
    allowed = int(filled()["socket.request.max.bytes"])
    assert clients.PRODUCER["max_request_size"] == largest < allowed <= largest + MIB


def test_an_image_asks_what_a_stack_asks() -> None:
    script = (ROOT / "deploy/image/asked.sh").read_text()
    octal = re.search(r"^request='(.*)'$", script, re.M)
    assert octal and bytes(int(digits, 8) for digits in octal[1].split("\\")[1:]) == kafka.PRODUCE
