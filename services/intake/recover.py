"""Recover intake after its database was restored from an older copy: insert again the cases, referrals and receipts that the topics
contain.

`referral recover` runs `python -m services.intake.recover`. Sections of the case file that were written after the copy exist nowhere else
and are lost; the result counts the sections that agencies must be asked to send again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Act, Kind
from referral.domain.events import (
    ActorExcluded,
    AnswerWithdrawn,
    CaseChanged,
    CaseErased,
    ConsentChanged,
    InstructionGiven,
    Meta,
    ReferralSubmitted,
    ReferralWithdrawn,
    ResponseSubmitted,
    TraitsChanged,
)
from referral.domain.policy import Policy, policy
from referral.runtime.recovery import recover
from referral.runtime.recovery.topic_snapshot import Tape
from referral.runtime.settings import Settings
from referral.wire import codec, seal
from services.intake.casefile import access, row_rights, sections
from services.intake.casefile.disclosure_rules import CaseFacts
from services.intake.commands import idempotency
from services.intake.commands.idempotency import Claim
from services.intake.erasure import store
from services.intake.model import Receipt
from services.intake.policy_view import Lists, of

TOPIC, ROUTING = "referral-intake", "referral-routing"
CHANGES = ("case-changed.v1", "case-changed.v2")
POLICY = text("SELECT files FROM routing.policy WHERE confirmed IS NOT NULL ORDER BY number DESC LIMIT 1")
CASE = text(
    "INSERT INTO intake.casefile (case_id, desk, drill, opened_at, sealed) VALUES (:case_id, :desk, :drill, :at, :sealed)"
    " ON CONFLICT (case_id) DO UPDATE SET sealed = excluded.sealed, desk = excluded.desk"
)
REFERRAL = text(
    "INSERT INTO intake.referral (referral_id, case_id, agency, event_id, received_at)"
    " VALUES (:referral_id, :case_id, :agency, :event_id, :at) ON CONFLICT DO NOTHING"
)
EXCLUSION = text("INSERT INTO intake.exclusion (case_id, kind, actor, at) VALUES (:case_id, :kind, :actor, :at) ON CONFLICT DO NOTHING")
LIFTED = text("DELETE FROM intake.exclusion WHERE case_id = :case_id AND kind = :kind AND actor = :actor")
WITHDRAWN = text("UPDATE intake.referral SET withdrawn_at = :at WHERE referral_id = :id AND withdrawn_at IS NULL")
SHOWN_AGAIN = (
    text("UPDATE intake.casefile SET erasing_at = NULL WHERE case_id = ANY(CAST(:ids AS text[])) AND erasing_at IS NOT NULL"),
    text(
        "UPDATE intake.erasure SET approved_by = NULL, approved_at = NULL, destroyed_at = NULL"
        " WHERE case_id = ANY(CAST(:ids AS text[])) AND approved_at IS NOT NULL"
    ),
)
"""For cases of which no genuine erasure is on the topic: whatever the tables say, nobody has approved one. Approvers approve it again."""
KINDS: dict[type[Any], str] = {
    ReferralSubmitted: "referral",
    ResponseSubmitted: "response",
    ConsentChanged: "consent",
    TraitsChanged: "traits",
    ActorExcluded: "exclusion",
    InstructionGiven: "instruction",
    ReferralWithdrawn: "withdrawal",
    AnswerWithdrawn: "take-back",
}
"""Event of something that an agency sends under a key → the kind in its receipt."""
FILLED = text("SELECT case_id, section FROM intake.section WHERE case_id = ANY(CAST(:ids AS text[]))")


async def hook(tx: AsyncConnection, settings: Settings, tapes: AsyncIterator[Tape]) -> dict[str, int]:
    """Restore each case as routing has decided it: its traits and consent, referrals, exclusions, and the receipts of idempotency keys."""
    lists, counts = of(await _policy(tx), 1), Counter[str]()
    async for tape in tapes:
        counts.update(await _restored(tx, tape, lists))
    return dict(counts)


async def _restored(tx: AsyncConnection, tape: Tape, lists: Lists) -> dict[str, int]:
    """Restore the cases of one tape, and return how many items of each kind there were."""
    keys = tape.keys
    cases: dict[str, dict[str, Any]] = {}
    facts: dict[str, CaseFacts] = {}
    referrals: list[dict[str, Any]] = []
    promised: set[tuple[str, str]] = set()
    claims: list[Claim] = []
    exclusions: list[dict[str, Any]] = []
    withdrawn: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}
    for taped in tape.records[TOPIC]:
        meta = taped.meta
        if meta.case_id not in keys or meta.type in seal.UNSEALED:
            continue
        body = codec.decode(meta.type, meta.fingerprint, seal.unseal(keys[meta.case_id], TOPIC, seal.open(taped.value)))
        now = facts.get(meta.case_id)
        if (claim := _claim(meta, body)) is not None:
            claims.append(claim)
        if isinstance(body, ReferralSubmitted) and body.signed is not None and body.signed.sequence:
            numbers[body.agency] = max(body.signed.sequence, numbers.get(body.agency, 0))
        match body:
            case ReferralSubmitted():
                ids = {"referral_id": body.referral_id, "case_id": meta.case_id, "agency": body.agency, "event_id": meta.event_id}
                referrals.append({**ids, "at": body.received_at})
                actors = (actor.split(":", 1) for actor in body.excludes)
                away = {"case_id": meta.case_id, "at": body.received_at}
                exclusions += ({**away, "kind": kind.upper(), "actor": actor} for kind, actor in actors)
                promised |= {(meta.case_id, section) for section in body.sections}
                if now is None:
                    cases[meta.case_id] = {"case_id": meta.case_id, "drill": meta.drill, "at": body.received_at}
                    by = body.agency if body.consent else ""
                    facts[meta.case_id] = CaseFacts(traits=body.traits, consent=body.consent, consent_by=by)
            case ActorExcluded():
                exclusions.append({"case_id": meta.case_id, "kind": body.kind, "actor": body.actor, "at": body.received_at})
            case ReferralWithdrawn():
                withdrawn.append({"id": body.referral_id, "at": body.received_at})
    lifted = _decided(tape, facts)
    exclusions = [exclusion for exclusion in exclusions if (exclusion["case_id"], exclusion["kind"], exclusion["actor"]) not in lifted]
    kept_away: dict[str, set[str]] = {}
    for exclusion in exclusions:
        kept_away.setdefault(exclusion["case_id"], set()).add(exclusion["actor"])
    for case_id, row in cases.items():
        row["desk"] = lists.desk(facts[case_id].traits.found_in, kept_away.get(case_id, ()))
        row["sealed"] = sections.seal_facts(sections.box(keys[case_id]), case_id, facts[case_id])
    if cases:
        await tx.execute(CASE, list(cases.values()))
        await tx.execute(REFERRAL, referrals)
    gone = [{"case_id": case_id, "kind": kind, "actor": actor} for case_id, kind, actor in sorted(lifted)]
    for sql, rows in ((EXCLUSION, exclusions), (LIFTED, gone), (WITHDRAWN, withdrawn)):
        if rows:
            await tx.execute(sql, rows)
    await idempotency.restore(tx, claims)
    await idempotency.store_numbers(tx, numbers)
    leave = access.without_case(Who(Kind.OPERATOR), Act.RECOVER)
    await _erased(tx, leave, tape)
    alive = {"ids": sorted(keys.keys() - tape.erased)}
    for sql in SHOWN_AGAIN:
        await tx.execute(sql, alive)
    await row_rights.admit(tx, leave, cases)
    filled = {(row.case_id, row.section) for row in await tx.execute(FILLED, {"ids": list(cases)})}
    counts = {"cases": len(cases), "referrals": len(referrals), "receipts": len(claims), "erased cases hidden again": len(tape.erased)}
    return {**counts, "sections to ask for again": len(promised - filled)}


def _decided(tape: Tape, facts: dict[str, CaseFacts]) -> set[tuple[str, str, str]]:
    """Apply routing's last decision to the state of each case. Return the exclusions that were lifted: (case, kind, actor)."""
    gone: dict[str, set[str]] = {}
    for taped in tape.records[ROUTING]:
        meta = taped.meta
        if meta.type not in CHANGES or meta.case_id not in tape.keys or meta.case_id not in facts:
            continue
        body = codec.decode(meta.type, meta.fingerprint, seal.unseal(tape.keys[meta.case_id], ROUTING, seal.open(taped.value)))
        assert isinstance(body, CaseChanged)
        facts[meta.case_id] = CaseFacts(traits=body.traits, consent=body.consent, consent_by=body.consent_by)
        gone[meta.case_id] = (gone.get(meta.case_id, set()) | set(body.lifted)) - set(body.excluded)
    pairs = ((case_id, actor.partition(":")) for case_id, actors in gone.items() for actor in actors)
    return {(case_id, kind.upper(), actor) for case_id, (kind, _, actor) in pairs}


