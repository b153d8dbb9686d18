"""deploy/compose on a real engine: a line comes up, a referral reaches an agency, all is stopped and started again, nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from referral.ca import authority, identity, names, renewal
from tests.deploy import images
from tests.deploy.engine import Engine
from tests.harness.waiting import comes

COMPOSE = images.ROOT / "deploy" / "compose"
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
USER = 10001
AGENCY = "school-drita"
UP_S = 400
"""Longest wait for the whole line in seconds (ours): it takes one minute on idle cores."""
REFERRAL = {
    "traits": {
        "concern": "trafficking",
        "age": "child",
        "age_band": "12-14",
        "sex": "female",
        "found_in": "prizren",
        "urgency": "urgent",
    },
    "file": {"identity": {"name": "Testa Shembull (made up)"}},
    "drill": True,
}


class Composed:
    """A line that docker-compose runs. folder: what `referral init` made."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.settings = folder.parent / "settings.env"
        text = (COMPOSE / "env.example").read_text().replace("LINE=./line", f"LINE={folder}").replace("CLUSTER=", f"CLUSTER={CLUSTER}")
        self.settings.write_text(text)

    def compose(self, *words: str, within: float = UP_S, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run docker-compose. AssertionError with its output: it failed and `check` is set."""
        command = ["docker-compose", "-f", str(COMPOSE / "compose.yaml"), "--env-file", str(self.settings), "-p", "line", *words]
        done = subprocess.run(command, env=self.engine.environment, capture_output=True, text=True, timeout=within, check=False)
        assert not check or done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def keeper(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of the administrator in a container of its own."""
        return self.compose("run", "--rm", "-T", "keeper", *words, check=check)

    def ask(self, *words: str, path: str = "") -> dict[str, object]:
        """Ask intake as an agency does, from outside the containers; return its answer, {} while there is none."""
        school = self.folder.parent / AGENCY
        to = f"https://line.example:8443/v1/referrals{path}"
        who = ("--cacert", str(school / "authority.pem"), "--cert", str(school / "identity.pem"), "--key", str(school / "identity.pem"))
        token = (school / "token").read_text().strip()
        command = [
            "curl",
            "-s",
            "--max-time",
            "30",
            "--resolve",
            "line.example:8443:127.0.0.1",
            *who,
            "-H",
            f"Authorization: Bearer {token}",
        ]
        done = self.engine.inside([*command, *words, to])
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.startswith("{") else {}

    def healthy(self) -> bool:
        """Return whether every container that has a health check passes it."""
        ids = self.compose("ps", "-q").stdout.split()
        states = self.engine.docker("inspect", "--format", "{{.Name}} {{.State.Health.Status}}", *ids).stdout.split("\n")
        return len(ids) == 12 and all(state.endswith(" healthy") for state in states if state)


@pytest.fixture
def line(engine: Engine, tmp_path: Path) -> Iterator[Composed]:
    for program, package in {"docker-compose": "docker-compose", "curl": "curl"}.items():
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: apt-get install {package}")
    engine.load("services", "oversight", "broker", "database")
    folder = tmp_path / "line"
    options = ("--exercise", "--by-name", "--inner", "0.0.0.0", "--at", "/etc/referral", "--host", "line.example")
    servers = ("--database", "postgres:5432", "--brokers", "kafka-1:9092,kafka-2:9092,kafka-3:9092")
    doors = [f"--{name}=https://line.example:{port}" for name, port in (("audit", 8454), ("notifier", 8455), ("oversight", 8457))]
    subprocess.run([sys.executable, "-m", "referral.cli", "init", str(folder), *options, *servers, *doors], check=True, timeout=120)
    composed = Composed(engine, folder)
    _school(composed)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, USER)
    try:
        yield composed
    finally:
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            composed.compose("down", "--volumes", "--timeout", "5", check=False)


def _school(composed: Composed) -> None:
    """Give an agency its certificate."""
    at = authority.place(composed.folder / "authority", composed.folder / "safe" / "root.pem")
    school = composed.folder.parent / AGENCY
    school.mkdir()
    renewal.create(at, school, identity.request(school, names.parse(f"agency/{AGENCY}")), datetime.now(UTC))


@pytest.mark.timeout(1800)
def test_a_line_comes_up_and_comes_back(line: Composed, record_property: Callable[[str, str], None]) -> None:
    began = time.monotonic()
    line.keeper("prepare")
    line.keeper("policy", "activate")
    line.compose("up", "-d")
    assert comes(line.healthy, within=UP_S), line.compose("ps").stdout
    record_property("figure", f"12 containers up, topics, tables and policy made: {time.monotonic() - began:.0f} s")
    (line.folder.parent / AGENCY / "token").write_text(line.keeper("agency", "token", AGENCY).stdout)

    body = ("-H", "Content-Type: application/json", "-H", "Idempotency-Key: drita-2026-0001", "-d", json.dumps(REFERRAL))
    receipt = comes(lambda: line.ask(*body).get("referral_id"), within=120)
    assert receipt, line.ask(*body)

    def decided() -> bool:
        """Whether an agency, or at night the desk, has been asked."""
        return line.ask(path=f"/{receipt}").get("state") in ("OFFERED", "WAITING")

    assert comes(decided, within=120), line.ask(path=f"/{receipt}")
    line.keeper("doctor")

    began = time.monotonic()
    line.compose("down")
    assert line.compose("ps", "-q").stdout.split() == []
    line.compose("up", "-d")
    assert comes(line.healthy, within=UP_S), line.compose("ps").stdout
    record_property("figure", f"down and up again: {time.monotonic() - began:.0f} s")
    assert comes(decided, within=120), line.ask(path=f"/{receipt}")
    assert line.ask(*body).get("referral_id") == receipt  # the same key is the same referral, also after that
    for words in (("doctor",), ("audit", "verify", "--witnesses", "/etc/referral/witness.policy")):
        done = line.keeper(*words, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
