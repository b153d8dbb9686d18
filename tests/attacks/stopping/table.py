"""Write what each party stops and decides as tables of docs/reference/taken-over.md, from what was measured last. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from referral.runtime.settings import CHECKOUT
from tests.attacks import stops
from tests.attacks.stopping.outcome import Measured
from tests.attacks.stops import Absent, Alike, Attack, Begun, Cell, Credential

PAGE_FOLDER = "docs/reference"
HEAD = ("taken over", "holds", "stops", "decides", "proof")


def lines(measured: Iterable[Measured], credentials: Sequence[Credential] = stops.CREDENTIALS) -> list[str]:
    """Return both tables, with the words between them."""
    found = {(one.credential, one.attack): one for one in measured}
    each = [(one.name, one.holds, _stops(one, found), one.decides, _links(one.proof)) for one in credentials]
    keeper = (*stops.KEEPER[:2], f"**{stops.KEEPER[2]}**", stops.KEEPER[3], "not tried")
    tried = [(one.name, *(_cell(one.name, attack, cell, found) for attack, cell in one.cells.items())) for one in credentials]
    attacks = [(attack.value, stops.WORDS[attack]) for attack in Attack]
    days = sorted({one.day for one in found.values()})
    return [
        "## What it stops and decides",
        "",
        *table(HEAD, [*each, keeper]),
        "",
        *INTRODUCTION.format(limit=stops.LIMIT_S, given_up=stops.GIVEN_UP_S, full=stops.FULL_MB_MINUTE, days=_span(days)).splitlines(),
        "",
        *table(("attack", "in words"), attacks),
        "",
        *table(("taken over", *Attack), tried),
    ]


INTRODUCTION = """Each party tried each attack on a line of real servers, {days}, beside a canary. Once a second the canary refers
a child, answers for the police and sees that a message is planned; for N6 an officer also signs in with a known browser, for N9 somebody
who has sent nothing today also reports on the public page. The attacker has one processor, everything else the other one; where a cell
says *one processor*, they shared it, on a machine that others used. A cell has the 99th percentile of the canary's turns in seconds, and
their number: of thirty it is the slowest. **Bold** is a stop: {limit:g} s or more, during the attack or until the line is quick again, or
a disk that grows by more than {full:g} MB a minute, which fills 50 GB in a day. A turn that does not succeed counts as {given_up:g} s.
*Refused* names the step. *As a stranger*, *as routing*: the attack needs nothing of this credential that the other has not. `make
attacks` measures anew, and is red where a stop is not declared in `tests/attacks/stops.py`, and where a declared one does not happen."""


def shown(measured: Iterable[Measured], credentials: Sequence[Credential]) -> Table:
    """Return the cells of some parties for a terminal, a line for each that was tried."""
    grid, found = Table(box=None, header_style="bold", pad_edge=False), {(one.credential, one.attack): one for one in measured}
    for name in ("taken over", "attack", "declared to stop", "p50, s", "p99, s (turns), or refused at"):
        grid.add_column(name, no_wrap=True)
    for who, attack, cell in stops.tried(credentials):
        one = found.get((who.name, attack.value))
        declared = cell.stops if isinstance(cell, Begun) else ""
        grid.add_row(
            who.name, attack.value, declared, f"{one.p50_s:.1f}" if one and one.begun else "", _cell(who.name, attack, cell, found)
        )
    return grid


def _span(days: Sequence[str]) -> str:
    return "not yet" if not days else days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"


def _stops(who: Credential, found: Mapping[tuple[str, str], Measured]) -> str:
    """Return what a party stops: the declared cells that happened."""
    declared = {attack: cell.stops for attack, cell in who.cells.items() if isinstance(cell, Begun) and cell.stops}
    seen = [f"**{what}** ({attack})" for attack, what in declared.items() if (one := found.get((who.name, attack.value))) and one.stopped]
    return "; ".join(seen) or "–"


def _cell(who: str, attack: Attack, cell: Cell, found: Mapping[tuple[str, str], Measured]) -> str:
    if isinstance(cell, Alike):
        return f"as {cell.to}"
    if isinstance(cell, Absent):
        return cell.why
    one = found.get((who, attack.value))
    if one is None:
        return "not tried"
    if not one.begun:
        return f"refused: {one.step}"
    return f"**{one.figure}**" if one.stopped else one.figure


def _links(proof: Iterable[str]) -> str:
    return ", ".join(f"[{path.rpartition('/')[2]}]({os.path.relpath(CHECKOUT / path, CHECKOUT / PAGE_FOLDER)})" for path in proof)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table."""
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
