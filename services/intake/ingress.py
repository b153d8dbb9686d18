"""A record of `ingress.<agency>` → a posting, or why not. Pure but for the key that opens it. Codes only: no case file on Kafka.

Headers (CloudEvents, binary mode): ce_id is needed, the agency's own number; ce_type, when sent, is referral.referral-submitted.v1;
content-type application/json (what POST /v1/referrals takes, the default) or application/avro (the body of that event).
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import Struct, convert, to_builtins

from referral.domain.events import Door, ReferralSubmitted, Signed
from referral.domain.record import Raw
from referral.errors import Malformed, NewerVersion, Rejected
from referral.runtime.keys import Keys
from referral.wire import codec
from referral.wire import ingress as envelope
from services.intake import receipts, signatures, strict, submit
from services.intake.accepting import Posting
from services.intake.lists import Lists

TYPE = f"referral.{ReferralSubmitted.TYPE}"
AVRO = "application/avro"


class Unreadable(Struct, frozen=True, kw_only=True):
    """What is quarantined. reason: for the record of it. key: None when the record had none that can be used. why: for its sender.
    signed: its signature, where that holds and leaves no number out: the number is used."""

    reason: str
    key: bytes | None
    why: Rejected
    signed: Signed | None = None


def posting(raw: Raw, private: X25519PrivateKey, keys: Keys, lists: Lists, last: int = 0) -> Posting | Unreadable:
    """What a record asks, or why it cannot be taken. last: number of the agency's last signed record, 0 before the first."""
    headers = {name.lower(): value for name, value in raw.headers}
    if len(headers) != len(raw.headers):
        why = Rejected("repeated-header", "headers", "send each header once")
        return Unreadable(reason=why.code, key=None, why=why)
    try:
        key = receipts.key_digest(keys, raw.agency, _text(headers, "ce_id"), "ce_id")
    except Rejected as why:
        return Unreadable(reason="no-key", key=None, why=why)
    attributes = {name.removeprefix("ce_"): value.decode("utf-8", "replace") for name, value in headers.items() if name.startswith("ce_")}
    if "content-type" in headers:
        attributes["datacontenttype"] = headers["content-type"].decode("utf-8", "replace")
    try:
        signed = signatures.of_record(raw.agency, raw.key, raw.value, attributes, lists.signing_of(raw.agency))
        if signed is not None:
            signatures.no_gap(signed.sequence, last)
    except Rejected as why:
        return Unreadable(reason=why.code, key=key, why=why)
    try:
        found = _found(raw, headers, private, lists)
    except Rejected as why:
        return Unreadable(reason=why.code, key=key, why=why, signed=signed)
    except Malformed as error:
        hint = "encrypt the submission to the key of GET /v1/ingress-key, for this topic's name (see docs/agencies.md)"
        return Unreadable(reason=error.reason, key=key, why=Rejected(error.reason, "value", hint), signed=signed)
    return Posting(agency=raw.agency, key=key, door=Door.KAFKA, found=found, signed=signed)


def _found(raw: Raw, headers: Mapping[str, bytes], private: X25519PrivateKey, lists: Lists) -> submit.Submission:
    type_ = _text(headers, "ce_type") or TYPE
    if type_ != TYPE:
        newer = type_.rpartition(".")[0] == TYPE.rpartition(".")[0]
        raise Rejected("unknown-version" if newer else "unknown-type", "ce_type", f"publish {TYPE}")
    body = envelope.decrypt(private, f"ingress.{raw.agency}", raw.value)
    content = _text(headers, "content-type").partition(";")[0].strip().lower()
    if content in ("", "application/json"):
        return submit.codes_only(body, lists)
    if content == AVRO:
        return _avro(body, raw.agency, lists)
    raise Rejected("unknown-content", "content-type", f"send application/json or {AVRO}")


def _avro(body: bytes, agency: str, lists: Lists) -> submit.Submission:
    """The event's own body; its ids, door and time are the sender's and are not kept. A further referral of a case goes by JSON."""
    try:
        event = codec.decode(ReferralSubmitted.TYPE, codec.fingerprint(ReferralSubmitted.TYPE), body)
    except NewerVersion:
        raise Rejected("unknown-version", "ce_type", f"publish {TYPE}") from None
    assert isinstance(event, ReferralSubmitted)
    if event.agency != agency:
        raise Rejected("not-yours", "agency", "publish as your own agency")
    if event.sections or not event.opens:
        raise Rejected(
            "personal-facts" if event.sections else "unknown-case", "sections" if event.sections else "opens", "use JSON or HTTP for this"
        )
    traits = submit.traits(convert(to_builtins(event.traits), submit.TraitsBody), lists, "traits")
    consent = None
    if event.consent is not None:
        plain = {**to_builtins(event.consent), "until": None}
        checked = submit.consent(strict.shape(plain, submit.ConsentBody), lists, "consent")
        consent = submit.until(checked, event.consent.until)
    return submit.Submission(traits=traits, consent=consent, case_id=None, drill=False, sections=())


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("ascii", "replace")
