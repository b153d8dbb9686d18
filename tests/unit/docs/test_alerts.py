"""The alert rules: each has its row for operators and asks for metrics that exist; Prometheus evaluates each, firing and silent."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

import services.intake.__main__
import services.oversight.__main__
import services.routing.__main__  # noqa: F401
from referral.ca import periods
from referral.cli.admin.doctor import result as doctor
from referral.proof.security import Alarm as SecurityAlarm
from services.audit.__main__ import ALARMS  # noqa: F401
from services.notifier import metrics as notifier
from services.watchman import metrics as watchman  # noqa: F401
from services.watchman.alarms import Alarm
from services.watchman.alerts import LASTS_S, WATCHING, read
from tests.harness import alarms, dashboards
from tests.harness.alarms import OPERATORS, READY, rows, section

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "monitoring"
FILE = FOLDER / "rules.yaml"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(FILE.read_text("utf-8"))["groups"] for rule in group["rules"]
}
CASES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("alert_cases.yaml").read_text("utf-8"))
PROMETHEUS = {"up"}
"""Metrics that Prometheus makes itself; those of node_exporter begin with node_."""
METRIC = re.compile(r"\b(?:referral|node)_[a-z_]+|\bup\b")
QUESTION = re.compile(r"\b(referral_[a-z_]+)(?:\{([^}]*)\})?")


def declared() -> dict[str, set[str]]:
    """Each of our metrics, as Prometheus names it → its labels."""
    registry = CollectorRegistry()
    notifier.Figures(registry)
    made = {*registry._collector_to_names, *REGISTRY._collector_to_names}
    found = {
        name: {*metric._labelnames}
        for metric in made
        if hasattr(metric, "_labelnames")
        for name in REGISTRY._get_names(metric)
        if name.startswith("referral_")
    }
    return found | {doctor.METRIC: {"check", "result"}}


def plain(name: str) -> str:
    """A metric as it is declared and as the page names it."""
    return re.sub(r"_(total|bucket)$", "", name)


def anchors() -> set[str]:
    """Every place of the page that a link may name."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", OPERATORS, flags=re.M | re.S), re.M)
    slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return slugs | {*re.findall(r'<a id="([a-z-]+)"></a>', OPERATORS)}


def test_each_rule_has_its_row_and_each_row_its_rule() -> None:
    told = rows("Metrics: when to worry")
    assert [*told] == [*RULES]
    assert all(len(cells) == 3 and all(cells) for cells in told.values()), "when it fires, what it means, and what to do"
    for name, (fires, _, _) in told.items():
        named = {plain(word) for word in METRIC.findall(RULES[name]["expr"])}
        assert set(METRIC.findall(fires)) == named, f"{name}: its row names the metrics of its rule"


def test_each_rule_says_how_loud_it_is_and_where_the_page_explains_it() -> None:
    for name, rule in RULES.items():
        assert rule["labels"]["severity"] in ("page", "ticket", "heartbeat"), name
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == "docs/operators.md" and anchor in anchors(), f"{name}: the page has no {anchor}"
        row = next(line for line in section("Metrics: when to worry").splitlines() if f"`{name}` |" in line)
        assert f'<a id="{anchor}">' in row or f"](#{anchor})" in row, f"{name}: its row leads to {anchor}"
    assert [name for name, rule in RULES.items() if rule["labels"]["severity"] == "heartbeat"] == [WATCHING]


def test_each_link_within_the_page_leads_somewhere() -> None:
    assert {*re.findall(r"\]\(#([^)]+)\)", OPERATORS)} <= anchors()


def test_each_alarm_of_the_watchman_has_its_line_and_a_rule_names_the_one_that_sees_the_same() -> None:
    assert rows("A watchman").keys() == {*Alarm}
    called = {rule["labels"]["called"]: rule["labels"]["severity"] for rule in RULES.values() if "called" in rule["labels"]}
    assert called.keys() <= {*Alarm, "already"} and {*called.values()} == {"page"}


def test_each_security_alarm_has_one_rule_that_fires_for_it_alone() -> None:
    assert rows("Security events").keys() == {*SecurityAlarm}
    asked = [alarm for rule in RULES.values() for alarm in re.findall(r'referral_security_alarms\{alarm="([a-z-]+)"\}', rule["expr"])]
    assert sorted(asked) == sorted(SecurityAlarm)


