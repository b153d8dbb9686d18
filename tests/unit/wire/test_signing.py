"""What an agency signs: the published vector, what our own SDK sends, and every way in which a signature does not fit its request."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from referral.client import Client, SigningKey, sign_record
from referral.domain.events import Scheme
from referral.domain.policy.directory import Signing
from referral.domain.policy.reading.agencies import signing_key
from referral.errors import Malformed, Rejected
from referral.tlog.note_keys import ED25519, SignerKey, VerifierKey
from referral.wire import event_digest, event_signature, http_signature
from referral.wire.signed import statements
from services.intake.messages import signatures, words
from services.intake.messages.signatures import Request

NOW = 1_700_000_000
KEY, OTHER = (SignerKey("school", ED25519, bytes([n]) * 32) for n in (1, 2))
WRITTEN = KEY.encode().decode()
LISTED = signing_key(KEY.verifier.encode().decode())
assert LISTED is not None
MUST, MAY, NOBODY = Signing(must=True, keys=(LISTED,)), Signing(keys=(LISTED,)), Signing()
BODY = b'{"traits": {"concern": "trafficking"}}'


def test_the_vector_of_the_rfc_verifies() -> None:
    """RFC 9421, B.2.6."""
    public = base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
    said = http_signature.parse(
        'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
    )
    values = {"date": "Tue, 20 Apr 2021 02:07:55 GMT", "@method": "POST", "@path": "/foo", "@authority": "example.com"}
    base = http_signature.base(said, values | {"content-type": "application/json", "content-length": "18"})
    assert statements.holds(public, said.signature, base)
    assert not statements.holds(public, said.signature, base.replace(b"/foo", b"/bar"))
    assert http_signature.read(base)["@path"] == "/foo"
    assert (said.created, said.keyid) == (1618884473, "test-key-ed25519")


def sent(do: Callable[[Client], Any], key: str | None = WRITTEN, seconds: int = NOW) -> Request:
    """What our SDK sends when it signs, as the door sees it."""
    caught: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        caught.append(request)
        return httpx.Response(202, json={})

    transport = httpx.MockTransport(answer)
    with Client("https://intake", "token", signing_key=key, transport=transport, seconds=lambda: seconds) as school:
        do(school)
    [one] = caught
    headers: dict[str, list[str]] = {}
    for name, value in one.headers.multi_items():
        headers.setdefault(name.lower(), []).append(value)
    return Request(method=one.method, path=one.url.raw_path.partition(b"?")[0].decode(), headers=headers, body=one.content)


SUBMITTED = sent(lambda school: school.submit(BODY, key="our-1"))


def changed(**headers: str | None) -> Request:
    """The submitted request with other headers; None takes one away."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {name: list(values) for name, values in SUBMITTED.headers.items() if name not in named}
    return structs.replace(SUBMITTED, headers=kept | {name: [value] for name, value in named.items() if value is not None})


def refused(request: Request, policy: Signing = MAY, now: int = NOW) -> str:
    with pytest.raises(Rejected) as caught:
        signatures.of_request(request, "school", policy, now)
    assert caught.value.hint and caught.value.status in (400, 401)
    return caught.value.code


def test_what_the_sdk_signs_is_taken_and_kept_without_the_body() -> None:
    for policy in (MUST, MAY):
        kept = signatures.of_request(SUBMITTED, "school", policy, NOW)
        assert kept is not None
        assert (kept.agency, kept.public, kept.scheme, kept.sequence) == ("school", LISTED and LISTED.public, Scheme.HTTP, 0)
        assert statements.holds(kept.public, kept.signature, kept.base) and b"trafficking" not in kept.base
        said = http_signature.read(kept.base)
        assert http_signature.sha256(said["content-digest"]) == hashlib.sha256(BODY).digest()
        assert (said["@method"], said["@path"], said["idempotency-key"]) == ("POST", "/v1/referrals", "our-1")


