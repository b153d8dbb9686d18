"""Open the case that routing raises when a deadline that protects a child was missed: intake submits it like any other referral."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.events import CaseRaised, Door, ReferralSubmitted
from referral.domain.inputs import Input, derived
from referral.runtime.postgres import queue
from services.intake.casefile import access, sections
from services.intake.casefile.disclosure_rules import CaseFacts
from services.intake.context import IntakeContext
from services.intake.policy_view import RAISED

_CASE = text(
    "INSERT INTO intake.casefile (case_id, desk, drill, opened_at, sealed) VALUES (:case_id, :desk, :drill, :at, :sealed) "
    "ON CONFLICT DO NOTHING"
)
_REFERRAL = text(
    "INSERT INTO intake.referral (referral_id, case_id, agency, event_id, received_at) VALUES (:id, :case_id, :agency, :event_id, :at) "
    "ON CONFLICT DO NOTHING"
)


_LINK = text("INSERT INTO intake.link (case_id, other, how) VALUES (:case_id, :other, :how) ON CONFLICT DO NOTHING")


async def submit(tx: AsyncConnection, leave: Permit, door: IntakeContext, record: Input, raised: CaseRaised) -> None:
    """Store the new case's key, case file and referral, and queue its event. All ids are derived from routing's event, so that a repeat
    changes nothing."""
    lists, case_id = door.lists(), raised.new_case_id
    key = (await door.keys.load(tx, [case_id])).get(case_id) or await door.keys.create(tx, case_id)
    sealed = sections.seal_facts(sections.box(key), case_id, CaseFacts(traits=raised.traits))
    queue_id, referral_id = derived(record.id, "raised"), derived(record.id, "referral")
    desk = lists.desk(raised.traits.found_in, {actor.removeprefix("agency:") for actor in raised.excluded})
    values = {"case_id": case_id, "desk": desk, "drill": record.drill, "at": record.at, "sealed": sealed}
    await tx.execute(_CASE, values)
    await access.exclude(tx, leave, {case_id: raised.excluded})
    event = ReferralSubmitted(
        referral_id=referral_id,
        agency=lists.oversight,
        door=Door.SYSTEM,
        opens=True,
        traits=raised.traits,
        consent=None,
        sections=(),
        excludes=raised.excluded,
        received_at=record.at,
    )
    referral = {"id": referral_id, "case_id": case_id, "agency": event.agency, "event_id": derived(queue_id, 0), "at": record.at}
    await tx.execute(_REFERRAL, referral)
    await tx.execute(_LINK, {"case_id": case_id, "other": record.case_id, "how": RAISED})
    await queue.put(tx, case_id, event, queue_id, key, drill=record.drill)
