"""Say what became of an answer that ended the agency's part, and whether the agency may take it back. Pure.

It names steps and the desk, and no other agency: whoever has ended its part sees no more of the case (docs/decisions/0031).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from referral.runtime.i18n import Words
from services.intake.model import Answer, Offer, Since
from services.intake.pages import relative_time
from services.intake.pages.labels import Name

AFTER_US = 10 * 60 * 1_000_000
"""µs after an answer during which the page says what became of it (ours): as long as somebody may still notice a slip of the hand."""
ENDS = ("COMPLETE", "RETURN", "DECLINE")
"""Answers that end the agency's part."""
_STATES = {"OFFERED": "asked", "ACKNOWLEDGED": "asked", "ACCEPTED": "taken", "ON_HOLD": "taken", "COMPLETED": "done"}


@dataclass(frozen=True, slots=True)
class After:
    """Consequences of an answer. lines: sentences. undo: until when it may be taken back, in words; empty where it cannot.

    desk, telephone: whom to call about a mistake; empty where the directory has none.
    """

    lines: tuple[str, ...]
    undo: str
    desk: str
    telephone: str


def ending(answers: Sequence[Answer], now: int) -> Answer | None:
    """Return the answer that ended the agency's part just now; None where the last one that took effect did not, or is long ago."""
    last = next((answer for answer in reversed(answers) if answer.became == ""), None)
    return last if last is not None and last.word in ENDS and now - last.at <= AFTER_US else None


def view(offer: Offer, since: Since, desk: str, telephone: str, say: Words, name: Name, now: int) -> After:
    """Return what follows from the answer that ended an offer. since: what was asked since then. desk: agency of the case's desk."""
    steps = dict.fromkeys(f"{name('step', step)} ({say('stage.' + _STATES[state])})" for step, state in since.steps if state in _STATES)
    lines = (
        say("after.steps", steps=", ".join(steps)) if steps else "",
        say("after.desk") if since.desk else "",
        say("after.nobody") if not since else "",
    )
    may = offer.undo_until is not None and now <= offer.undo_until and offer.closed_at is not None and not since
    return After(
        lines=tuple(line for line in lines if line),
        undo=say("after.undo", time=relative_time.clock(say, offer.undo_until or 0, now)) if may else "",
        desk=name("agency", desk) if desk else "",
        telephone=telephone,
    )
