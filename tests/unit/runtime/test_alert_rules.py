"""The limits of the alert rules are read where they stand, and nowhere else."""

from __future__ import annotations

import pytest

from referral.runtime.alert_rules import Rule, rules


def test_a_rule_is_read_with_its_time_its_limits_and_the_watchmans_alarm() -> None:
    found = rules()["NotifierBehind"]
    assert (found.lasts_s, found.severity, found.called) == (120.0, "page", "notifier-behind")
    assert (found.limit("referral_lag"), found.limit("referral_alarms_overdue")) == (1000, 0)
    assert rules()["Watching"].lasts_s == 0 and rules()["KnocksPaused"].lasts_s == 1800
    assert rules()["StandbyBehind"].limit("referral_wal_waiting_bytes") == 64 << 20
    with pytest.raises(ValueError, match="no limit of referral_wal"):
        found.limit("referral_wal_waiting_bytes")


def test_of_two_limits_the_one_of_the_metric_counts() -> None:
    asked = 'max by (c) (referral_a{c="x"}) > 90 or max(referral_b) < 0.5'
    rule = Rule(asked, 0, "page", "", "")
    assert (rule.limit("referral_a"), rule.limit("referral_b")) == (90, 0.5)
