"""The work of a watchman: look, call while an alarm stands, and beat outward. Three tasks, so that none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import httpx

from referral.authorities import trusted
from referral.runtime import settings
from referral.runtime.observe import Health, log
from services.watchman import alarms, alerts, beat, rounds
from services.watchman.alarms import Cause, Look
from services.watchman.beat import Beat
from services.watchman.caller import Caller
from services.watchman.door import Desk, Ear
from services.watchman.look import Sources
from services.watchman.metrics import Figures
from services.watchman.operators import Operators
from services.watchman.reach import answers, trunk

TICK_S = 1.0
"""Seconds between two decisions (ours): the delay of a call after an alarm's limit."""
PROBE_S = 20.0
"""Seconds between two looks at our own trunk (ours): as often as a beat tells the other watchman of it."""
POST_S = 5.0
"""Seconds for another watchman to take a beat (ours)."""


class Watchman:
    """One watchman.

    me: its name. key: shared with the other watchmen; None: it is alone. clock: its own seconds. now: µs UTC by the machine's clock.
    ids: makes random ones.
    """

    def __init__(
        self,
        me: str,
        own: settings.Watchman,
        key: bytes | None,
        people: Operators,
        sources: Sources,
        caller: Caller,
        ear: Ear,
        desk: Desk,
        health: Health,
        figures: Figures,
        clock: Callable[[], float],
        now: Callable[[], int],
        ids: Callable[[], str],
    ) -> None:
        self._me, self._own, self._key, self._people = me, own, key, people
        self._servers = tuple(map(trunk, own.trunks))
        self._sources, self._caller, self._ear, self._desk = sources, caller, ear, desk
        self._health, self._figures, self._clock, self._now, self._ids = health, figures, clock, now, ids
        self._watch, self._round = alarms.begin(clock()), rounds.Round()
        self._probed = -PROBE_S

    async def run(self, ended: asyncio.Event) -> None:
        """Watch until `ended` is set; then hang up."""
        tasks = [asyncio.create_task(work()) for work in (self._looking, self._calling, self._beating)]
        stop = asyncio.create_task(ended.wait())
        try:
            done, _ = await asyncio.wait({*tasks, stop}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # an error of ours ends the process; whoever runs it starts it again
        finally:
            for task in (*tasks, stop):
                task.cancel()
            await asyncio.gather(*tasks, stop, return_exceptions=True)

    async def _looking(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            at = self._clock()
            (counters, ends), there = await asyncio.gather(self._sources.look(), self._trunks())
            heard = self._ear.heard(self._own.expects)
            self._watch = alarms.look(self._watch, Look(at, counters, ends, heard, not there, self._desk.alerts.watched))
            self._health.green("start")
            await asyncio.sleep(max(0.0, began + alarms.LOOK_S - loop.time()))

    async def _trunks(self) -> bool:
        """Return whether one of the notifier's trunks answers, or none is known."""
        found = await asyncio.gather(*(answers(server, self._ids()) for server in self._servers))
        return any(found) or not found

    async def _calling(self) -> None:
        while True:
            now = self._clock()
            own = alarms.standing(self._watch, now)
            standing: tuple[Cause, ...] = (*own, *alerts.standing(self._desk.alerts, now))
            self._figures.standing(own)
            self._show(standing, now)
            self._round = rounds.settle(self._round, standing, now)
            place = rounds.turn(self._round, standing, now)
            if place is not None:
                await self._call(place, rounds.loud(self._round, standing, now))
                continue
            if now >= self._probed + PROBE_S:
                await self._caller.probe()
                self._probed = self._clock()
            await asyncio.sleep(TICK_S)

    async def _call(self, place: int, about: Sequence[Cause]) -> None:
        people, new = self._people.operators, not self._round.told.get(place, frozenset()) >= set(about)
        word = await self._caller.call(place, people[place], about, new)
        repeat = self._people.repeat_minutes * 60
        self._round = rounds.called(self._round, about, word, self._clock(), len(people), repeat)

    def _show(self, standing: Sequence[Cause], now: float) -> None:
        """Set metrics and readiness."""
        beats = self._ear.heard(self._own.expects)
        self._figures.silence({name: now - heard.at for name, heard in beats.items() if heard is not None})
        if standing:
            self._health.red("watch-alarm", f"{', '.join(map(str, standing))}: docs/operators.md, A watchman")
        else:
            self._health.green("watch-alarm")
        if self._caller.able:
            self._health.green("no-trunk")
        else:
            self._health.red("no-trunk", "this watchman can call nobody: look at its trunk, REFERRAL_WATCHMAN_SIP")

    async def _beating(self) -> None:
        if self._key is None:
            return await asyncio.Event().wait()  # type: ignore[return-value]
        async with httpx.AsyncClient(timeout=POST_S, verify=trusted(), trust_env=False) as http:
            while True:
                body, signature = beat.sign(self._key, Beat(self._me, self._now(), self._caller.able))
                await asyncio.gather(*(self._post(http, url, body, signature) for url in self._own.beat))
                await asyncio.sleep(beat.EVERY_S)

    async def _post(self, http: httpx.AsyncClient, url: str, body: bytes, signature: str) -> None:
        try:
            answer = await http.post(url, content=body, headers={beat.HEADER: signature, "content-type": "application/json"})
            answer.raise_for_status()
        except (httpx.HTTPError, OSError) as error:
            self._figures.unheard()
            log().warning("beat not taken", service="watchman", kind=type(error).__name__)