def test_a_request_binds_its_words_and_half_of_it_or_other_words_are_refused() -> None:
    kept = signatures.of_request(SUBMITTED, "school", MAY, NOW)
    assert kept is not None
    claimed = event_digest.claimed(kept)
    assert claimed is not None and claimed.holds(event_digest.words_of_body(json.loads(BODY)))
    assert words.sent(SUBMITTED, "application/json") is not None
    salt, digest = event_digest.SALT_HEADER, event_digest.DIGEST_HEADER
    assert refused(signed_with(f'{FULL} "{digest}"')) == "bad-signature"
    assert signatures.of_request(signed_with(f'{FULL} "{salt}" "{digest}"'), "school", MAY, NOW) is not None
    bare = structs.replace(SUBMITTED, headers={name: value for name, value in SUBMITTED.headers.items() if name not in (salt, digest)})
    assert words.sent(bare, "application/json") is None
    for wrong, media, code in (
        (changed(referral_event_salt=None), "application/json", "bad-event-digest"),
        (changed(referral_event_salt="too-short"), "application/json", "bad-event-digest"),
        (changed(referral_event_digest=None), "application/json", "bad-event-digest"),
        (changed(referral_event_digest="A" * 64), "application/json", "bad-event-digest"),
        (changed(referral_event_digest="0" * 64), "application/json", "event-digest-differs"),
        (SUBMITTED, "text/csv", "bad-event-digest"),
        (structs.replace(SUBMITTED, method="PUT"), "application/json", "bad-event-digest"),
    ):
        with pytest.raises(Rejected) as caught:
            words.sent(wrong, media)
        assert caught.value.code == code and caught.value.hint and caught.value.status == 400


@pytest.mark.parametrize(
    "do",
    [
        lambda c: c.submit_file(b"ref_Key\n1\n"),
        lambda c: c.withdraw("r", "MISTAKE"),
        lambda c: c.write("c", "contact", {"where": "Ç"}),
        lambda c: c.consent("c", {"state": "GIVEN"}),
        lambda c: c.traits("c", {}),
        lambda c: c.exclude("c", "AGENCY", "csw"),
        lambda c: c.instruct("c", {}),
        lambda c: c.respond("o/ë", "ACCEPT"),
    ],
)
def test_all_that_changes_something_is_signed(do: Callable[[Client], Any]) -> None:
    assert signatures.of_request(sent(do), "school", MUST, NOW) is not None
    assert refused(sent(do, key=None), MUST) == "must-sign"
    assert signatures.of_request(sent(do, key=None), "school", MAY, NOW) is None


def test_who_only_asks_signs_nothing() -> None:
    assert "signature" not in sent(lambda school: school.case("c")).headers


def test_a_stripped_signature_is_refused_where_one_must_be_and_half_a_one_everywhere() -> None:
    bare = changed(signature=None, signature_input=None)
    assert refused(bare, MUST) == "must-sign"
    assert signatures.of_request(bare, "school", MAY, NOW) is None
    assert refused(changed(signature=None)) == refused(changed(signature_input=None)) == "bad-signature"


def test_a_signed_body_cannot_be_used_for_another_path_method_key_or_type() -> None:
    assert refused(structs.replace(SUBMITTED, path="/v1/offers/x/responses")) == "wrong-signature"
    assert refused(structs.replace(SUBMITTED, method="PUT")) == "wrong-signature"
    assert refused(changed(idempotency_key="our-2")) == "wrong-signature"
    assert refused(changed(content_type="text/csv")) == "wrong-signature"
    assert refused(changed(idempotency_key=None)) == "missing-key"


def test_another_body_another_key_and_another_clock_are_told_apart() -> None:
    assert refused(structs.replace(SUBMITTED, body=BODY + b" ")) == "digest-differs"
    digest = base64.b64encode(hashlib.sha256(BODY + b" ").digest()).decode()
    assert refused(structs.replace(changed(content_digest=f"sha-256=:{digest}:"), body=BODY + b" ")) == "wrong-signature"
    assert refused(SUBMITTED, NOBODY) == "unknown-signing-key"
    assert refused(sent(lambda c: c.submit(BODY, key="our-1"), OTHER.encode().decode())) == "unknown-signing-key"
    for late in (NOW + signatures.CLOCKS_S + 1, NOW - signatures.CLOCKS_S - 1):
        assert refused(SUBMITTED, now=late) == "stale-signature"
    signatures.of_request(SUBMITTED, "school", MAY, NOW + signatures.CLOCKS_S)


def signed_with(covered: str, params: str = f';created={NOW};keyid="{KEY.verifier.encode().decode().rpartition("+")[0]}"') -> Request:
    """A request whose Signature-Input says this, signed as it says."""
    said = f"({covered}){params}"
    values = {"@method": SUBMITTED.method, "@path": SUBMITTED.path, "@authority": SUBMITTED.headers["host"][0]} | {
        name: values[0] for name, values in SUBMITTED.headers.items()
    }
    names = [name.strip('"') for name in covered.split()]
    base = "\n".join([*(f'"{name}": {values.get(name, "")}' for name in names), f'"@signature-params": {said}'])
    signature = base64.b64encode(Ed25519PrivateKey.from_private_bytes(KEY.seed).sign(base.encode())).decode()
    return changed(signature_input=f"s={said}", signature=f"s=:{signature}:")


