"""What an agency asks over HTTP: what became of what it sent, what it holds, what it may read. Each is one transaction."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from referral.errors import Rejected
from referral.wire import ingress
from services.intake import casefile, disclosing, fhir, fhir_types, linking, logged, receipts, shown, standing, store
from services.intake.call import Call, known_id
from services.intake.instants import when
from services.intake.kept import Referral
from services.intake.reading import Reader
from services.intake.timeline import Line

SHOWN = 200
"""Offers of state=all in one answer (ours); `more` says that there are older ones."""


async def submission(call: Call) -> shown.SubmissionState:
    """What became of the things sent under this key, by either door: what was taken, and what came later and was refused."""
    key = receipts.key_digest(call.door.keys, call.agency, call.path["key"], "key")
    async with call.door.begin() as tx:
        found = await receipts.taken(tx, call.agency, key)
        refused = await receipts.refusals(tx, call.agency, key)
    if found is None and not refused:
        raise store.unknown("submission", "key")
    return shown.submission(found, refused, call.door.key)


async def referral(call: Call) -> shown.ReferralState:
    """How a referral that you sent stands."""
    async with call.door.begin() as tx:
        found = await store.referral(tx, call.agency, known_id(call, "referral_id", "referral"))
        offers = await store.case_offers(tx, found.case_id)
        about = await store.open_about(tx, found.case_id)
        case = await standing.hold(tx, call.door.keys, found.case_id)
    return shown.referral(found, _state(found, shown.state(offers, closed=case.closed, tasks=about)), shown.waits_for(about))


async def proof(call: Call) -> str:
    """The proof that a referral that you sent is in the log, and that a quorum of witnesses has seen it (C2SP tlog-proof)."""
    async with call.door.begin() as tx:
        found = await store.referral(tx, call.agency, known_id(call, "referral_id", "referral"))
    return await logged.proof(call.door.log, call.door.keys, found.event_id)


async def codes(call: Call) -> shown.Codes:
    """The words of every code list of the policy in force: what a form may offer instead of learning it from a refusal."""
    lists = call.door.lists()
    return shown.Codes(bundle=lists.number, codes=dict(lists.codes))


@dataclass(frozen=True, slots=True)
class IngressKeys:
    """public_key: of ingress.*; None where this stack has no door on Kafka."""

    public_key: bytes | None

    async def published(self, _: Call) -> shown.IngressKey:
        """The key to which an agency encrypts what it publishes on its own topic. Needs no token."""
        if self.public_key is None:
            raise Rejected("unknown-key", "", "this stack has no door on Kafka", status=404)
        return shown.IngressKey(
            kem="DHKEM(X25519, HKDF-SHA256)",
            kdf="HKDF-SHA256",
            aead="AES-256-GCM",
            info=ingress.INFO.decode() + "ingress.<agency>",
            public_key=self.public_key.hex(),
        )


async def offers(call: Call) -> shown.Offers:
    """The offers that your agency holds: state=open (default), or all, of which the newest 200."""
    state = call.query.get("state", "open")
    if state not in ("open", "all"):
        raise Rejected("unknown-code", "state", "use one of: open, all", status=400)
    async with call.door.begin() as tx:
        if state == "open":
            found = await store.open_offers(tx, call.agency)
        else:
            found = await store.all_offers(tx, call.agency, limit=SHOWN + 1)
    shown_ = found if state == "open" else found[:SHOWN]
    return shown.Offers(offers=tuple(shown.offer(one) for one in shown_), more=len(found) > len(shown_))


async def offer(call: Call) -> shown.OfferState:
    """One offer that your agency holds or held."""
    async with call.door.begin() as tx:
        return shown.offer(await store.offer(tx, call.agency, known_id(call, "offer_id", "offer")))


async def case(call: Call) -> shown.CaseState:
    """A case as far as your agency may see it."""
    case_id, agency = known_id(call, "case_id", "case"), call.agency
    async with call.door.begin() as tx:
        found = await standing.hold(tx, call.door.keys, case_id)
        place = await standing.place(tx, agency, case_id)
        if place.barred(agency) or not (place.sender or place.held or place.desk):
            raise store.unknown("case", "case_id")
        every = await store.case_offers(tx, case_id)
        sent = [one for one in await store.case_referrals(tx, case_id) if one.agency == agency]
        tasks = await store.case_tasks(tx, agency, case_id) if place.desk else ()
        about = await store.open_about(tx, case_id)
        told = await store.happenings(tx, case_id)
        linked = await linking.links(tx, case_id, agency)
    lines = [
        (at, msgspec.msgpack.decode(casefile.unseal(found.cipher, sealed, case_id, "timeline", str(seq)), type=Line))
        for seq, at, sealed in told
    ]
    state, waits = shown.state(every, closed=found.closed, tasks=about), shown.waits_for(about)
    return shown.CaseState(
        case_id=case_id,
        state=state,
        drill=found.drill,
        referrals=tuple(shown.referral(one, _state(one, state), waits) for one in sent),
        offers=tuple(shown.offer(one) for one in every if place.desk or one.agency == agency),
        tasks=tuple(shown.task(one) for one in tasks),
        timeline=shown.timeline(lines, every, agency, all_of_it=place.desk),
        links=tuple(shown.LinkState(case_id=one.case_id, how=one.how) for one in linked),
        waits_for=waits if state == shown.WAITING else "",
    )


async def case_as_fhir(call: Call) -> fhir_types.Bundle:
    """The same case, in the words of FHIR."""
    return fhir.bundle(await case(call))


async def file(call: Call) -> shown.FileState:
    """The sections that a live offer of yours names. The reading is recorded, and durable, before the answer leaves."""
    case_id = known_id(call, "case_id", "case")
    async with call.door.begin() as tx:
        found = await disclosing.disclose(tx, call.door, Reader(agency=call.agency), case_id)
    return shown.FileState(case_id=case_id, sections=found.sections, empty=found.empty)


async def versions(call: Call) -> shown.SectionVersions:
    """Every version of a section, for a desk of the case. The reading is recorded, and durable, before the answer leaves."""
    case_id, section = known_id(call, "case_id", "case"), call.path["section"]
    call.door.lists().word("written", section, "section")
    async with call.door.begin() as tx:
        found = await disclosing.versions(tx, call.door, Reader(agency=call.agency), case_id, section)
    kept = tuple(shown.SectionVersion(version=one.version, agency=one.agency, at=when(one.at), content=one.content) for one in found)
    return shown.SectionVersions(case_id=case_id, section=section, versions=kept)


def _state(sent: Referral, state: str) -> str:
    return "CANCELLED" if sent.withdrawn_at is not None else state
