"""The fixtures' third way: a test of the project runs on a broker and a database in containers of our images, and nothing is pulled."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.deploy import images
from tests.deploy.engine import Engine

FILE = "tests/integration/runtime/test_keyring.py"
"""It writes topics and tables, and waits for the broker to forget."""


@pytest.mark.timeout(1800)
def test_a_test_of_the_project_runs_on_containers_of_our_images(engine: Engine, record_property: Callable[[str, str], None]) -> None:
    engine.load("broker", "database")
    began = engine.docker("info", "--format", "{{.SystemTime}}").stdout.strip()
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(images.ROOT / FILE)]
    done = engine.inside(words, within=600, REFERRAL_TEST_SERVERS="docker")
    assert done.returncode == 0, done.stdout[-4000:]
    servers = [line for line in done.stdout.splitlines() if line.startswith(("kafka: ", "postgres: "))]
    assert [line.split(",")[0] for line in servers] == ["kafka: Docker", "postgres: Docker"], done.stdout
    happened = engine.docker("events", "--since", began, "--until", "0s", "--format", "{{.Action}} {{.Actor.Attributes.image}}", within=60)
    assert {line for line in happened.stdout.splitlines() if line.startswith("create ")} >= {
        "create referral-broker",
        "create referral-database",
    }
    assert "pull" not in happened.stdout
    assert engine.docker("ps", "--all", "--quiet", "--filter", "label=org.testcontainers=true").stdout == ""
    record_property("figure", done.stdout.splitlines()[-1].strip(" ="))
