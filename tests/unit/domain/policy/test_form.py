"""What a form points to: every combination of answers to something, and what nobody knows is never light."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.policy import PolicyErrors, compile
from referral.domain.policy.form import ANSWERS, NO, NOT_ASKED, NOT_KNOWN, YES, Table, graver
from tests.harness.audit_log import FILES, POLICY

found = POLICY.sections["risk-form"].table
assert found is not None
TABLE: Table = found
CALM = dict.fromkeys(TABLE.items, NO)
SHEET = st.dictionaries(st.sampled_from(TABLE.items), st.sampled_from(ANSWERS))
SHEETS = st.lists(SHEET, max_size=3)
BANDS = st.sampled_from(["unknown", "0-2", "3-5", "6-11", "18-120"])


def rank(sheets: list[dict[str, str]], band: str = "unknown") -> int:
    return TABLE.levels.index(TABLE.points_to(sheets, band).level)


@given(SHEETS, BANDS)
def test_every_combination_points_to_a_level(sheets: list[dict[str, str]], band: str) -> None:
    assert TABLE.points_to(sheets, band).level in TABLE.levels


@given(SHEET, BANDS, st.sampled_from(sorted(TABLE.red)), st.sampled_from([NOT_ASKED, NOT_KNOWN]))
def test_a_red_item_that_nobody_knows_is_never_low(sheet: dict[str, str], band: str, item: str, answer: str) -> None:
    assert rank([{**CALM, **sheet, item: answer}], band) > 0


@given(SHEETS, SHEET, BANDS)
def test_one_more_form_never_makes_it_lighter_but_by_asking(sheets: list[dict[str, str]], more: dict[str, str], band: str) -> None:
    """Who asks turns "not asked" into something; nothing else that a second agency says takes weight away."""
    answered = {item: answer for item, answer in more.items() if graver(TABLE.items, sheets)[item] != NOT_ASKED}
    assert rank([*sheets, answered], band) >= rank(sheets, band)


@given(SHEETS, st.permutations(range(3)), BANDS)
def test_the_order_of_the_forms_does_not_matter(sheets: list[dict[str, str]], order: list[int], band: str) -> None:
    assert rank(sheets, band) == rank([sheets[n] for n in order if n < len(sheets)], band)


@given(SHEET, st.sampled_from(TABLE.items), BANDS)
def test_a_yes_more_never_makes_it_lighter(sheet: dict[str, str], item: str, band: str) -> None:
    assert rank([{**sheet, item: YES}], band) >= rank([sheet], band)


@pytest.mark.parametrize("item", TABLE.items)
def test_each_item_is_read_by_the_table(item: str) -> None:
    assert rank([{**CALM, item: YES}]) > 0


@pytest.mark.parametrize(
    ("answers", "level", "until_asked"),
    [
        ({}, "LOW", False),
        ({"threat": YES}, "HIGH", False),
        ({"hurt_now": YES}, "MEDIUM", False),
        ({"hurt_now": YES, "missing": YES}, "HIGH", False),
        ({"hurt_now": YES, "worse": YES, "online": YES}, "MEDIUM", False),
        ({"hurt_now": YES, "worse": YES, "online": YES, "held": YES}, "HIGH", False),
        ({"worse": YES, "online": YES, "held": YES, "substances": YES}, "MEDIUM", False),
        ({"worse": YES, "online": YES, "held": YES, "substances": YES, "carer_unwell": YES}, "HIGH", False),
        ({"hurt_now": NOT_KNOWN, "missing": NOT_ASKED}, "MEDIUM", False),
        ({"hurt_now": NOT_KNOWN, "missing": NOT_ASKED, "afraid": NOT_KNOWN}, "HIGH", True),
        ({"worse": NOT_KNOWN, "online": NOT_ASKED, "held": NOT_KNOWN}, "LOW", False),
        ({"worse": NOT_KNOWN, "online": NOT_ASKED, "held": NOT_KNOWN, "substances": NOT_ASKED}, "MEDIUM", False),
    ],
)
def test_the_lines_of_the_table(answers: dict[str, str], level: str, until_asked: bool) -> None:
    line = TABLE.points_to([{**CALM, **answers}], "6-11")
    assert (line.level, line.until_asked) == (level, until_asked)


def test_a_step_without_the_level_takes_the_next_graver_one() -> None:
    assert (TABLE.among("LOW", ("HIGH", "MEDIUM")), TABLE.among("LOW", ("LOW", "HIGH"))) == ("MEDIUM", "LOW")


def test_where_nobody_knows_what_the_form_says_it_says_the_gravest() -> None:
    assert [code for code in (*TABLE.levels, "not-agreed") if TABLE.is_below(code, None)] == ["LOW", "MEDIUM"]


def test_nobody_has_filled_it() -> None:
    line = TABLE.points_to([], "6-11")
    assert (line.level, line.until_asked) == ("HIGH", True) and set(TABLE.open_items([], "6-11")) == TABLE.red


def test_a_small_child_cannot_run_whatever_the_form_says() -> None:
    assert TABLE.points_to([CALM], "3-5").level == "MEDIUM" and TABLE.points_to([CALM], "6-11").level == "LOW"


def test_where_two_agencies_differ_the_graver_answer_counts() -> None:
    one, two = {"threat": NO, "online": NOT_KNOWN}, {"threat": YES, "online": NO, "worse": NO}
    assert graver(("threat", "online", "worse", "held"), [one, two]) == {
        "threat": YES,
        "online": NOT_KNOWN,
        "worse": NO,
        "held": NOT_ASKED,
    }


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("        - {level: LOW}\n", "", "every answer must point to something"),
        ("        - {level: MEDIUM, other_yes: 1}\n", "", "worse is read by no line"),
        ("        - {level: MEDIUM, red_open: 1}\n", "", "is red, and points to LOW while nobody knows it"),
        ("        - {level: HIGH, red_yes: 2}\n", "        - {level: LOW, red_yes: 2}\n", "from the gravest level to the lightest"),
        ("one_yes: [threat, weapon", "one_yes: [thret, weapon", "thret"),
        ("      reach_tonight:\n        {type: yes-no", "      reach_tonight:\n        {type: line", "of the type yes-no alone"),
    ],
)
def test_a_table_that_leaves_something_out_is_refused(old: str, new: str, what: str) -> None:
    before = FILES["casefile.yaml"].decode()
    assert old in before
    with pytest.raises(PolicyErrors) as refused:
        compile({**FILES, "casefile.yaml": before.replace(old, new, 1).encode()})
    assert any(what in error for error in refused.value.errors), refused.value.errors


STEP = """
  - id: age-check
    decide: [LOW, MEDIUM, HIGH]
    form: risk-form
    who: [csw, police]
    agree: all
    on_disagreement: HIGH
    on_silence: keep-place
    needs: [reason]
    after: [support.accepted]
    within: {decide: 24 h P}
    shows: [identity, risk-form]
    guidance: [risk-assessment]
