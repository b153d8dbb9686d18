"""Write a section of the case file: check who may write, store the version, and queue the event for the log and the other readers."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import SectionWritten
from referral.runtime.postgres import queue
from services.intake.casefile import access, disclose, disclosure_rules, sections
from services.intake.casefile.disclosure_rules import Reader
from services.intake.context import IntakeContext

PURPOSE = "section"
"""Purpose of the key with which a content's digest is made."""


class Writer(Struct, frozen=True, kw_only=True):
    """The writer of a section. account: of the person; None where the agency's system writes."""

    agency: str
    account: str | None = None


async def may(tx: AsyncConnection, door: IntakeContext, case: access.Case, writer: Writer, section: str, at: int) -> bool:
    """Return True if this agency may replace a section: one of its live offers lets it write the section, or it is the sender and no other
    agency has written the section."""
    involved = await access.involvement(tx, writer.agency, case.case_id)
    if section in await writable(tx, door, case, writer, at):
        return True
    return involved.sender and not await sections.others_wrote(tx, case.case_id, section, writer.agency, case.sealed_at)


async def writable(
    tx: AsyncConnection, door: IntakeContext, case: access.Case, writer: Writer, at: int, offer_id: str = ""
) -> tuple[str, ...]:
    """Return the sections that the agency's live offers, or this one, let it write now, in the procedure's order."""
    excluded = (await access.involvement(tx, writer.agency, case.case_id)).excluded
    reader = Reader(agency=writer.agency, account=writer.account)
    grants = await disclose.grants(tx, door.lists(), case.case_id, writer.agency, offer_id)
    found = (disclosure_rules.writable(reader, grant, case.facts, excluded, at) for grant in grants.values())
    return tuple(dict.fromkeys(section for sections_ in found for section in sections_))


async def put(
    tx: AsyncConnection,
    door: IntakeContext,
    case: access.Case,
    writer: Writer,
    section: str,
    content: bytes,
    at: int,
    *,
    aside: bool = False,
    queue_id: str = "",
) -> int:
    """Store a new version of a section, in a case that the caller has locked. Every write counts, also of the same content.

    aside: only a desk will read it.
    queue_id: of the event, where a receipt names it already.

    Returns the version.
    """
    number = sections.aside_version if aside else sections.next_version
    version = await number(tx, case.case_id, section)
    row = sections.row(case.cipher, case.case_id, section, content, version=version, agency=writer.agency, by=writer.account, at=at)
    await sections.write(tx, [row])
    event = SectionWritten(
        agency=writer.agency,
        by=writer.account,
        section=section,
        version=version,
        content=door.keys.hmac(PURPOSE, case.case_id.encode(), section.encode(), str(version).encode(), content),
        offers=() if aside else await _readers(tx, door, case, writer.agency, section, at),
        at=at,
    )
    await queue.put(tx, case.case_id, event, queue_id or door.new_id(), case.key, drill=case.drill)
    return version


async def _readers(tx: AsyncConnection, door: IntakeContext, case: access.Case, writer: str, section: str, at: int) -> tuple[str, ...]:
    """Return the offers of other agencies that let them read this section now."""
    excluded = (await access.involvement(tx, writer, case.case_id)).excluded
    grants = await disclose.grants(tx, door.lists(), case.case_id)
    return tuple(
        offer
        for offer, grant in grants.items()
        if grant.agency != writer and section in disclosure_rules.allowed(Reader(agency=grant.agency), grant, case.facts, excluded, at)
    )
