"""Modelled agencies of the model check: they answer well and in time, or one of them fails in one of a closed list of ways."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from referral.domain.durations import MINUTE_US
from referral.domain.events import OfferKind, OfferOpened, Reach, Word

REPEATS = 2
"""Rounds of a decision that are decided by the same code; after them the next code is taken, so that reviews come to an end (ours)."""
PERSONAL = ("PERSON_DECLINED", "PERSON_NOT_REACHABLE")
"""Reasons of the person, not of the agency: the procedure sends them to a desk by design."""
ANSWERS = {
    "acknowledge": Word.ACKNOWLEDGE,
    "accept": Word.ACCEPT,
    "decide": Word.DECIDE,
    "present": Word.ARRIVE,
    "arrive": Word.ARRIVE,
    "complete": Word.COMPLETE,
}
"""The answer word that meets each limit."""


class Pace(StrEnum):
    """Times at which agencies that do not fail answer: a minute after the offer, or a minute before the limit passes (the worst that is
    allowed). Prompt agencies also press Done too soon: they take each Done back that they may take back, once, and repeat it."""

    PROMPT = "prompt"
    LATE = "late"


class Fault(StrEnum):
    """Ways in which an agency fails, from one step on. The value is the text in reports."""

    SILENT = "never answers"
    STALLS = "acknowledges at the last moment and then never answers"
    DECLINES = "declines"
    FULL = "has no place left"
    UNSTAFFED = "has nobody on duty"
    ABSENT = "accepts and then never comes"


class Act(Struct, frozen=True):
    """A planned act of an agency at a time (µs UTC).

    word UNKNOWN: nobody can be reached on this rung. takes_back: the agency takes this word back.
    """

    at: int
    word: Word
    reason: str = ""
    takes_back: bool = False


def react(opened: OfferOpened, event: Any, state: str, now: int, pace: Pace, fault: Fault | None) -> Act | None:
    """Return the act of the agency after the newest event about its offer in this state; None: it does nothing more.

    event: OfferOpened, OfferEscalated, OfferAcknowledged, OfferAccepted or OfferArrived.
    """
    due, what = event.due, event.due_what
    waiting = state in ("OFFERED", "ACKNOWLEDGED")
    if fault is not None and (waiting or fault is Fault.ABSENT):
        return _fails(opened, event, state, now, pace, fault)
    if opened.kind is OfferKind.NOTIFY and opened.reach is Reach.PHONE:
        return Act(now + MINUTE_US, Word.ACKNOWLEDGE) if state == "OFFERED" else None
    if opened.kind is OfferKind.NOTIFY or due is None or what not in ANSWERS:
        return None
    return Act(_when(due, now, pace), ANSWERS[what])


def _when(due: int, now: int, pace: Pace) -> int:
    """Return the time of an answer: a minute after now, or a minute before the limit."""
    return now + MINUTE_US if pace is Pace.PROMPT else max(now, due - MINUTE_US)


def _fails(opened: OfferOpened, event: Any, state: str, now: int, pace: Pace, fault: Fault) -> Act | None:
    """Return the act of an agency with this fault."""
    due, what = event.due, event.due_what
    if fault is Fault.UNSTAFFED:
        return Act(now, Word.UNKNOWN) if state == "OFFERED" else None
    if fault is Fault.SILENT or due is None:
        return None
    if fault is Fault.STALLS:
        last = what == "acknowledge" and event.rung == len(opened.ladder) - 1
        return Act(_when(due, now, pace), Word.ACKNOWLEDGE) if last else None
    if fault is Fault.ABSENT:
        return Act(_when(due, now, pace), ANSWERS[what]) if state in ("OFFERED", "ACKNOWLEDGED") and what in ANSWERS else None
    if what == "acknowledge":
        return Act(_when(due, now, pace), Word.ACKNOWLEDGE)
    return Act(_when(due, now, pace), Word.DECLINE, reason(opened, fault))


def reason(opened: OfferOpened, fault: Fault) -> str:
    """Return the reason that an agency gives for this fault; empty where the step allows none."""
    if fault is Fault.FULL:
        return "NO_CAPACITY" if "NO_CAPACITY" in opened.reasons else ""
    own = [word for word in opened.reasons if word not in (*PERSONAL, "NO_CAPACITY")]
    return (own or ["NO_CAPACITY"])[0] if set(opened.reasons) - set(PERSONAL) else ""


def faults(opened: OfferOpened, climbs: bool) -> tuple[Fault, ...]:
    """Return the ways in which this offer can fail that the procedure can tell apart. climbs: the step has a limit to acknowledge."""
    by_phone = opened.reach is Reach.PHONE  # no rung is knocked, so none can be unstaffed
    if opened.kind is OfferKind.NOTIFY:
        return (Fault.SILENT if by_phone else Fault.UNSTAFFED,)
    found = [Fault.SILENT] if by_phone else [Fault.SILENT, Fault.UNSTAFFED]
    if climbs:
        found.append(Fault.STALLS)
    if "DECLINE" in opened.words and reason(opened, Fault.DECLINES):
        found.append(Fault.DECLINES)
    if opened.kind is OfferKind.PLACE:
        found.append(Fault.FULL)
    if "ARRIVE" in opened.words or "COMPLETE" in opened.words:
        found.append(Fault.ABSENT)
    return tuple(found)
