"""Change a person's address: a code goes to the new one, which is used once the code came back; the old one hears of it at once, and gets
messages beside the new one for a day.

A call cannot be asked for a code, so the code for a telephone goes by SMS to the same number.
"""

from __future__ import annotations

import hmac
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.domain.inputs import ROSTER_BOOK
from referral.errors import Rejected
from referral.roster import changes, log
from referral.runtime.background import every
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.wire.roster import ConfirmAddress, Done, EndAddress, Refused, SetAddress
from services.notifier.notes import notes
from services.notifier.roster_door.overview import CODE_US
from services.notifier.steps import WAKES

TRIES = 5
"""Wrong codes after which a new one is needed (P): with five codes an hour, one guess in forty thousand an hour is right."""
_ASK = text(
    "INSERT INTO unconfirmed (account, channel, address, code) VALUES (:account, :channel, :address, :code)"
    " ON CONFLICT (account, channel) DO UPDATE SET address = excluded.address, code = excluded.code, tries = 0, at = runtime.clock()"
)
_ASKED = text("SELECT address, code, tries, at FROM unconfirmed WHERE (account, channel) = (:account, :channel) FOR UPDATE")
_TRY = text("UPDATE unconfirmed SET tries = tries + 1 WHERE (account, channel) = (:account, :channel)")
_DONE = text("DELETE FROM unconfirmed WHERE (account, channel) = (:account, :channel)")
_CONFIRMED = text("UPDATE contact SET confirmed_at = :now WHERE (account, channel) = (:account, :channel) AND ended_at IS NULL")
_OLD = text("SELECT address, former FROM contact WHERE (account, channel) = (:account, :channel) AND ended_at IS NULL")
_STAYS = text("SELECT channel FROM contact WHERE account = :account AND ended_at IS NULL AND NOT ends")
_OVER = "ended_at IS NULL AND until <= runtime.clock()"
_PEOPLE_OVER = text(f"SELECT DISTINCT account FROM contact WHERE {_OVER}")  # noqa: S608 - the words above
_ENDS_NOW = text(f"SELECT channel FROM contact WHERE account = :account AND ends AND {_OVER}")  # noqa: S608 - the words above
_FORGET = text(f"UPDATE contact SET former = NULL, until = NULL WHERE account = :account AND NOT ends AND {_OVER}")  # noqa: S608 - the words above
EVERY_S = 60.0
"""Seconds between two looks for addresses whose day is over (ours)."""


async def ask(tx: AsyncConnection, keys: Keys, act: SetAddress, channels: frozenset[str], now: int) -> Done | Refused:
    """Store a new address, send its code, and tell the one that it shall replace. Rejected: no address, or no channel by which a code can
    be sent."""
    by = _written(act.channel)
    if act.channel not in changes.ADDRESSES or by not in channels:
        raise Rejected("no-channel", "channel", "this stack cannot send a code by this channel; ask an operator")
    address = changes.address(act.channel, act.address)
    if address is None:
        raise Rejected("no-address", "address", changes.ADDRESSES[act.channel][1])
    if not await notes.may_send(tx, act.account, "code", now):
        return Refused(code="too-many", where="address")
    digits = notes.digits()
    box = keys.box(CONTACT_BOX)
    values = {"account": act.account, "channel": act.channel}
    sealed = box.seal(address, contact_context(act.account, act.channel))
    await tx.execute(_ASK, {**values, "address": sealed, "code": _digest(keys, act.account, act.channel, digits)})
    await notes.plan(
        tx, act.account, by, "code", address=box.seal(address, contact_context(act.account, by)), code=notes.seal(keys, digits)
    )
    await _tell_old(tx, keys, act.account, act.channel)
    return Done()


async def confirm(tx: AsyncConnection, keys: Keys, act: ConfirmAddress, now: int) -> Done | Refused:
    """Use the new address from now on, if the code is right; the old one counts beside it for a day. A wrong code counts as a try."""
    values = {"account": act.account, "channel": act.channel}
    row = (await tx.execute(_ASKED, values)).one_or_none()
    if row is None or row.at <= now - CODE_US or row.tries >= TRIES:
        return Refused(code="code-over", where="code")
    if not hmac.compare_digest(row.code, _digest(keys, act.account, act.channel, act.code.strip())):
        await tx.execute(_TRY, values)
        return Refused(code="wrong-code", where="code")
    new = keys.box(CONTACT_BOX).open(row.address, contact_context(act.account, act.channel)).decode()
    await _tell_old(tx, keys, act.account, act.channel)
    await changes.replace_contact(tx, keys, act.account, act.channel, new, now + changes.RETIRES_US)
    await tx.execute(_CONFIRMED, {**values, "now": now})
    await tx.execute(_DONE, values)
    return Done()


async def end(tx: AsyncConnection, keys: Keys, act: EndAddress) -> None:
    """End an address in a day. Rejected: it is the last one, or the last that wakes: an operator alone may end that."""
    stays = set((await tx.execute(_STAYS, {"account": act.account})).scalars())
    if act.channel not in stays:
        raise Rejected("gone", "channel", "there is no such address")
    others = stays - {act.channel}
    if not others:
        raise Rejected("last-address", "channel", "add another one first: without any nobody can reach this person")
    if act.channel in WAKES and not others & set(WAKES):
        raise Rejected("last-waking", "channel", "add another number first: by night nothing else wakes this person")
    await _tell_old(tx, keys, act.account, act.channel)
    await changes.retire_contact(tx, act.account, act.channel)


async def retire(engine: AsyncEngine, keys: Keys, *, drill: bool) -> int:
    """End what has counted for its day: the address before another one, and addresses that their owners ended. Return how many people it
    was about."""
    async with engine.begin() as tx:
        people = list((await tx.execute(_PEOPLE_OVER)).scalars())
    for account in people:
        async with engine.begin() as tx:
            await log.begin(tx, f"account {account}")
            for channel in (await tx.execute(_ENDS_NOW, {"account": account})).scalars().all():
                await changes.set_contact(tx, keys, account, channel, changes.ENDS)
            await tx.execute(_FORGET, {"account": account})
            await log.log(tx, account, lambda: _book(tx, keys), drill=drill)
    return len(people)


async def run(engine: AsyncEngine, keys: Keys, *, drill: bool) -> None:
    """Retire until cancelled. What is over while no notifier runs is retired by the next one."""
    await every(EVERY_S, partial(retire, engine, keys, drill=drill), "addresses not retired", service="notifier")


async def _book(tx: AsyncConnection, keys: Keys) -> bytes:
    return (await keys.load(tx, [ROSTER_BOOK]))[ROSTER_BOOK]


def _written(channel: str) -> str:
    """Return the channel by which words reach an address: a call has none, so an SMS goes to its number."""
    return "sms" if channel == "voice" else channel


async def _tell_old(tx: AsyncConnection, keys: Keys, account: str, channel: str) -> None:
    """Tell every address that this channel has now. A copy of it is kept with the note: it may end before the note is sent."""
    box, by = keys.box(CONTACT_BOX), _written(channel)
    row = (await tx.execute(_OLD, {"account": account, "channel": channel})).one_or_none()
    for sealed in (None, None) if row is None else (row.former, row.address):
        if sealed is not None:
            address = box.open(sealed, contact_context(account, channel))
            await notes.plan(tx, account, by, "changed", address=box.seal(address, contact_context(account, by)))


def _digest(keys: Keys, account: str, channel: str, digits: str) -> bytes:
    return keys.hmac("address-code", account.encode(), channel.encode(), digits.encode())
