"""The table of what is known: every fact that a procedure tests, with a page on which a person can say it, and what it opens."""

from __future__ import annotations

from dataclasses import replace

from referral.cli.policy.reference import known
from referral.domain.policy import questions
from tests.stories import teller

SHIPPED = teller.policy()


def test_every_fact_that_a_procedure_tests_is_there_and_a_person_can_say_it() -> None:
    rows = {row.mark: row for row in known(SHIPPED)}
    assert set(rows) == {mark for pathway in SHIPPED.every for mark, _ in questions.conditions(pathway)}
    assert all(row.asked and row.pages and row.opens for row in rows.values()), [row for row in rows.values() if not row.pages]


def test_a_row_names_its_pages_and_its_steps() -> None:
    row = next(row for row in known(SHIPPED) if row.mark == "flags=in-custody")
    assert "Do the police hold this person?" in row.asked and "staff" in row.pages and "all, of “In conflict with the law”" in row.pages
    assert any(page.startswith("child's own, after “The police stopped me") for page in row.pages)
    assert "Juvenile justice: `custody`" in row.opens


def test_a_fact_that_no_page_can_say_has_no_page() -> None:
    asked = {id: one for id, one in SHIPPED.questions.each.items() if "flags=in-hospital" not in one.marks}
    without = replace(SHIPPED.questions, each=asked, public={}, staff=(), child={}, implies={})
    row = next(row for row in known(replace(SHIPPED, questions=without)) if row.mark == "flags=in-hospital")
    assert (row.asked, row.pages) == ((), ())
