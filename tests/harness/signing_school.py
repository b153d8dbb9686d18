"""A school whose systems sign what they send: requests and records, over their bytes alone or also over their words."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from msgspec import to_builtins

from referral import client
from referral.client import SigningKey, sign_record
from referral.domain import events as e
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import codec, event_digest, event_signature, headers, policy_digest
from tests.harness.audit_log import FILES, Log, _id
from tests.harness.made_child import CHILD

KEY, OTHER = (SignerKey("school-drita", ED25519, bytes([n]) * 32) for n in (1, 2))
PATH = "directory/school-drita.yaml"
ID = _id("referral signed")
CASE = _id("case signed")
SALT = "c2FsdC1vZi1hLXZlY3Rvcg-1"
SAID: dict[str, Any] = {"traits": to_builtins(CHILD), "file": {"contact": {"name": "Testa (made up)"}}}
"""What the school sends: the words of `refer` with a section."""


def activate(log: Log, number: int, *keys: SignerKey, must: bool = False) -> None:
    """A bundle in which the school has these keys."""
    said = ", ".join(f'"{key.verifier.encode().decode()}"' for key in keys)
    files = dict(FILES)
    if keys:
        files[PATH] += f"signing: {{must: {str(must).lower()}, keys: [{said}]}}\n".encode()
    body = e.PolicyActivated(number=number, digest=policy_digest.digest(files), at=log.now, files=files, valid_from=0, before="")
    told = headers.plain(e.PolicyActivated.TYPE, id=_id(f"policy {number}"), source="routing", at=log.now)
    log.put(e.PolicyActivated.TOPIC, 0, str(number).encode(), codec.encode(body), told)


def by_http(
    path: str = "/v1/referrals",
    key: SignerKey = KEY,
    kind: str = "application/json",
    method: str = "POST",
    body: dict[str, Any] | None = None,
) -> e.Signed:
    """A signed request. body: whose words the signature covers; without one it covers the bytes alone."""
    digest = base64.b64encode(hashlib.sha256(b"the body").digest()).decode()
    said = {"@method": method, "@path": path, "content-type": kind, "content-digest": f"sha-256=:{digest}:"}
    if body is not None:
        said |= {event_digest.SALT_HEADER: SALT, event_digest.DIGEST_HEADER: client.event_digest(body, SALT)}
    params = f'({" ".join(f"{chr(34)}{name}{chr(34)}" for name in said)});created=1;keyid="k"'
    base = "\n".join(f'"{name}": {value}' for name, value in {**said, "@signature-params": params}.items()).encode()
    public = key.verifier.public
    return e.Signed(agency="school-drita", public=public, scheme=e.Scheme.HTTP, base=base, signature=key.sign(base, 0), sequence=0)


def by_kafka(number: int = 1, topic: str = "ingress.school-drita", body: dict[str, Any] | None = None) -> e.Signed:
    """A signed record. body: as by_http."""
    plain = json.dumps({**body, event_digest.SALT_MEMBER: SALT}).encode() if body is not None else b""
    signed = sign_record(SigningKey(KEY.encode().decode()), topic, b"x", id="1", sequence=number, body=plain)
    said = {n.removeprefix("ce_"): v.decode() for n, v in signed}
    said["datacontenttype"] = said.pop("content-type")
    said[event_digest.SALT_ATTRIBUTE] = SALT
    base = event_signature.digests(said, b"x", event_signature.extensions(said["signedextattrs"]))
    _, _, signature = event_signature.envelope(said["dssematerial"])
    public, scheme = KEY.verifier.public, e.Scheme.CLOUDEVENT
    return e.Signed(agency="school-drita", public=public, scheme=scheme, base=base, signature=signature, sequence=number)


def refer(log: Log, signed: e.Signed | None, name: str = "signed", **more: Any) -> None:
    """The school's referral, as its door took it."""
    plain: dict[str, Any] = {"referral_id": ID, "agency": "school-drita", "door": e.Door.HTTP, "opens": True, "traits": CHILD}
    body = e.ReferralSubmitted(**plain | {"sections": (), "received_at": log.now, "signed": signed} | more)
    log.input(_id(f"case {name}"), body, f"submit {name}")