async def _erased(tx: AsyncConnection, leave: Permit, tape: Tape) -> None:
    """Hide every case whose erasure the topic contains, whatever rows the restored copy has of it. The eraser destroys them."""
    for taped in tape.all:
        if taped.meta.type in seal.UNSEALED:
            body = codec.decode(taped.meta.type, taped.meta.fingerprint, seal.unseal(None, TOPIC, seal.open(taped.value)))
            assert isinstance(body, CaseErased)
            await store.restore(tx, leave, taped.meta.cause_id, taped.meta.case_id, body)


def _claim(meta: Meta, body: Any) -> Claim | None:
    """Return the receipt of this event's sender; None for an event without a key."""
    if type(body) not in KINDS or body.claim is None:
        return None
    id = body.referral_id if isinstance(body, ReferralSubmitted) else meta.event_id
    at = {"case_id": meta.case_id, "event_id": meta.event_id, "received_at": body.received_at}
    receipt = Receipt(kind=KINDS[type(body)], id=id, **at)
    return Claim(agency=body.claim.agency, key=body.claim.key, body=body.claim.body, receipt=receipt)


async def _policy(tx: AsyncConnection) -> Policy:
    row = (await tx.execute(POLICY)).one()
    return policy.compile(msgspec.msgpack.decode(row.files, type=dict[str, bytes]))


if __name__ == "__main__":
    recover.run("intake", hook)
