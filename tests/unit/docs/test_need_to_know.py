"""The need-to-know matrix has a row for every page of every program and a cell for everybody who asks, and its page is as generated."""

from __future__ import annotations

import pytest

from referral.domain.events import StepKind
from tests.harness.need_to_know import matrix, routes
from tests.harness.need_to_know.matrix import ASKERS, DOOR, EMPTY, GROUPS, NOTHING, SEEN, SENDS, Row
from tests.harness.need_to_know.page import PAGE, page
from tests.harness.shipped import compiled

POLICY = compiled()
STEPS = [step for pathway in POLICY.current for step in pathway.steps]
SECTIONS = [section for section, about in POLICY.sections.items() if about.personal]
ROWS = [row for rows in GROUPS.values() for row in rows]


def test_every_page_of_the_programs_has_a_row_and_every_row_a_page() -> None:
    assert {route for row in ROWS for route in row.routes} == routes.every(POLICY)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_cell_is_written_in_the_signs(row: Row) -> None:
    assert row.cells.keys() == ASKERS.keys()
    for cell in row.cells.values():
        seen = cell.removesuffix(SENDS)
        assert seen in (NOTHING, DOOR, EMPTY) or (set(seen) <= SEEN.keys() and len(set(seen)) == len(seen) > 0)
        assert cell != seen or SENDS not in cell


def test_a_page_about_one_thing_of_a_case_is_open_to_few() -> None:
    for row in matrix.CASES:
        assert sum(cell[0] not in (NOTHING, DOOR) for cell in row.cells.values()) <= 4, row.id


def test_the_page_is_as_generated() -> None:
    assert PAGE.read_text("utf-8") == page(POLICY), "write it anew: make generate"


WHO = frozenset({"identity", "location", "contact", "family", "narrative", "evidence"})
HIDDEN: tuple[tuple[str, frozenset[str]], ...] = (
    ("child-rights-coordinator", frozenset(SECTIONS)),
    ("police-thbs", frozenset({"medical", "reason", "child-view"})),
    ("health-house", frozenset({"identity", "location", "family", "narrative"})),
    ("iom", frozenset({"family", "note", "location"})),
)
"""Role → personal sections that no step shows to it, whatever else changes: docs/decisions/0036 names them as left out on purpose."""


@pytest.mark.parametrize(("role", "hidden"), HIDDEN, ids=[role for role, _ in HIDDEN])
def test_some_sections_are_never_shown_to_a_role(role: str, hidden: frozenset[str]) -> None:
    seats = [rule for step in STEPS for rule in step.seats if role in rule.roles]
    assert seats and not [rule for rule in seats if hidden & set(rule.shows)]


def test_a_house_does_not_read_who_comes_or_from_where_and_only_the_rights_team_reads_who_reported() -> None:
    houses = [rule for step in STEPS if step.kind is StepKind.PLACE for rule in step.seats]
    assert houses and not [rule for rule in houses if WHO & set(rule.shows)]
    readers = {(*rule.roles, step.id) for step in STEPS for rule in step.seats if "reporter" in rule.shows}
    assert readers == {("rights-team", "team")}
