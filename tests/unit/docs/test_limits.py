"""The table of limits: it names what is enforced, whoever is told can be told, and the page says so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from referral.runtime.settings import CHECKOUT
from tests.harness import limits

RULES = yaml.safe_load((CHECKOUT / "deploy" / "monitoring" / "rules.yaml").read_text("utf-8"))
ALERTS = {rule["alert"] for group in RULES["groups"] for rule in group["rules"]}
READERS = {"nobody", "its sender", "the officer and the pages"}
BOUNDING = (
    "services/intake/crowd.py",
    "services/intake/public/limits.py",
    "referral/runtime/http_listener.py",
    "referral/runtime/kafka/quotas.py",
)
"""Modules that exist to limit somebody."""
RULED = {"WINDOW_S", "LATER_S", "HOUR_S", "EXERCISES", "EACH_BYTES", "SHORT_BYTES", "PACE_S", "BURST", "PATIENCE_S", "REST_S"} | {
    *("REFUSALS_TOLD", "FULL_S", "DAY_S", "FORGET_S", "IN_A_CROWD", "CROWD_FOR_ONE", "CROWD_IN_ALL", "SHORT_TIMES", "STORED"),
    *("AT_ONCE_S", "REMEMBERED", "SHOWN_FOR_S", "TURN", "UNREAD", "IPV4_NETWORK", "FULL_MOST", "IPV6_NETWORK"),
}
"""Numbers there that say how a limit of the table works."""


def test_every_limit_has_a_number_where_it_is_enforced_and_somebody_who_is_told() -> None:
    for rows in limits.table().values():
        for row in rows:
            assert set(row) == {"who", "what", "at", "unit", "then", "told"}, row
            assert limits.number(row["at"]) > 0, row
            assert row["told"] in ALERTS | READERS, row


def test_a_limit_that_a_module_adds_stands_in_the_table() -> None:
    named = {row["at"] for rows in limits.table().values() for row in rows}
    for file in BOUNDING:
        module = file.removesuffix(".py").replace("/", ".")
        constants = re.findall(r"^([A-Z][A-Z0-9_]+)(?:, [A-Z_]+)* = [\d_.]", (CHECKOUT / file).read_text("utf-8"), re.M)
        missing = [name for name in constants if f"{module}:{name}" not in named and name not in RULED]
        assert not missing, f"{file}: name {missing} in {limits.TABLE.name}, or in RULED if it only says how another limit works"


def test_the_page_is_that_of_the_table() -> None:
    assert Path(limits.PAGE).read_text("utf-8") == limits.page(), "run `make generate`"
