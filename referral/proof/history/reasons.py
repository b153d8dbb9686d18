"""Rules and reason codes in words, for readers who do not know the codes. A test compares them with the lists of policy/codes.yaml."""

from __future__ import annotations

from referral.proof.history.words import Texts, coded

UNSAID = frozenset({"answer", "ignored", "new-case", "proposed", "ready", "recorded"})
"""Rules without words: the line above already states the reason."""
BOTH = frozenset({"EXCLUDED", "NEVER", "NO_CAPACITY", "SECURE_NOT_ALLOWED", "NOT_CONSENTED", "SAME_AGENCY"})
"""Reasons for which an input changed nothing that are also reasons not to ask a candidate; they have the words of the latter."""


def rule(texts: Texts, code: str) -> str:
    """Return the reason of a decision in words; empty where the line above already states it; the code where it has no words."""
    return "" if code in UNSAID else coded(texts, "rule", code)


def passed(texts: Texts, code: str) -> str:
    """Return the reason that a candidate was not asked."""
    return coded(texts, "passed", code)


def ignored(texts: Texts, code: str) -> str:
    """Return the reason that an input changed nothing."""
    return coded(texts, "passed" if code in BOTH else "ignored", code)
