"""Make one change of an agency's roster: one transaction under the roster's lock, idempotent, and logged as one RosterChanged."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import ROSTER_BOOK
from referral.errors import Rejected
from referral.roster import changes, log
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock
from referral.wire import roster as wire
from referral.wire.roster import (
    AddAbsence,
    AddShift,
    AgreeNights,
    AnswerSwap,
    Change,
    ConfirmAddress,
    Done,
    End,
    EndAddress,
    EndNights,
    OfferSwap,
    Refused,
    SetAddress,
    SetDisabled,
    SetPerson,
    TakeOver,
    Try,
)
from services.notifier import roster
from services.notifier.duty import Person, Roster
from services.notifier.notes import notes
from services.notifier.roster_door import addresses
from services.notifier.roster_door.hours import handed_over, holds
from services.notifier.roster_door.overview import LONGEST, VERSION
from services.notifier.roster_door.permission import may

_KNOWN = text("SELECT digest, answer FROM act WHERE key = :key")
_REMEMBER = text("INSERT INTO act (key, digest, answer) VALUES (:key, :digest, :answer)")
_ACCOUNT = text("SELECT agency, head FROM intake.account WHERE id = :id AND NOT disabled")
_ELSEWHERE = text("SELECT agency FROM intake.account WHERE id = :id")
_OWNER = {
    part: text(
        f"SELECT r.account FROM {part} r JOIN person p USING (account)"  # noqa: S608 - changes.PARTS
        " WHERE r.id = :number AND r.ended_at IS NULL AND p.agency = :agency AND p.ended_at IS NULL"
    )
    for part in changes.PARTS
}
_SWAP = text("SELECT giver, taker, rung, starts, ends, state FROM swap WHERE id = :id AND agency = :agency FOR UPDATE")
_PROPOSE = text(
    "INSERT INTO swap (id, agency, rung, giver, taker, starts, ends) VALUES (:id, :agency, :rung, :giver, :taker, :starts, :ends)"
)
_DECIDE = text("UPDATE swap SET state = :state, decided_at = :now WHERE id = :id")
WORDS = ("TAKEN", "REFUSED", "WITHDRAWN")


@dataclass(frozen=True, slots=True)
class Desk:
    """What an act needs. known: the agency's roster. channels: those by which this stack can send."""

    tx: AsyncConnection
    keys: Keys
    change: Change
    head: bool
    known: Roster
    now: int
    channels: frozenset[str]

    def person(self, account: str, where: str = "account") -> Person:
        """Return somebody of the agency. Rejected: there is nobody of this id."""
        for one in self.known.people:
            if one.account == account:
                return one
        raise Rejected("unknown", where, "nobody of this agency has this id")

    def allow(self, **whom: str) -> None:
        """Raise Rejected unless the account may do this."""
        if not may(self.change.act, self.change.by, head=self.head, **whom):
            raise Rejected("forbidden", "by", "only a head of the agency may do this")


async def make(tx: AsyncConnection, keys: Keys, change: Change, channels: frozenset[str], *, drill: bool) -> Done | Refused:
    """Make a change in the caller's transaction. Refused: nothing has changed but a counted try. Rejected: roll the transaction back."""
    await log.begin(tx, f"account {change.by}")
    digest = sha256(wire.request(change)).digest()
    done = (await tx.execute(_KNOWN, {"key": change.key})).one_or_none()
    if done is not None:
        if not hmac.compare_digest(done.digest, digest):
            return Refused(code="key-reused", where="key")
        answer = wire.answered(done.answer)
        assert isinstance(answer, Done)
        return answer
    account = (await tx.execute(_ACCOUNT, {"id": change.by})).one_or_none()
    if account is None or account.agency != change.agency:
        return Refused(code="forbidden", where="by")
    if change.seen is not None and (await tx.execute(VERSION, {"agency": change.agency})).scalar_one() != change.seen:
        return Refused(code="stale", where="seen")
    known, now = await roster.load(tx, [change.agency]), await clock.now(tx)
    made = await _act(Desk(tx, keys, change, account.head, known, now, channels))
    if isinstance(made, Refused):
        return made
    await tx.execute(_REMEMBER, {"key": change.key, "digest": digest, "answer": wire.answer(made)})
    await log.log(tx, change.by, lambda: _book(tx, keys), drill=drill)
    return made


async def _book(tx: AsyncConnection, keys: Keys) -> bytes:
    """Return the key of the roster's book, which intake has stored before it asked."""
    return (await keys.load(tx, [ROSTER_BOOK]))[ROSTER_BOOK]


