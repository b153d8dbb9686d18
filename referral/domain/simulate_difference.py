"""Where two decisions about the same case part: whether one goes elsewhere than the other, or only says another limit."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import Struct

from referral.domain import events as e

SAME = 0
SAID = 1
ELSEWHERE = 2
"""How two decisions compare: alike; the same people do the same, but are told or shown something else; the case goes elsewhere."""
NAMES = frozenset({"head", "why", "digest", "by", "claim", "offer_id", "task_id", "track_id", "referral_id", "new_case_id", "opened_by"})
"""Fields that tell where an event comes from, not what it says."""
WORDS = frozenset({"due", "due_what", "was_due", "shows", "words", "reasons", "needs", "skip", "ladder", "starts", "reach"})
"""Fields that change what somebody is told, not who does what."""


@lru_cache(64)
def fields(kind: type[Struct]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of an event: the fields that say where the case goes, and those that say with what words."""
    all_ = [name for name in kind.__struct_fields__ if name not in NAMES]
    return tuple(n for n in all_ if n not in WORDS), tuple(n for n in all_ if n in WORDS)


def alike(before: Struct, after: Struct) -> int:
    """How two events compare."""
    if type(before) is not type(after):
        return ELSEWHERE
    goes, says = fields(type(before))
    if any(getattr(before, name) != getattr(after, name) for name in goes):
        return ELSEWHERE
    return SAID if any(getattr(before, name) != getattr(after, name) for name in says) else SAME


def parting(before: tuple[Struct, ...], after: tuple[Struct, ...]) -> tuple[int, int]:
    """How two decisions compare, and the index of the first event that goes elsewhere (or the number of events)."""
    worst = SAME
    for index, (one, other) in enumerate(zip(before, after, strict=False)):
        worst = max(worst, alike(one, other))
        if worst == ELSEWHERE:
            return ELSEWHERE, index
    index = min(len(before), len(after))
    return (worst if len(before) == len(after) else ELSEWHERE), index


PLAIN = {
    e.OfferOpened: "asked",
    e.OfferEscalated: "woken higher up",
    e.OfferClosed: "offer ended",
    e.OfferAccepted: "accepted",
    e.NeedsPerson: "put to a desk",
    e.DeadlinePassed: "limit missed",
    e.CaseRaised: "complaint raised",
    e.StepOpened: "step begun",
    e.StepDone: "step over",
    e.TrackChanged: "procedure begun or ended",
    e.DecisionRecorded: "decided",
    e.InputIgnored: "without effect",
    e.CaseClosed: "case closed",
}
"""What an event is, in a few words, for the kinds of difference."""


def plain(event: Struct | None) -> str:
    """An event in a few words."""
    return "nothing" if event is None else PLAIN.get(type(event), type(event).__name__)


def kind(before: Any, after: Any) -> str:
    """What kind of difference two events of the same moment are; None: there is no further event."""
    if isinstance(before, e.OfferOpened) and isinstance(after, e.OfferOpened) and (before.step, before.seat) == (after.step, after.seat):
        return f"{before.step}: another agency asked" if before.service != after.service else f"{before.step}: asked otherwise"
    if type(before) is type(after) and getattr(before, "step", None):
        return f"{before.step}: {plain(before)} otherwise"
    one, other = _step(before), _step(after)
    return f"{one}{plain(before)} → {other if other != one else ''}{plain(after)}"


def _step(event: Any) -> str:
    step = getattr(event, "step", "")
    return f"{step}: " if step else ""