def test_rules_and_dashboards_ask_for_metrics_and_labels_that_exist() -> None:
    known = declared()
    questions = {name: rule["expr"] for name, rule in RULES.items()} | {f"{p.title}": q for p in dashboards.panels() for q in p.asks}
    for who, asked in questions.items():
        for name, matched in QUESTION.findall(asked):
            assert name in known, f"{who}: no metric {name}"
            assert {*re.findall(r"(\w+)[=!]", matched)} <= known[name], who


def test_each_metric_is_in_a_rule_or_on_a_dashboard() -> None:
    asked = " ".join([*(rule["expr"] for rule in RULES.values()), *(ask for panel in dashboards.panels() for ask in panel.asks)])
    shown = {plain(name) for name in METRIC.findall(asked)}
    assert {plain(name) for name in declared() if not name.endswith(("_created", "_sum", "_count"))} - shown == set()


def test_the_limits_of_certificates_are_those_of_the_authority() -> None:
    assert [float(limit) for limit in re.findall(r"< (\d+)", RULES["CertificateOld"]["expr"])] == [
        periods.SERVICE_WARNING.total_seconds(),
        periods.LIST_WARNING.total_seconds(),
    ]


def test_the_watchman_names_each_rule_and_remembers_it_until_it_is_repeated() -> None:
    """The names and anchors of the rules are such as it says, and three of Alertmanager's repetitions may be missing."""
    for name, rule in RULES.items():
        posted = {"status": "firing", "fingerprint": "1", "labels": {"alertname": name}, "annotations": rule["annotations"]}
        ((alert, fires),) = read(json.dumps({"version": "4", "alerts": [posted]}).encode())
        assert fires and str(alert) == name + "#" + rule["annotations"]["runbook_url"].partition("#")[2]
    route = yaml.safe_load((FOLDER / "alertmanager.yml").read_text("utf-8"))["route"]
    repeats = {one["repeat_interval"] for one in route["routes"] if one["receiver"] == "watchman"}
    assert {f"{LASTS_S / 3 / 60:.0f}m"} == repeats


def test_the_page_of_alarms_has_each_with_its_way() -> None:
    assert alarms.PAGE.read_text("utf-8") == alarms.page(), "run `make generate`"
    left_out = re.findall(r'word!~"([^"]+)"', RULES["NotReady"]["expr"])
    words = {word for word in rows(READY) if re.fullmatch(left_out[0], word)}
    assert words == alarms.INSTEAD.keys(), "each word that NotReady leaves out has a rule of its own"
    assert {rule for several in alarms.INSTEAD.values() for rule in several} <= RULES.keys()


def test_dashboards_are_those_of_the_code() -> None:
    assert dashboards.stale() == [], "run `make generate`"


def asked(name: str, folder: Path) -> Path:
    """Write a rule alone and its cases, as promtool reads them."""
    rule, case, step = RULES[name], CASES[name], CASES[name].get("step", "1m")
    alert = {"exp_labels": rule["labels"] | case["labels"], "exp_annotations": rule["annotations"]}
    tests = [
        {
            "interval": step,
            "name": f"{name} {kind}",
            "input_series": [{"series": series, "values": values} for series, values in case[kind].items()],
            "alert_rule_test": [
                {"eval_time": case.get(f"{kind}_at", case["at"]), "alertname": name, "exp_alerts": [alert] if kind == "fires" else []}
            ],
        }
        for kind in ("fires", "silent")
        if kind in case
    ]
    (folder / f"{name}.rules").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [rule]}]}))
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [f"{name}.rules"], "evaluation_interval": step, "tests": tests}))
    return file


def test_each_rule_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    assert [*CASES] == [*RULES]
    assert {name for name, case in CASES.items() if not {"fires", "silent"} <= case.keys()} == {WATCHING}


def test_prometheus_evaluates_each_case_as_it_should(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine (apt-get install prometheus)")
    files = [str(asked(name, tmp_path)) for name in CASES]
    told = subprocess.run(["promtool", "test", "rules", *files], capture_output=True, text=True, check=False)
    assert told.returncode == 0, (told.stdout + told.stderr)[-5000:]


def test_prometheus_reads_the_example() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine (apt-get install prometheus)")
    command = ["promtool", "check", "config", "--syntax-only", str(FOLDER / "prometheus.yml")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
