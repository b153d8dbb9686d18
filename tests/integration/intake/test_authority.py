"""Every cell of the authority table at a real line: a case in each state, everybody who can stand to it, and the requests of each act.

A quick run asks a part that differs from run to run and prints its seed (REFERRAL_SEED repeats it); the long one asks all.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from referral.domain.authority.matrix import Cell, Decision, Matrix
from referral.domain.authority.words import Act, Kind, Relation, State
from referral.runtime import authority
from referral.runtime.authority import declared
from tests.harness.authority import probe
from tests.harness.authority.probe import Probe
from tests.harness.authority.scene import Intake, Scene, scene
from tests.harness.shipped import compiled

pytestmark = pytest.mark.servers
TABLE = declared()
EVERY = tuple(probe.probes(TABLE))
SAMPLE = 500
"""Probes of a quick run (ours): some ten seconds."""


@pytest.fixture
def line(database: str, key_files: tuple[Path, Path]) -> Iterator[Scene]:
    with Intake(database, key_files[0], compiled()) as world:
        yield scene(world)


def chosen(number: int) -> Sequence[Probe]:
    """Return so many probes of this run, and print the seed that chooses the same ones."""
    seed = int(os.environ.get("REFERRAL_SEED") or secrets.randbits(32))
    print(f"REFERRAL_SEED={seed}")
    return random.Random(seed).sample(EVERY, number)


def wrong(line: Scene, asked: Sequence[Probe]) -> list[str]:
    """Return the probes whose answer is not the one that the table declares."""
    found = []
    for one in asked:
        answer = probe.send(line, one)
        try:
            said = probe.judged(one, answer)
        except ValueError as why:
            said = str(why)
        if said != (expected := probe.declared(TABLE.cells[one.cell])):
            found.append(f"{one}: {said} ({answer.status_code}), and the table says {expected}")
    return found


def test_there_are_probes_for_every_cell_of_a_case() -> None:
    assert len(EVERY) >= 3_000
    assert {one.cell for one in EVERY} == {cell for cell in TABLE.cells if cell.state is not None}


def test_some_cells_answer_as_the_table_says_and_turned_round_they_do_not(line: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    some = chosen(SAMPLE)
    assert wrong(line, some) == []
    told = list(dict.fromkeys(one.cell for one in some if telling(one.cell)))[:FLIPS]
    assert len(told) == FLIPS and set(told) - noticed(line, told, monkeypatch) == set()


@pytest.mark.long
def test_every_cell_answers_as_the_table_says(line: Scene) -> None:
    before = line.world.everything()
    assert wrong(line, EVERY) == []
    assert line.world.everything() == before


FLIPS = 12
"""Cells that a quick run flips (ours)."""
ALONE = (Act.SEE_CASE, Act.RECORD_CONSENT, Act.RECORD_TRAITS, Act.EXCLUDE, Act.INSTRUCT, Act.READ_VERSIONS)
"""Acts of systems about a case that they name by its id: nothing but the table refuses them."""
ERASES = (Act.ASK_ERASURE, Act.APPROVE_ERASURE, Act.REFUSE_ERASURE, Act.HOLD, Act.LIFT_HOLD)
"""Acts of people about a case that they name by its id."""
HERE = (State.OPEN, State.CLOSED, State.SEALED, State.ASKED)
LEFT = (Relation.DESK_NOW, Relation.NONE)
"""Relations that are left once an erasure is approved: that of the desk which the erasure names."""


def telling(cell: Cell) -> bool:
    """Return True for a cell whose flip must change an answer: every right, and every refusal that the table alone holds.

    Any other refusal is held twice: SQL finds no row for whom is no party or is kept away, an approved erasure hides the rows,
    a stranger has no session.
    """
    if TABLE.cells[cell].allows:
        return cell.state in HERE or cell.relation in LEFT
    named = (cell.act in ALONE and cell.kind is Kind.SYSTEM) or (cell.act in ERASES and cell.kind in (Kind.DESK, Kind.OVERSIGHT))
    return named and cell.state in HERE


def flipped(cell: Cell) -> Callable[[], Matrix]:
    """Return what declares the table with one cell turned round. The case's desk has an open task here, so its right stands there twice."""
    other = Decision("unknown") if TABLE.cells[cell].allows else Decision()
    twin = {cell._replace(relation=Relation.DESK_TASK): other} if cell.relation is Relation.DESK_NOW and other.refusal else {}
    table = Matrix(TABLE.rules, {**TABLE.cells, cell: other, **twin})
    return lambda: table


def noticed(line: Scene, cells: Sequence[Cell], monkeypatch: pytest.MonkeyPatch) -> set[Cell]:
    """Return the cells whose flip turns a probe red."""
    by_cell: dict[Cell, list[Probe]] = {}
    for one in EVERY:
        by_cell.setdefault(one.cell, []).append(one)
    found = set()
    for cell in cells:
        monkeypatch.setattr(authority, "declared", flipped(cell))
        if wrong(line, by_cell[cell]):
            found.add(cell)
    monkeypatch.setattr(authority, "declared", declared)
    return found


@pytest.mark.long
def test_every_flipped_cell_turns_a_probe_red_or_is_refused_twice(line: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [cell for cell in TABLE.cells if cell.state is not None]
    red = noticed(line, cells, monkeypatch)
    twice = [cell for cell in cells if cell not in red and not TABLE.cells[cell].allows]
    nobody = [cell for cell in cells if cell not in red and TABLE.cells[cell].allows]
    print(
        f"{len(cells)} cells of a case turned round: {len(red)} turn a probe red, {len(twice)} are refused twice or more often, "
        f"{len(nobody)} are about a relation that nobody has once an erasure is approved"
    )
    assert [cell for cell in cells if telling(cell) and cell not in red] == []
    assert {cell.act for cell in nobody} == {Act.SEE_ERASURE} and not {cell.state for cell in nobody} & set(HERE)
    assert len(red) >= 1_380
