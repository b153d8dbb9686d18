"""Alerts of Prometheus at the watchman: each is one alert until it ends, and only its rule's name and place are said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from referral.channels import Word
from referral.errors import Rejected
from services.watchman import alarms, rounds, words
from services.watchman.alarms import Alarm, Look
from services.watchman.alerts import LASTS_S, MOST, NONE, Alert, read, standing, take

DISK = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "instance": "10.0.0.7:9100", "mountpoint": "/var"},
    "annotations": {"runbook_url": "docs/operators.md#a-disk-is-full", "summary": "the disk of the child Arta"},
    "startsAt": "2026-11-29T03:13:58Z",
    "fingerprint": "45e8ab04f0a3025e",
}


def posted(*changes: dict[str, Any]) -> list[tuple[Alert, bool]]:
    return read(json.dumps({"version": "4", "alerts": [DISK | change for change in changes]}).encode())


def test_nothing_is_said_but_the_rule_and_its_place() -> None:
    ((alert, fires),) = posted({})
    assert fires and str(alert) == "DiskFull#a-disk-is-full"
    said = words.written((Alarm.NOTIFIER, alert), "en")
    assert "notifier-dead, DiskFull#a-disk-is-full" in said and len(said) <= 160
    assert "Arta" not in repr(alert) and "10.0.0.7" not in repr(alert)


@pytest.mark.parametrize("name", ("the child Arta K. of Prizren", "disk", "", "A" * 41))
def test_a_name_that_is_none_of_a_rule_is_not_said_and_somebody_is_woken(name: str) -> None:
    ((alert, _),) = posted({"labels": {"alertname": name}, "annotations": {"runbook_url": "https://example.org/#Arta K."}})
    assert str(alert) == "Alert"


@pytest.mark.parametrize("body", (b"", b"[]", b"{}", b'{"alerts": [{}]}', b'{"alerts": "x"}', b'{"version": "5", "alerts": []}'))
def test_what_is_no_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected):
        read(body)


def test_an_alert_stands_until_it_ends_or_is_not_repeated() -> None:
    known = take(NONE, posted({}), 0.0)
    assert [str(alert) for alert in standing(known, LASTS_S)] == ["DiskFull#a-disk-is-full"]
    assert standing(known, LASTS_S + 1) == ()
    known = take(known, posted({}), 300.0)
    assert standing(known, 300.0 + LASTS_S) != ()
    assert standing(take(known, posted({"status": "resolved"}), 301.0), 301.0) == ()


def test_the_same_fingerprint_is_the_same_alert_and_another_one_is_called_about() -> None:
    known = take(NONE, posted({}), 0.0)
    state = rounds.called(rounds.Round(), standing(known, 0.0), Word.LOOKS, 0.0, 2, 180.0)
    known = take(known, posted({}), 300.0)
    assert rounds.turn(rounds.settle(state, standing(known, 300.0), 300.0), standing(known, 300.0), 300.0) is None
    known = take(known, posted({}, {"fingerprint": "9"}), 301.0)
    assert rounds.turn(state, standing(known, 301.0), 301.0) == 0
    assert words.written(standing(known, 301.0), "en").count("DiskFull") == 1, "one rule is one word"


def test_a_flood_is_remembered_up_to_a_limit() -> None:
    known = take(NONE, posted(*({"fingerprint": str(number)} for number in range(MOST + 9))), 0.0)
    assert len(standing(known, 0.0)) == MOST


def test_silence_of_prometheus_is_an_alarm_once_it_was_heard() -> None:
    watching = {"labels": {"alertname": "Watching"}, "fingerprint": "w"}
    watch = alarms.look(alarms.begin(0.0), Look(1.0, None, None))
    assert watch.fine[Alarm.ALERTS] == 1.0, "never heard: not connected"
    known = take(NONE, posted(watching), 5.0)
    assert standing(known, 5.0) == () and known.watched == 5.0
    for at in range(10, int(LASTS_S) + 10, 50):
        watch = alarms.look(watch, Look(float(at), None, None, alerted=known.watched))
    assert Alarm.ALERTS not in alarms.standing(watch, LASTS_S + 4)
    assert Alarm.ALERTS in alarms.standing(watch, LASTS_S + 6)
