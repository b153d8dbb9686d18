"""The brokers of deploy/compose let in and refuse whom the broker of a checkout does: their settings differ in places and copies alone."""

from __future__ import annotations

import re

from tests.unit.docs.test_docs import ROOT

OTHERWISE = re.compile(
    r"replication\.factor|\.isr$|insync\.replicas|^(node\.id|listeners|advertised\.listeners|log\.dirs|controller\.quorum\.voters)$|\.location$"
    r"|^max\.connections\.per\.ip\.overrides$|^listener\.name\.tls\.max\.connections$"
)
"""How many copies there are, where things lie, and how many programs come from one address: test_broker_limits.py counts them."""


def settings(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text("utf-8").replace("$$", "$").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_they_have_the_same_rules() -> None:
    one, three = settings("deploy/kafka/server.properties"), settings("deploy/compose/broker.properties")
    assert {name: three.get(name) for name in one if not OTHERWISE.search(name)} == {
        name: value for name, value in one.items() if not OTHERWISE.search(name)
    }
    assert {value for name, value in three.items() if name.endswith("replication.factor")} == {"3"}
    assert {value for name, value in three.items() if name.endswith((".isr", "insync.replicas"))} == {"2"}
