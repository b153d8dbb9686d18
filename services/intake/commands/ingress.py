"""Turn a record of `ingress.<agency>` into a posting, or into the reason why it is refused. Pure but for the private key. Codes only: no
case file on Kafka.

Headers (CloudEvents, binary mode): ce_id is required, the agency's own number; ce_type, when sent, is referral.referral-submitted.v1;
content-type is application/json (the body of POST /v1/referrals, the default) or application/avro (the body of that event). The event has
no field for an exercise, because the envelope of every other event has one: an Avro record says it in ce_drill.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import Struct, convert, to_builtins

from referral.domain.events import Door, ReferralSubmitted, Signed
from referral.domain.inputs import Raw
from referral.errors import Malformed, NewerVersion, Rejected
from referral.runtime.kafka.fetched import NAMELESS
from referral.runtime.keys.case_keys import Keys
from referral.wire import codec
from referral.wire import hpke as envelope
from services.intake.commands import idempotency
from services.intake.commands.accept_referrals import Posting
from services.intake.messages import signatures, strict_json, submission
from services.intake.policy_view import Lists

TYPE = f"referral.{ReferralSubmitted.TYPE}"
AVRO = "application/avro"
DRILL = "ce_drill"
_DRILLS = {"": False, "false": False, "true": True}
"""Boolean of CloudEvents, as a header writes it; without the header the record is about a real person."""
_ENCRYPT = "encrypt the submission to the key of GET /v1/ingress-key, for this topic's name (see docs/agencies.md)"
_HINTS = {"seal": _ENCRYPT, "too-large": f"a record's value has at most {envelope.VALUE_LIMIT} bytes"}
_FRAMES = {b"\x00": "a schema registry's magic byte and schema id", b"\xc3\x01": "the marker and fingerprint of a single object"}
"""First bytes of an Avro body inside a frame that we do not accept. Our body begins with the length of an id."""


class Unreadable(Struct, frozen=True, kw_only=True):
    """A record to be quarantined.

    reason: for the quarantine row.
    key: the digest of its number; None when it has none that can be used.
    why: the refusal for its sender.
    signed: its signature, where that is valid and leaves no gap; the number then counts as used.
    """

    reason: str
    key: bytes | None
    why: Rejected
    signed: Signed | None = None


def key_of(raw: Raw, keys: Keys) -> bytes | None:
    """Return the digest of a record's number; None where it has none that can be used, or several."""
    named = [value for name, value in raw.headers if name.lower() == "ce_id"]
    try:
        return (
            idempotency.key_digest(keys, raw.agency, b"".join(named[:1]).decode("ascii", "replace"), "ce_id") if len(named) == 1 else None
        )
    except Rejected:
        return None


def posting(raw: Raw, private: X25519PrivateKey, keys: Keys, lists: Lists, last: int = 0) -> Posting | Unreadable:
    """Return the posting of a record, or why it is refused. last: number of the agency's last signed record, 0 before the first."""
    named = [(name.lower(), value) for name, value in raw.headers if name not in NAMELESS]  # these headers mean nothing to us
    headers = dict(named)
    if len(headers) != len(named):
        why = Rejected("repeated-header", "headers", "send each header once")
        return Unreadable(reason=why.code, key=None, why=why)
    try:
        key = idempotency.key_digest(keys, raw.agency, _text(headers, "ce_id"), "ce_id")
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
        submitted = _submission(raw, headers, private, lists)
    except Rejected as why:
        return Unreadable(reason=why.code, key=key, why=why, signed=signed)
    except Malformed as error:
        return Unreadable(
            reason=error.reason, key=key, why=Rejected(error.reason, "value", _HINTS.get(error.reason, _ENCRYPT)), signed=signed
        )
    return Posting(agency=raw.agency, key=key, door=Door.KAFKA, referral=submitted, signed=signed)


def _submission(raw: Raw, headers: Mapping[str, bytes], private: X25519PrivateKey, lists: Lists) -> submission.Submission:
    type_ = _text(headers, "ce_type") or TYPE
    if type_ != TYPE:
        newer = type_.rpartition(".")[0] == TYPE.rpartition(".")[0]
        raise Rejected("unknown-version" if newer else "unknown-type", "ce_type", f"publish {TYPE}")
    body = envelope.decrypt(private, f"ingress.{raw.agency}", raw.value)
    content = _text(headers, "content-type").partition(";")[0].strip().lower()
    if content in ("", "application/json"):
        if DRILL in headers:
            raise Rejected("not-asked", DRILL, "JSON says it in its own field, drill; leave the header out")
        return submission.codes_only(body, lists)
    if content == AVRO:
        return _avro(body, raw.agency, _drill(headers), lists)
    raise Rejected("unknown-content", "content-type", f"send application/json or {AVRO}")


def _drill(headers: Mapping[str, bytes]) -> bool:
    """Return True if an Avro record is an exercise. Rejected: neither true nor false, or a header that the record's signature does not
    cover."""
    word = _text(headers, DRILL)
    if word not in _DRILLS or (DRILL in headers and not word):
        raise Rejected("wrong-type", DRILL, "send true or false; without the header it is a real person")
    if DRILL in headers and "ce_dssematerial" in headers and "drill" not in _text(headers, "ce_signedextattrs").split(","):
        raise Rejected("bad-signature", "ce_signedextattrs", "sign drill too, or leave the header out", status=400)
    return _DRILLS[word]


def _body(body: bytes) -> ReferralSubmitted:
    """Return the event in an Avro body. Rejected: another version, or bytes that are no such body; the hint names the frame that they begin
    with."""
    try:
        event = codec.decode(ReferralSubmitted.TYPE, codec.fingerprint(ReferralSubmitted.TYPE), body)
    except NewerVersion:
        raise Rejected("unknown-version", "ce_type", f"publish {TYPE}") from None
    except Malformed as error:
        frame = next((f"it begins with {words}; " for start, words in _FRAMES.items() if body.startswith(start)), "")
        hint = f"{frame}send the bare Avro body of schemas/avro/{ReferralSubmitted.TYPE}.avsc: no frame, no schema id, nothing after it"
        raise Rejected(error.reason, "value", hint) from None
    assert isinstance(event, ReferralSubmitted)
    return event


def _avro(body: bytes, agency: str, drill: bool, lists: Lists) -> submission.Submission:
    """Return the submission of an Avro event. Its ids, door and time are the sender's and are not stored. A further referral of a case must
    be JSON."""
    event = _body(body)
    if event.agency != agency:
        raise Rejected("not-yours", "agency", "publish as your own agency")
    if event.sections or not event.opens:
        raise Rejected(
            "personal-facts" if event.sections else "unknown-case", "sections" if event.sections else "opens", "use JSON or HTTP for this"
        )
    traits = submission.traits(convert(to_builtins(event.traits), submission.TraitsBody), lists, "traits")
    consent = None
    if event.consent is not None:
        plain = {**to_builtins(event.consent), "until": None}
        checked = submission.consent(strict_json.shape(plain, submission.ConsentBody), lists, "consent")
        consent = submission.until(checked, event.consent.until)
    excludes = submission.excludes(event.excludes, lists, "excludes")
    return submission.Submission(traits=traits, consent=consent, case_id=None, drill=drill, sections=(), excludes=excludes)


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("ascii", "replace")
