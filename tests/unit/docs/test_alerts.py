"""The alert rules: each has its line for operators, and asks for metrics that exist, with labels that they have."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

from referral.proof.security import Alarm as SecurityAlarm
from referral.runtime import observe
from services.audit import security
from services.notifier import metrics as notifier
from services.watchman import metrics as watchman
from services.watchman.alarms import Alarm

ROOT = Path(__file__).parents[3]
FILE = ROOT / "deploy" / "prometheus" / "referral.rules.yaml"
OPERATORS = (ROOT / "docs" / "operators.md").read_text("utf-8")
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(FILE.read_text("utf-8"))["groups"] for rule in group["rules"]]


def rows(heading: str) -> dict[str, list[str]]:
    """The words in the first column of the tables of a section → the row's other columns."""
    section = OPERATORS.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        for word in re.findall(r"`([A-Za-z-]+)`", cells[0]) if line.startswith("| `") else ():
            found[word] = cells[1:]
    return found


def test_each_rule_has_its_line_of_the_runbook_and_each_line_its_rule() -> None:
    told = rows("Alert rules")
    assert [*told] == [rule["alert"] for rule in RULES]
    assert all(len(cells) == 2 and all(cells) for cells in told.values()), "what it means, and what to do"


def test_each_alarm_of_the_watchman_has_its_line() -> None:
    assert rows("A watchman").keys() == {*Alarm}


def test_each_security_alarm_has_its_line() -> None:
    assert rows("Security events").keys() == {*SecurityAlarm}


def test_rules_ask_for_metrics_and_labels_that_exist() -> None:
    registry = CollectorRegistry()
    made = [*vars(notifier.Figures(registry)).values(), *vars(watchman.Figures(registry)).values(), *vars(observe).values()]
    made.append(security.STANDING)
    labels = {name: {*metric._labelnames} for metric in made if hasattr(metric, "_labelnames") for name in REGISTRY._get_names(metric)}
    for rule in RULES:
        for name, matched in re.findall(r"(referral_[a-z_]+)(?:\{([^}]*)\})?", rule["expr"]):
            assert name in labels, f"{rule['alert']}: no metric {name}"
            assert {*re.findall(r"(\w+)=", matched)} <= labels[name], rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_prometheus_reads_the_rules() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine (apt-get install prometheus)")
    told = subprocess.run(["promtool", "check", "rules", str(FILE)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_each_security_alarm_has_one_rule_that_fires_for_it_alone(tmp_path: Path) -> None:
    """Prometheus itself evaluates each alarm alone, none of them, and an audit process that is away."""
    group = next(group for group in yaml.safe_load(FILE.read_text("utf-8"))["groups"] if group["name"] == "security")
    named = {alarm: [rule for rule in group["rules"] if f'alarm="{alarm}"' in rule["expr"]] for alarm in SecurityAlarm}
    assert {alarm: len(found) for alarm, found in named.items()} == dict.fromkeys(SecurityAlarm, 1)
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine (apt-get install prometheus)")
    rules = [rule["alert"] for rule in group["rules"]]
    tests = []
    for stands in (*SecurityAlarm, None):
        series = [{"series": f'referral_security_alarms{{alarm="{one}"}}', "values": f"{int(one == stands)}x10"} for one in SecurityAlarm]
        tests.append((series, {rule["alert"]: rule for rule in (named[stands] if stands else ())}))
    tests.append(([], {rule["alert"]: rule for rule in group["rules"] if rule["alert"] == "SecurityUnwatched"}))
    whole = {
        "rule_files": [str(FILE)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "alert_rule_test": [
                    {
                        "eval_time": "6m",
                        "alertname": rule,
                        "exp_alerts": [{"exp_labels": fires[rule]["labels"]}] if rule in fires else [],
                    }
                    for rule in rules
                ],
            }
            for series, fires in tests
        ],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(whole), "utf-8")
    told = subprocess.run(["promtool", "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
