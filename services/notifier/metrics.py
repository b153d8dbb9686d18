"""Declare the notifier's Prometheus metrics; each comment says when to worry."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from services.notifier.deliveries import Backlog, Waiting

NOTHING = Waiting(0, 0)
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300)


class Figures:
    """The notifier's metrics, declared once per process, in wiring."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._channels: set[str] = set()
        # Worry when nothing is sent while something waits.
        self._sent = Counter("referral_knocks_sent", "Messages handed over", ["channel"], registry=registry)
        # Worry about any: a rung without a reachable person escalates at once.
        self._failed = Counter(
            "referral_knocks_failed", "Deliveries that ended without a message", ["channel", "reason"], registry=registry
        )
        # Nothing to worry about by itself: who answers by which channel. Compare with `referral_knocks_sent`.
        self._answered = Counter("referral_knocks_answered", "Answers from handsets", ["channel", "word"], registry=registry)
        # Worry when it grows: somebody is knocked often. Intake's `referral_many_referrals` shows whether one agency sends many referrals.
        self._grouped = Counter("referral_knocks_grouped", "Knocks that the message of another one carried", registry=registry)
        # Worry above 1 s at the 99th percentile.
        self._seconds = Histogram("referral_knock_seconds", "From planned to handed over", buckets=SECONDS, registry=registry)
        # Worry at the first `server-away`, `server-refuses-us` or `not-secured`: the channel's server, or our settings for it.
        self._put_off = Counter("referral_knocks_put_off", "Attempts in vain that are repeated", ["channel", "reason"], registry=registry)
        # Worry when it grows.
        self._waiting = Gauge("referral_knocks_waiting", "Deliveries that wait", ["channel"], registry=registry)
        # Worry above 5 s: the sender does not keep up, or the channel's server is away.
        what = "Time since the oldest waiting delivery was first due"
        self._oldest = Gauge("referral_knocks_oldest_seconds", what, ["channel"], registry=registry)
        # Worry when it is 1 and nobody knows why: `referral duty show` displays the reason.
        self._paused = Gauge("referral_knocks_paused", "1 while `referral duty pause` holds everything back", registry=registry)

        # Worry at the first 1: messages leave by the channel's next provider, or wait.
        what = "1 while this provider of the channel is left alone because it failed"
        self._providers = Gauge("referral_knocks_provider_open", what, ["channel", "provider"], registry=registry)

        # Worry above 0: something urgent waits where nobody is woken. The watchman calls after a minute.
        self._holes = Gauge("referral_knocks_holes", "Urgent questions whose rung no loud channel reaches now", registry=registry)
        # Worry above 1800: two calls to a number of ours were not answered. 0 without such a number.
        what = "Time since a call to a number of ours was answered"
        self._canary = Gauge("referral_knocks_canary_seconds", what, registry=registry)

        # Worry at 0.8: the day's cap of a paid channel is near; at 1 only first knocks of what is urgent leave.
        self._cap = Gauge("referral_knocks_cap_used", "Part of the day's cap that is used; 0 without a cap", ["channel"], registry=registry)
        self._today = Gauge("referral_knocks_today", "Messages of this day by a paid channel", ["channel"], registry=registry)

    def spent(self, today: Mapping[str, tuple[int, int | None]]) -> None:
        """Set the messages of this day, by channel, and the part of the cap that they use."""
        for channel, (messages, most) in today.items():
            self._today.labels(channel).set(messages)
            self._cap.labels(channel).set(messages / most if most else 0.0)

    def watched(self, holes: int | None, canary: float | None) -> None:
        """Set what the watchman sees too. None: nobody has counted, or there is no number."""
        self._holes.set(holes or 0)
        self._canary.set(canary or 0.0)

    def sent(self, channel: str, seconds: float) -> None:
        """Count a sent message. seconds: from its first due time."""
        self._sent.labels(channel).inc()
        self._seconds.observe(max(0.0, seconds))

    def answered(self, channel: str, word: str) -> None:
        """Count an answer by key, reply or page."""
        self._answered.labels(channel, word).inc()

    def grouped(self, count: int) -> None:
        """Count knocks that the message of another knock carried."""
        self._grouped.inc(count)

    def failed(self, channel: str, reason: str) -> None:
        """Count a delivery that ended without a message."""
        self._failed.labels(channel, reason).inc()

    def put_off(self, channel: str, reason: str) -> None:
        """Count a failed attempt that is retried."""
        self._put_off.labels(channel, reason).inc()

    def backlog(self, now: Backlog) -> None:
        """Set the gauges of the waiting deliveries; a channel without any is 0."""
        self._channels |= now.waiting.keys()
        for channel in self._channels:
            waiting = now.waiting.get(channel, NOTHING)
            self._waiting.labels(channel).set(waiting.count)
            self._oldest.labels(channel).set(max(0, waiting.oldest) / 1_000_000)
        self._paused.set(0 if now.paused is None else 1)

    def providers(self, away: Mapping[tuple[str, str], bool]) -> None:
        """Set the gauge of each provider. away: by channel and provider, whether its breaker is open."""
        for (channel, provider), is_open in away.items():
            self._providers.labels(channel, provider).set(int(is_open))
