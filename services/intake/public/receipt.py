"""Receipts of the public page: a code that is shown once, of which the database holds a keyed digest, and what it says later.

The digest is the idempotency key of the referral, so a receipt needs no row of its own, is restored from the log with all others, and is
worth nothing once the case is erased.
"""

from __future__ import annotations

import hmac
from base64 import b32encode
from enum import StrEnum

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Who
from referral.domain.authority.words import Act, Kind
from referral.domain.rules.context import UNCONFIRMED
from referral.runtime.keys.case_keys import Keys
from services.intake.casefile import access, sections, write
from services.intake.commands import act_on_case
from services.intake.commands.act_on_case import Post
from services.intake.context import IntakeContext
from services.intake.messages import strict_json
from services.intake.messages.responses import WORDS_LIMIT
from services.intake.store import NEVER, STANDS, rows

SECRET, CHECK = 12, 4
"""Characters of a code that nobody can guess, 60 bits, and those that follow from them under a key of ours, 20 bits. Together they can be
read out on the telephone, and a guess is right as seldom as one of 80 random bits."""
GROUP = 4
NOTE = 1000
"""Most characters of a note (ours)."""
NOTES = 5
"""Most notes of one receipt (ours): each may alert those who read the story, so a code must not be a way to alert them all night."""
SEEN = {"0": "O", "1": "I", "8": "B"}
"""Digits that no code has → the letters that they are mistaken for (RFC 4648 leaves them out)."""


class Said(StrEnum):
    """What a code says. UNKNOWN: no such code, or its case is erased."""

    UNKNOWN = "unknown"
    RECEIVED = "received"
    CALLING = "calling"
    PASSED = "passed"
    CLOSED = "closed"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt. agency: in whose name the referral was sent."""

    said: Said
    case_id: str = ""
    agency: str = ""

    def __repr__(self) -> str:
        return f"Found({self.said})"


def code(keys: Keys, form_key: str) -> str:
    """Return the code of the receipt of this form, always the same."""
    secret = _letters(keys.hmac("public-code", form_key.encode()))[:SECRET]
    letters = secret + _check(keys, secret)
    return "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))


def ours(keys: Keys, typed: str) -> bool:
    """Return whether we gave this code out, however it was typed: guesses and slips of the pen cost no look at the database."""
    letters = _plain(typed)
    return hmac.compare_digest(_check(keys, letters[:SECRET]).encode(), letters[SECRET:].encode())


def digest(keys: Keys, typed: str) -> bytes:
    """Return the digest that is stored of a code, however it was typed."""
    return keys.hmac("public-receipt", _plain(typed).encode())


def _plain(typed: str) -> str:
    return "".join(SEEN.get(letter, letter) for letter in typed[:60].upper() if letter.isalnum())


def _check(keys: Keys, secret: str) -> str:
    return _letters(keys.hmac("public-code-check", secret.encode()))[:CHECK]


def _letters(digest: bytes) -> str:
    return b32encode(digest).decode()


# One statement for a code that stands for something and for one whose case is erased.
_STATE = (
    "SELECT s.case_id, s.agency, coalesce(o.closed_at <= seen.until, false) AS closed, "  # noqa: S608 - fixed words
    "coalesce(o.read_at <= seen.until, false) AS read, "
    "EXISTS (SELECT FROM intake.track t WHERE t.case_id = s.case_id AND t.at <= seen.until) AS begun, "
    "EXISTS (SELECT FROM intake.task t WHERE t.case_id = s.case_id AND t.about = :about AND t.opened_at <= seen.until) AS asked, "
    "EXISTS (SELECT FROM intake.task t WHERE t.case_id = s.case_id AND t.about = :about AND t.opened_at <= seen.until "
    "AND (t.closed_at IS NULL OR t.closed_at > seen.until)) AS waits "
    "FROM intake.submission s JOIN intake.casefile o ON o.case_id = s.case_id "
    "CROSS JOIN LATERAL (SELECT coalesce((SELECT greatest(x.at, (SELECT min(h.at) FROM intake.happening h WHERE h.case_id = x.case_id)) "
    "FROM intake.exclusion x WHERE x.case_id = s.case_id AND x.kind = 'AGENCY' AND x.actor = s.agency), :never) AS until) seen "
    f"WHERE s.agency = ANY(CAST(:agencies AS text[])) AND s.key = :key AND s.kind = 'referral' AND o.erasing_at IS NULL AND {STANDS} "
    "AND NOT EXISTS (SELECT FROM intake.referral r WHERE r.referral_id = s.id AND r.withdrawn_at IS NOT NULL)"
)


async def find(tx: AsyncConnection, door: IntakeContext, typed: str) -> Found:
    """Return what a code of ours says: of a case that excludes its sender, for ever what it said then (decision 0080); nothing where its
    sender has taken the referral back."""
    access.without_case(Who(Kind.STRANGER), Act.READ_RECEIPT)
    values = {"key": digest(door.keys, typed), "agencies": list(door.lists().codes.get("agency", ())), "about": UNCONFIRMED, "never": NEVER}
    found = await rows(tx, _STATE, values)
    if not found:
        return Found(said=Said.UNKNOWN)
    row = found[0]
    return Found(said=_said(row.closed, row.read, row.begun, row.asked, row.waits), case_id=row.case_id, agency=row.agency)


def _said(closed: bool, read: bool, begun: bool, asked: bool, waits: bool) -> Said:
    if begun or (asked and not waits and not closed):
        return Said.PASSED
    if closed:
        return Said.CLOSED
    return Said.CALLING if read else Said.RECEIVED


class Full(Exception):
    """A receipt takes no more notes. Roll the transaction back, so that nothing of this note is stored."""


async def add(tx: AsyncConnection, door: IntakeContext, found: Found, note: str, key: str) -> None:
    """Add a note to the story of a referral; everybody who may read the story is told of a new version.

    key: of the form; empty from a page without one. The same note of the same form is added once.

    Where another agency has written the story meanwhile, the story is full, or the case excludes its sender, the note is put aside for the
    desk. Full: there are NOTES
    notes, wherever they went, so that the sender does not learn whether anybody else has written.
    """
    secret = (await door.keys.load(tx, [found.case_id])).get(found.case_id, b"")  # without it nobody can check what an erased note said
    digest = door.keys.hmac("public-note", secret, key.encode(), note.encode())
    begun = await act_on_case.begin(
        tx, door, Post(kind=Kind.SYSTEM, agency=found.agency, key=digest), "section", found.case_id, note.encode()
    )
    if begun.known:
        return
    case = await access.take(tx, door.keys, found.case_id)
    leave = access.by_receipt(found.agency, found.case_id)
    if await sections.written(tx, leave, "narrative") > NOTES:  # the first is the report itself
        raise Full
    at = begun.receipt.received_at
    before = (await sections.newest(tx, leave, case.cipher, ["narrative"], case.sealed_at)).get("narrative", {})
    text = f"{before.get('text', '')}\n\n+ {note}"
    away = (await access.involvement(tx, found.agency, found.case_id)).barred(found.agency)
    mine = len(text) <= WORDS_LIMIT and not away and await write.may(tx, door, case, leave, "narrative", at)
    content = strict_json.canonical({**before, "text": text} if mine else {"text": f"+ {note}"})
    await write.put(tx, door, case, leave, "narrative", content, at, aside=not mine, queue_id=begun.queue_id)
