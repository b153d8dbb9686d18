"""Vectors of what lies in an export: checkpoint, payload file, sealed value, lent keys (sections 3, 7 and 8)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import json, structs

from referral.domain.events import RungFailed
from referral.errors import Malformed
from referral.proof import archive
from referral.proof.archive import Payload
from referral.tlog import note, witness_policy
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note, Signature
from referral.tlog.note_keys import COSIGNATURE, ED25519, SignerKey
from referral.tlog.tile_layout import ENTRIES, Tile
from referral.wire import codec, hpke, seal
from tests.harness.made_log import LOG, NOW, ORIGIN, WITNESSES, Log, made, policy
from tests.vectors.form import FOLDER, Vector, VectorFile, bad, each_field, good
from tests.vectors.leaves import CASE, CAUSE, META, OTHER

KEY, NONCE = bytes([0x4B]) * 32, bytes([0x4E]) * 12
BODY = RungFailed(offer_id=CAUSE, rung=0, reason="nobody-on-duty", at=META.recorded_at)
TOPIC = BODY.TOPIC
ROOT = structs.replace(META, type=BODY.TYPE, fingerprint=codec.fingerprint(BODY.TYPE), source="notifier")
METAS: dict[str, Any] = {
    "event_id": OTHER,
    "case_id": OTHER,
    "case_seq": 2,
    "type": "rung-reached.v1",
    "fingerprint": codec.fingerprint("rung-reached.v1"),
    "cause_id": OTHER,
    "recorded_at": 0,
    "source": "intake",
    "drill": True,
}


def sealed() -> VectorFile:
    """A sealed value, its parts, each field of the meta changed, an erasure, and values that do not open."""
    body, meta = codec.encode(BODY), codec.encode(ROOT)
    value = seal.seal(KEY, TOPIC, ROOT, body, NONCE)
    held = {"key": KEY, "topic": TOPIC}
    found = [good("a value", **held, meta=meta, meta_fields=ROOT, nonce=NONCE, aad=TOPIC.encode() + meta, body=body, value=value)]
    for name, changed in each_field(ROOT, METAS):
        found.append(good(f"field {name}", **held, meta_fields=changed, value=seal.seal(KEY, TOPIC, changed, body, NONCE)))
        moved = seal.open(value)
        other = codec.encode(changed) + value[len(meta) :]
        assert _closed(KEY, TOPIC, other), name
        found.append(bad(f"field {name} changed after sealing", "the meta is additional data", "a value", **held, value=other))
        assert moved.meta == ROOT
    erased = structs.replace(ROOT, type="case-erased.v1", fingerprint=codec.fingerprint("case-erased.v1"), source="intake")
    found.append(
        good(
            "not sealed: case-erased",
            topic="referral-intake",
            meta_fields=erased,
            value=seal.seal(None, "referral-intake", erased, b"", b""),
        )
    )
    at = len(meta)
    for name, why, key, topic, data in (
        ("another key", "it does not open", bytes(32), TOPIC, value),
        ("another topic", "the topic is additional data", KEY, "referral-intake", value),
        ("another nonce", "it does not open", KEY, TOPIC, value[:at] + bytes(12) + value[at + 12 :]),
        ("a bit of the sealed part", "it does not open", KEY, TOPIC, value[:-1] + bytes([value[-1] ^ 1])),
        ("a byte left over", "the length is exact", KEY, TOPIC, value + b"\0"),
        ("a byte missing", "the length is exact", KEY, TOPIC, value[:-1]),
        ("case-erased with a nonce", "it is never sealed", KEY, "referral-intake", codec.encode(erased) + NONCE + b"\0"),
        ("case-erased.v1 with a body", "this version is empty", KEY, "referral-intake", codec.encode(erased) + bytes(12) + b"\x02\x01"),
    ):
        assert _closed(key, topic, data), name
        found.append(bad(name, why, "a value", key=key, topic=topic, value=data))
    return VectorFile("8", found)


def _closed(key: bytes, topic: str, value: bytes) -> bool:
    try:
        seal.unseal(key, topic, seal.open(value))
    except Malformed:
        return True
    return False


def payloads() -> VectorFile:
    """Payload files with each form of an item, and files that are none."""
    told = (("ce_type", b"referral.quarantined.v2"),)
    items = [Payload(b"key", b"value", told), Payload(None, b"", ()), None, Payload(b"", b"v", ())]
    data = archive.pack(items)
    path = archive.path(Tile(ENTRIES, 1234, len(items)))
    found = [good("four items", path=path, file=data, items=items)]
    for name, why, changed in (
        ("an item too few", "as many as the bundle has leaves", archive.pack(items[:3])),
        ("a byte left over", "one array and nothing more", data + b"\xc0"),
        ("key as text", "the key is bin or nil", data.replace(b"\xc4\x03key", b"\xa3key")),
        ("no array", "the file is an array", b"\x80"),
    ):
        try:
            archive.unpack(Tile(ENTRIES, 1234, len(items)), changed)
        except Malformed:
            found.append(bad(name, why, "four items", path=path, file=changed))
            continue
        raise AssertionError(name)
    return VectorFile("7", found)


def lent() -> VectorFile:
    """Lent keys. HPKE draws a key for each file, so what is there is kept as long as it opens."""
    auditor, keys = X25519PrivateKey.from_private_bytes(bytes([0x79]) * 32), {CASE: KEY, OTHER: bytes([0x4C]) * 32}
    kept = _kept(FOLDER / "lent-keys.json")
    try:
        data = kept if hpke.take(auditor, ORIGIN, kept) == keys else b""
    except Malformed:
        data = b""
    data = data or hpke.lend(auditor.public_key(), ORIGIN, keys)
    held = {"private": bytes([0x79]) * 32, "public": auditor.public_key().public_bytes_raw(), "origin": ORIGIN}
    found = [good("two keys", **held, info=hpke.LENT_INFO + ORIGIN.encode(), file=data, keys=keys)]
    for name, why, origin, changed in (
        ("of another log", "the origin is in info", ORIGIN + "2", data),
        ("a bit changed", "it does not open", ORIGIN, data[:-1] + bytes([data[-1] ^ 1])),
    ):
        try:
            hpke.take(auditor, origin, changed)
        except Malformed:
            found.append(bad(name, why, "two keys", **{**held, "origin": origin}, file=changed))
            continue
        raise AssertionError(name)
    return VectorFile("8.1", found)


def _kept(path: Path) -> bytes:
    return bytes.fromhex(json.decode(path.read_bytes())["vectors"][0]["file"]) if path.exists() else os.urandom(48)


def checkpoints() -> VectorFile:
    """Notes under a policy: with a quorum, without, of other keys, in other forms."""
    log, rules = made(5), policy("2")
    signed = log.signed()
    held = {"policy_text": rules.decode()}
    found = [_accepted("three witnesses", rules, signed), _accepted("two of three", rules, log.signed(witnesses=WITNESSES[:2]))]
    found.append(_accepted("an unknown signature more", rules, _note(signed.text, LOG, *WITNESSES, SignerKey("x", COSIGNATURE, bytes(32)))))
    found.append(_accepted("the empty log", rules, Log([]).signed()))
    late = Note(
        signed.text, (note.sign(signed.text, LOG, 0), *(note.sign(signed.text, key, NOW + n * 100) for n, key in enumerate(WITNESSES)))
    )
    found.append(_accepted("seen: two of three had signed by the second time from the end", rules, late))
    text, other = signed.text, log.signed(4).text
    for name, why, one in (
        ("one of three", "QUORUM", log.signed(witnesses=WITNESSES[:1])),
        ("no signature of the log", "CHECKPOINT", Note(text, signed.signatures[1:])),
        ("no signature of the log, one witness whose line does not hold", "SIGNATURE", Note(text, (_broken(text), *signed.signatures[2:]))),
        ("the log's line does not hold", "SIGNATURE", Note(text, (note.sign(other, LOG, 0), *signed.signatures[1:]))),
        ("another root", "SIGNATURE", Note(Checkpoint(ORIGIN, 5, bytes(32)).text, signed.signatures)),
        ("a witness's time of 2^36 s", "SIGNATURE", Note(text, (signed.signatures[0], note.sign(text, WITNESSES[0], 2**36)))),
        ("an extension line", "CHECKPOINT", _note(text + b"more\n", LOG, *WITNESSES)),
        ("a leading zero", "CHECKPOINT", _note(text.replace(b"\n5\n", b"\n05\n"), LOG, *WITNESSES)),
        (
            "another log",
            "CHECKPOINT",
            _note(Checkpoint("log.example/other", 5, bytes(32)).text, SignerKey("log.example/other", ED25519, bytes(32))),
        ),
    ):
        try:
            witness_policy.accept(witness_policy.parse(rules), note.parse(one.encode()))
        except Malformed as error:
            assert why == (error.reason.upper() if error.reason in ("quorum", "signature") else "CHECKPOINT"), name
            found.append(bad(name, why, "three witnesses", **held, checkpoint_text=one.encode().decode()))
            continue
        raise AssertionError(name)
    return VectorFile("3", found)


def _broken(text: bytes) -> Signature:
    """Return a witness's line that does not hold: it has signed another text."""
    return note.sign(text + b"\n", WITNESSES[0], NOW)


def _note(text: bytes, *keys: SignerKey) -> Note:
    return Note(text, tuple(note.sign(text, key, NOW) for key in keys))


def _accepted(name: str, rules: bytes, signed: Note) -> Vector:
    found = witness_policy.accept(witness_policy.parse(rules), note.parse(signed.encode()))
    head = found.checkpoint
    told = {"origin": head.origin, "size": head.size, "root": head.root, "witnesses": found.witnesses, "seen": found.seen}
    return good(name, policy_text=rules.decode(), checkpoint_text=signed.encode().decode(), **told)
