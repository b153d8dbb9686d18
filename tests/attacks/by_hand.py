"""Attacks past the commands: whoever has the administrator's password writes into the tables, and leaves no entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec import structs

from referral.cli.audit import verify as command
from referral.proof.act import Act, State
from referral.proof.audit.judge import Verdict
from referral.proof.verify.report import Report
from tests.attacks.ground import Attack, Noticed, copy, honest, verify
from tests.unit.proof.test_act import entry
from tests.unit.proof.test_unlogged import ACTS, BOOK, BY_HAND, TRUE

PASSWORD = "with the administrator's password, by SQL"


def tables(table: str, rows: Sequence[object]) -> Noticed:
    """One table is written by hand; the log of the commands and pages stays as it is."""
    verdict = Verdict(Report(), None, 0, ACTS, BOOK)
    command.by_hand(verdict, structs.replace(TRUE, **{table: rows}))
    return {"verify": str(verdict.report.first_bad() or "")}


def policy() -> Noticed:
    """A bundle that two signers signed is put into routing's table by hand. The export alone says that no operator did it."""
    first = Act(id="a" * 32, command="prepare", state=State.DONE, by="operator/besa", at=1, arguments="0" * 64)
    return {"verify": verify(copy([*honest().entries, entry(0, first.encode())]))}


def attacks() -> Iterator[Attack]:
    for table, rows, what in BY_HAND:
        yield Attack(what=f"a row of {table} by hand: {what}", power=PASSWORD, must=("verify",), run=partial(tables, table, rows))
    yield Attack(what="a policy bundle is put in force by hand", power=PASSWORD, must=("verify",), run=policy)
