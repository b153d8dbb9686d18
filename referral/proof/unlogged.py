"""Name what stands in an installation's tables and what no entry of the log accounts for: a change that somebody made by hand. Pure.

A command leaves an act (referral/proof/act.py), and who changes an account or the rota at a door leaves an event in the roster's book. The
first act of a log names what stood before there were acts. Whoever writes into the tables with the administrator's password leaves neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby

from msgspec import Struct, structs

from referral.domain.events import AccountChanged, RosterChanged, RosterRow
from referral.errors import Malformed, NewerVersion
from referral.proof.act import DIGITS, Act
from referral.proof.entry import SEQUENCED, Entry
from referral.proof.history.case import Read, unseal
from referral.wire.act_table import MAKES
from referral.wire.signed.operator_word import ENDED

MADE, HEADS, SWITCHED = frozenset({"added", "invited"}), {"head": True, "no-head": False}, {"off": True, "on": False}
"""Words of the code list account-change."""
LATE_US = 60_000_000
"""A token that is this much younger than its act was prolonged (ours): both times are of one transaction."""
OF_PERSON = frozenset({"contact", "absence", "rule"})
"""Parts of the roster whose agency is that of the person, which may change later."""
SHOWN = 5
"""Numbers of rows that a line names (ours)."""


class Account(Struct, frozen=True):
    """An inbox account, without its login and password."""

    id: str
    agency: str
    desk: bool
    head: bool
    disabled: bool

    def subjects(self) -> tuple[str, ...]:
        """Return the subjects by which the act that makes it says what it is."""
        marks = {"account": True, "desk": self.desk, "head": self.head, "disabled": self.disabled}
        return tuple(f"{word}:{self.id}" for word, named in marks.items() if named)


class Token(Struct, frozen=True):
    """A token in force. subject: as acts name it. holder: agency:… or office:…. made_at: µs UTC."""

    subject: str
    holder: str
    made_at: int


class Standing(Struct, frozen=True, kw_only=True):
    """State of the tables at one moment.

    bundles: number → digest of a policy. roster: rows in force. waiting: acts that the log takes within seconds.
    written: topic → number of the last record of the roster's book. queued: a change of an account or the roster waits for its record.
    """

    accounts: Sequence[Account]
    tokens: Sequence[Token]
    bundles: Mapping[int, str]
    roster: Sequence[RosterRow]
    waiting: Sequence[Act] = ()
    written: Mapping[str, int] = {}
    queued: bool = False

    def subjects(self) -> tuple[str, ...]:
        """Return what the first act of a log names: all that stood before it."""
        accounts = (subject for one in self.accounts for subject in one.subjects())
        return (*accounts, *(one.subject for one in self.tokens), *(f"policy:{number}" for number in self.bundles))


class Unlogged(Struct, frozen=True):
    """A change without an entry. sure: False while an event may be on its way to the log."""

    what: str
    sure: bool = True


def unlogged(there: Standing, acts: Sequence[Act], book: Sequence[Read]) -> list[Unlogged]:
    """Compare the tables with the log; a log without acts is of a version before them, and accounts for nothing.

    acts, book: of the log, in its order. book: the records of the roster's book.
    """
    every = (*acts, *there.waiting)
    if not every:
        return []
    logged = dict[str, int]()
    for read in book:
        logged[read.entry.topic] = max(read.meta.case_seq, logged.get(read.entry.topic, 0))
    sure = not there.queued and all(logged.get(topic, 0) >= number for topic, number in there.written.items())
    made = {kind: _made(kind, every) for kind in MAKES}
    events = [read.body for read in book]
    found = [*_tokens(there.tokens, made["token"]), *_bundles(there.bundles, made["policy"])]
    by_book = (
        *_accounts(there.accounts, made["account"], [event for event in events if isinstance(event, AccountChanged)]),
        *_roster(there.roster, [event for event in events if isinstance(event, RosterChanged)]),
    )
    return [*(Unlogged(what) for what in found), *(Unlogged(what, sure) for what in by_book)]


def read_book(entries: Iterable[Entry], key: bytes | None) -> list[Read]:
    """Return the records of the roster's book that its key opens. entries: of the book, without forged ones, in the order of idx."""
    found = list[Read]()
    for entry in entries:
        if key is not None and entry.kind in SEQUENCED:
            with suppress(Malformed, NewerVersion):  # whoever judges the book as a case reports it
                found.append(unseal(entry, key))
    return found


