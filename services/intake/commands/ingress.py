"""Accept the records of `ingress.<agency>`: decode each into a posting or the reason why it is refused, check the numbers, accept the rest.
Codes only: no case file on Kafka.

Headers (CloudEvents, binary mode): ce_id is required, the agency's own number; ce_type, when sent, is referral.referral-submitted.v1;
content-type is application/json (the body of POST /v1/referrals, the default) or application/avro (the body of that event). The event has
no field for an exercise, because the envelope of every other event has one: an Avro record says it in ce_drill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import Struct, convert, to_builtins
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import Door, ReferralSubmitted, Signed
from referral.domain.inputs import Input, Raw
from referral.errors import Malformed, NewerVersion, Rejected
from referral.runtime.kafka.fetched import NAMELESS
from referral.runtime.keys.case_keys import Keys
from referral.runtime.postgres import clock
from referral.runtime.service import Outcome
from referral.wire import codec, event_digest, topics
from referral.wire import hpke as envelope
from services.intake import crowd
from services.intake.commands import accept_referrals, idempotency, late_topics
from services.intake.commands.accept_referrals import Posting
from services.intake.context import IntakeContext
from services.intake.messages import signatures, strict_json, submission, words
from services.intake.messages.timestamps import when
from services.intake.model import REUSED
from services.intake.policy_view import Lists

TYPE = "referral.referral-submitted.v1"
"""The type of a record that names none."""
TYPES = {TYPE: "referral-submitted.v1", f"referral.{ReferralSubmitted.TYPE}": ReferralSubmitted.TYPE}
"""Types that agencies may publish, each with its schema. The first has no times."""
AVRO = "application/avro"
DRILL = "ce_drill"
_DRILLS = {"": False, "false": False, "true": True}
"""Boolean of CloudEvents, as a header writes it; without the header the record is about a real person."""
_ENCRYPT = "encrypt the submission to the key of GET /v1/ingress-key, for this topic's name (see docs/agencies.md)"
_HINTS = {"seal": _ENCRYPT, "too-large": f"a record's value has at most {envelope.VALUE_LIMIT} bytes"}
_FRAMES = (
    (b"\x00", 5, "a schema registry's magic byte and schema id"),
    (b"\xc3\x01", 10, "the marker and fingerprint of a single object"),
)
"""First bytes, length and name of frames around an Avro body that we do not accept. Our body begins with the length of an id."""
_TOLD = ("an id is a UUID in lower case", "truncated", "bytes are missing or left over", "an index out of range")
"""Words of the codec for a body without a value that was sent."""


class Unreadable(Struct, frozen=True, kw_only=True):
    """A record to be quarantined.

    key: the digest of its number; None when it has none that can be used.
    why: the refusal for its sender.
    reason: for the quarantine row.
    signed: its signature, where that is valid and leaves no gap; the number then counts as used.
    """

    agency: str
    key: bytes | None
    why: Rejected
    reason: str
    signed: Signed | None = None


Checked = tuple[Input, Posting | Unreadable]
"""A record, and what it asks for or why it is refused."""


async def accept(
    tx: AsyncConnection, door: IntakeContext, private: X25519PrivateKey, now: int, records: Sequence[tuple[Input, Raw]], outcome: Outcome
) -> None:
    """Accept the records that agencies published: decode all, check all numbers, accept all.

    A record that is refused is quarantined, and its sender can ask for the reason. now: batch clock, µs UTC.
    """
    lists = door.lists()
    decoded = [(record, decode(raw, private, door.keys, lists)) for record, raw in records]
    await _accept(tx, door, lists, now, await _numbered(tx, decoded), outcome)
    for agency in sorted({raw.agency for _, raw in records}):
        if (rest := door.crowd.rest_s(agency)) > 0:
            outcome.rest(f"{topics.INGRESS}{agency}", rest)
            await late_topics.note(tx, agency, late_topics.MANY_BYTES, now, now + int(rest * 1_000_000))


async def _numbered(tx: AsyncConnection, decoded: Sequence[Checked]) -> list[Checked]:
    """Check the numbers of the signed records: dense, in order, each for one record. Store the last number of each agency."""
    numbers = await idempotency.last_numbers(tx, {one.agency for _, one in decoded})
    accepted: set[tuple[str, bytes]] = set()
    checked: list[Checked] = []
    for record, one in decoded:
        last, sent = numbers.get(one.agency, 0), one.signed.sequence if one.signed else 0
        if (why := signatures.gap(sent, last)) is not None:
            one = _refused(one.agency, one.key, why)
        elif sent:
            numbers[one.agency] = max(last, sent)
        if isinstance(one, Posting):
            # under a key that was accepted before, perhaps in this batch, the record was read twice: it gets its first receipt
            if 0 < sent <= last and (one.agency, one.key) not in accepted and not await idempotency.taken(tx, one.agency, one.key):
                one = _refused(one.agency, one.key, signatures.repeated(last))
            else:
                accepted.add((one.agency, one.key))
        checked.append((record, one))
    await idempotency.store_numbers(tx, numbers)
    return checked


async def _accept(tx: AsyncConnection, door: IntakeContext, lists: Lists, now: int, checked: Sequence[Checked], outcome: Outcome) -> None:
    """Store the refusals, and accept the postings together."""
    untold: set[str] = set()
    postings: list[tuple[Input, Posting]] = []
    late: list[tuple[Input, Unreadable]] = []
    for record, one in checked:
        if isinstance(one, Posting):
            postings.append((record, one))
            continue
        outcome.quarantine(record, one.reason)
        if any((earlier.agency, earlier.key) == (one.agency, one.key) for _, earlier in postings):
            late.append((record, one))
        elif one.key is not None and not await _tell(tx, door, one.agency, one.key, one.why, now, record):
            untold.add(one.agency)
    answers = await accept_referrals.accept(tx, door, lists, [posting for _, posting in postings]) if postings else []
    for (record, posting), answer in zip(postings, answers, strict=True):
        if isinstance(answer, Rejected):
            outcome.quarantine(record, answer.code)
            if not await _tell(tx, door, posting.agency, posting.key, _for_kafka(answer), now, record):
                untold.add(posting.agency)
    for record, one in late:  # their key was accepted earlier in this batch: store the refusal with a later time
        assert one.key is not None
        if not await _tell(tx, door, one.agency, one.key, one.why, await clock.now(tx), record):
            untold.add(one.agency)
    for agency in sorted(untold):
        await late_topics.note(tx, agency, late_topics.MANY_REFUSED, now, now + int(crowd.HOUR_S * 1_000_000))


async def _tell(tx: AsyncConnection, door: IntakeContext, agency: str, key: bytes, why: Rejected, at: int, record: Input) -> bool:
    """Store the reason of a refusal for its sender. Return False where so many were refused that no further reason is stored."""
    told = door.crowd.tells(agency)
    if told:
        await idempotency.refuse(tx, agency, key, why, at, record.id)
    return told


def _for_kafka(why: Rejected) -> Rejected:
    """Return the refusal in the words of Kafka, where the key is the header `ce_id` and not `Idempotency-Key`."""
    return Rejected(why.code, "ce_id", why.hint, status=why.status) if why.code == REUSED else why


def key_of(raw: Raw, keys: Keys) -> bytes | None:
    """Return the digest of a record's number; None where it has none that can be used, or several."""
    named = [value for name, value in raw.headers if name.lower() == "ce_id"]
    try:
        return (
            idempotency.key_digest(keys, raw.agency, b"".join(named[:1]).decode("ascii", "replace"), "ce_id") if len(named) == 1 else None
        )
    except Rejected:
        return None