FULL = '"@method" "@path" "@authority" "content-type" "content-digest" "idempotency-key"'


def test_a_signature_covers_what_it_must_and_nothing_that_may_be_about_a_person() -> None:
    signatures.of_request(signed_with(FULL), "school", MUST, NOW)
    for name in FULL.split():
        assert refused(signed_with(FULL.replace(name, "").replace("  ", " ").strip())) == "bad-signature"
    for more in ("user-agent", "@query", "@method", "date"):
        assert refused(signed_with(f'{FULL} "{more}"')) == "bad-signature"
    assert refused(changed(signature=SUBMITTED.headers["signature"][0].replace("sig1=", "sig2="))) == "bad-signature"


def test_a_request_that_was_signed_for_a_trial_does_not_hold_at_the_real_one() -> None:
    assert signatures.of_request(SUBMITTED, "school", MUST, NOW, authority="intake") is not None
    with pytest.raises(Rejected) as caught:
        signatures.of_request(SUBMITTED, "school", MUST, NOW, authority="intake.real.example")
    assert (caught.value.code, caught.value.where) == ("wrong-signature", "@authority")
    assert refused(changed(host="intake.real.example")) == "wrong-signature", "nor with another Host"


@pytest.mark.parametrize(
    "params, code",
    [
        (';keyid="{}"', "stale-signature"),
        (';created={now};keyid="{}";expires=1', "stale-signature"),
        (';created={now};keyid="{}";alg="hmac-sha256"', "bad-signature"),
        (';created={now};keyid="{}";created=1', "bad-signature"),
        (';created={now};keyid="{}";name="Testa"', "bad-signature"),
        (";created={now}", "unknown-signing-key"),
        (';created={now};keyid="{}"x', "bad-signature"),
    ],
)
def test_parameters_are_looked_at(params: str, code: str) -> None:
    keyid = KEY.verifier.encode().decode().rpartition("+")[0]
    assert refused(signed_with(FULL, params.replace("{}", keyid).replace("{now}", str(NOW)))) == code


def test_what_another_library_signs_is_taken() -> None:
    """Made with http-message-signatures 3.0.0, which in its turn takes what our SDK signs."""
    request = changed(
        idempotency_key="our-9",
        host="intake",
        signature_input='pyhms=("@method" "@path" "@authority" "content-type" "content-digest" "idempotency-key")'
        ';created=1700000000;keyid="school+82439384";alg="ed25519"',
        signature="pyhms=:fXAvjW+JuU8eOo898MXX602NkIDgWo1M0XJEHkdob4A47zzaVIs0K9QQyMO3JiNF5JrrIufIY8wWxWDIaq6PAg==:",
    )
    assert signatures.of_request(request, "school", MUST, NOW) is not None
    assert refused(structs.replace(request, headers={**request.headers, "host": ["elsewhere"]})) == "wrong-signature"


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_is_sent_as_a_signature_is_refused_and_never_fails(first: str, second: str) -> None:
    refused(changed(signature_input=first, signature=second))


# ---- records of ingress.<agency>


def record(**more: Any) -> tuple[bytes, dict[str, str]]:
    """A signed record as our SDK makes it, and its attributes as the door reads them."""
    plain: dict[str, Any] = {"id": "our-1", "sequence": 1, "record_key": "k"} | more
    value = b"encrypted"
    headers = sign_record(SigningKey(WRITTEN), "ingress.school", value, **plain)
    said = {name.removeprefix("ce_"): text.decode() for name, text in headers}
    said["datacontenttype"] = said.pop("content-type")
    return value, said


def refused_record(key: bytes | None, value: bytes, said: dict[str, str], agency: str = "school") -> str:
    with pytest.raises(Rejected) as caught:
        signatures.of_record(agency, key, value, said, MUST)
    return caught.value.code


def test_a_record_that_the_sdk_signs_is_taken() -> None:
    value, said = record()
    kept = signatures.of_record("school", b"k", value, said, MUST)
    assert kept is not None and (kept.scheme, kept.sequence) == (Scheme.CLOUDEVENT, 1)
    assert statements.holds(kept.public, kept.signature, event_signature.signed_bytes(kept.base))
    assert event_signature.named(kept.base, "topic") == hashlib.sha256(b"ingress.school").digest()
    assert event_signature.named(kept.base, "subject") == hashlib.sha256(b"").digest()
    assert event_signature.named(kept.base, "other") is None


def test_a_record_whose_signature_is_stripped_is_taken_only_where_it_may_be() -> None:
    value, said = record()
    bare = {name: text for name, text in said.items() if name != "dssematerial"}
    assert refused_record(b"k", value, bare) == "must-sign"
    assert signatures.of_record("school", b"k", value, bare, MAY) is None


