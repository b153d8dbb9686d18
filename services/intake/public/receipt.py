"""Receipts of the public page: a code that is shown once, of which the database holds a keyed digest, and what it says later.

The digest is the idempotency key of the referral, so a receipt needs no row of its own, is restored from the log with all others, and is
worth nothing once the case is erased.
"""

from __future__ import annotations

from base64 import b32encode
from enum import StrEnum

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.rules.context import UNCONFIRMED
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock
from services.intake.casefile import access, sections, write
from services.intake.context import IntakeContext
from services.intake.messages import strict_json
from services.intake.messages.responses import WORDS_LIMIT
from services.intake.store import STANDS, rows

BYTES = 10
"""Bytes of a code: 80 bits, in sixteen characters that can be read out on the telephone."""
GROUP = 4
NOTE = 2000
"""Most characters of a note (ours)."""
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
    letters = b32encode(keys.hmac("public-code", form_key.encode())[:BYTES]).decode()
    return "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))


def digest(keys: Keys, typed: str) -> bytes:
    """Return the digest that is stored of a code, however it was typed."""
    letters = "".join(SEEN.get(letter, letter) for letter in typed[:60].upper() if letter.isalnum())
    return keys.hmac("public-receipt", letters.encode())


# One statement for a right and a wrong code.
_STATE = (
    "SELECT s.case_id, s.agency, o.closed_at IS NOT NULL AS closed, o.read_at IS NOT NULL AS read, "  # noqa: S608 - fixed words
    "EXISTS (SELECT FROM intake.track t WHERE t.case_id = s.case_id) AS begun, "
    "EXISTS (SELECT FROM intake.task t WHERE t.case_id = s.case_id AND t.about = :about) AS asked, "
    "EXISTS (SELECT FROM intake.task t WHERE t.case_id = s.case_id AND t.about = :about AND t.closed_at IS NULL) AS waits "
    "FROM intake.submission s JOIN intake.casefile o ON o.case_id = s.case_id "
    f"WHERE s.agency = ANY(CAST(:agencies AS text[])) AND s.key = :key AND s.kind = 'referral' AND o.erasing_at IS NULL AND {STANDS}"
)


async def find(tx: AsyncConnection, door: IntakeContext, typed: str) -> Found:
    """Return what a code says."""
    agencies = list(door.lists().codes.get("agency", ()))
    values = {"key": digest(door.keys, typed), "agencies": agencies, "about": UNCONFIRMED}
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


async def add(tx: AsyncConnection, door: IntakeContext, found: Found, note: str) -> bool:
    """Add a note to the story of a referral; everybody who may read the story is told of a new version.

    Where another agency has written the story meanwhile, the note is put aside for the desk. Return False when the story is full.
    """
    case = await access.take(tx, door.keys, found.case_id)
    at, writer = await clock.now(tx), write.Writer(agency=found.agency)
    before = (await sections.newest(tx, case.cipher, case.case_id, ["narrative"], case.sealed_at)).get("narrative", {})
    mine = await write.may(tx, door, case, writer, "narrative", at)
    text = f"{before.get('text', '')}\n\n+ {note}" if mine else f"+ {note}"
    if len(text) > WORDS_LIMIT:
        return False
    content = strict_json.canonical({**before, "text": text} if mine else {"text": text})
    await write.put(tx, door, case, writer, "narrative", content, at, aside=not mine)
    return True
