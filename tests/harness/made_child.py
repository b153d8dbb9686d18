"""The made-up child of the tests' referrals, and what a desk orders about its case."""

from __future__ import annotations

from msgspec.structs import replace

from referral.analysis.reachability.classes import USUAL
from referral.domain.events import Instruction, InstructionGiven

CHILD = replace(USUAL, found_in="prizren", home="prizren")


def ordered(word: Instruction, id: str, at: int = 1, by: str | None = None) -> InstructionGiven:
    """An order of the desk of Prizren about a whole case. at: µs UTC. by: the account of who gives it."""
    return InstructionGiven(
        instruction_id=id, word=word, agency="desk-prizren", by=by, reason="error", step="", seat=0, target="", received_at=at
    )
