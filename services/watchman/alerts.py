"""Take alerts of Prometheus, as Alertmanager posts them to POST /alerts at the inner address. Only a rule's name and its place in
docs/operators.md are kept: a label may name anything, so none of it is said, logged or stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request

from referral.errors import Rejected
from referral.runtime import alert_rules, peer
from services.watchman.door import door

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

    def alert(self) -> Alert:
        anchor = _ANCHOR.search(self.annotations.get("runbook_url", ""))
        return Alert(self.fingerprint[:64], self.labels.get("alertname", ""), anchor[1] if anchor else "")


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
    return [(one.alert(), one.status == "firing") for one in posted.alerts]


class Alerts:
    """The alerts that have come. clock: our own seconds, which nothing moves.

    watched: when `Watching` last came; None: never, so Prometheus is not connected.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.watched: float | None = None
        self._came = dict[Alert, float]()
        """When each last came, in the order in which they first came."""
        self._ended = dict[Alert, float]()
        """When Alertmanager said that an alert has ended, unless it came again."""

    def take(self, posted: Iterable[tuple[Alert, bool]]) -> None:
        """Take the alerts of a webhook. One that was there is the same one, by its fingerprint."""
        now = self._clock()
        came = {alert: self._came[alert] for alert in self.standing()}
        for alert, fires in posted:
            if alert.name == WATCHING:
                self.watched = now if fires else self.watched
            elif not fires:
                self._ended.setdefault(alert, now)
            else:
                self._ended.pop(alert, None)
                came[alert] = now
                for old in [one for one in came if one.name == alert.name][:-EACH]:
                    del came[old]
        self._came, self._ended = came, {alert: at for alert, at in self._ended.items() if alert in came}

    def standing(self) -> tuple[Alert, ...]:
        """Return the alerts that stand."""
        now = self._clock()
        lasting = (alert for alert, at in self._came.items() if now - at <= LASTS_S)
        return tuple(alert for alert in lasting if now - self._ended.get(alert, now) < ENDS_S)

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return door("/alerts", MOST_BYTES, self._post)

    def _post(self, request: Request, body: bytes) -> None:
        if not peer.is_service(request, peer.ALERTMANAGER):
            hint = f"alerts come from Alertmanager alone: show the certificate of service/{peer.ALERTMANAGER}"
            raise Rejected("not-alertmanager", "TLS", hint, status=403)
        posted, known = read(body), alert_rules.rules()
        self.take(one for one in posted if one[0].name in known)
        if any(one.name not in known for one, _ in posted):
            raise Rejected("unknown-rule", "alerts", "the watchman calls about the rules of deploy/monitoring/rules.yaml alone")
