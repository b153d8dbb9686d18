"""Read the alert rules, in which each limit of an alarm stands once: deploy/monitoring/rules.yaml, which a wheel carries too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import yaml
from msgspec import Struct

from referral.runtime.settings import CHECKOUT

FILE = CHECKOUT / "deploy" / "monitoring" / "rules.yaml"
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Rule(Struct, frozen=True):
    """A rule. question: in PromQL. lasts_s: seconds for which the answer must stand. severity: page, ticket or heartbeat.

    called: the watchman's own alarm about the same thing, by which it calls also when Prometheus is dead; `already`: it calls anyway;
    empty: it calls because Alertmanager reports the rule, if that is a page.
    runbook: page and place that say what to do.
    """

    question: str
    lasts_s: float
    severity: str
    called: str
    runbook: str

    def limit(self, metric: str) -> float:
        """Return the number with which the rule compares a metric. ValueError: with none."""
        found = re.search(rf"{metric}(?:{{[^}}]*}})?\)* [<>]=? ([0-9.]+)", self.question)
        if found is None:
            raise ValueError(f"no limit of {metric} in: {self.question}")
        return float(found[1])


@cache
def rules() -> Mapping[str, Rule]:
    """Return name → rule, in the order of the file."""
    groups = yaml.safe_load(FILE.read_text("utf-8"))["groups"]
    return {one["alert"]: _rule(one["expr"], one.get("for", "0s"), one) for group in groups for one in group["rules"]}


def _rule(question: str, lasts: str, written: Mapping[str, Mapping[str, str]]) -> Rule:
    labels, runbook = written["labels"], written["annotations"]["runbook_url"]
    return Rule(question, int(lasts[:-1]) * _SECONDS[lasts[-1]], labels["severity"], labels.get("called", ""), runbook)
