"""Take alerts of Prometheus, as Alertmanager posts them. Only a rule's name and its place in docs/operators.md are kept: a label may name
anything, so none of it is said, logged or stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from referral.errors import Rejected

MOST_BYTES = 1 << 18
"""Bytes of a body at most (ours): fifty alerts, which `max_alerts` of deploy/monitoring/alertmanager.yml allows, have a tenth of it."""
EACH = 3
"""Alerts of a rule that are remembered at most (ours), the newest: a flood of one rule takes no other rule's place."""
ENDS_S = 60.0
"""Seconds (ours) for which an alert stands after Alertmanager has said that it has ended: one that comes back meanwhile has not."""
LASTS_S = 900.0
"""Seconds (ours) for which an alert stands without being repeated: Alertmanager repeats each five minutes, and three are missing."""
WATCHING = "Watching"
"""Name of the rule that always fires: Prometheus and Alertmanager are alive, and reach this watchman."""
_ANCHOR = re.compile(r"#([a-z0-9-]{1,60})\Z")
FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires. fingerprint: of its labels, and all that tells it from others. anchor: where operators.md explains its rule."""

    fingerprint: str
    name: str = field(compare=False)
    anchor: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.name}#{self.anchor}" if self.anchor else self.name


class _Posted(Struct, frozen=True):
    """One alert of a webhook (version 4), as far as it is read."""

    status: str
    fingerprint: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _Webhook(Struct, frozen=True):
    alerts: list[_Posted]
    version: str = "4"


def read(body: bytes) -> list[tuple[Alert, bool]]:
    """Return the alerts of a webhook, and whether each fires; otherwise it has ended. Rejected: it is no webhook of Alertmanager."""
    try:
        posted = msgspec.json.decode(body, type=_Webhook)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Rejected("malformed", "body", "send a webhook of Alertmanager, version 4", status=400) from None
    if posted.version != "4":
        raise Rejected("version", "version", "this watchman reads version 4 of Alertmanager's webhook", status=400)
    return [(_alert(one), one.status == FIRING) for one in posted.alerts]


def _alert(posted: _Posted) -> Alert:
    anchor = _ANCHOR.search(posted.annotations.get("runbook_url", ""))
    return Alert(posted.fingerprint[:64], posted.labels.get("alertname", ""), anchor[1] if anchor else "")


@dataclass(frozen=True, slots=True)
class Alerts:
    """The alerts that stand. heard: alert → when it last came, seconds by our own clock, in the order in which they first came.

    watched: when `Watching` last came; None: never, so Prometheus is not connected.
    ended: when Alertmanager said that an alert has ended, unless it came again.
    """

    heard: Mapping[Alert, float]
    watched: float | None = None
    ended: Mapping[Alert, float] = field(default_factory=dict)


NONE = Alerts({})


def take(known: Alerts, posted: Sequence[tuple[Alert, bool]], now: float) -> Alerts:
    """Return the alerts after a webhook has come. An alert that was there is the same one, by its fingerprint."""
    heard, watched, ended = {alert: known.heard[alert] for alert in standing(known, now)}, known.watched, dict(known.ended)
    for alert, fires in posted:
        if alert.name == WATCHING:
            watched = now if fires else watched
        elif not fires:
            ended.setdefault(alert, now)
        else:
            ended.pop(alert, None)
            heard[alert] = now
            same = [one for one in heard if one.name == alert.name]
            for one in same[:-EACH]:
                del heard[one]
    return Alerts(heard, watched, {alert: at for alert, at in ended.items() if alert in heard})


def standing(known: Alerts, now: float) -> tuple[Alert, ...]:
    """Return the alerts that stand."""
    lasting = (alert for alert, at in known.heard.items() if now - at <= LASTS_S)
    return tuple(alert for alert in lasting if now - known.ended.get(alert, now) < ENDS_S)