@pytest.mark.parametrize("name", ["id", "source", "specversion", "type", "datacontenttype", "topic", "key", "sequence"])
def test_a_substituted_attribute_is_seen(name: str) -> None:
    value, said = record()
    assert refused_record(b"k", value, said | {name: "2"}) == "wrong-signature"


def test_a_record_stands_only_where_it_was_signed_for() -> None:
    value, said = record()
    assert refused_record(b"other", value, said) == refused_record(None, value, said) == "wrong-signature"
    assert refused_record(b"k", value + b"x", said) == "wrong-signature"
    assert refused_record(b"k", value, said | {"subject": "x"}) == "wrong-signature"
    assert refused_record(b"k", value, said | {"signedextattrs": "topic,key"}) == "bad-signature"
    assert refused_record(b"k", value, said | {"signedextattrs": "topic,key,sequence,id"}) == "bad-signature"
    for number in ("0", "01", "x", "-1"):
        assert refused_record(b"k", *record(sequence=number)) == "bad-signature"
    elsewhere = sign_record(SigningKey(WRITTEN), "ingress.other", value, id="1", sequence=1, record_key="k")
    there = {name.removeprefix("ce_"): text.decode() for name, text in elsewhere} | {"datacontenttype": "application/json"}
    assert refused_record(b"k", value, there) == "wrong-signature"


def test_material_of_another_shape_key_or_kind_is_refused() -> None:
    value, said = record()
    envelope = json.loads(base64.b64decode(said["dssematerial"]))

    def with_(**more: Any) -> dict[str, str]:
        return said | {"dssematerial": base64.b64encode(json.dumps(envelope | more).encode()).decode()}

    [one] = envelope["signatures"]
    assert refused_record(b"k", value, with_(payloadType="application/json")) == "bad-signature"
    assert refused_record(b"k", value, with_(signatures=[])) == refused_record(b"k", value, with_(signatures=[one, one])) == "bad-signature"
    assert refused_record(b"k", value, with_(payload="AAAA")) == "bad-signature"
    assert refused_record(b"k", value, with_(signatures=[one | {"keyid": "school+00000000"}])) == "unknown-signing-key"
    sig = base64.b64encode(bytes(64)).decode()
    assert refused_record(b"k", value, with_(signatures=[one | {"sig": sig}])) == "wrong-signature"
    for material in ("", "!", "bm8=", "x" * 5000):
        assert refused_record(b"k", value, said | {"dssematerial": material}) == "bad-signature"


def test_numbers_are_dense() -> None:
    for number, last in ((1, 0), (8, 7), (7, 7), (1, 7)):
        assert signatures.gap(number, last) is None
    for number, last in ((2, 0), (9, 7)):
        why = signatures.gap(number, last)
        assert why is not None and f"number {last + 1} never came" in why.hint


@given(st.binary(max_size=400))
def test_any_bytes_are_no_base(data: bytes) -> None:
    with pytest.raises(Malformed):
        http_signature.read(data)


@given(st.binary(max_size=200), st.integers(0, 63), st.integers(1, 255))
def test_libsodium_and_openssl_say_the_same_of_what_a_key_signed(text: bytes, at: int, flip: int) -> None:
    """Our auditor has one of them, Go's and an agency's programs have others: nobody may believe what another refuses."""
    other = Ed25519PrivateKey.from_private_bytes(KEY.seed)
    signature = KEY.sign(text, 0)
    assert signature == other.sign(text)
    changed = signature[:at] + bytes([signature[at] ^ flip]) + signature[at + 1 :]
    with pytest.raises(InvalidSignature):
        other.public_key().verify(changed, text)
    assert not statements.holds(KEY.verifier.public, changed, text)
    assert statements.holds(KEY.verifier.public, signature, text)


@pytest.mark.parametrize("text", [b"", b"anything", b"anything else"])
def test_a_key_of_small_order_signs_nothing(text: bytes) -> None:
    """One signature would hold for every text: R is the neutral point, S is 0. OpenSSL takes it."""
    neutral = bytes([1]) + bytes(31)
    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), text)
    assert not statements.holds(neutral, neutral + bytes(32), text)
    assert not VerifierKey("agency", ED25519, neutral).holds(text, neutral + bytes(32))


@pytest.mark.parametrize(("key", "signature"), [(31, 64), (33, 64), (0, 64), (32, 63), (32, 65), (32, 0)])
def test_a_key_or_a_signature_of_another_length_signs_nothing(key: int, signature: int) -> None:
    assert not statements.holds(bytes(key), bytes(signature), b"text")