def bundles(activated: Mapping[int, str], acts: Sequence[Act]) -> dict[int, str]:
    """Return the bundles of a log that no act of it activated, with words. activated: number → digest."""
    made = _made("policy", acts)
    return {number: what for number, digest in activated.items() for what in _bundles({number: digest}, made)} if acts else {}


def _made(kind: str, acts: Sequence[Act]) -> dict[str, list[Act]]:
    """Return subject → the acts that make it, or end it. The first act of a log makes all that it names."""
    found = dict[str, list[Act]]()
    for number, act in enumerate(acts):
        if not number or act.command in MAKES[kind]:
            for subject in dict.fromkeys(act.about):
                if subject.startswith(f"{kind}:"):
                    found.setdefault(subject, []).append(act)
    return found


def _tokens(tokens: Iterable[Token], made: Mapping[str, list[Act]]) -> Iterable[str]:
    for token in tokens:
        name = f"the {token.subject.replace(':', ' ')} of {token.holder.partition(':')[2]}"
        acts = made.get(token.subject, [])
        if not acts:
            yield f"{name} was made by hand: no command has made it"
        elif len(acts) > 1 or any(one.startswith(ENDED) for one in acts[0].about):
            yield f"{name} is in force by hand: `referral {acts[-1].command}` has ended it"
        elif token.made_at > acts[0].at + LATE_US:
            yield f"{name} was prolonged by hand: it is older"
        elif any(one.partition(":")[0] in ("agency", "office") for one in acts[0].about) and token.holder not in acts[0].about:
            yield f"{name} was given away by hand: it was made for another"


def _bundles(bundles: Mapping[int, str], made: Mapping[str, list[Act]]) -> Iterable[str]:
    for number, digest in bundles.items():
        acts = made.get(f"policy:{number}", [])
        if not acts:
            yield f"policy bundle {number} was put in force by hand: no `policy activate` has done it"
        elif not any(f"digest:{digest[:DIGITS]}" in act.about or act.command != "policy activate" for act in acts):
            yield f"policy bundle {number} was changed by hand: `policy activate` has put another in force"


def _accounts(accounts: Iterable[Account], made: Mapping[str, list[Act]], events: Iterable[AccountChanged]) -> Iterable[str]:
    said = {id_: list(group) for id_, group in groupby(sorted(events, key=lambda event: event.account), lambda event: event.account)}
    there = set[str]()
    for account in accounts:
        there.add(account.id)
        name, own = f"the account {account.id} of {account.agency}", said.get(account.id, [])
        acts = made.get(f"account:{account.id}", [])
        first = {subject for act in acts for subject in act.about}
        if not acts and not any(event.change in MADE for event in own):
            yield f"{name} was made by hand: neither a command nor a head has made it"
            continue
        if own and own[-1].agency != account.agency:
            yield f"{name} was moved there by hand, from {own[-1].agency}"
        for mark, words, now, did, undid in (
            ("desk", {}, account.desk, "was given the desk", "lost the desk"),
            ("head", HEADS, account.head, "was made a head", "is no head any more"),
            ("disabled", SWITCHED, account.disabled, "was disabled", "was enabled"),
        ):
            told = [f"{mark}:{account.id}" in first, *(words[event.change] for event in own if event.change in words)]
            if now != told[-1]:
                yield f"{name} {did if now else undid} by hand"
    known = {subject.partition(":")[2] for subject in made} | {id_ for id_, own in said.items() if own[0].change in MADE}
    for id_ in sorted(known - there):
        yield f"the account {id_} was taken away by hand: no command does that"


def _roster(rows: Iterable[RosterRow], events: Iterable[RosterChanged]) -> Iterable[str]:
    told = dict[tuple[str, int], RosterRow]()
    for event in events:
        for row in event.rows:
            if row.ended:
                told.pop((row.part, row.number), None)
            else:
                told[row.part, row.number] = _plain(row)
    there = {(row.part, row.number): _plain(row) for row in rows}
    for did, numbers in (
        ("made", there.keys() - told.keys()),
        ("ended", told.keys() - there.keys()),
        ("changed", {one for one in there.keys() & told.keys() if there[one] != told[one]}),
    ):
        for part, of in groupby(sorted(numbers), lambda one: one[0]):
            ids = [str(number) for _, number in of]
            more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
            yield f"the roster's row {part} {', '.join(ids[:SHOWN])}{more} was {did} by hand: neither a command nor a page has done it"


def _plain(row: RosterRow) -> RosterRow:
    return structs.replace(row, agency="") if row.part in OF_PERSON else row
