"""Tell the colleagues of somebody who has taken an offer and is excluded from the case: nobody else knows of it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from services.notifier.plan import Question, written


def left(asked: Question, accounts: Collection[str], at: int) -> Question:
    """Return the question after these accounts were excluded: who is on duty is knocked once more, if one of them had taken it.

    What was taken stays taken, with its limit. After an acknowledgement alone routing asks anew by itself.
    """
    if not asked.taken or asked.holder not in accounts:
        return asked
    return replace(written(asked, at), holder=None)