async def _act(desk: Desk) -> Done | Refused:
    tx, agency = desk.tx, desk.change.agency
    match desk.change.act:
        case AddShift() as act:
            desk.allow()
            _at_rung(desk.person(act.account), act.rung)
            since, until = _day(act.since, "since"), _day(act.until, "until")
            if since is not None and until is not None and until < since:
                raise Rejected("backwards", "until", "the last day must not lie before the first")
            await changes.add_shift(tx, account=act.account, rung=act.rung, written=act.written, since=since, until=until)
        case AddAbsence() as act:
            desk.allow()
            desk.person(act.account)
            await changes.add_absence(tx, account=act.account, begin=act.begin, end=act.end)
        case End() as act:
            owner = None
            if act.part in _OWNER:
                owner = (await tx.execute(_OWNER[act.part], {"number": act.number, "agency": agency})).scalar_one_or_none()
            if owner is None:
                raise Rejected("gone", "number", "it has ended already, or never was")
            desk.allow(owner=owner)
            await changes.end(tx, act.part, act.number)
        case AgreeNights() as act:
            desk.allow()
            await changes.agree_nights(tx, agency=agency, begin=act.begin, end=act.end)
        case EndNights():
            desk.allow()
            await changes.end_nights(tx, agency)
        case TakeOver() as act:
            desk.allow()
            return await _take_over(desk, act)
        case OfferSwap() as act:
            desk.allow()
            await _propose(desk, act)
        case AnswerSwap() as act:
            await _answer(desk, act)
        case SetPerson() as act:
            desk.allow()
            if (await tx.execute(_ELSEWHERE, {"id": act.account})).scalar_one_or_none() != agency:
                raise Rejected("unknown", "account", "nobody of this agency has this id")
            await changes.add_person(tx, desk.keys, account=act.account, agency=agency, rungs=act.rungs)
        case SetDisabled() as act:
            desk.allow()
            desk.person(act.account)
            await changes.set_disabled(tx, act.account, act.disabled)
        case SetAddress() as act:
            desk.allow()
            desk.person(act.account)
            return await addresses.ask(tx, desk.keys, act, desk.channels, desk.now)
        case ConfirmAddress() as act:
            desk.allow()
            desk.person(act.account)
            return await addresses.confirm(tx, desk.keys, act, desk.now)
        case EndAddress() as act:
            desk.allow()
            desk.person(act.account)
            await addresses.end(tx, desk.keys, act)
        case Try() as act:
            desk.allow()
            if act.channel not in desk.person(act.account).channels or act.channel not in desk.channels:
                raise Rejected("no-address", "channel", "there is no address for this channel, or this stack does not use it")
            if not await notes.may_send(tx, act.account, "test", desk.now):
                return Refused(code="too-many", where="channel")
            await notes.plan(tx, act.account, act.channel, "test")
    return Done()


async def _take_over(desk: Desk, act: TakeOver) -> Done:
    _at_rung(desk.person(act.account), act.rung)
    agency = desk.change.agency
    relieved, until = handed_over(desk.known, agency, act.rung, act.account, desk.now)
    _is_there(desk, act.account, desk.now, until)
    for giver in relieved:
        await changes.stand_in(desk.tx, agency=agency, rung=act.rung, giver=giver, taker=act.account, starts=desk.now, ends=until)
    if not relieved:
        await changes.put_on(desk.tx, account=act.account, agency=agency, rung=act.rung, starts=desk.now, ends=until)
    return Done(until=until)


async def _propose(desk: Desk, act: OfferSwap) -> None:
    giver, taker = desk.person(act.giver, "giver"), desk.person(act.taker, "taker")
    _at_rung(taker, act.rung)
    if giver.account == taker.account:
        raise Rejected("same", "taker", "choose a colleague")
    near = desk.now < act.ends <= desk.now + LONGEST  # later hours have no wall clock at some point, and nobody sees them on a page
    if not near or not holds(desk.known, desk.change.agency, act.rung, act.giver, max(act.starts, desk.now), act.ends):
        raise Rejected("not-theirs", "starts", "these hours are no longer this person's")
    values = {"id": desk.change.key, "agency": desk.change.agency, "rung": act.rung, "giver": act.giver, "taker": act.taker}
    await desk.tx.execute(_PROPOSE, {**values, "starts": act.starts, "ends": act.ends})
    if await notes.may_send(desk.tx, taker.account, "swap", desk.now):  # above that the page alone says it
        await notes.tell(desk.tx, taker, "swap")


async def _answer(desk: Desk, act: AnswerSwap) -> None:
    row = (await desk.tx.execute(_SWAP, {"id": act.swap, "agency": desk.change.agency})).one_or_none()
    mine = row is not None and may(act, desk.change.by, head=desk.head, giver=row.giver, taker=row.taker)
    if row is None or not mine or act.word not in WORDS:  # another's swap is answered as one that never was
        raise Rejected("gone", "swap", "there is no such swap")
    if row.state != "OPEN":
        raise Rejected("gone", "swap", "it was answered before")
    if act.word == "TAKEN":
        starts = max(row.starts, desk.now)
        if row.ends <= desk.now or not holds(desk.known, desk.change.agency, row.rung, row.giver, starts, row.ends):
            raise Rejected("not-theirs", "swap", "these hours are no longer this person's")
        _at_rung(desk.person(row.taker, "taker"), row.rung)
        _is_there(desk, row.taker, starts, row.ends)
        await changes.stand_in(
            desk.tx, agency=desk.change.agency, rung=row.rung, giver=row.giver, taker=row.taker, starts=starts, ends=row.ends
        )
    await desk.tx.execute(_DECIDE, {"id": act.swap, "state": act.word, "now": desk.now})


def _at_rung(person: Person, rung: str) -> None:
    if rung not in person.rungs:
        raise Rejected("other-rung", "rung", "this person is not registered for this rung")
    if person.disabled:
        raise Rejected("disabled", "account", "this person is switched off")


def _is_there(desk: Desk, account: str, starts: int, ends: int) -> None:
    """Raise Rejected where somebody would take hours of an absence: no shift counts in it, and nobody would be on duty."""
    if any(one.account == account and one.starts < ends and starts < one.ends for one in desk.known.absences):
        raise Rejected("absent", "account", "this person is written down as absent in these hours: end the absence first")


def _day(written: str, where: str) -> date | None:
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        raise Rejected("malformed", where, "write 2026-12-01") from None
