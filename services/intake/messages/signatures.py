"""Verify the agency's signature on a request or a record. The policy says which agencies must sign; a refusal names the fault and its cure.
Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from msgspec import Struct

from referral.domain.events import Scheme, Signed
from referral.domain.policy.directory import Signing, SigningKey
from referral.errors import Malformed, Rejected
from referral.wire import event_digest, event_signature, http_signature
from referral.wire.http_signature import Said
from referral.wire.signed import statements

CLOCKS_S = 300
"""Seconds by which the clock of an agency's system may differ from ours, in both directions (ours): also the greatest age of a request when
it arrives."""
COVERED = ("@method", "@path", "@authority", "content-type", "content-digest")
"""Components that every signature of a request covers; also the Idempotency-Key where one is sent. With @authority a signature made for a
trial is valid only there."""
INPUT, SIGNATURE = "signature-input", "signature"
WORDS = (event_digest.SALT_HEADER, event_digest.DIGEST_HEADER)
"""Components that bind the words of the event, together (docs/record-signature.md)."""


class Request(Struct, frozen=True, kw_only=True):
    """The signed parts of a request. path: as received, without the query. headers: name in lower case → all of its values."""

    method: str
    path: str
    headers: Mapping[str, Sequence[str]]
    body: bytes


def of_request(request: Request, agency: str, policy: Signing, now: int, *, authority: str = "") -> Signed | None:
    """Return the signature of a request that changes something; None where there is none and none is required.

    now: Unix seconds.
    authority: host by which agencies reach this service; empty where it has no name of its own, as in a trial.

    Rejected: a required signature is missing, or a signature is not valid.
    """
    if INPUT not in request.headers and SIGNATURE not in request.headers:
        if policy.must:
            hint = f"your agency must sign its requests: send {INPUT.title()} and {SIGNATURE.title()} (RFC 9421, see docs/agencies.md)"
            raise Rejected("must-sign", INPUT.title(), hint, status=HTTPStatus.UNAUTHORIZED)
        return None
    parsed = _parsed(request)
    if request.method == "POST" and "idempotency-key" not in request.headers and _media(request) == "application/json":
        hint = "sign it under an Idempotency-Key: then what somebody sends a second time does nothing"
        raise Rejected("missing-key", "Idempotency-Key", hint, status=400)
    needed = (*COVERED, *(("idempotency-key",) if "idempotency-key" in request.headers else ()))
    if missing := [name for name in needed if name not in parsed.covered]:
        raise _bad(INPUT, f"cover also {', '.join(missing)}")
    if len({*WORDS} & {*parsed.covered}) == 1:
        raise _bad(INPUT, f"cover both {' and '.join(WORDS)}, or neither")
    key = _key(policy, agency, parsed.keyid, f"{INPUT.title()}: keyid")
    if parsed.algorithm not in ("", "ed25519"):
        raise _bad(INPUT, "sign with Ed25519; alg is ed25519, or left out")
    if authority and _authority(request) != authority:
        raise _wrong(
            "@authority", f"the request names another host than {authority}, which it is signed for: sign that, and send it as Host"
        )
    try:
        base = http_signature.base(parsed, _values(request, parsed))
    except Malformed as error:
        raise _bad(INPUT, _detail(error)) from None
    if not statements.holds(key.public, parsed.signature, base):
        raise _wrong(
            SIGNATURE.title(),
            "it is not the key's signature of this base, whose lines end in one newline but the last: " + _base_names(parsed),
        )
    _digest(request)
    if not now - CLOCKS_S <= parsed.created <= now + CLOCKS_S or 0 < parsed.expires < now:
        hint = f"sign each request when you send it: created is Unix time in seconds, within {CLOCKS_S} s of our clock, which says {now}"
        raise Rejected("stale-signature", f"{INPUT.title()}: created", hint, status=HTTPStatus.UNAUTHORIZED)
    return Signed(agency=agency, public=key.public, scheme=Scheme.HTTP, base=base, signature=parsed.signature, sequence=0)


def of_record(agency: str, key: bytes | None, value: bytes, attributes: Mapping[str, str], policy: Signing) -> Signed | None:
    """Return the signature of a record of `ingress.<agency>`, its number in `sequence`; None where there is none and none is required.

    key, value: of the record.
    attributes: its CloudEvents attributes, without ce_.

    Rejected: as `of_request`. The caller checks that the number is the next one.
    """
    if "dssematerial" not in attributes:
        if policy.must:
            raise Rejected("must-sign", "ce_dssematerial", "your agency must sign its records: see docs/agencies.md")
        return None
    try:
        payload, keyid, signature = event_signature.envelope(attributes["dssematerial"])
        names = event_signature.extensions(attributes.get("signedextattrs", ""))
        base = event_signature.digests(attributes, value, names)
    except Malformed as error:
        where = {"material": "ce_dssematerial", "attributes": "ce_signedextattrs"}.get(error.reason, f"ce_{error.reason}")
        raise Rejected("bad-signature", where, _detail(error), status=400) from None
    listed = _key(policy, agency, keyid, "ce_dssematerial")
    if hashlib.sha256(base).digest() != payload:
        raise _wrong("ce_dssematerial", "its payload is not the digest of these attributes and this value, in the extension's order")
    if not statements.holds(listed.public, signature, event_signature.encoding(payload)):
        raise _wrong("ce_dssematerial", "it is not the key's signature of the payload in DSSE's encoding")
    for name, expected in (("topic", f"ingress.{agency}"), ("key", (key or b"").decode("utf-8", "replace")), ("specversion", "1.0")):
        if attributes.get(name, "") != expected:
            raise _wrong(
                f"ce_{name}", "it was signed for another place: sign the topic without a stack's prefix, the record's key, version 1.0"
            )
    number = attributes.get("sequence", "")
    if not number.isascii() or not number.isdigit() or number.startswith("0") or len(number) > 18:
        raise Rejected("bad-signature", "ce_sequence", "number your signed records 1, 2, 3 …", status=400)
    return Signed(agency=agency, public=listed.public, scheme=Scheme.CLOUDEVENT, base=base, signature=signature, sequence=int(number))


def repeated(last: int) -> Rejected:
    """Return the refusal of a record whose number was used for another record."""
    return Rejected("sequence-repeated", "ce_sequence", f"the next number is {last + 1}: if this is something new, publish it under that")


def gap(sent: int, last: int) -> Rejected | None:
    """Return the refusal of a record before which a signed record is missing; None: none is missing."""
    if sent <= last + 1:
        return None
    return Rejected("sequence-gap", "ce_sequence", f"number {last + 1} never came: publish from there on again, in order", status=409)


def _parsed(request: Request) -> Said:
    for name in (INPUT, SIGNATURE):
        if len(request.headers.get(name, ())) != 1:
            raise _bad(name, "send both, each once")
    try:
        return http_signature.parse(request.headers[INPUT][0], request.headers[SIGNATURE][0])
    except Malformed as error:
        raise _bad(INPUT if error.reason == "input" else SIGNATURE, _detail(error)) from None


def _media(request: Request) -> str:
    return "".join(request.headers.get("content-type", ())).partition(";")[0].strip().lower()


def _values(request: Request, parsed: Said) -> dict[str, str]:
    """Return the value of each covered component. Rejected: a header came twice."""
    values = {"@method": request.method, "@path": request.path}
    if host := _authority(request):
        values["@authority"] = host
    for name in parsed.covered:
        values_sent = request.headers.get(name, ())
        if len(values_sent) > 1:
            raise _bad(name, "send what is signed once")
        if values_sent:
            values[name] = values_sent[0].strip()
    return values


def _authority(request: Request) -> str:
    """Return the host that a request names, as RFC 9421 §2.2.3 writes it."""
    return "".join(request.headers.get("host", ())[:1]).strip().lower()


def _digest(request: Request) -> None:
    digest = http_signature.sha256(",".join(request.headers.get("content-digest", ())))
    if not digest:
        raise _bad("content-digest", "send sha-256=:base64 of the body's SHA-256: (RFC 9530)")
    if digest != hashlib.sha256(request.body).digest():
        hint = "it is not the SHA-256 of the body that came: take it over the exact bytes that you send, after any serialising"
        raise Rejected("digest-differs", "Content-Digest", hint, status=400)


def _key(policy: Signing, agency: str, keyid: str, where: str) -> SigningKey:
    listed = next((key for key in policy.keys if key.id == keyid), None)
    if listed is None:
        known = ", ".join(key.id for key in policy.keys) or "none yet"
        hint = (
            f"name a key that counts for {agency} now: {known}; `referral agency key` makes one, the policy's keeper lists it; "
            "it counts after a day, or at once if a key of before signed it"
        )
        raise Rejected("unknown-signing-key", where, hint, status=HTTPStatus.UNAUTHORIZED)
    return listed


def _base_names(parsed: Said) -> str:
    return ", ".join((*parsed.covered, "@signature-params"))


def _detail(error: Malformed) -> str:
    return str(error).partition(": ")[2]


def _bad(header: str, hint: str) -> Rejected:
    return Rejected("bad-signature", header.title() if not header.startswith("@") else header, hint, status=400)


def _wrong(where: str, hint: str) -> Rejected:
    return Rejected("wrong-signature", where, hint, status=HTTPStatus.UNAUTHORIZED)
