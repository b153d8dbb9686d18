"""Every cell of the authority table at a real line: a case in each state, everybody who can stand to it, and the requests of each act.

A quick run asks a part that differs from run to run and prints its seed (REFERRAL_SEED repeats it); the long one asks all.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

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


def test_some_cells_answer_as_the_table_says(line: Scene) -> None:
    assert wrong(line, chosen(SAMPLE)) == []


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_cell_answers_as_the_table_says(line: Scene) -> None:
    before = line.world.everything()
    assert wrong(line, EVERY) == []
    assert line.world.everything() == before
