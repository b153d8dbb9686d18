"""The watchman's view and the alert rules copy numbers of the pace, and the words of what is our fault: they stay together."""

from __future__ import annotations

import re
from pathlib import Path

from referral.runtime.alert_rules import rules
from services.notifier.blame import OURS
from services.notifier.pace import OTHERWISE, PACES, pace
from services.watchman import caller

ROOT = Path(__file__).parents[3]
VIEW = " VIEW notifier.watch AS"
GRACE, HALF_MINUTE = 60, 30
"""Seconds that a message may be late by itself: for the watchman, and for the alert rule."""


def newest_view() -> str:
    """The view as the newest migration makes it."""
    made = [path.read_text("utf-8") for path in sorted((ROOT / "services/notifier/migrations/versions").glob("*.sql"))]
    return [text.partition(VIEW)[2] for text in made if VIEW in text][-1]


def test_the_watchman_waits_for_the_slowest_pace_and_a_minute() -> None:
    limits = [OTHERWISE, *PACES.values()]
    view = newest_view()
    (after_one,) = re.findall(r"s\.state = 'SENT'\s+AND s\.ended_at > clock\.now - (\d+) \* 1000000\)", view)
    ((many, after_many),) = re.findall(r"count\(\*\) < (\d+) OR max\(s\.ended_at\) < clock\.now - (\d+) \* 1000000", view)
    (window,) = re.findall(r"s\.ended_at > clock\.now - (\d+) \* 1000000::bigint", view)
    assert int(after_one) == max(one.gap for one in limits) + GRACE
    assert int(after_many) == max(one.gather for one in limits) + GRACE
    assert int(many) == min(one.many for one in limits) and int(window) == max(one.window for one in limits)


def test_watchman_notifier_and_view_agree_whose_fault_a_word_is() -> None:
    (words,) = re.findall(r"d\.reason IN\s+\(([^)]+)\)", newest_view())
    assert caller.OURS == OURS == set(re.findall(r"'([\w-]+)'", words))


def test_the_alert_of_late_knocks_waits_for_the_pace_of_its_channel_and_half_a_minute() -> None:
    limits = dict(re.findall(r'referral_knocks_oldest_seconds\{channel="(\w+)"\}\) > (\d+)', rules()["KnocksLate"].question))
    assert limits.keys() == {"email", *PACES}
    for channel, seconds in limits.items():
        one = pace(channel)
        assert int(seconds) == max(one.gap, one.gather) + HALF_MINUTE, channel
