"""The column "stops" cannot lie either way: what is declared is compared with what was measured, and the tables are made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from referral.runtime.postgres.rights import ROLES
from referral.runtime.settings import CHECKOUT
from tests.attacks import stops
from tests.attacks.stopping import outcome, table
from tests.attacks.stopping.canary import p99
from tests.attacks.stopping.outcome import Measured, differences
from tests.attacks.stops import CREDENTIALS, FULL_MB_MINUTE, GIVEN_UP_S, LIMIT_S, TURNS, Alike, Attack, Begun, Refused

ROUTING = next(one for one in CREDENTIALS if one.name == "routing")
WATCHMAN = next(one for one in CREDENTIALS if one.name == "the watchman")


def as_declared() -> list[Measured]:
    """What the parties do who do exactly what is declared."""
    quick = {"p50_s": 0.4, "p99_s": 0.9, "turns": TURNS, "day": "2026-12-01", "commit": "00000000"}
    return [
        Measured(who.name, attack.value, begun=False, step=cell.at)
        if isinstance(cell, Refused)
        else Measured(who.name, attack.value, begun=True, **quick | ({"p99_s": GIVEN_UP_S} if cell.stops else {}))
        for who, attack, cell in stops.tried()
    ]


def changed(who: str, attack: Attack, **how: object) -> list[Measured]:
    """The same, but for one cell."""
    return [replace(one, **how) if (one.credential, one.attack) == (who, attack.value) else one for one in as_declared()]


def test_what_happens_as_declared_is_good() -> None:
    assert differences(as_declared()) == []


@pytest.mark.parametrize("how", [{"p99_s": LIMIT_S}, {"after_s": LIMIT_S}, {"mb_minute": FULL_MB_MINUTE}])
def test_a_stop_that_nobody_declared_is_red(how: dict[str, float]) -> None:
    (said,) = differences(changed("the watchman", Attack.DATABASE, **how))
    assert said.startswith("the watchman, N2 database: stopped the line, and nobody declares it")


def test_a_declared_stop_that_does_not_happen_is_red() -> None:
    (said,) = differences(changed("routing", Attack.SAVEPOINTS, p99_s=LIMIT_S - 0.1))
    assert said == f"routing, N2 savepoints: declared to stop {stops.LOCKED}, and it did not: 4.9 s of {TURNS}"


def test_a_cell_that_was_not_tried_is_red_and_so_is_one_that_nobody_declares() -> None:
    every = as_declared()
    missing = [one for one in every if (one.credential, one.attack) != ("routing", Attack.BROKER.value)]
    assert differences(missing) == ["routing, N1 broker: was not tried"]
    assert differences([*every, replace(every[0], credential="somebody")]) == [f"somebody, {every[0].attack}: nobody declares it"]
    more = Measured("routing", Attack.CROWD.value, begun=True, turns=TURNS)
    assert differences([*every, more]) == ["routing, N9 public page: was tried, and is not to be"]


def test_a_refusal_is_at_the_declared_step_and_what_is_declared_as_begun_is_begun() -> None:
    (elsewhere,) = differences(changed("a backup", Attack.BYTES, step="500"))
    assert elsewhere == "a backup, N4 bytes: declared as refused (401 unauthorized), and it was refused: 500"
    (begun,) = differences(changed("a backup", Attack.BYTES, begun=True, p99_s=0.5, turns=TURNS))
    assert "declared as refused (401 unauthorized), and it was begun: 0.5 s" in begun
    (refused,) = differences(changed("routing", Attack.BROKER, begun=False, step=stops.TLS))
    assert refused == "routing, N1 broker: declared as begun, and it was refused: TLS: no certificate"


def test_a_canary_that_was_not_long_enough_beside_it_is_red() -> None:
    (said,) = differences(changed("routing", Attack.BROKER, turns=TURNS - 1))
    assert said == f"routing, N1 broker: only {TURNS - 1} turns of the canary"


def test_every_party_has_every_cell_and_every_role_is_somebody_s() -> None:
    assert len({one.name for one in CREDENTIALS}) == len(CREDENTIALS) >= 17
    assert all(list(one.cells) == list(Attack) for one in CREDENTIALS)
    assert {one.password for one in CREDENTIALS} - {""} == set(ROLES)
    assert set(stops.WORDS) == set(Attack)
    known = {one.name: one for one in CREDENTIALS}
    alike = {(cell.to, attack) for one in CREDENTIALS for attack, cell in one.cells.items() if isinstance(cell, Alike)}
    assert all(isinstance(known[to].cells[attack], Begun) for to, attack in alike)


def test_each_proof_is_there() -> None:
    assert [path for one in CREDENTIALS for path in one.proof if not (CHECKOUT / path).exists()] == []
    assert all(one.proof for one in CREDENTIALS)


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = [replace(one, p50_s=0.25, after_s=1.5) for one in as_declared()]
    assert outcome.text(found) == outcome.text(reversed(found))
    file = tmp_path / "stops.csv"
    file.write_text(outcome.text(found), "utf-8")
    assert outcome.read(file) == found


def test_a_declared_stop_is_in_the_column_only_when_it_happened() -> None:
    def row(measured: list[Measured]) -> str:
        return next(line for line in table.lines(measured, [ROUTING]) if line.startswith("| routing | its"))

    assert f"**{stops.LOCKED}** (N2 savepoints)" in row(as_declared())
    assert stops.LOCKED not in row(changed("routing", Attack.SAVEPOINTS, p99_s=1.0))
    assert " – " in next(line for line in table.lines(as_declared(), [WATCHMAN]) if line.startswith("| the watchman | its"))


def test_a_cell_of_the_page_shows_its_figure_its_turns_and_its_refusal() -> None:
    cells = next(line for line in table.lines(as_declared(), [WATCHMAN]) if line.startswith("| the watchman | as")).split(" | ")
    assert cells[1:4] == ["as a stranger", f"0.9 s of {TURNS}", "runs on another machine"]
    assert f"refused: {stops.NO_WRITE}" in cells
    assert "not tried" in "".join(table.lines([], [WATCHMAN]))
    assert f"**over {GIVEN_UP_S:g} s of {TURNS}**" in "".join(table.lines(as_declared(), [ROUTING]))


def test_of_fewer_than_a_hundred_the_99th_percentile_is_the_slowest() -> None:
    assert p99([0.1] * 29 + [7.0]) == 7.0 and p99([0.1] * 197 + [7.0, 8.0, 9.0]) == 7.0


def test_the_committed_file_is_whole_and_as_declared() -> None:
    assert differences(outcome.read()) == []
