"""Vectors of what persons and agencies sign, and of receipts (sections 12.3, 12.5 and 13)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from msgspec import structs

from referral.domain import events as e
from referral.domain.events import CaseErased, ReferralSubmitted, Signed
from referral.domain.policy.directory import Signing, SigningKey
from referral.errors import Unproven
from referral.proof import receipt
from referral.proof.verify.signatures import _path, _wrong
from referral.wire import codec, event_signature
from referral.wire import leaf as wire
from referral.wire.signed import agency_keys, erasure_approval, trust_lines
from referral.wire.signed.erasure_approval import Erasers
from tests.harness.made_child import CHILD, ordered
from tests.harness.made_log import WITNESSES, Log, policy
from tests.vectors.form import Vector, VectorFile, bad, each_field, good, public, secret
from tests.vectors.leaves import AT, BASE, CASE, EVENT, OTHER
from tests.vectors.signatures import SEED

ASKS, APPROVES, STRANGER, INTAKE = 0x51, 0x52, 0x5F, SEED
ERASERS = Erasers((public(INTAKE),), {"desk-1": public(ASKS), "desk-2": public(APPROVES)})
PLAIN = CaseErased(
    requested_by=EVENT,
    requested_at=AT,
    approved_by=OTHER,
    approved_at=AT + 1,
    basis="storage-ended",
    records=7,
)


def erased(asks: int = ASKS, approves: int = APPROVES, by: int = INTAKE, case: str = CASE, of: str = CASE, **other: Any) -> CaseErased:
    """An erasure of a case. case: that which the two persons sign, if it is another."""
    body = structs.replace(PLAIN, **other)
    asked = secret(asks).sign(erasure_approval.request(case, body.basis, body.requested_by or ""))
    second = secret(approves).sign(erasure_approval.approval(case, body.basis, body.approved_by or "", body.requested_by or "", asked))
    return erasure_approval.signed(secret(by), of, structs.replace(body, requested_signature=asked, approved_signature=second))


ERASED = erased()
ERASURES: dict[str, Any] = {
    "requested_by": OTHER,
    "requested_at": AT + 5,
    "approved_by": EVENT,
    "approved_at": AT + 6,
    "basis": "court-order",
    "records": 8,
    "signature": bytes(64),
    "requested_signature": bytes(64),
    "approved_signature": bytes(64),
}


def erasures() -> VectorFile:
    """The three signed texts, an erasure of version 3, and each field changed after signing."""
    who = {"case_id": CASE, "intake": ERASERS.intake, "approvers": ERASERS.approvers}
    asked = ERASED.requested_signature or b""
    request = erasure_approval.request(CASE, PLAIN.basis, EVENT)
    approval = erasure_approval.approval(CASE, PLAIN.basis, OTHER, EVENT, asked)
    stated = erasure_approval.statement(CASE, ERASED)
    found = [
        good("request", public=public(ASKS), signed=request, signature=asked),
        good("approval", public=public(APPROVES), signed=approval, signature=ERASED.approved_signature),
        good("intake's text", public=public(INTAKE), signed=stated, signature=ERASED.signature),
        good("an erasure of two persons", **who, body=codec.encode(ERASED), erased=ERASED),
    ]
    assert ERASERS.genuine(CASE, ERASED, 1)
    third = erasure_approval.signed(secret(INTAKE), CASE, PLAIN)
    text = erasure_approval.statement(CASE, PLAIN)
    assert erasure_approval.genuine(ERASERS.intake, CASE, third)
    found.append(
        good(
            "without approvers, as version 3", **{**who, "approvers": {}}, body=codec.encode(third), signed=text, signature=third.signature
        )
    )
    for name, body in each_field(ERASED, ERASURES):
        assert not ERASERS.genuine(CASE, body, 1)
        found.append(
            bad(
                f"field {name} changed after signing",
                "what was signed is another",
                "an erasure of two persons",
                **who,
                body=codec.encode(body),
            )
        )
    for name, why, body in (
        ("one approver twice", "one person signed both", erased(approves=ASKS)),
        ("one account twice", "requested_by is approved_by", erased(approved_by=EVENT)),
        ("a stranger approves", "no approver made it", erased(approves=STRANGER)),
        ("a stranger in intake's place", "intake did not sign it", erased(by=STRANGER)),
        ("two persons of another case", "the case is signed by each", erased(case=OTHER)),
        ("no person, though approvers are named", "two signatures are missing", third),
    ):
        assert not ERASERS.genuine(CASE, body, 1), name
        code = "ERASURE_ALONE" if erasure_approval.genuine(ERASERS.intake, CASE, body) else "ERASURE_FORGED"
        found.append(bad(name, why, "an erasure of two persons", **who, body=codec.encode(body), finding=code))
    return VectorFile("12.5", found)


SCHOOL = SigningKey(id="school-one+" + sha256(b"school-one\n\x01" + public(0x61)).hexdigest()[:8], public=public(0x61))
LATER = SigningKey(id="school-one+" + sha256(b"school-one\n\x01" + public(0x62)).hexdigest()[:8], public=public(0x62))


def agencies() -> VectorFile:
    """Signatures of what an agency sent, and the times from which its keys count."""
    found = [good("path of " + type(body).TYPE, case_id=CASE, path=_path(CASE, body), **_body(body)) for body in _sent()]
    referral = _sent()[0]
    assert isinstance(referral, ReferralSubmitted)
    signed = by_http("/v1/referrals")
    assert not _wrong(CASE, referral, signed)
    found.append(
        good("HTTP", scheme="HTTP", base_text=signed.base.decode(), public=signed.public, signature=signed.signature, **_body(referral))
    )
    by_record = _by_record(7)
    assert not _wrong(CASE, structs.replace(referral, door=e.Door.KAFKA), by_record)
    text = event_signature.signed_bytes(by_record.base)
    held = {"scheme": "CLOUDEVENT", "list": by_record.base, "signed": text, "sequence": 7, "agency": "school-one"}
    held |= _body(structs.replace(referral, door=e.Door.KAFKA))
    found.append(good("CLOUDEVENT", **held, public=by_record.public, signature=by_record.signature))
    for name, why, one in (
        ("another path", "@path is not that of a referral", by_http("/v1/offers/x/responses")),
        ("no POST", "@method is not POST", by_http("/v1/referrals", method="PUT")),
        ("no digest of the body", "content-digest has no sha-256", by_http("/v1/referrals", digest="md5=:AAAA:")),
        ("another text", "it is not the key's signature", structs.replace(signed, base=signed.base + b" ")),
        ("of another agency", "agency is not the body's", structs.replace(signed, agency="school-two")),
    ):
        assert _wrong(CASE, referral, one), name
        found.append(bad(name, why, "HTTP", agency=one.agency, base_text=one.base.decode(), public=one.public, signature=one.signature))
    for name, why, one in (
        ("another sequence", "its digest is not in the list", structs.replace(by_record, sequence=8)),
        ("a list that is cut", "32 bytes for each digest", structs.replace(by_record, base=by_record.base[:-1])),
    ):
        assert _wrong(CASE, structs.replace(referral, door=e.Door.KAFKA), one), name
        found.append(bad(name, why, "CLOUDEVENT", list=one.base, sequence=one.sequence, public=one.public, signature=one.signature))
    return VectorFile("12.3", [*found, *_counting()])


def _body(body: Any) -> Vector:
    """The type of what was sent, and its fields that a signature is compared with."""
    held = {name: getattr(body, name) for name in ("agency", "door", "via", "offer_id", "referral_id") if hasattr(body, name)}
    return {"type": type(body).TYPE, "fields": held}


def _sent() -> list[Any]:
    one: dict[str, Any] = {"agency": "school-one", "received_at": AT}
    offer: dict[str, Any] = {"offer_id": EVENT}
    return [
        ReferralSubmitted(referral_id=OTHER, door=e.Door.HTTP, opens=True, traits=CHILD, sections=(), **one),
        e.ResponseSubmitted(response_id=OTHER, word=e.Word.ACCEPT, reason="", code="", recorded=(), via=e.Via.SYSTEM, **offer, **one),
        e.AnswerWithdrawn(**offer, **one),
        e.ReferralWithdrawn(referral_id=OTHER, reason="other", **one),
        e.ConsentChanged(consent=e.Consent(state=e.ConsentState.GIVEN, basis="", giver="", scope=(), recipients=()), **one),
        e.TraitsChanged(traits=CHILD, **one),
        e.ActorExcluded(kind=e.ActorKind.AGENCY, actor="school-two", **one),
        ordered(e.Instruction.CLOSE, OTHER, AT, OTHER),
    ]


def by_http(path: str, method: str = "POST", digest: str = "", agency: str = "school-one") -> Signed:
    """A request that the school signs."""
    digest = digest or f"sha-256=:{base64.b64encode(sha256(b'the body').digest()).decode()}:"
    said = {"@method": method, "@path": path, "content-type": "application/json", "content-digest": digest}
    names = " ".join(f'"{name}"' for name in said)
    params = f'({names});created={AT // 1_000_000};keyid="{SCHOOL.id}"'
    base = "\n".join(f'"{name}": {value}' for name, value in {**said, "@signature-params": params}.items()).encode()
    return Signed(agency=agency, public=SCHOOL.public, scheme=e.Scheme.HTTP, base=base, signature=secret(0x61).sign(base), sequence=0)


def _by_record(number: int) -> Signed:
    said = {"id": "one", "source": "urn:referral:ingress.school-one", "specversion": "1.0", "type": "referral.referral-submitted.v1"}
    said |= {"datacontenttype": "application/json", "topic": "ingress.school-one", "key": "", "sequence": str(number)}
    base = event_signature.digests(said, b"the value", ("topic", "key", "sequence"))
    signature = secret(0x61).sign(event_signature.signed_bytes(base))
    return Signed(agency="school-one", public=SCHOOL.public, scheme=e.Scheme.CLOUDEVENT, base=base, signature=signature, sequence=number)


def _counting() -> Iterator[Vector]:
    text = agency_keys.statement(LATER)
    vouched = secret(0x61).sign(text)
    yield good("an older key vouches for a new one", id=LATER.id, public=LATER.public, signed=text, by=SCHOOL.public, signature=vouched)
    one, both = Signing(keys=(SCHOOL,)), (SCHOOL, LATER)
    for name, listed in (
        ("the first key of an agency", [Signing(), one]),
        ("a second key, vouched", [one, Signing(keys=both, vouched=(vouched,))]),
        ("a second key, not vouched", [one, Signing(keys=both)]),
        ("a key that is taken out ends", [one, Signing()]),
        ("the duty begins at once", [one, Signing(must=True, keys=(SCHOOL,))]),
        ("the duty ends a day later", [Signing(must=True, keys=(SCHOOL,)), one]),
    ):
        state: dict[str, agency_keys.AgencyKeys] = {}
        for number, signing in enumerate(listed):
            state = agency_keys.after(state, {"school-one": signing}, AT + number)
        keys = state.get("school-one", agency_keys.AgencyKeys({}, False))
        counts = {key.id: since for key, since in keys.keys.items()}
        bundles = [
            {"kafka_time_us": AT + n, "must": s.must, "keys": [k.id for k in s.keys], "vouched": s.vouched} for n, s in enumerate(listed)
        ]
        publics = {key.id: key.public for key in both}
        yield good(name, bundles=bundles, publics=publics, counts_from=counts, must=keys.must, must_until=keys.must_until)


RECEIPT = {
    "referral_id": OTHER,
    "case_id": CASE,
    "event_id": EVENT,
    "received_at": "2027-01-15T08:00:00Z",
    "logged_by": "2027-01-15T08:10:00Z",
}
RECEIPTS = {
    "referral_id": EVENT,
    "case_id": OTHER,
    "event_id": OTHER,
    "received_at": "2027-01-15T08:00:01Z",
    "logged_by": "2027-01-15T08:10:01Z",
}


def receipts() -> VectorFile:
    """A receipt with its signature and proof, each field changed, and proofs that do not hold."""
    text = receipt.statement(OTHER, RECEIPT)
    held = {**RECEIPT, "signature": base64.b64encode(secret(INTAKE).sign(text)).decode()}
    rules = policy() + trust_lines.intake_line(public(INTAKE))
    leaf = wire.encode(BASE)
    log = Log([b"a", b"b", leaf, b"d", b"e"])
    proof = structs.replace(log.proof(2), extra=leaf).encode()
    receipt.promised(held, rules)
    receipt.check(held, proof, rules)
    found = [
        good("a receipt", policy_text=rules.decode(), receipt_json=held, signed_text=text.decode(), signed=text, proof_text=proof.decode())
    ]
    for name in ("referral_id", *receipt.SAID):
        changed = {**held, name: RECEIPTS[name]}
        try:
            receipt.promised(changed, rules)
        except Unproven:
            told = {"policy_text": rules.decode(), "receipt_json": changed, "proof_text": proof.decode()}
            found.append(bad(f"field {name} changed", "intake signed another text", "a receipt", **told))
            continue
        raise AssertionError(name)
    few = structs.replace(log.proof(2, witnesses=WITNESSES[:1]), extra=leaf).encode()
    other = structs.replace(BASE, topic="referral-routing")
    moved = Log([b"a", b"b", wire.encode(other)])
    for name, why, one in (
        ("of one witness", "no quorum", few),
        (
            "of another topic",
            "what an agency sends is in referral-intake",
            structs.replace(moved.proof(2), extra=wire.encode(other)).encode(),
        ),
        ("without the leaf", "no line extra", log.proof(2).encode()),
        ("of another index", "the hashes do not lead to the root", structs.replace(log.proof(1), extra=leaf).encode()),
    ):
        try:
            receipt.check(held, one, rules)
        except Unproven:
            found.append(bad(f"proof {name}", why, "a receipt", policy_text=rules.decode(), receipt_json=held, proof_text=one.decode()))
            continue
        raise AssertionError(name)
    return VectorFile("13", found)
