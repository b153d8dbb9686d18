"""What `policy check` says of a procedure for children that leaves a child to one person, one agency, the calendar or a wrong house."""

from __future__ import annotations

import pytest

from referral.analysis.reachability.safeguards import safeguards
from referral.domain.policy import compile
from tests.stories.teller import POLICY

FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
CHILD, CARE = "pathways/trafficking-child.yaml", "pathways/without-parental-care.yaml"
MISSING, ALONE = "pathways/missing-child.yaml", "pathways/unaccompanied-child.yaml"
HANDED = "[first-hours.present, return-said.decided]\n    when: {found: [found-well"
WISHED = "after: [assessment.done, asylum-wish.decided]"
BAD = [
    (CHILD, "not_same_as: [csw, guardian-holder]", "not_same_as: [csw]", "review", "13"),
    (CHILD, "    who: [review-centre]", "    who: [csw]          ", "review", "13"),
    (CARE, "    agree: two-persons                                          # P: a child", "    # P: a child", "protection", "14"),
    (CHILD, "    on_disagreement: not-yet ", "    on_disagreement: return-home ", "best-interest", "14 on_disagreement"),
    (CHILD, "home-look, best-interest, iom,", "home-look, iom,", "shelter", "18"),
    (MISSING, f"{HANDED}, found-hurt]}}", f"{HANDED}]}}", "waiting-place", "18"),
    (MISSING, f"{HANDED}, found-hurt]}}", f"{HANDED}, found-hurt]}}\n    unless: {{flags: [abroad-soon]}}", "waiting-place", "18"),
    (ALONE, WISHED, f"when: {{asylum-wish: [no-asylum]}}\n    {WISHED}", "bed", "18"),
    (CARE, "place: [kin-care, foster-family, small-home]", "place: [kin-care, day-support, small-home]", "care-place", "20 day-support"),
    (CARE, "place: [kin-care, foster-family, small-home]", "place: [kin-care, adult-shelter]", "care-place", "20 adult-shelter ages"),
    (CARE, ", institution-under-three]", "]", "care-place", "20 under three"),
]


def test_the_shipped_procedures_leave_nothing_unguarded() -> None:
    assert list(safeguards(compile(FILES))) == []


@pytest.mark.parametrize(("path", "old", "new", "step", "about"), BAD, ids=[f"{about} {step}" for *_, step, about in BAD])
def test_a_bad_procedure_is_found(path: str, old: str, new: str, step: str, about: str) -> None:
    text = FILES[path].decode()
    assert old in text
    changed = text.replace(old, new, 1)
    if about == "14 on_disagreement":  # a code that may be forbidden is refused before
        changed = changed.replace("    forbid: {return-home: [parent], with-kin: [relative]}", "    #", 1)
    if about == "14":
        changed = changed.replace("    on_disagreement: keep-place\n", "", 1).replace(", second: 12 h P", "", 1)
    found = [(one.step, one.about) for one in safeguards(compile({**FILES, path: changed.encode()}))]
    assert found == [(step, about)]