def decode(raw: Raw, private: X25519PrivateKey, keys: Keys, lists: Lists) -> Posting | Unreadable:
    """Return the posting of a record, or why it is refused. Its signature is checked, but not its number."""
    named = [(name.lower(), value) for name, value in raw.headers if name not in NAMELESS]  # these headers mean nothing to us
    headers = dict(named)
    if len(headers) != len(named):
        return _refused(raw.agency, None, Rejected("repeated-header", "headers", "send each header once"))
    try:
        key = idempotency.key_digest(keys, raw.agency, _text(headers, "ce_id"), "ce_id")
    except Rejected as why:
        return _refused(raw.agency, None, why, reason="no-key")
    try:
        attributes = _attributes(raw, headers, private)
        signed = signatures.of_record(raw.agency, raw.key, raw.value, attributes, lists.signing_of(raw.agency, raw.kafka_time * 1000))
    except Rejected as why:
        return _refused(raw.agency, key, why)
    except Malformed as error:
        return _refused(raw.agency, key, Rejected(error.reason, "value", _HINTS.get(error.reason, _ENCRYPT)))
    try:
        submitted = _submission(raw, headers, private, lists)
        claimed = event_digest.claimed(signed) if signed else None
        if claimed is not None and not claimed.holds(submission.recorded(submitted, raw.agency)):
            raise words.differs(f"ce_{event_digest.DIGEST_ATTRIBUTE}")
    except Rejected as why:
        return _refused(raw.agency, key, why, signed=signed)
    except Malformed as error:
        hint = _HINTS.get(error.reason, _ENCRYPT)
        return _refused(raw.agency, key, Rejected(error.reason, "value", hint), signed=signed)
    return Posting(agency=raw.agency, key=key, door=Door.KAFKA, referral=submitted, signed=signed)


