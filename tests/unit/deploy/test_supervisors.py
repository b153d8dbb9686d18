"""Whoever restarts processes asks whether they live; whether they are late is for people. A notifier's calls may end before it does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from referral.channels import voice
from referral.local.service import CALL_GRACE_S

DEPLOY = Path(__file__).parents[3] / "deploy"


def test_kubernetes_restarts_what_is_dead_and_asks_readiness_for_the_door_alone() -> None:
    (service,) = yaml.safe_load((DEPLOY / "kubernetes/base/workload.yaml").read_text("utf-8"))["spec"]["template"]["spec"]["containers"]
    asks = {name: service[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert asks == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_compose_and_systemd_ask_nothing_that_can_be_late() -> None:
    compose = (DEPLOY / "compose/compose.yaml").read_text("utf-8")
    assert '+ "/healthz"' in compose and "/readyz" not in compose
    unit = (DEPLOY / "systemd/referral@.service").read_text("utf-8")
    assert "Type=exec" in unit and "Watchdog" not in unit and "ExecStartPost" not in unit


def test_every_supervisor_lets_a_call_end() -> None:
    unit = (DEPLOY / "systemd/referral@.service").read_text("utf-8")
    pod = next(yaml.safe_load_all((DEPLOY / "kubernetes/base/notifier.yaml").read_text("utf-8")))["spec"]["template"]["spec"]
    compose = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text("utf-8"))["services"]["notifier"]
    graces = [CALL_GRACE_S, pod["terminationGracePeriodSeconds"], *map(int, re.findall(r"TimeoutStopSec=(\d+)", unit))]
    graces.append(int(compose["stop_grace_period"].removesuffix("s")))
    assert len(graces) == 4 and min(graces) >= voice.SECONDS + 10
