"""Every attack of the audit log's contract, carried out: who must notice, who did, what they said, and whom they name as answerable.

python -m tests.attacks; exit code 1 when somebody who must did not notice. `python -m tests.attacks stops [NAME…]` lets each party that is
taken over, or those of these names, try what could stop the line.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from tests.attacks import (
    administrators,
    auditors,
    broker,
    by_hand,
    channels,
    contents,
    doors,
    facts,
    history,
    nobody_comes,
    omissions,
    one_agency,
    own_topic,
    pairs,
    policies,
    promises,
    public_door,
    readings,
    taken_over,
    trusted,
    words,
)
from tests.attacks.ground import AT_ONCE, WHEN
from tests.attacks.stopping import trial

WIDTH, MESSAGE = 560, 160
"""Columns (ours): a terminal scrolls, a file keeps it."""


def main() -> int:
    table, missed = Table(box=None, header_style="bold", pad_edge=False), 0
    for name in ("attack", "power", "must notice", "noticed", "", "after", "blamed", "message"):
        table.add_column(name, no_wrap=True)
    found = [
        *history.attacks(),
        *contents.attacks(),
        *nobody_comes.attacks(),
        *own_topic.attacks(),
        *administrators.attacks(),
        *auditors.attacks(),
        *auditors.watched(),
        *readings.attacks(),
        *readings.served(),
        *broker.attacks(),
        *by_hand.attacks(),
        *policies.attacks(),
        *facts.attacks(),
        *omissions.attacks(),
        *trusted.attacks(),
        *one_agency.attacks(),
        *one_agency.doors(),
        *promises.attacks(),
        *channels.attacks(),
        *doors.attacks(),
        *doors.served(),
        *public_door.attacks(),
        *public_door.served(),
        *words.attacks(),
        *words.served(),
        *pairs.attacks(),
    ]
    for attack in found:
        said = attack.run()
        noticed = [who for who, message in said.items() if message]
        message = next((said[who] for who in attack.must if said.get(who)), "")
        bad = [who for who in attack.must if not said.get(who)] or attack.blamed not in message
        missed += bool(bad)
        after = ", ".join(dict.fromkeys(WHEN.get(who, AT_ONCE) for who in attack.must))
        verdict = "MISSED" if bad else "ok"
        table.add_row(
            attack.what, attack.power, ", ".join(attack.must), ", ".join(noticed), verdict, after, attack.blamed or "–", message[:MESSAGE]
        )
    Console(width=WIDTH).print(table, markup=False)
    print(taken_over.page())
    print(f"{len(found)} attacks, {missed} missed by one who must notice")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(trial.main(sys.argv[2:]) if sys.argv[1:2] == ["stops"] else main())
