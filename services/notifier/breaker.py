"""Decide which providers of a channel to use: one that fails is left alone for a while, one that delivers late is tried last. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from referral.domain.durations import SECOND_US

RECENT, MOST_FAILED, IN_A_ROW = 10, 5, 3
"""A breaker opens after five failures among the last ten messages, or three in a row (P): a dead provider is left within three messages."""
FIRST_SECONDS, MOST_SECONDS = 10, 300
"""Bounds of the time for which it stays open, doubled each time (P), less up to half by chance: instances do not probe together."""
PROBE_SECONDS = 30
"""Time in which the one message that tries an open provider must end (P); then another message may try."""
RECEIPTS, P95, SLOW_SECONDS = 20, 18, 60.0
"""A provider is slow if the 95th percentile of its last 20 receipts, the 19th in their order, is later than a minute after the message was
handed over (P). One telephone that is switched off is not enough; two are, and cost nothing but the order."""
QUICK = 5
"""A slow provider is quick again when its last five receipts came in time (ours)."""
TRY_SLOW_SECONDS = 300
"""While it is slow, one message in this time goes to it first (P): nothing else would show that it is quick again."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """State of one provider. All times µs UTC by the database's true clock.

    since: time of the last change between closed and open. recent: results of the last messages, newest last. opened: times in a row.
    open_until: closed if None. probe_until: until then no other message tries an open or slow provider. succeeded_at: last success.
    took: seconds from handed over to delivered of the last receipts, newest last.
    """

    since: int = 0
    recent: tuple[bool, ...] = ()
    opened: int = 0
    open_until: int | None = None
    probe_until: int | None = None
    succeeded_at: int | None = None
    took: tuple[float, ...] = ()

    @property
    def slow(self) -> bool:
        """Return whether it delivers late."""
        return len(self.took) == RECEIPTS and sorted(self.took)[P95] > SLOW_SECONDS

    def may_be_probed(self, now: int) -> bool:
        """Return whether one message may try it first although it is open or slow."""
        waits = self.slow if self.open_until is None else self.open_until <= now
        return waits and (self.probe_until is None or self.probe_until <= now)


def after(before: Breaker, reached: bool, now: int, chance: float) -> Breaker:
    """Return the state after one message. reached: the provider took it, or refused its number. chance: random, 0 ≤ chance < 1.

    A failure of a message that was sent before the breaker opened does not keep it open longer.
    """
    recent = (*before.recent, reached)[-RECENT:]
    if reached:
        if before.open_until is None:
            return replace(before, recent=recent, opened=0, succeeded_at=now)
        return Breaker(since=now, recent=(True,), succeeded_at=now, took=before.took)
    if before.open_until is not None and before.open_until > now:
        return before
    if before.open_until is None and recent[-IN_A_ROW:] != (False,) * IN_A_ROW and recent.count(False) < MOST_FAILED:
        return replace(before, recent=recent)
    seconds = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(before.opened, 16)) * (1 - chance / 2)
    return replace(
        before,
        since=now if before.open_until is None else before.since,
        recent=(),
        opened=before.opened + 1,
        open_until=now + round(seconds * SECOND_US),
        probe_until=None,
    )


def delivered(before: Breaker, seconds: float) -> Breaker:
    """Return the state after a receipt. seconds: from handed over to delivered."""
    took = (*before.took, seconds)[-RECEIPTS:]
    quick = before.slow and max(took[-QUICK:]) <= SLOW_SECONDS
    return replace(before, took=took[-QUICK:] if quick else took)


def order(names: Sequence[str], known: Mapping[str, Breaker], probe: str | None) -> tuple[str, ...]:
    """Return the providers that one message tries, in order; never empty.

    names: the preferred first; slow ones come last. probe: an open or slow one that this message may try, before the others. If all are
    open, the one that may close first is tried all the same: a message that waits for a breaker helps nobody.
    """
    closed = [name for name in names if name != probe and known.get(name, Breaker()).open_until is None]
    closed.sort(key=lambda name: known.get(name, Breaker()).slow)
    first = [probe] if probe is not None else []
    return tuple(first + closed) or (min(names, key=lambda name: known[name].open_until or 0),)
