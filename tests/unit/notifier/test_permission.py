"""Who may change what of an agency's roster: the whole table."""

from __future__ import annotations

import pytest

from referral.wire import roster as wire
from services.notifier.roster_door.permission import may

MINE, THEIRS = "mine", "theirs"
OWN_ONLY = ("set-address", "confirm-address", "end-address", "try")


def acts(account: str) -> dict[str, wire.Act]:
    return {
        "add-shift": wire.AddShift(account=account, rung="r", written=""),
        "add-absence": wire.AddAbsence(account=account, begin="", end=""),
        "take-over": wire.TakeOver(account=account, rung="r"),
        "offer-swap": wire.OfferSwap(giver=account, taker="x", rung="r", starts=0, ends=1),
        "set-person": wire.SetPerson(account=account, rungs=()),
        "set-disabled": wire.SetDisabled(account=account, disabled=True),
        "set-address": wire.SetAddress(account=account, channel="sms", address=""),
        "confirm-address": wire.ConfirmAddress(account=account, channel="sms", code=""),
        "end-address": wire.EndAddress(account=account, channel="sms"),
        "try": wire.Try(account=account, channel="sms"),
        "agree-nights": wire.AgreeNights(begin="", end=""),
        "end-nights": wire.EndNights(),
    }


@pytest.mark.parametrize("name", acts(MINE))
def test_own_and_others(name: str) -> None:
    allowed = {(head, whose): may(acts(whose)[name], MINE, head=head) for head in (False, True) for whose in (MINE, THEIRS)}
    if name in OWN_ONLY:
        expected = {(False, MINE), (True, MINE)}
    elif name == "set-disabled":
        expected = {(True, THEIRS)}
    elif name in ("add-shift", "set-person", "agree-nights", "end-nights"):
        expected = {(True, MINE), (True, THEIRS)}
    else:
        expected = {(False, MINE), (True, MINE), (True, THEIRS)}
    assert {one for one, yes in allowed.items() if yes} == expected


def test_rows_and_swaps() -> None:
    assert [may(wire.End(part=part, number=1), MINE, head=False, owner=MINE) for part in ("absence", "weekly", "single", "given")] == [
        True,
        False,
        False,
        False,
    ]
    assert not may(wire.End(part="absence", number=1), MINE, head=False, owner=THEIRS)
    assert may(wire.End(part="weekly", number=1), MINE, head=True, owner=THEIRS)
    for word in ("TAKEN", "REFUSED"):
        answer = wire.AnswerSwap(swap="s", word=word)
        assert may(answer, MINE, head=False, taker=MINE, giver=THEIRS) and not may(answer, MINE, head=True, taker=THEIRS, giver=MINE)
    withdraw = wire.AnswerSwap(swap="s", word="WITHDRAWN")
    assert may(withdraw, MINE, head=False, giver=MINE) and may(withdraw, MINE, head=True, giver=THEIRS)
    assert not may(withdraw, MINE, head=False, giver=THEIRS, taker=MINE)