def _attributes(raw: Raw, headers: Mapping[str, bytes], private: X25519PrivateKey) -> dict[str, str]:
    """Return the CloudEvents attributes of a record, and the salt of its words, which is signed and stands in the encrypted body alone.

    Rejected: the signature covers half of what binds the words, or the body has no salt. Malformed: the record does not decrypt.
    """
    found = {name.removeprefix("ce_"): value.decode("utf-8", "replace") for name, value in headers.items() if name.startswith("ce_")}
    if "content-type" in headers:
        found["datacontenttype"] = headers["content-type"].decode("utf-8", "replace")
    pair = {event_digest.SALT_ATTRIBUTE, event_digest.DIGEST_ATTRIBUTE}
    covered = pair & set(found.get("signedextattrs", "").split(","))
    if not covered:
        return found
    if covered != pair or event_digest.SALT_ATTRIBUTE in found:
        hint = "sign eventsalt and eventdigest, or neither; the salt is no header: it would give away what the digest hides"
        raise Rejected("bad-signature", "ce_signedextattrs", hint, status=400)
    salt = submission.salt(envelope.decrypt(private, f"ingress.{raw.agency}", raw.value))
    return {**found, event_digest.SALT_ATTRIBUTE: salt}


def _refused(agency: str, key: bytes | None, why: Rejected, *, reason: str = "", signed: Signed | None = None) -> Unreadable:
    return Unreadable(agency=agency, key=key, why=why, reason=reason or why.code, signed=signed)


def _submission(raw: Raw, headers: Mapping[str, bytes], private: X25519PrivateKey, lists: Lists) -> submission.Submission:
    type_ = _text(headers, "ce_type") or TYPE
    if type_ not in TYPES:
        newer = type_.rpartition(".")[0] == TYPE.rpartition(".")[0]
        raise Rejected("unknown-version" if newer else "unknown-type", "ce_type", f"publish {TYPE}")
    body = envelope.decrypt(private, f"ingress.{raw.agency}", raw.value)
    content = _text(headers, "content-type").partition(";")[0].strip().lower()
    if content in ("", "application/json"):
        if DRILL in headers:
            raise Rejected("not-asked", DRILL, "JSON says it in its own field, drill; leave the header out")
        return submission.codes_only(body, lists)
    if content == AVRO:
        return _avro(body, TYPES[type_], raw.agency, _drill(headers), lists)
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


def _body(body: bytes, type_: str) -> ReferralSubmitted:
    """Return the event in an Avro body. Rejected: another version, or bytes that are no such body; the hint names the frame around them."""
    try:
        event = _decoded(body, type_)
    except NewerVersion:
        raise Rejected("unknown-version", "ce_type", f"publish {TYPE}") from None
    except Malformed as error:
        framed = (f"it begins with {words}; " for start, size, words in _FRAMES if body.startswith(start) and _is_body(body[size:], type_))
        told = (f"{said}; " for said in _TOLD if str(error).endswith(said))
        why = next(framed, "") or next(told, "")
        hint = f"{why}send the bare Avro body of schemas/avro/{type_}.avsc: no frame, no schema id, nothing after it"
        raise Rejected(error.reason, "value", hint) from None
    return event


def _decoded(body: bytes, type_: str) -> ReferralSubmitted:
    event = codec.decode(type_, codec.fingerprint(type_), body)
    assert isinstance(event, ReferralSubmitted)
    return event


def _is_body(body: bytes, type_: str) -> bool:
    try:
        return bool(_decoded(body, type_))
    except Malformed:
        return False


def _avro(body: bytes, type_: str, agency: str, drill: bool, lists: Lists) -> submission.Submission:
    """Return the submission of an Avro event. Its ids, door and time are the sender's and are not stored. A further referral of a case must
    be JSON."""
    event = _body(body, type_)
    if event.agency != agency:
        raise Rejected("not-yours", "agency", "publish as your own agency")
    if event.sections or not event.opens:
        raise Rejected(
            "personal-facts" if event.sections else "unknown-case", "sections" if event.sections else "opens", "use JSON or HTTP for this"
        )
    coded = {**to_builtins(event.traits), "times": {one.code: when(one.at) for one in event.traits.times}}
    traits = submission.traits(convert(coded, submission.TraitsBody), lists, "traits")
    consent = None
    if event.consent is not None:
        plain = {**to_builtins(event.consent), "until": None}
        checked = submission.consent(strict_json.shape(plain, submission.ConsentBody), lists, "consent")
        consent = submission.until(checked, event.consent.until)
    excludes = submission.excludes(event.excludes, lists, "excludes")
    return submission.Submission(traits=traits, consent=consent, case_id=None, drill=drill, sections=(), excludes=excludes)


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("ascii", "replace")
