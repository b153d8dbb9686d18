"""Apply to a question what its people have answered before a restore of the database. Pure.

Apart from `plan`, because only `recover` and a question that is read again from the log need it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.notifier.plan import Question, State, again


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer from a handset. rung, again: of its message. looks: "I look"; else "I cannot"."""

    rung: int
    again: int
    person: str
    looks: bool


def recall(asked: Question, answers: Iterable[Answered]) -> Question:
    """Return the question with what its people have answered at this rung.

    Whoever cannot is not knocked again; for a desk's task only in this round. A round that somebody has answered is not sent again, and a
    later one is.
    """
    here = [one for one in answers if one.rung == asked.rung and one.person not in asked.skip]
    present = [one for one in here if one.again >= again(asked)]
    unable = (one.person for one in (present if asked.task else here) if not one.looks)
    known = replace(asked, cannot=tuple(sorted({*asked.cannot, *unable})))
    if asked.state is State.OPEN and any(one.looks for one in present):
        return replace(known, state=State.ANSWERED, next_at=None, handover=None)
    return known
