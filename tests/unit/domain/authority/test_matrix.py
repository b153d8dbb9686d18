"""The table decides: what one relation allows holds, whom the case keeps away stands in no other way, and nobody else makes a permit."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.authority.matrix import Cell, Matrix, Permit, Who, decide, permit
from referral.domain.authority.words import AWAY, STATUS, About, Act, Kind, Need, Relation, State, relations
from referral.errors import Rejected
from referral.runtime.authority import declared

TABLE = declared()
OF_CASE = [rule for rule in TABLE.rules.values() if rule.about is not About.NOTHING]


def answer(kind: Kind, act: Act, *standing: Relation, state: State = State.OPEN) -> str:
    """Return the word of the refusal, or `allow`."""
    return decide(TABLE, kind, act, standing, state).refusal or "allow"


def test_the_table_is_whole_and_large() -> None:
    assert set(TABLE.rules) == set(Act)
    assert set(TABLE.cells) == {cell for rule in TABLE.rules.values() for cell in rule.cells()}
    assert len(TABLE.cells) >= 3_200 and len(TABLE.rules) >= 70


def test_of_several_relations_the_one_counts_that_allows_most() -> None:
    for relation in (Relation.SENDER, Relation.EXCLUDED_SENDER, Relation.DESK_NOW):
        assert answer(Kind.SYSTEM, Act.READ_FILE, relation) == "ended", "it sees the case, so the case exists"
    assert answer(Kind.SYSTEM, Act.READ_FILE, Relation.WITHDRAWN) == "unknown"
    assert answer(Kind.SYSTEM, Act.READ_FILE, Relation.SENDER, Relation.HELD) == "ended"
    assert answer(Kind.SYSTEM, Act.READ_FILE, Relation.SENDER, Relation.HELD, Relation.HOLDER) == "allow"


@pytest.mark.parametrize("rule", OF_CASE, ids=lambda rule: rule.act)
def test_whom_the_case_keeps_away_stands_in_no_other_way(rule: object) -> None:
    assert hasattr(rule, "act") and hasattr(rule, "by")
    for kind in rule.by:
        for away in AWAY & set(relations(kind)):
            alone = answer(kind, rule.act, away)
            assert {answer(kind, rule.act, away, other) for other in Relation if other not in AWAY} == {alone}


@given(st.sampled_from(OF_CASE), st.sampled_from(Kind), st.sets(st.sampled_from(Relation)), st.sampled_from(State))
def test_more_relations_never_take_a_right_unless_one_keeps_away(rule: object, kind: Kind, standing: set[Relation], state: State) -> None:
    assert hasattr(rule, "act")
    whole = decide(TABLE, kind, rule.act, standing, state)
    for fewer in combinations(sorted(standing - AWAY), max(len(standing - AWAY) - 1, 0)):
        if not standing & AWAY and fewer and decide(TABLE, kind, rule.act, fewer, state).allows:
            assert whole.allows


def test_an_erasure_that_was_approved_ends_every_right_but_to_see_that_it_was() -> None:
    for cell, found in TABLE.cells.items():
        if cell.state in (State.ERASING, State.ERASED) and found.allows:
            assert cell.act is Act.SEE_ERASURE and cell.kind in (Kind.DESK, Kind.OVERSIGHT)


def test_nobody_without_a_part_in_the_case_may_do_anything_about_it_but_oversight_which_erases() -> None:
    for cell, found in TABLE.cells.items():
        if cell.relation in (Relation.NONE, Relation.DESK_BEFORE, *AWAY) and found.allows and cell.kind is not Kind.OVERSIGHT:
            settled = cell.relation is Relation.DESK_BEFORE and cell.act in (Act.SEE_TASK, Act.SEE_REPORT)
            passed_on = cell.relation is Relation.EXCLUDED and cell.kind is Kind.SYSTEM and cell.act in (Act.ANSWER, Act.TAKE_BACK)
            # The receipt names case and event already; whose referral it is, the door looks up besides.
            proven = cell.relation in AWAY and cell.kind is Kind.SYSTEM and cell.act is Act.PROVE_RECEIPT
            assert settled or passed_on or proven, cell


def test_only_who_may_know_of_a_case_is_told_why_not() -> None:
    for cell, found in TABLE.cells.items():
        if not found.allows and STATUS[found.refusal] == 403 and cell.kind is Kind.SYSTEM:
            assert cell.relation not in (Relation.NONE, Relation.WITHDRAWN, Relation.DESK_BEFORE, Relation.EXCLUDED_UNASKED), cell


def test_what_needs_two_says_so() -> None:
    def needs(act: Act) -> set[Need]:
        return {need for cell, found in TABLE.cells.items() if cell.act is act for need in found.needs}

    for act in (Act.RECORD_CONSENT, Act.RECORD_TRAITS, Act.EXCLUDE):
        assert Need.SECOND_PARTY in needs(act)
    for act in (Act.LIFT_EXCLUSION, Act.ASK_ERASURE, Act.APPROVE_ERASURE, Act.LIFT_HOLD):
        assert Need.SECOND_PERSON in needs(act)
    for act in (Act.READ_FILE, Act.READ_VERSIONS, Act.OPEN_REPORT):
        assert Need.RECORD in needs(act)


def test_a_permit_names_what_it_is_for() -> None:
    made = permit(TABLE, Who(Kind.SYSTEM, "police-x"), Act.READ_FILE, {Relation.HOLDER}, State.OPEN, "a-case")
    assert isinstance(made, Permit)
    assert (made.act, made.agency, made.account, made.case_id) == (Act.READ_FILE, "police-x", None, "a-case")
    assert "a-case" not in repr(made) and "police-x" not in repr(made)


def test_nobody_else_makes_a_permit() -> None:
    with pytest.raises(TypeError):
        Permit(Act.READ_FILE, Who(Kind.STRANGER), "a-case", (), object())


def test_a_refusal_is_in_the_words_of_the_doors() -> None:
    def said(kind: Kind, act: Act, *standing: Relation) -> tuple[str, int]:
        found = permit(TABLE, Who(kind), act, standing, State.OPEN)
        assert isinstance(found, Rejected)
        return found.code, found.status

    assert said(Kind.SYSTEM, Act.SEE_CASE) == ("unknown-case", 404)
    assert said(Kind.SYSTEM, Act.SEE_OFFER) == ("unknown-offer", 404)
    assert said(Kind.SYSTEM, Act.READ_FILE, Relation.HELD) == ("reading-ended", 403)
    assert said(Kind.SYSTEM, Act.INSTRUCT, Relation.SENDER) == ("not-yours", 403)
    assert said(Kind.AUDITOR, Act.SEE_CASE) == ("unknown-case", 404), "a kind without a way to ask"


def test_an_act_about_a_case_needs_its_state() -> None:
    with pytest.raises(ValueError, match="state"):
        decide(TABLE, Kind.SYSTEM, Act.SEE_CASE, {Relation.HOLDER})


def test_one_cell_is_one_decision() -> None:
    cell = Cell(Act.SEE_CASE, Kind.SYSTEM, Relation.HOLDER, State.OPEN)
    other = Matrix(TABLE.rules, {**TABLE.cells, cell: TABLE.cells[cell._replace(relation=Relation.NONE)]})
    changed = [
        (cell_, one) for cell_, one in TABLE.cells.items() if decide(other, cell_.kind, cell_.act, _standing(cell_), cell_.state) != one
    ]
    assert [cell_ for cell_, _ in changed] == [cell]


def _standing(cell: Cell) -> tuple[Relation, ...]:
    return () if cell.relation is None else (cell.relation,)
