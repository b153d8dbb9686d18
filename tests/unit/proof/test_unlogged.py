"""What stands in the tables and no entry accounts for is named; what commands and people at doors have done is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec import structs

from referral.domain.events import AccountChanged, RosterChanged, RosterRow
from referral.proof.act import Act, State
from referral.proof.entry import INTAKE, NOTIFICATION
from referral.proof.unlogged import Account, Standing, Token, bundles, unlogged
from tests.harness.roster_book import logged

BESA, AGIM, OLD, HEAD = ("00000000-0000-4000-8000-00000000000" + digit for digit in "1234")
NEW = "00000000-0000-4000-8000-000000000009"
DIGEST = "d" * 64


def act(number: int, command: str, *about: str) -> Act:
    return Act(id=f"{number:032x}", command=command, state=State.DONE, by="operator/besa", at=number, arguments="0" * 64, about=about)


ACTS = (
    act(1, "prepare", f"account:{OLD}", f"head:{OLD}", f"disabled:{OLD}", "token:old", "policy:1"),
    act(2, "staff add", f"account:{BESA}", "agency:police"),
    act(3, "agency token", "agency:police", "token:new"),
    act(4, "agency token", "agency:police", "token:ended"),
    act(5, "agency token", "agency:police", "token:ended"),
    act(6, "policy activate", "policy:2", f"digest:{DIGEST[:16]}"),
    act(7, "duty shift", f"account:{AGIM}"),
    act(8, "duty shift", f"account:{NEW}", "token:mine", "policy:3"),  # names what it does not make
)


def changed(account: str, change: str) -> AccountChanged:
    return AccountChanged(at=1, agency="police", account=account, change=change, changed_by=HEAD)


def row(part: str, number: int, *, ended: bool = False, agency: str = "police") -> RosterRow:
    empty = {"rungs": (), "channel": "", "disabled": False, "weekday": -1, "start_minute": 0, "end_minute": 0, "since": "", "until": ""}
    return RosterRow(part=part, number=number, ended=ended, agency=agency, account=BESA, **empty, starts=None, ends=None)  # type: ignore[arg-type]


BOOK = (
    logged(1, changed(BESA, "invited")),
    logged(2, changed(BESA, "head")),
    logged(3, changed(AGIM, "invited")),  # by a head, at a door
    logged(4, changed(AGIM, "off")),
    logged(
        5,
        RosterChanged(at=1, changed_by=HEAD, rows=(row("person", 1), row("weekly", 1), row("weekly", 2), row("absence", 1)), thrown_away=0),
    ),
    logged(6, RosterChanged(at=1, changed_by=HEAD, rows=(row("weekly", 2, ended=True),), thrown_away=0)),
)
BESAS = Account(BESA, "police", False, True, False)
TRUE = Standing(
    accounts=(BESAS, Account(AGIM, "police", False, False, True), Account(OLD, "police", False, True, True)),
    tokens=(Token("token:new", "agency:police", 3), Token("token:old", "office:committee", 1)),
    bundles={1: "0" * 64, 2: DIGEST},
    roster=(row("person", 1), row("weekly", 1), row("absence", 1, agency="school")),
    written={INTAKE: 4, NOTIFICATION: 6},
)


def test_what_commands_and_people_have_done_is_named_nowhere() -> None:
    assert unlogged(TRUE, ACTS, BOOK) == []
    assert unlogged(TRUE, ACTS[:-1], BOOK) == unlogged(structs.replace(TRUE, waiting=ACTS[6:]), ACTS[:6], BOOK) == []
    assert unlogged(structs.replace(TRUE, tokens=()), (), BOOK) == [], "a log of before there were acts"


BY_HAND: tuple[tuple[str, Sequence[object], str], ...] = (
    ("tokens", (Token("token:mine", "agency:police", 1),), "the token mine of police was made by hand"),
    ("tokens", (Token("token:ended", "agency:police", 4),), "the token ended of police is in force by hand"),
    ("tokens", (Token("token:new", "agency:school", 3),), "the token new of school was given away by hand"),
    ("tokens", (Token("token:new", "agency:police", 3 + 10**9),), "was prolonged by hand"),
    ("accounts", (*TRUE.accounts, Account(NEW, "police", False, False, False)), f"the account {NEW} of police was made by hand"),
    ("accounts", (*TRUE.accounts[:1], *TRUE.accounts[2:]), f"the account {AGIM} was taken away by hand"),
    ("accounts", TRUE.accounts[1:], f"the account {BESA} was taken away by hand"),
    ("accounts", (structs.replace(BESAS, head=False), *TRUE.accounts[1:]), f"the account {BESA} of police is no head any more by hand"),
    ("accounts", (structs.replace(BESAS, disabled=True), *TRUE.accounts[1:]), f"the account {BESA} of police was disabled by hand"),
    ("accounts", (structs.replace(BESAS, desk=True), *TRUE.accounts[1:]), f"the account {BESA} of police was given the desk by hand"),
    ("accounts", (structs.replace(BESAS, agency="school"), *TRUE.accounts[1:]), "of school was moved there by hand, from police"),
    ("roster", (*TRUE.roster, row("person", 2)), "the roster's row person 2 was made by hand"),
    ("roster", (*TRUE.roster, row("weekly", 2)), "the roster's row weekly 2 was made by hand"),
    ("roster", TRUE.roster[:2], "the roster's row absence 1 was ended by hand"),
    ("roster", (row("person", 1, agency="school"), *TRUE.roster[1:]), "the roster's row person 1 was changed by hand"),
)


@pytest.mark.parametrize(("table", "rows", "what"), BY_HAND)
def test_a_change_by_hand_is_named(table: str, rows: Sequence[object], what: str) -> None:
    found = unlogged(structs.replace(TRUE, **{table: rows}), ACTS, BOOK)
    assert [each.what for each in found if what in each.what] == [each.what for each in found] and len(found) == 1
    assert all(each.sure for each in found)


def test_a_head_or_a_member_that_was_made_by_hand_at_a_door_of_before_is_named() -> None:
    agim = structs.replace(TRUE.accounts[1], head=True, disabled=False)
    found = unlogged(structs.replace(TRUE, accounts=(TRUE.accounts[0], agim)), ACTS, BOOK)
    assert [each.what.partition(" of police ")[2] for each in found[:2]] == ["was made a head by hand", "was enabled by hand"]
    assert "taken away" in found[2].what, "an account of before too"


def test_a_policy_that_no_operator_activated_is_named_in_the_tables_and_in_a_log_alone() -> None:
    third = {**TRUE.bundles, 3: "e" * 64}
    assert ["bundle 3 was put in force by hand" in each.what for each in unlogged(structs.replace(TRUE, bundles=third), ACTS, BOOK)] == [
        True
    ]
    assert list(bundles(third, ACTS)) == [3] and not bundles(third, ())
    other = {1: "0" * 64, 2: "e" * 64}
    assert list(bundles(other, ACTS)) == [2] and "changed by hand" in bundles(other, ACTS)[2]


def test_while_an_event_is_on_its_way_nothing_is_sure_but_what_needs_none() -> None:
    there = structs.replace(TRUE, accounts=TRUE.accounts[1:], tokens=(Token("token:mine", "agency:police", 1),))
    for late in (structs.replace(there, queued=True), structs.replace(there, written={INTAKE: 5})):
        assert [each.sure for each in unlogged(late, ACTS, BOOK)] == [True, False]
    assert [each.sure for each in unlogged(there, ACTS, BOOK)] == [True, True]


def test_an_act_that_says_that_it_ends_tokens_makes_none() -> None:
    """One operator may run it alone, so that it must not account for a token in force."""
    alone = act(9, "agency token", "agency:police", "token:alone", "ended:police")
    there = structs.replace(TRUE, tokens=(*TRUE.tokens, Token("token:alone", "agency:police", 9)))
    said = [one.what for one in unlogged(there, (*ACTS, alone), BOOK)]
    assert said == ["the token alone of police is in force by hand: `referral agency token` has ended it"]
