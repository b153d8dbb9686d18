"""Project routing's decisions about a whole case into intake's tables: traits, consent, exclusions and the case's desk. SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.events import CaseChanged, ChangeKind, ChangeProposed, InputIgnored, PersonNotNeeded
from referral.domain.inputs import Input, derived
from referral.runtime.keys.case_keys import Keys
from services.intake.casefile import access
from services.intake.casefile.disclosure_rules import CaseFacts
from services.intake.policy_view import Lists

MOST = 64
"""Events of one decision that may answer a consent (ours): the answer comes after the proposals that it settles."""
_LOCK = text("SELECT 1 FROM intake.casefile WHERE case_id = ANY(CAST(:ids AS text[])) ORDER BY case_id FOR UPDATE")


async def follow(
    tx: AsyncConnection, leave: Permit, keys: Keys, lists: Lists, records: Iterable[Input], opened: Mapping[str, bytes], also: Iterable[str]
) -> None:
    """Apply the changes of a batch, case by case.

    opened: case id → key, of the cases that are not erased.
    also: cases that the batch changes later; all cases are locked together, in one order.
    """
    by_case: dict[str, list[Input]] = {}
    for record in records:
        if isinstance(record.body, CaseChanged | ChangeProposed | InputIgnored | PersonNotNeeded) and record.case_id in opened:
            by_case.setdefault(record.case_id, []).append(record)
    if not by_case:
        return
    await tx.execute(_LOCK, {"ids": sorted({*by_case, *also})})
    for case_id, answers in by_case.items():
        case = await access.known(tx, keys, case_id)
        if case is None:
            continue
        now = case.facts
        for record in answers:
            now = after(now, record)
            if isinstance(record.body, CaseChanged):
                await access.exclude(tx, leave, {case_id: record.body.excluded})
                await access.lift(tx, leave, case_id, record.body.lifted)
            elif isinstance(record.body, ChangeProposed) and record.body.kind is ChangeKind.EXCLUSION:
                await access.alone(tx, leave, case_id, record.body.actor, record.body.task_id)
            elif isinstance(record.body, PersonNotNeeded):
                await access.seconded(tx, leave, case_id, record.body.task_id)
        away = await access.kept_away(tx, leave, case_id)
        desk = lists.desk(now.traits.found_in, away)
        if now != case.facts or desk != case.desk:
            await access.store_facts(tx, leave, case, now, desk)


def after(now: CaseFacts, record: Input) -> CaseFacts:
    """Return the facts of a case after one more decision. A cap ends as soon as routing has answered the consent that set it."""
    if isinstance(record.body, CaseChanged):
        body = record.body
        now = structs.replace(now, traits=body.traits, consent=body.consent, consent_by=body.consent_by)
    if now.cap_of and any(record.id == derived(now.cap_of, index) for index in range(MOST)):
        now = structs.replace(now, cap=None, cap_of="", cap_by="")
    return now
