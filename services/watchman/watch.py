"""The work of a watchman: poll the line, call operators while an alarm stands, send beats. Three tasks, so that none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
import msgspec

from referral.authorities import trusted
from referral.runtime import settings
from referral.runtime.observe import Health, log
from services.watchman import alarms, beat, metrics, rounds
from services.watchman.alarms import Alarm, Cause, Look
from services.watchman.alerts import Alerts
from services.watchman.beat import Beat, Beats
from services.watchman.caller import Caller
from services.watchman.look import Sources
from services.watchman.operators import Operators
from services.watchman.reach import answers, trunk

TICK_S = 1.0
"""Seconds between two decisions (ours): the delay of a call after an alarm's limit."""
PROBE_S = 20.0
"""Seconds between two looks at our own trunk (ours): as often as a beat tells the other watchman of it."""
POST_S = 5.0
"""Seconds for another watchman to take a beat (ours)."""


@dataclass(kw_only=True)
class Watchman:
    """One watchman.

    me: its name. key: shared with the other watchmen; None: it is alone. clock: its own seconds. now: µs UTC by the machine's clock.
    ids: makes random ones.
    """

    me: str
    own: settings.Watchman
    key: bytes | None
    people: Operators
    sources: Sources
    caller: Caller
    beats: Beats
    alerts: Alerts
    health: Health
    clock: Callable[[], float]
    now: Callable[[], int]
    ids: Callable[[], str]

    def __post_init__(self) -> None:
        self._watch, self._round, self._probed = alarms.begin(self.clock()), rounds.Round(), -PROBE_S

    async def poll(self) -> None:
        """Poll the line, its trunks, the beats and the alerts, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began, at = loop.time(), self.clock()
            (counters, ends), there = await asyncio.gather(self.sources.look(), self._trunks())
            heard = self.beats.heard(self.own.expects)
            self._watch = alarms.look(self._watch, Look(at, counters, ends, heard, not there, self.alerts.watched))
            self.health.green("start")
            await asyncio.sleep(max(0.0, began + alarms.LOOK_S - loop.time()))

    async def _trunks(self) -> bool:
        """Return whether one of the notifier's trunks answers, or none is known."""
        found = await asyncio.gather(*(answers(trunk(one), self.ids()) for one in self.own.trunks))
        return any(found) or not found

    async def call_operators(self) -> None:
        """Call operators while an alarm stands that nobody has taken, until cancelled."""
        while True:
            now = self.clock()
            own = alarms.standing(self._watch, now)
            standing: tuple[Cause, ...] = (*own, *self.alerts.standing())
            self._show(own, standing, now)
            self._round = rounds.settle(self._round, standing, now)
            place = rounds.turn(self._round, standing, now)
            if place is not None:
                await self._call(place, rounds.loud(self._round, standing, now))
                continue
            if now >= self._probed + PROBE_S:
                await self.caller.probe()
                self._probed = self.clock()
            await asyncio.sleep(TICK_S)

    async def _call(self, place: int, about: Sequence[Cause]) -> None:
        people, new = self.people.operators, not self._round.told.get(place, frozenset()) >= set(about)
        word = await self.caller.call(place, people[place], about, new)
        self._round = rounds.called(self._round, about, word, self.clock(), len(people), self.people.repeat_minutes * 60)

    def _show(self, own: Sequence[Alarm], standing: Sequence[Cause], now: float) -> None:
        """Set metrics and readiness."""
        for alarm in Alarm:
            metrics.ALARM.labels(alarm).set(alarm in own)
        for name, heard in self.beats.heard(self.own.expects).items():
            if heard is not None:
                metrics.SILENCE.labels(name).set(now - heard.at)
        if standing:
            self.health.red("watch-alarm", f"{', '.join(map(str, standing))}: docs/operators.md, A watchman")
        else:
            self.health.green("watch-alarm")
        if self.caller.able:
            self.health.green("no-trunk")
        else:
            self.health.red("no-trunk", "this watchman can call nobody: look at its trunk, REFERRAL_WATCHMAN_SIP")

    async def send_beats(self) -> None:
        """Send beats to the other watchmen, until cancelled."""
        key = self.key
        async with httpx.AsyncClient(timeout=POST_S, verify=trusted(), trust_env=False) as http:
            while key is not None:
                body = msgspec.json.encode(Beat(self.me, self.now(), self.caller.able))
                headers = {beat.HEADER: beat.sign(key, body), "content-type": "application/json"}
                await asyncio.gather(*(self._post(http, url, body, headers) for url in self.own.beat))
                await asyncio.sleep(beat.EVERY_S)

    async def _post(self, http: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> None:
        try:
            (await http.post(url, content=body, headers=headers)).raise_for_status()
        except (httpx.HTTPError, OSError) as error:
            metrics.UNHEARD.inc()
            log().warning("beat not taken", service="watchman", kind=type(error).__name__)
