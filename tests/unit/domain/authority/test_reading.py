"""The reader of the table is strict: an unknown word, a cell without a row and a cell with two are errors with their line."""

from __future__ import annotations

import pytest

from referral.domain.authority import reading
from referral.domain.policy import PolicyErrors
from referral.runtime.settings import CHECKOUT

TEXT = (CHECKOUT / "policy" / "authority.yaml").read_text("utf-8")
CASE = "      - {who: [system], is: [apart, away], in: [standing], then: deny unknown}\n"
"""A row that several acts have; the first is `see-case`."""


def line(part: str) -> int:
    """Return the line where a part of the file stands first."""
    return TEXT[: TEXT.index(part)].count("\n") + 1


def wrong(old: str, new: str) -> list[str]:
    """Return the errors of the file with its first `old` replaced."""
    assert old in TEXT
    with pytest.raises(PolicyErrors) as found:
        reading.read(TEXT.replace(old, new, 1).encode())
    return list(found.value.errors)


def test_a_cell_without_a_row_is_named_with_its_line() -> None:
    [error] = wrong(CASE, "")
    assert error.startswith(f"authority.yaml:{line('  see-case:')}:") and "cells without a row: system · withdrawn · open" in error
    assert " more" in error


def test_a_cell_with_two_rows_is_named_with_both_lines() -> None:
    twice = CASE.replace("apart, away", "none").replace("[standing]", "[open]")
    [error] = wrong(CASE, CASE + twice)
    assert error.startswith(f"authority.yaml:{line(CASE) + 1}:") and f"system · none · open stands in line {line(CASE)} too" in error


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("is: [apart, away]", "is: [apart, afar]", "relation afar is not known; did you mean apart?"),
        ("in: [standing]", "in: [standin]", "state standin is not known"),
        ("who: [system]", "who: [sistem]", "kind of `by` sistem is not known"),
        ("by: [system, stranger]", "by: [system, strangers]", "kind strangers is not known"),
        ("then: deny unknown", "then: deny unkown", "refusal unkown is not known"),
        ("then: deny unknown", "then: perhaps", "a decision is `allow`"),
        ("then: allow with record", "then: allow with recorded", "need recorded is not known"),
        ("says: reading-over", "says: reading-is-over", "text of `says` reading-is-over is not known"),
        ("then: deny ended, says: reading-over", "then: deny ended", "a refusal with 403 needs it"),
        ("then: deny unknown", "then: deny unknown, says: over", "no other has it"),
        ("then: allow}", "then: allow, says: over}", "an allowed act says nothing"),
        ("  see-case:", "  see-cases:", "act see-cases is not known"),
        ("about: referral", "about: receipt", "thing receipt is not known"),
        ("like: see-referral", "like: see-referrals", "act with rows see-referrals is not known"),
        ("like: see-referral", "like: see-referral\n    about: case", "an act that is like another has no rows of its own"),
        ("    about: referral\n", "", "about is missing"),
        ("live: [holder, telephoned]", "held: [holder, telephoned]", "held is a word of its own"),
        ("live: [holder, telephoned]", "live: [holder, telephone]", "relation or state telephone is not known"),
        ("is: [live]", "is: [live, holder]", "relation holder stands here twice"),
        (
            "{who: [stranger], is: any, in: any, then: deny sign-in}",
            "{who: [stranger], is: [held], in: any, then: deny sign-in}",
            "this row has no cell",
        ),
    ],
)
def test_a_wrong_word_is_an_error_with_what_is_allowed(old: str, new: str, says: str) -> None:
    errors = wrong(old, new)
    assert any(says in error for error in errors), errors
    assert all(error.startswith("authority.yaml:") and error.split(":")[1] != "0" for error in errors)


def test_an_act_without_rows_is_an_error() -> None:
    start = TEXT.index("  beat:")
    errors = wrong(TEXT[start : TEXT.index("  follow-routing:")], "")
    assert errors == [f"authority.yaml:{line('acts:') + 3}:3: acts without rows: beat"]
