"""Change a person's address: a code goes to the new one, which is used once the code came back; the old one hears of it.

A call cannot be asked for a code, so the code for a telephone goes by SMS to the same number.
"""

from __future__ import annotations

import hmac

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.errors import Rejected
from referral.roster import changes
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.secret_box import CONTACT_BOX, contact_context
from referral.wire.roster import ConfirmAddress, Done, EndAddress, Refused, SetAddress
from services.notifier.duty import Person
from services.notifier.notes import notes
from services.notifier.roster_door.overview import CODE_US

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
_OLD = text("SELECT address FROM contact WHERE (account, channel) = (:account, :channel) AND ended_at IS NULL AND address IS NOT NULL")


async def ask(tx: AsyncConnection, keys: Keys, act: SetAddress, channels: frozenset[str], now: int) -> Done | Refused:
    """Store a new address, and send its code. Rejected: no address, or no channel by which a code can be sent."""
    by = "sms" if act.channel == "voice" else act.channel
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
    return Done()


async def confirm(tx: AsyncConnection, keys: Keys, act: ConfirmAddress, now: int) -> Done | Refused:
    """Use the new address from now on, if the code is right. A wrong one counts as a try."""
    values = {"account": act.account, "channel": act.channel}
    row = (await tx.execute(_ASKED, values)).one_or_none()
    if row is None or row.at <= now - CODE_US or row.tries >= TRIES:
        return Refused(code="code-over", where="code")
    if not hmac.compare_digest(row.code, _digest(keys, act.account, act.channel, act.code.strip())):
        await tx.execute(_TRY, values)
        return Refused(code="wrong-code", where="code")
    new = keys.box(CONTACT_BOX).open(row.address, contact_context(act.account, act.channel)).decode()
    await _tell_old(tx, act.account, act.channel)
    await changes.set_contact(tx, keys, act.account, act.channel, new)
    await tx.execute(_CONFIRMED, {**values, "now": now})
    await tx.execute(_DONE, values)
    return Done()


async def end(tx: AsyncConnection, keys: Keys, act: EndAddress, person: Person) -> None:
    """End an address. Rejected: it is the last one; without any the person could not be knocked."""
    if act.channel not in person.channels:
        raise Rejected("gone", "channel", "there is no such address")
    if len(person.channels) == 1:
        raise Rejected("last-address", "channel", "add another one first: without any nobody can reach this person")
    await _tell_old(tx, act.account, act.channel)
    await changes.set_contact(tx, keys, act.account, act.channel, changes.ENDS)


async def _tell_old(tx: AsyncConnection, account: str, channel: str) -> None:
    old = (await tx.execute(_OLD, {"account": account, "channel": channel})).scalar_one_or_none()
    if old is not None and channel != "voice":  # a call could only say that something waits
        await notes.plan(tx, account, channel, "changed", address=old)


def _digest(keys: Keys, account: str, channel: str, digits: str) -> bytes:
    return keys.hmac("address-code", account.encode(), channel.encode(), digits.encode())
