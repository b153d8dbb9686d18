"""Decide whether our side or the recipient is at fault when a message cannot be sent, and when to retry. Pure.

A file of its own because the handler, the sender and the tests must agree on one list.
"""

from __future__ import annotations

from hashlib import sha256

from referral.domain.durations import SECOND_US

OURS = frozenset({"server-away", "server-busy", "server-refuses-us", "not-secured", "no-answer", "no-channel", "gave-up"})
"""Words of knock-reason about our relay, our provider or our network. Every other word is about the person or the address."""
FIRST_SECONDS, MOST_SECONDS = 2.0, 60.0
"""Bounds of the gap between attempts while the fault is ours (P): a restart of the relay costs two seconds, an hour's outage a minute."""
RETRY_SECONDS = (5, 15, 45, 120)
"""Gaps between attempts at one mailbox that asks to retry later; then the channel has failed (P). Three minutes: a fifth of the shortest
limit to acknowledge."""
CALLS = frozenset({"busy", "declined", "rings-out", "no-key"})
"""Words of knock-reason about a telephone that nobody answered by a key: a machine that answers is nobody."""
CALL_SECONDS = (180, 180, 180, 180)
"""Gaps between calls to one person until a key is pressed: five calls in twelve minutes, then the channel has failed (P). Somebody in a
dead spot is reached by the next one (oncall#2622)."""
UNSURE_SECONDS = 30
"""Least gap after an attempt whose message may have left: a receipt arrives in this time, or none will (P)."""


def next_try(reason: str, attempt: int, reference: str, unsure: bool = False) -> int | None:
    """Return the wait after this attempt, µs; None: the channel has failed.

    attempt: number of the attempt that has just ended, from 1.
    reference: random id of the message. While the fault is ours, the gap is drawn from it anywhere below the bound ("full jitter"), so that
    messages that failed together do not retry together.
    unsure: the message may have left.
    """
    if reason not in OURS:
        gaps = CALL_SECONDS if reason in CALLS else RETRY_SECONDS
        return gaps[attempt - 1] * SECOND_US if attempt <= len(gaps) else None
    most = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 16))
    drawn = int.from_bytes(sha256(f"{reference}/{attempt}".encode()).digest()[:4]) / 2**32
    return round(max(UNSURE_SECONDS if unsure else 0, most * drawn) * SECOND_US)
