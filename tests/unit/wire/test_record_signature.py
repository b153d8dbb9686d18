"""docs/record-signature.md is enough: a program written from it alone makes what our SDK makes, and the door takes it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral.client import SigningKey, sign_record
from referral.runtime.settings import CHECKOUT
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import event_signature

PAGE = (CHECKOUT / "docs" / "record-signature.md").read_text("utf-8")
VECTOR: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
TYPE = re.findall(r"`payloadType` \(`([^`]+)`\)", PAGE)[0]
TOPIC, NUMBER = "ingress.school-drita", "drita-2026-0006"


def written_from_the_page() -> tuple[bytes, bytes, bytes]:
    """Digests, payload and signature, by the five steps and nothing of ours."""
    core = (NUMBER, f"urn:referral:{TOPIC}", "1.0", "referral.referral-submitted.v1", "application/json", "", "", "")
    parts = [*(text.encode() for text in core), bytes.fromhex(VECTOR["value"])]
    parts += [text.encode() for pair in (("topic", TOPIC), ("key", ""), ("sequence", "1")) for text in pair]
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    payload = hashlib.sha256(digests).digest()
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTOR["seed"]))
    return digests, payload, key.sign(f"DSSEv1 {len(TYPE)} {TYPE} {len(payload)} ".encode() + payload)


def test_a_program_written_from_the_page_makes_the_vector() -> None:
    digests, payload, signature = written_from_the_page()
    assert (digests.hex(), payload.hex(), signature.hex()) == (VECTOR["digests"], VECTOR["payload"], VECTOR["signature"])


def test_our_sdk_makes_the_vector_and_the_door_reads_it() -> None:
    key = SigningKey(SignerKey("school-drita", ED25519, bytes.fromhex(VECTOR["seed"])).encode().decode())
    headers = dict(sign_record(key, TOPIC, bytes.fromhex(VECTOR["value"]), id=NUMBER, sequence=1))
    for material in (headers["ce_dssematerial"].decode(), VECTOR["dssematerial"]):
        payload, keyid, signature = event_signature.envelope(material)
        assert (payload.hex(), keyid, signature.hex()) == (VECTOR["payload"], VECTOR["keyid"], VECTOR["signature"])
    named = set(re.findall(r"^\| `([a-z_-]+)` \|", PAGE, re.MULTILINE))
    assert set(headers) <= named, "the page names every header that we send"


def test_what_the_draft_of_cloudevents_signs_is_told_from_ours() -> None:
    envelope = {"payload": "", "payloadType": "https://cloudevents.io/verifiability/dsse/v0.1", "signatures": [{"keyid": "a", "sig": ""}]}
    try:
        event_signature.envelope(base64.b64encode(json.dumps(envelope).encode()).decode())
    except Exception as error:
        assert TYPE in str(error), "the refusal names the type that is wanted"
    else:
        raise AssertionError("an envelope of another type was taken")
