"""Mutants: what is changed and nothing else, and how a stored one is found in code that moved."""

from __future__ import annotations

import ast

from tools import mutants
from tools.mutants import Finder, Mutant

CODE = '''"""Say 1 < 2."""
LIMIT: int = 5


def late(é: str, at: int, rows: list[int]) -> list[int] | None:
    """Return 1."""
    if at > LIMIT and not rows:
        rows.append(1)
        return rows
    return None if f"{at < 1}" else [row for row in rows if row is not 3]
'''
F, KEPT = 'f"{at < 1}"', "[row for row in rows if row is not 3]"
PLACE = "services/notifier/steps.py"


def changed(code: str) -> set[tuple[str, str]]:
    """Return kind and change of each mutant, and the first line that it changes, as it is then."""
    found = set()
    for one in mutants.mutants(PLACE, code):
        text = one.apply(code)
        ast.parse(text)
        (line,) = [new for old, new in zip(code.splitlines(), text.splitlines(), strict=True) if old != new]
        found.add((f"{one.named.kind} {one.named.change}".strip(), line.strip()))
    return found


def test_each_kind_changes_what_it_says_and_nothing_of_texts_and_annotations() -> None:
    assert changed(CODE) == {
        ("constant+1 5 → 6", "LIMIT: int = 6"),
        ("constant-1 5 → 4", "LIMIT: int = 4"),
        ("swap", "if (not (at > LIMIT and not rows)):"),
        ("and and → or", "if at > LIMIT or not rows:"),
        ("compare > → >=", "if at >= LIMIT and not rows:"),
        ("not", "if at > LIMIT and (rows):"),
        ("remove", "pass"),
        ("constant+1 1 → 2", "rows.append(2)"),
        ("constant-1 1 → 0", "rows.append(0)"),
        ("return", "return None"),
        ("swap", f"return None if (not ({F})) else {KEPT}"),
        ("compare is not → is", f"return None if {F} else {KEPT.replace(' not', '')}"),
        ("constant+1 3 → 4", f"return None if {F} else {KEPT.replace('3', '4')}"),
        ("constant-1 3 → 2", f"return None if {F} else {KEPT.replace('3', '2')}"),
    }


def drawn(tree: dict[str, str], seed: int = 1) -> list[Mutant]:
    return mutants.draw(tree, seed, 24)


def test_code_that_moves_or_is_formatted_otherwise_keeps_its_mutants() -> None:
    moved = {
        "services/notifier/later.py": "import os\n\n\n" + CODE.replace("if at > LIMIT and not rows:", "if (\n at > LIMIT\n and not rows):")
    }
    assert [one.named.name for one in drawn({PLACE: CODE})] == [one.named.name for one in drawn(moved)]
    assert [one.named.name for one in drawn({PLACE: CODE})] != [one.named.name for one in drawn({PLACE: CODE}, seed=2)]
    kept = mutants.stored(mutants.store([one.named for one in drawn({PLACE: CODE})], 1))
    assert {Finder({PLACE: CODE}).find(named)[0] for named in kept} == {"here"}
    assert {Finder(moved).find(named)[0] for named in kept} == {"moved"}


def test_a_mutant_whose_names_changed_is_found_by_its_shape_and_one_that_is_gone_is_not() -> None:
    (named,) = [one.named for one in mutants.mutants(PLACE, CODE) if one.named.kind == "remove"]
    how, one = Finder({"services/notifier/a.py": CODE.replace("rows", "entries")}).find(named)
    assert how == "renamed" and one is not None and one.named.statement == "entries.append(1)"
    assert Finder({PLACE: "def late() -> None: ...\n"}).find(named) == ("gone", None)


def test_the_stored_draw_has_three_hundred_names_and_none_twice() -> None:
    kept = mutants.stored(mutants.STORED.read_text("utf-8"))
    assert len(kept) == mutants.COUNT == len({(one.place, *one.name) for one in kept})
