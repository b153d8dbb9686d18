"""Make the dashboards of deploy/monitoring anew: `python -m tests.harness.dashboards [--check]`. With --check: return 1 if one is another.

One for each role. A panel asks Prometheus for a few series and names the limit at which its rule fires, so that a picture says what is
in order without anybody knowing the numbers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from referral.runtime.settings import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "monitoring" / "dashboards"
SCHEMA = 38
"""Version of Grafana's dashboard JSON: that of Grafana 10; later ones read it."""
HIGH, WIDE, COLUMNS = 7, 8, 24
"""Rows and columns of a panel, and of the page, in Grafana's grid."""
SOURCE = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. asks: PromQL → legend. limit: at which somebody must look; None: there is none. below: worry below the limit.

    stat: it shows numbers as of now instead of lines over time.
    """

    title: str
    asks: Mapping[str, str]
    unit: str = "short"
    limit: float | None = None
    below: bool = False
    stat: bool = False


STANDING = Panel(
    "Alerts that stand", {'sum by (alertname) (ALERTS{alertstate="firing",severity!="heartbeat"})': "{{alertname}}"}, stat=True
)
OPERATOR = (
    STANDING,
    Panel("Processes that answer", {'sum(up{job="referral"})': "answer", 'count(up{job="referral"})': "of"}, stat=True),
    Panel("Not ready, by word", {"max by (service, word) (referral_not_ready)": "{{service}} {{word}}"}, limit=1),
    Panel("Records that wait", {"sum by (service) (referral_lag)": "{{service}}"}, limit=1000),
    Panel("Oldest that is not on its topic", {"max by (service) (referral_outbox_age_seconds)": "{{service}}"}, "s", 30),
    Panel("Alarms overdue", {"max by (service) (referral_alarms_overdue)": "{{service}}"}, limit=1),
    Panel(
        "A turn of the loop, 99 of 100",
        {"histogram_quantile(0.99, sum by (service, stage, le) (rate(referral_batch_seconds_bucket[5m])))": "{{service}} {{stage}}"},
        "s",
        5,
    ),
    Panel(
        "Records a second",
        {
            "sum by (service) (rate(referral_records_in_total[5m]))": "{{service}} in",
            "sum by (service) (rate(referral_records_out_total[5m]))": "{{service}} out",
        },
    ),
    Panel("Units that stand", {"sum by (service, cause) (referral_units_stopped) > 0": "{{service}} {{cause}}"}, limit=1),
    Panel("Units owned", {"sum by (service) (referral_units_owned)": "{{service}}"}),
    Panel(
        "Taken over, repeated",
        {
            "sum by (service) (increase(referral_fenced_total[10m]))": "{{service}} taken over",
            "sum by (service) (increase(referral_repeats_total[10m]))": "{{service}} repeated",
        },
    ),
    Panel(
        "Disk that is free",
        {
            "min by (instance, mountpoint) (node_filesystem_avail_bytes / node_filesystem_size_bytes)": "{{instance}} {{mountpoint}}",
        },
        "percentunit",
        0.1,
        below=True,
    ),
    Panel(
        "Clock ahead of the database's", {"max by (service, instance) (referral_clock_ahead_seconds)": "{{service}} {{instance}}"}, "s", 5
    ),
    Panel(
        "Certificates and lists end in",
        {"min by (service, file) (referral_certificate_ends_seconds)": "{{service}} {{file}}"},
        "s",
        86400,
        True,
    ),
    Panel("Standbys are behind by", {"max by (slot) (referral_wal_waiting_bytes)": "{{slot}}"}, "bytes", 67108864),
    Panel("Last good backup", {"min(referral_backup_age_seconds)": "age"}, "s", 93600),
    Panel("Doctor", {"count by (result) (referral_doctor_check)": "{{result}}"}, stat=True),
)
HEAD = (
    Panel(
        "Alerts that stand about knocks",
        {'sum by (alertname) (ALERTS{alertstate="firing",alertname=~"Knocks.*|HoleBegun|Ca.*|.*Away|Promise.*"})': "{{alertname}}"},
        stat=True,
    ),
    Panel("Nobody can be reached", {"max(referral_knocks_holes)": "urgent questions"}, limit=1, stat=True),
    Panel("Paused", {"max(referral_knocks_paused)": "1 is paused, 0 is not"}, limit=1, stat=True),
    Panel("Waiting to leave", {"sum by (channel) (referral_knocks_waiting)": "{{channel}}"}),
    Panel("The oldest waits for", {"max by (channel) (referral_knocks_oldest_seconds)": "{{channel}}"}, "s", 90),
    Panel(
        "From planned to sent, 99 of 100",
        {"histogram_quantile(0.99, sum by (le) (rate(referral_knock_seconds_bucket[10m])))": "all"},
        "s",
        1,
    ),
    Panel(
        "Sent and answered in an hour",
        {
            "sum by (channel) (increase(referral_knocks_sent_total[1h]))": "{{channel}} sent",
            "sum by (channel, word) (increase(referral_knocks_answered_total[1h]))": "{{channel}} {{word}}",
            "sum(increase(referral_knocks_grouped_total[1h]))": "carried by another",
        },
    ),
    Panel(
        "In vain in an hour",
        {
            "sum by (channel, reason) (increase(referral_knocks_failed_total[1h]))": "{{channel}} {{reason}}",
            "sum by (channel, reason) (increase(referral_knocks_put_off_total[1h]))": "{{channel}} {{reason}}, again",
        },
    ),
    Panel(
        "Providers that are left alone", {"max by (channel, provider) (referral_knocks_provider_open)": "{{channel}} {{provider}}"}, limit=1
    ),
    Panel("Messages today", {"max by (channel) (referral_knocks_today)": "{{channel}}"}, stat=True),
    Panel("Of the day's cap", {"max by (channel) (referral_knocks_cap_used)": "{{channel}}"}, "percentunit", 0.8),
    Panel("The test call was answered before", {"max(referral_knocks_canary_seconds)": "all"}, "s", 1800),
    Panel("Receipts that nobody has made true", {"max by (stage) (referral_promises_late)": "{{stage}}"}, limit=1),
    Panel(
        "Many referrals, and reports above a limit, in an hour",
        {
            "sum(increase(referral_many_referrals_total[1h]))": "agencies that send much",
            "sum(increase(referral_public_refused_total[1h]))": "public page",
            "sum(increase(referral_files_later_total[1h]))": "files later",
        },
    ),
    Panel("Watchman's calls in an hour", {"sum by (result) (increase(referral_watchman_calls_total[1h]))": "{{result}}"}),
    Panel("Watchman's alarms", {"max by (alarm) (referral_watchman_alarm) > 0": "{{alarm}}"}, limit=1),
    Panel(
        "Watchmen that can call, and beats not taken in an hour",
        {
            "min by (instance) (referral_watchman_able)": "{{instance}}",
            "sum by (instance) (increase(referral_watchman_beats_unheard_total[1h]))": "{{instance}} not taken",
        },
        stat=True,
    ),
    Panel("Watchman not heard for", {"max by (watchman) (referral_watchman_silence_seconds)": "{{watchman}}"}, "s", 60),
)
AUDITOR = (
    Panel("Entries", {"max by (by) (referral_audit_size)": "{{by}}"}, stat=True),
    Panel("Not seen by a quorum for", {"max(referral_audit_unwitnessed_seconds)": "all"}, "s", 60),
    Panel(
        "Checkpoints not cosigned in an hour",
        {"sum by (witness, why) (increase(referral_audit_witness_failures_total[1h]))": "{{witness}} {{why}}"},
    ),
    Panel(
        "Forks and gaps",
        {
            "sum by (kind) (referral_audit_alarms_total)": "log {{kind}}",
            "sum by (service, topic) (referral_forks_total)": "{{service}} fork {{topic}}",
            "sum by (service, topic) (referral_records_lost_total)": "{{service}} gap {{topic}}",
        },
        limit=1,
    ),
    Panel(
        "Written by somebody else",
        {
            "sum by (service, topic) (referral_foreign_total)": "{{service}} {{topic}}",
            "sum by (service, reason) (referral_quarantined_total)": "{{service}} {{reason}}",
            "sum by (reason) (referral_policy_passed_over_total)": "policy {{reason}}",
        },
        limit=1,
    ),
    Panel("Security alarms of the last hour", {"max by (alarm) (referral_security_alarms)": "{{alarm}}"}, limit=1),
    Panel("Sign-ins in an hour", {"sum by (service, result) (increase(referral_signins_total[1h]))": "{{service}} {{result}}"}),
    Panel(
        "Erasures",
        {
            "sum(referral_erasures_refused_total)": "refused",
            "sum by (service) (referral_erased_dropped_total)": "{{service}} dropped events",
        },
    ),
    Panel("Rules that failed", {"sum(referral_engine_failures_total)": "all"}, limit=1),
    Panel("Releases of figures", {"max(referral_oversight_releases)": "stored"}, stat=True),
    Panel("Records that oversight has not read", {"max(referral_oversight_behind)": "down to a full thousand"}, limit=10000),
    Panel("Records of an exercise", {"sum by (topic) (referral_oversight_records_total)": "{{topic}}"}),
)
ROLES = {"operator": OPERATOR, "head-of-duty": HEAD, "auditor": AUDITOR}


def panels() -> Iterator[Panel]:
    """Yield every panel of every role."""
    for of in ROLES.values():
        yield from of


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    """Return a panel as Grafana reads it."""
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps = [
            {"color": "red" if panel.below else "green", "value": None},
            {"color": "green" if panel.below else "red", "value": panel.limit},
        ]
    across = COLUMNS // WIDE
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if not panel.stat and panel.limit is not None:
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return {
        "id": number + 1,
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"h": HIGH, "w": WIDE, "x": number % across * WIDE, "y": number // across * HIGH},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": asked, "legendFormat": legend}
            | ({"instant": True, "range": False} if panel.stat else {})  # else it shows what has ended as if it still stood
            for at, (asked, legend) in enumerate(panel.asks.items())
        ],
    }


def dashboard(role: str) -> dict[str, Any]:
    """Return a role's dashboard as Grafana imports it."""
    return {
        "uid": f"referral-{role}",
        "title": f"Referral line: {role.replace('-', ' ')}",
        "schemaVersion": SCHEMA,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]},
        "panels": [_panel(number, panel) for number, panel in enumerate(ROLES[role])],
    }


def _made() -> dict[Path, str]:
    return {FOLDER / f"{role}.json": json.dumps(dashboard(role), indent=1) + "\n" for role in ROLES}


def stale() -> list[str]:
    """Return the files that are not as this program writes them."""
    return [file.name for file, text in _made().items() if not file.exists() or file.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        print("\n".join(f"stale: {name}: run `make generate`" for name in stale()), end="")
        return int(bool(stale()))
    FOLDER.mkdir(exist_ok=True)
    for file, text in _made().items():
        file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