"""


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("", "", ""),
        ("    needs: [reason]\n", "", ""),
        ("on_silence: keep-place", "on_silence: LOW", "nobody decided LOW"),
        ("on_disagreement: HIGH", "on_disagreement: MEDIUM", "nobody decided MEDIUM"),
        ("who: [csw, police]\n    agree: all\n    on_disagreement: HIGH\n", "who: [police]\n", "needs a second person"),
        ("who: [csw, police]\n    agree: all\n", "who: [police]\n    agree: two-persons\n", ""),
        ("who: [csw, police]\n    agree: all\n", "who: [police]\n    agree: two-below\n", ""),
        ("    form: risk-form\n    who: [csw, police]\n    agree: all\n", "    who: [police]\n    agree: two-below\n", "form is missing"),
        ("decide: [LOW, MEDIUM, HIGH]", "decide: [MEDIUM, HIGH]", ""),
        ("decide: [LOW, MEDIUM, HIGH]", "decide: [LOW, MEDIUM]", "no table that points to these codes"),
        ("decide: [LOW, MEDIUM, HIGH]", "decide: [LOW, MEDIUM, HIGH, grounds]", "grounds is no level of risk-form"),
        ("form: risk-form", "form: safety-plan", "no table that points to these codes"),
        ("shows: [identity, risk-form]", "shows: [identity]", "risk-form is missing in shows"),
        ("shows: [identity, risk-form]", "shows: [identity, risk-form]\n    writes: []", "risk-form is missing in writes"),
    ],
)
def test_nobody_decides_less_than_a_form_points_to_alone_or_by_silence(old: str, new: str, what: str) -> None:
    path = "pathways/trafficking-child.yaml"
    pathway = FILES[path].decode()
    place = pathway.index("\nclose_when")
    changed = (pathway[:place] + STEP.replace(old, new, 1) + pathway[place:]).encode()
    if not what:
        compile({**FILES, path: changed})
        return
    with pytest.raises(PolicyErrors) as refused:
        compile({**FILES, path: changed})
    assert any(what in error for error in refused.value.errors), refused.value.errors
