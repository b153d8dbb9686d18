"""Compare what each party stopped, when it tried, with what is declared. Pure. A stop that nobody declared is red, and so is a declared one
that does not happen."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from tests.attacks import stops
from tests.attacks.stops import CREDENTIALS, FULL_MB_MINUTE, GIVEN_UP_S, LIMIT_S, TURNS, Attack, Begun, Credential, Refused, tried

FILE = Path(stops.__file__).with_suffix(".csv")


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurement of one cell.

    begun: the attack was under way. step: at which it was refused, where it was not.
    p50_s, p99_s: percentiles of the canary's worst kind of turn, seconds; turns: how many of that kind.
    after_s: seconds from the attacker's end until a turn was quick again. mb_minute: growth of the disk without the database's log, in N4.
    apart: attacker and line had a processor each. day: of the measurement. commit: of the tree.
    """

    credential: str
    attack: str
    begun: bool
    step: str = ""
    p50_s: float = 0.0
    p99_s: float = 0.0
    turns: int = 0
    after_s: float = 0.0
    mb_minute: float = 0.0
    apart: bool = True
    day: str = ""
    commit: str = ""

    @property
    def stopped(self) -> bool:
        """Return whether the line stood, stayed standing, or its disk was being filled."""
        return self.begun and (max(self.p99_s, self.after_s) >= LIMIT_S or self.mb_minute >= FULL_MB_MINUTE)

    @property
    def figure(self) -> str:
        """Return the figure of a cell that was begun."""
        slow = f"over {GIVEN_UP_S:g}" if self.p99_s >= GIVEN_UP_S else f"{self.p99_s:.1f}"
        grown = f", {self.mb_minute:.0f} MB a minute" if Attack(self.attack) is Attack.BYTES else ""
        late = f", {self.after_s:.0f} s afterwards" if self.after_s >= LIMIT_S else ""
        shared = "" if self.apart else ", one processor"
        return f"{slow} s of {self.turns}{late}{grown}{shared}"


def differences(measured: Iterable[Measured], credentials: Sequence[Credential] = CREDENTIALS) -> list[str]:
    """Return, in words, each cell that is not as declared. credentials: those whose cells must all be there."""
    found, told = {(one.credential, one.attack): one for one in measured}, list[str]()
    for who in credentials:
        for attack, cell in who.cells.items():
            what, one = f"{who.name}, {attack}", found.pop((who.name, attack.value), None)
            if isinstance(cell, Begun | Refused):
                told += [f"{what}: {why}" for why in _wrong(cell, one)]
            elif one is not None:
                told.append(f"{what}: was tried, and is not to be")
    return told + [f"{who}, {attack}: nobody declares it" for who, attack in found]


def _wrong(cell: Begun | Refused, one: Measured | None) -> list[str]:
    """Return what is wrong with one cell."""
    if one is None:
        return ["was not tried"]
    if isinstance(cell, Refused):
        return [] if not one.begun and one.step == cell.at else [f"declared as refused ({cell.at}), and it {_did(one)}"]
    if not one.begun:
        return [f"declared as begun, and it {_did(one)}"]
    if one.turns < TURNS:
        return [f"only {one.turns} turns of the canary"]
    if one.stopped and not cell.stops:
        return [f"stopped the line, and nobody declares it: {one.figure}"]
    if cell.stops and not one.stopped:
        return [f"declared to stop {cell.stops}, and it did not: {one.figure}"]
    return []


def _did(one: Measured) -> str:
    return f"was begun: {one.figure}" if one.begun else f"was refused: {one.step}"


def read(file: Path = FILE) -> list[Measured]:
    """Return what was measured last."""
    kinds = {field.name: field.type for field in fields(Measured)}
    made = {"str": str, "float": float, "int": int, "bool": lambda word: word == "yes"}
    with file.open(encoding="utf-8", newline="") as lines:
        return [Measured(**{name: made[str(kinds[name])](word) for name, word in row.items()}) for row in csv.DictReader(lines)]


def text(measured: Iterable[Measured]) -> str:
    """Return the file of what was measured, in the order of the page, without cells that nobody tries any more."""
    order = [(one.name, attack.value) for one, attack, _ in tried()]
    names, out = [field.name for field in fields(Measured)], io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(names)
    known = (one for one in measured if (one.credential, one.attack) in order)
    for one in sorted(known, key=lambda one: order.index((one.credential, one.attack))):
        lines.writerow([_word(getattr(one, name)) for name in names])
    return out.getvalue()


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
