"""Declare the watchman's Prometheus metrics; each text says when to worry."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

ALARM = Gauge("referral_watchman_alarm", "1 while this alarm stands", ["alarm"])
"""Worry when it is 1: the watchman calls, or somebody has pressed a key."""
CALLS = Counter("referral_watchman_calls", "Calls to operators, by result", ["result"])
"""Results: answered, cannot, no-key, or a word of knock-reason. Worry when it grows and no `answered` comes: nobody hears the telephone."""
ABLE = Gauge("referral_watchman_able", "1 if its own trunk is in order")
"""Worry when it is 0: this watchman could not call anybody."""
SILENCE = Gauge("referral_watchman_silence_seconds", "Age of the newest beat", ["watchman"])
"""Worry above 60 s: that watchman, or the way to it, is dead."""
UNHEARD = Counter("referral_watchman_beats_unheard", "Beats that an address did not take")
"""Worry when it grows by the minute: nobody hears our beats at one of the addresses."""
