"""Alerts of Prometheus at the watchman: each is one alert until it ends, and only its rule's name and place are said."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from referral.ca.names import parse
from referral.channels import Word
from referral.errors import Rejected
from referral.runtime import peer
from referral.runtime.peer import Peer
from services.watchman import alarms, caller, rounds
from services.watchman.alarms import Alarm, Look
from services.watchman.alerts import EACH, ENDS_S, LASTS_S, Alert, Alerts, read

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
    said = caller.written((Alarm.NOTIFIER, alert), "en")
    assert "notifier-dead, DiskFull#a-disk-is-full" in said and len(said) <= 160
    assert "Arta" not in repr(alert) and "10.0.0.7" not in repr(alert)


@pytest.mark.parametrize("name", ("the child Arta K. of Prizren", "diskFull", "", "A" * 41))
async def test_a_name_that_is_none_of_a_rule_is_refused_in_words_and_the_others_are_taken(name: str) -> None:
    alerts = Alerts(lambda: 0.0)
    answer = await post(alerts, "service/alertmanager", {}, {"labels": {"alertname": name}, "fingerprint": "9"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown-rule")
    assert "rules.yaml" in answer.text and (not name or name not in answer.text)
    assert [str(alert) for alert in alerts.standing()] == ["DiskFull#a-disk-is-full"]


@pytest.mark.parametrize("who", ("service/prometheus", "service/oversight", "operator/keeper", None))
async def test_alerts_come_from_alertmanager_alone(who: str | None) -> None:
    alerts = Alerts(lambda: 0.0)
    answer = await post(alerts, who, {})
    assert (answer.status_code, answer.json()["code"], alerts.standing()) == (403, "not-alertmanager", ())
    assert (await post(alerts, "service/alertmanager", {})).status_code == 204 and alerts.standing() != ()


async def post(alerts: Alerts, who: str | None, *changes: dict[str, Any]) -> httpx.Response:
    """Post alerts as somebody with this certificate."""

    async def shown(scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = {peer.STATE: Peer(True, who and parse(who))}
        await alerts.application()(scope, receive, send)

    body = json.dumps({"version": "4", "alerts": [DISK | change for change in changes]})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shown), base_url="https://watchman.test") as http:
        return await http.post("/alerts", content=body)


@pytest.mark.parametrize(
    "body",
    (b"", b"[]", b"{}", b'{"alerts": [{}]}', b'{"alerts": "x"}', b'{"version": "5", "alerts": []}', b'{"x": ' + b"[" * 4096, b"\xff"),
)
def test_what_is_no_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected):
        read(body)


class Clock:
    """Our own seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Known(Alerts):
    """The alerts of a watchman, at times that a test says."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(self.clock)

    def came(self, alerts: list[tuple[Alert, bool]], at: float) -> None:
        self.clock.now = at
        self.take(alerts)

    def at(self, now: float) -> tuple[Alert, ...]:
        self.clock.now = now
        return self.standing()


def test_an_alert_stands_until_it_ends_or_is_not_repeated() -> None:
    known = Known()
    known.came(posted({}), 0.0)
    assert [str(alert) for alert in known.at(LASTS_S)] == ["DiskFull#a-disk-is-full"]
    assert known.at(LASTS_S + 1) == ()
    known.came(posted({}), 300.0)
    assert known.at(300.0 + LASTS_S) != ()


def test_an_alert_ends_a_minute_after_it_is_said_to_have_ended_unless_it_comes_back() -> None:
    known = Known()
    known.came(posted({}), 300.0)
    known.came(posted({"status": "resolved"}), 301.0)
    known.came(posted({"status": "resolved"}), 340.0)
    assert known.at(300.0 + ENDS_S) != () and known.at(301.0 + ENDS_S) == (), "said twice is said once"
    known.came(posted({}), 350.0)
    assert known.at(300.0 + LASTS_S) != ()
    known.came(posted({"status": "resolved"}), 1200.0)
    known.came(posted(), 1200.0 + ENDS_S)
    assert known._came == known._ended == {}, "and it is forgotten"


def test_the_same_fingerprint_is_the_same_alert_and_another_one_is_called_about() -> None:
    known = Known()
    known.came(posted({}), 0.0)
    state = rounds.called(rounds.Round(), known.at(0.0), Word.LOOKS, 0.0, 2, 180.0)
    known.came(posted({}), 300.0)
    assert rounds.turn(rounds.settle(state, known.at(300.0), 300.0), known.at(300.0), 300.0) is None
    known.came(posted({}, {"fingerprint": "9"}), 301.0)
    assert rounds.turn(state, known.at(301.0), 301.0) == 0
    assert caller.written(known.at(301.0), "en").count("DiskFull") == 1, "one rule is one word"


def test_a_flood_of_one_rule_takes_no_other_rules_place() -> None:
    known = Known()
    known.came(posted({}, *({"fingerprint": str(number)} for number in range(999))), 0.0)
    assert [alert.fingerprint for alert in known.at(0.0)] == ["996", "997", "998"], "the newest displace the oldest"
    known.came(posted({"labels": {"alertname": "ServiceDown"}, "fingerprint": "real"}), 1.0)
    assert [alert.name for alert in known.at(1.0)] == ["DiskFull"] * EACH + ["ServiceDown"]


def test_silence_of_prometheus_is_an_alarm_once_it_was_heard() -> None:
    watching = {"labels": {"alertname": "Watching"}, "fingerprint": "w"}
    watch = alarms.look(alarms.begin(0.0), Look(1.0, None, None))
    assert watch.fine[Alarm.ALERTS] == 1.0, "never heard: not connected"
    known = Known()
    known.came(posted(watching), 5.0)
    assert known.at(5.0) == () and known.watched == 5.0
    for at in range(10, int(LASTS_S) + 10, 50):
        watch = alarms.look(watch, Look(float(at), None, None, alerted=known.watched))
    assert Alarm.ALERTS not in alarms.standing(watch, LASTS_S + 4)
    assert Alarm.ALERTS in alarms.standing(watch, LASTS_S + 6)
