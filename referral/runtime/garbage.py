"""Tune Python's cyclic garbage collector, so that its runs do not delay the requests and batches of the event loop."""

from __future__ import annotations

import gc

YOUNG = 10_000
"""New objects that trigger a collection (ours; Python's default is 700): a referral creates several thousand, and nearly all of them
are freed without the collector. Ten thousand take about a megabyte."""

LOADING = 100_000
"""The same while a program loads its modules: nearly all that they create stays, and looking through it is a sixth of the start."""


def loading() -> None:
    """Collect rarely from now on. Call this before a program imports its parts."""
    gc.set_threshold(LOADING)


def keep() -> None:
    """Exclude all objects that exist now, modules and policies, from later collections: they live as long as the process.

    A full collection that visits all of them takes 50 to 100 ms and ran every 400 referrals (measured). Call this when a service starts
    and after its first policy: of half a million objects a few hundred are garbage then, which is not worth such a collection.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)


def settle() -> None:
    """Collect cyclic garbage among all objects, those that were excluded before too; then exclude the rest. Call this after a policy
    has replaced another."""
    gc.unfreeze()
    gc.collect()
    keep()
