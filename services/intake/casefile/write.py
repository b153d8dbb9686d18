"""Write a section of the case file: check who may write, store the version, and queue the event for the log and the other readers."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.events import SectionWritten
from referral.runtime.postgres import queue
from services.intake.casefile import access, disclose, disclosure_rules, sections
from services.intake.casefile.disclosure_rules import Reader
from services.intake.context import IntakeContext
from services.intake.store import NEVER

PURPOSE = "section"
"""Purpose of the key with which a content's digest is made."""


async def may(tx: AsyncConnection, door: IntakeContext, case: access.Case, leave: Permit, section: str, at: int) -> bool:
    """Return True if the permit's agency may replace a section: one of its live offers lets it write it, or it is the sender and no other
    agency has written it. For an excluded sender (`at_rest`): if it might; the caller puts it aside."""
    involved = await access.involvement(tx, leave.agency, case.case_id)
    if section in await writable(tx, door, case, leave, at):
        return True
    return involved.sender and not await sections.others_wrote(tx, leave, section, case.sealed_at, involved.seen_until)


async def writable(
    tx: AsyncConnection, door: IntakeContext, case: access.Case, leave: Permit, at: int, offer_id: str = ""
) -> tuple[str, ...]:
    """Return the sections that the agency's live offers, or this one, let it write now, in the procedure's order."""
    excluded = (await access.involvement(tx, leave.agency, case.case_id)).excluded
    reader = Reader(agency=leave.agency, account=leave.account)
    grants = await disclose.grants(tx, leave, door.lists(), leave.agency, offer_id)
    found = (disclosure_rules.writable(reader, grant, case.facts, excluded, at) for grant in grants.values())
    return tuple(dict.fromkeys(section for sections_ in found for section in sections_))


async def put(
    tx: AsyncConnection,
    door: IntakeContext,
    case: access.Case,
    leave: Permit,
    section: str,
    content: bytes,
    at: int,
    *,
    aside: bool = False,
    queue_id: str = "",
    until: int = NEVER,
    said: str = "",
) -> int:
    """Store a new version of a section, in a case that the caller has locked. Every write counts, also of the same content.

    leave: of the writer.
    aside: only a desk will read it.
    queue_id: of the event, where a receipt names it already.
    until: of an excluded sender, what it sees of others' writings, µs UTC: it is put aside.
    said: the call by which an excluded sender said it, where that wrote no section.

    Returns the version, as the writer sees it.
    """
    aside = aside or until != NEVER
    newest, behind, shown = await sections.numbers(tx, leave, section, until)
    version = behind if aside else newest
    readers = await _readers(tx, door, case, leave, section, at)
    row = sections.row(case.cipher, case.case_id, section, content, version=version, agency=leave.agency, by=said or leave.account, at=at)
    await sections.write(tx, leave, row)
    event = SectionWritten(
        agency=leave.agency,
        by=leave.account,
        section=section,
        version=version,
        content=door.keys.hmac(PURPOSE, case.case_id.encode(), section.encode(), str(version).encode(), content),
        offers=() if aside else readers,
        at=at,
    )
    await queue.put(tx, case.case_id, event, queue_id or door.new_id(), case.key, drill=case.drill)
    return shown


async def _readers(tx: AsyncConnection, door: IntakeContext, case: access.Case, leave: Permit, section: str, at: int) -> tuple[str, ...]:
    """Return the offers of other agencies that let them read this section now."""
    excluded = (await access.involvement(tx, leave.agency, case.case_id)).excluded
    grants = await disclose.grants(tx, leave, door.lists())
    return tuple(
        offer
        for offer, grant in grants.items()
        if grant.agency != leave.agency
        and section in disclosure_rules.allowed(Reader(agency=grant.agency), grant, case.facts, excluded, at)
    )
