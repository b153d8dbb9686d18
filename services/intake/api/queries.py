"""HTTP handlers of agencies' queries: receipts, referrals, offers, cases and case files. Each runs in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.words import Act
from referral.domain.case_number import case_number
from referral.domain.inputs import derived
from referral.errors import Rejected
from referral.runtime.keys import log_proof
from referral.wire import hpke
from services.intake import contacts, store
from services.intake.api import fhir, fhir_types, schemas, status
from services.intake.api.agency_request import AgencyRequest, known_id
from services.intake.api.seen import seen
from services.intake.casefile import access, disclose, links, locations
from services.intake.casefile.disclosure_rules import Reader
from services.intake.commands import idempotency, late_topics
from services.intake.messages.timestamps import when
from services.intake.model import Receipt, Referral, Spot
from services.intake.projection import as_of

SHOWN = 200
"""Most offers in one answer to state=all (ours); `more` says that there are older ones."""


async def submission(call: AgencyRequest) -> schemas.SubmissionState:
    """Show what was taken under this key, by either door, and what came later and was refused."""
    key = idempotency.key_digest(call.door.keys, call.agency, call.path["key"], "key")
    async with call.door.begin() as tx:
        receipt = await idempotency.taken(tx, call.agency, key)
        refused = await idempotency.refusals(tx, call.agency, key)
        became = await _became(tx, call, receipt) if receipt else ("", "")
        topic = await late_topics.state(tx, call.agency)
    if receipt is None and not refused:
        raise status.unknown_submission(topic)
    return schemas.submission(receipt, refused, call.door.key, became)


async def _became(tx: AsyncConnection, call: AgencyRequest, receipt: Receipt) -> tuple[str, str]:
    """Return what became of an answer to an offer, as `store.became`. Who may not see the case any more is told nothing."""
    try:
        leave = await access.permitted(tx, call.who, Act.SEE_CASE, receipt.case_id)
    except Rejected:
        return "", ""
    return await store.became(tx, leave, derived(receipt.event_id, 0))


async def referral(call: AgencyRequest) -> schemas.ReferralState:
    """Show the state of a referral that you sent."""
    async with call.door.begin() as tx:
        sent = await store.referral(tx, call.own, known_id(call, "referral_id", "referral"))
        leave = await access.permitted(tx, call.who, Act.SEE_REFERRAL, sent.case_id)
        case = await access.hold(tx, call.door.keys, sent.case_id)
        involved = await access.involvement(tx, call.agency, sent.case_id)
        found = await seen(tx, leave, case, involved.seen_until)
    return schemas.referral(sent, _state(sent, found.state), found.waits_for)


async def proof(call: AgencyRequest) -> str:
    """The proof that a referral that you sent is in the log, and that a quorum of witnesses has seen it (C2SP tlog-proof)."""
    async with call.door.begin() as tx:
        case_id, event_id = await store.sent(tx, call.own, known_id(call, "referral_id", "referral"))
        await access.permitted(tx, call.who, Act.PROVE_RECEIPT, case_id)
    return await log_proof.fetch(call.door.log, call.door.keys, event_id)


async def codes(call: AgencyRequest) -> schemas.Codes:
    """The words of every code list of the policy in force: what a form may offer instead of learning it from a refusal."""
    lists = call.door.lists()
    return schemas.Codes(bundle=lists.number, codes=dict(lists.codes))


@dataclass(frozen=True, slots=True)
class IngressKeys:
    """The handler that publishes the ingress key. public_key: of `ingress.*`; None where this stack has no ingress topics."""

    public_key: bytes | None

    async def published(self, _: AgencyRequest) -> schemas.IngressKey:
        """The key to which an agency encrypts what it publishes on its own topic. Needs no token."""
        if self.public_key is None:
            raise Rejected("unknown-key", "", "this stack has no door on Kafka", status=404)
        return schemas.IngressKey(
            kem="DHKEM(X25519, HKDF-SHA256)",
            kdf="HKDF-SHA256",
            aead="AES-256-GCM",
            info=hpke.INGRESS_INFO.decode() + "ingress.<agency>",
            public_key=self.public_key.hex(),
        )


async def offers(call: AgencyRequest) -> schemas.Offers:
    """The offers that your agency holds: state=open (default), or all, of which the newest 200."""
    state = call.query.get("state", "open")
    if state not in ("open", "all"):
        raise Rejected("unknown-code", "state", "use one of: open, all", status=400)
    async with call.door.begin() as tx:
        if state == "open":
            rows = await store.open_offers(tx, call.own)
        else:
            rows = await store.all_offers(tx, call.own, limit=SHOWN + 1)
    shown = rows if state == "open" else rows[:SHOWN]
    return schemas.Offers(offers=tuple(schemas.offer(row) for row in shown), more=len(rows) > len(shown))


async def offer(call: AgencyRequest) -> schemas.OfferState:
    """One offer that your agency holds or held, and whom you may telephone about it."""
    async with call.door.begin() as tx:
        row = await store.offer(tx, call.own, known_id(call, "offer_id", "offer"))
        leave = await access.permitted(tx, call.who, Act.SEE_OFFER, row.case_id)
        track = (await as_of.track_offers(tx, leave, call.door.keys, [row.case_id])).get(row.track_id, ())
        desk = (await locations.spots(tx, leave, call.door.keys, [row.case_id])).get(row.case_id, Spot()).desk
    return schemas.offer(row, contacts.contacts(call.door.lists(), row, track, desk))


async def case(call: AgencyRequest) -> schemas.CaseState:
    """A case as far as your agency may see it."""
    case_id, agency = known_id(call, "case_id", "case"), call.agency
    async with call.door.begin() as tx:
        await access.near(tx, call.who, Act.SEE_CASE, case_id)
        locked = await access.hold(tx, call.door.keys, case_id)
        leave = await access.permitted(tx, call.who, Act.SEE_CASE, case_id)
        involved = (await access.involvement(tx, agency, case_id)).reading(agency)
        found = await seen(tx, leave, locked, involved.seen_until)
        sent = [referral for referral in await store.case_referrals(tx, leave) if referral.agency == agency]
        tasks = await store.case_tasks(tx, leave) if involved.desk else ()
        linked = await links.links(tx, leave, involved.seen_until)
    state, waits = found.state, found.waits_for
    return schemas.CaseState(
        case_id=case_id,
        state=state,
        drill=locked.drill,
        referrals=tuple(schemas.referral(referral, _state(referral, state), waits) for referral in sent),
        offers=tuple(schemas.offer(offer) for offer in found.offers if involved.desk or offer.agency == agency),
        tasks=tuple(schemas.task(task) for task in tasks),
        timeline=schemas.timeline(found.lines, found.offers, agency, all_of_it=involved.desk),
        links=tuple(schemas.LinkState(case_id=link.case_id, how=link.how) for link in linked),
        waits_for=waits if state == schemas.WAITING else "",
        case_number=case_number(case_id),
    )


async def case_as_fhir(call: AgencyRequest) -> fhir_types.Bundle:
    """Return the same case as a FHIR bundle."""
    return fhir.bundle(await case(call))


async def file(call: AgencyRequest) -> schemas.FileState:
    """The sections that a live offer of yours names. The reading is recorded, and durable, before the answer leaves."""
    case_id = known_id(call, "case_id", "case")
    async with call.door.begin() as tx:
        disclosed = await disclose.disclose(tx, call.door, Reader(agency=call.agency), case_id)
    return schemas.FileState(case_id=case_id, sections=disclosed.sections, empty=disclosed.empty)


async def versions(call: AgencyRequest) -> schemas.SectionVersions:
    """Every version of a section, for a desk of the case. The reading is recorded, and durable, before the answer leaves."""
    case_id, section = known_id(call, "case_id", "case"), call.path["section"]
    call.door.lists().word("written", section, "section")
    async with call.door.begin() as tx:
        written = await disclose.versions(tx, call.door, Reader(agency=call.agency), case_id, section)
    shown = tuple(schemas.SectionVersion(version=row.version, agency=row.agency, at=when(row.at), content=row.content) for row in written)
    return schemas.SectionVersions(case_id=case_id, section=section, versions=shown)


def _state(sent: Referral, state: str) -> str:
    return "CANCELLED" if sent.withdrawn_at is not None else state
