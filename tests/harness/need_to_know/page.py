"""Write the need-to-know matrix down: docs/reference/need-to-know.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway
from tests.harness.need_to_know import matrix
from tests.harness.need_to_know.matrix import Row

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "need-to-know.md"
TOP = """<!-- GENERATED from tests/harness/need_to_know and policy/ by `make generate`. Do not edit. -->

# Who sees what

Every page and form of the programs that people open, and everybody who may ask for it. A test asks each cell at a real line, with one
case of each procedure at a middle step ([the probe](../../tests/integration/intake/test_need_to_know.py)); another compares the pages
here with the routes of the programs. Agencies' systems are under the same rules: [agencies](../agencies.md).

An operator has no page, session or token. Whoever holds the master key and the database can read everything ([operators](../operators.md)).
"""


def page(policy: Policy) -> str:
    """Return the page."""
    lines = [TOP, "## The signs", "", *_table(("sign", "meaning"), _signs()), "", "## Who asks", ""]
    lines += [*_table(("column", "who"), matrix.ASKERS.values()), ""]
    for title, rows in matrix.GROUPS.items():
        lines += [f"## {title}", "", *_group(rows), ""]
    lines += ["## The case file: which step reads and writes which section", ""]
    lines += ["`r`: the step reads the section; `w`: it reads and writes it. Steps that read nothing are left out.", ""]
    for pathway in policy.every:
        lines += [f"### {policy.names('pathway', pathway.id, 'en')}", "", *_sections(pathway), ""]
    return "\n".join(lines)


def _signs() -> Iterator[tuple[str, str]]:
    for sign, meaning in {**matrix.WORDS, **matrix.SEEN}.items():
        yield f"`{sign}`", meaning


def _group(rows: Sequence[Row]) -> Iterator[str]:
    yield from _table(("page", "routes"), ((row.title, ", ".join(f"`{route}`" for route in row.routes)) for row in rows))
    yield ""
    asked = ((heading, *(row.cells[asker] for row in rows)) for asker, (heading, _) in matrix.ASKERS.items())
    yield from _table(("who asks", *(row.title for row in rows)), asked)


def _sections(pathway: Pathway) -> Iterator[str]:
    """Yield the table of one procedure: a row for each seat that reads something, a column for each section that one reads."""
    seats = [(step, rule) for step in pathway.steps if step.kind is not StepKind.FEED for rule in step.seats if rule.shows]
    columns = sorted({section for _, rule in seats for section in rule.shows})
    rows = [
        (
            f"{step.id} ({rule.name})" if rule.name else step.id,
            *("w" if section in rule.writes else "r" if section in rule.shows else "" for section in columns),
        )
        for step, rule in seats
    ]
    yield from _table(("step", *columns), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
