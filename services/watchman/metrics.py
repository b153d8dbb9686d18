"""Declare the watchman's Prometheus metrics; each comment says when to worry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from services.watchman.alarms import Alarm


class Figures:
    """The watchman's metrics, declared once per process, in wiring."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        # Worry when it is 1: the watchman calls, or somebody has pressed a key.
        self._alarm = Gauge("referral_watchman_alarm", "1 while this alarm stands", ["alarm"], registry=registry)
        # Worry when it grows and no `answered` comes: nobody hears the telephone.
        self._calls = Counter("referral_watchman_calls", "Calls to operators, by result", ["result"], registry=registry)
        # Worry when it is 0: this watchman could not call anybody.
        self._able = Gauge("referral_watchman_able", "1 if its own trunk is in order", registry=registry)
        # Worry above 60 s: that watchman, or the way to it, is dead.
        self._silence = Gauge("referral_watchman_silence_seconds", "Age of the newest beat", ["watchman"], registry=registry)
        # Worry when it grows by the minute: nobody hears our beats at one of the addresses.
        self._unheard = Counter("referral_watchman_beats_unheard", "Beats that an address did not take", registry=registry)

    def standing(self, alarms: Iterable[Alarm]) -> None:
        """Set the gauge of each alarm."""
        stand = frozenset(alarms)
        for alarm in Alarm:
            self._alarm.labels(alarm).set(alarm in stand)

    def called(self, result: str) -> None:
        """Count a call. result: answered, cannot, no-key, or a word of knock-reason."""
        self._calls.labels(result).inc()

    def able(self, able: bool) -> None:
        """Set whether our own trunk is in order."""
        self._able.set(able)

    def silence(self, seconds: Mapping[str, float]) -> None:
        """Set the age of the newest beat of each watchman."""
        for name, age in seconds.items():
            self._silence.labels(name).set(age)

    def unheard(self) -> None:
        """Count a beat that nobody took."""
        self._unheard.inc()
