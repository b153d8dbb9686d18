"""The verdict of the fault campaign: what an outage explains is told, and breaks no promise."""

from __future__ import annotations

from referral.proof.verify.report import LAYER, Finding, Weight
from tests.faults.verdict import AWAY, weighed


def made(weight: Weight, code: str) -> Finding:
    return Finding(weight=weight, code=code, idx=1, where="log", what="-")


def test_what_an_outage_explains_is_told_apart_from_what_breaks_a_promise() -> None:
    """It counted every finding above a note as a difference, gap or fork: an hour without the broker was a broken promise."""
    honest = [made(Weight.UNCHECKED, code) for code in sorted(AWAY)]
    wrong = [made(Weight.BAD, "RECORDED_LATE"), made(Weight.UNCHECKED, "NOT_DECIDED"), made(Weight.UNCHECKED, "KEY_GONE")]
    assert weighed([*honest, *wrong, made(Weight.NOTE, "PAUSED")]) == (wrong, honest)


def test_no_code_that_an_outage_explains_is_about_bytes_or_signatures() -> None:
    assert {LAYER.get(code, "decision") for code in AWAY} == {"clocks", "decision"}
