"""Decide who may change what of an agency's roster. Pure: the act, who acts, and whom it concerns."""

from __future__ import annotations

from referral.wire.roster import (
    Act,
    AddAbsence,
    AddShift,
    AgreeNights,
    AnswerSwap,
    ConfirmAddress,
    End,
    EndAddress,
    EndNights,
    OfferSwap,
    SetAddress,
    SetDisabled,
    SetPerson,
    TakeOver,
    Try,
)


def may(act: Act, by: str, *, head: bool, giver: str = "", taker: str = "", owner: str = "") -> bool:
    """Return whether an account may do this.

    head: it is a head of the agency. giver, taker: of the swap that is answered. owner: of the row that is ended.
    Addresses and tests are a person's own, also before their head: a private number is given by whoever has it.
    """
    match act:
        case SetAddress() | ConfirmAddress() | EndAddress() | Try():
            return act.account == by
        case AnswerSwap(word="WITHDRAWN"):
            return head or by == giver
        case AnswerSwap():
            return by == taker
        case AddAbsence() | TakeOver():
            return head or act.account == by
        case OfferSwap():
            return head or act.giver == by
        case End():
            return head or (act.part == "absence" and owner == by)
        case AddShift() | SetPerson() | AgreeNights() | EndNights():
            return head
        case SetDisabled():
            return head and act.account != by  # a head who disables the own account would leave the agency without one
    return False
