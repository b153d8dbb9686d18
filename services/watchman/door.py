"""Take the beats of other watchmen, POST /beat, and at the inner address the alerts of Prometheus, POST /alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from referral.errors import Rejected
from referral.runtime import alert_rules, peer
from referral.runtime.http_message import bounded_body, refusal
from referral.runtime.observe import log
from services.watchman import alerts, beat
from services.watchman.alarms import Heard
from services.watchman.alerts import Alerts


class Ear:
    """The beats of other watchmen that arrived. me: our own name, whose beats are not taken. key: shared; None: this one hears nobody.

    clock: our own seconds, which nothing moves. now: µs UTC by the machine's clock.
    """

    def __init__(self, me: str, key: bytes | None, clock: Callable[[], float], now: Callable[[], int]) -> None:
        self._me, self._key, self._clock, self._now = me, key, clock, now
        self._newest: dict[str, int] = {}
        self._heard: dict[str, Heard] = {}

    def heard(self, names: frozenset[str]) -> Mapping[str, Heard | None]:
        """Return the newest beat of each of these watchmen."""
        return {name: self._heard.get(name) for name in names}

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(routes=[Route("/beat", self._beat, methods=["POST"])])

    async def _beat(self, request: Request) -> Response:
        try:
            await self._take(request)
        except Rejected as error:
            log().warning("beat refused", service="watchman", reason=error.code)
            return refusal(error.status, error.code, error.hint, error.where)
        return Response(status_code=204)

    async def _take(self, request: Request) -> None:
        if self._key is None:
            raise Rejected("no-key", "REFERRAL_WATCHMAN_BEAT_KEY_FILE", "this watchman hears no other", status=404)
        body = await _body(request, beat.MOST)
        taken = beat.read(self._key, body, request.headers.get(beat.HEADER, ""), self._now(), self._newest)
        if taken.watchman == self._me:
            raise Rejected("own-beat", "watchman", "this is our own beat, or two watchmen have one name: set REFERRAL_INSTANCE", status=409)
        self._newest[taken.watchman] = taken.at
        self._heard[taken.watchman] = Heard(self._clock(), taken.able)


class Desk:
    """The alerts of Prometheus that arrived, from Alertmanager alone. clock: as for Ear."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.alerts: Alerts = alerts.NONE

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(routes=[Route("/alerts", self._alerts, methods=["POST"])])

    async def _alerts(self, request: Request) -> Response:
        try:
            if not peer.is_service(request, peer.ALERTMANAGER):
                hint = f"alerts come from Alertmanager alone: show the certificate of service/{peer.ALERTMANAGER}"
                raise Rejected("not-alertmanager", "TLS", hint, status=403)
            posted = alerts.read(await _body(request, alerts.MOST_BYTES))
            known = alert_rules.rules()
            self.alerts = alerts.take(self.alerts, [one for one in posted if one[0].name in known], self._clock())
            if any(one.name not in known for one, _ in posted):
                raise Rejected("unknown-rule", "alerts", "the watchman calls about the rules of deploy/monitoring/rules.yaml alone")
        except Rejected as error:
            log().warning("alerts refused", service="watchman", reason=error.code)
            return refusal(error.status, error.code, error.hint, error.where)
        return Response(status_code=204)


async def _body(request: Request, most: int) -> bytes:
    """Return the body of a request. Rejected: it has more than so many bytes."""
    body = await bounded_body(request, most)
    if len(body) > most:
        raise Rejected("too-long", "body", f"send at most {most} bytes", status=413)
    return body
