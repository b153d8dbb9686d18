"""Whatever a holder of the log's key writes into leaves and payloads, `verify` gives a verdict and `replay` lines."""

from __future__ import annotations

import random

import pytest
from msgspec import structs

from referral.cli.audit.replay import Selection, casebook, selected_lines
from referral.proof.entry import Entry, Kind, digest
from tests.attacks.ground import copy, verify
from tests.harness.audit_log import Log, story
from tests.unit.proof.test_verify import erase

ROUNDS = 15
NUMBERS = (0, 1, -1, 5, 2**62)


def base() -> Log:
    log = Log()
    story(log)
    erased = story(log, "gone")
    erase(log, erased)
    del log.keys[erased]
    log.put("referral-notification", 3, b"x", b"none of ours")
    return log


def changed(entries: list[Entry], dice: random.Random) -> list[Entry]:
    """One or two fields are those of another entry, another number, or another kind; the value's digest mostly follows."""
    found = list(entries)
    for _ in range(dice.choice((1, 2))):
        at, field = dice.randrange(len(found)), dice.choice([name for name in Entry.__struct_fields__ if name != "idx"])
        new = getattr(dice.choice(found), field)
        if isinstance(new, int) and dice.random() < 0.5:
            new = dice.choice(NUMBERS)
        if field == "kind":
            new = dice.choice(list(Kind))
        found[at] = structs.replace(found[at], **{field: new})
        if field == "value" and dice.random() < 0.8:
            found[at] = structs.replace(found[at], sha256=digest(new))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_there_is_always_a_verdict(seed: int) -> None:
    dice, log, verdicts = random.Random(seed), base(), 0
    for _ in range(ROUNDS):
        try:
            there = copy(changed(log.entries, dice))
        except ValueError:  # no leaf says this
            continue
        verify(there, keys=log.keys)
        book, _ = casebook(there, None)
        lines = [line for line in selected_lines(book, lambda ids: log.keys, Selection()) if line.idx is not None]
        shown = sum(entry.kind not in (Kind.HEARTBEAT, Kind.COVER) for entry in there.entries)
        assert len(lines) == len({line.idx for line in lines}) == shown
        verdicts += 1
    assert verdicts >= ROUNDS / 2, "most logs could be read"


def test_a_sequence_that_no_case_can_have_is_named_and_not_counted_up_to() -> None:
    log = base()
    at = next(n for n, e in enumerate(log.entries) if e.kind is Kind.DECISION)
    entries = [structs.replace(e, case_seq=2**62) if n == at else e for n, e in enumerate(log.entries)]
    assert "order" in verify(copy(entries), keys=log.keys) or "record" in verify(copy(entries), keys=log.keys)


def test_events_that_name_one_another_as_their_cause_are_told_once() -> None:
    log = base()
    one, two = [n for n, e in enumerate(log.entries) if e.kind is Kind.DECISION][:2]
    ring = {one: log.entries[two].event_id, two: log.entries[one].event_id}
    entries = [structs.replace(e, cause_id=ring.get(n, e.cause_id)) for n, e in enumerate(log.entries)]
    book, _ = casebook(copy(entries), None)
    case = log.entries[one].case_id
    lines = [line.idx for line in selected_lines(book, lambda ids: log.keys, Selection(case=case)) if line.idx is not None]
    assert sorted(lines) == [e.idx for e in log.entries if e.case_id == case]
