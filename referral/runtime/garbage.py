"""Keep Python's cyclic garbage collector from holding up the event loop: every request and every batch waits while it runs."""

from __future__ import annotations

import gc

YOUNG = 10_000
"""New objects until the collector looks at them (ours; Python's default is 700): a referral makes several thousand, and nearly all of them
are freed without it. Ten thousand weigh about a megabyte."""


def settle() -> None:
    """Take everything that is there now, modules and policies, out of later collections: it lives as long as the process.

    A full collection that visits all of it takes 50 to 100 ms and came every 400 referrals (measured). Called when a service starts and
    after each compiled policy; cyclic garbage of what was settled before is collected first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)
