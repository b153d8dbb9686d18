"""Vectors of what services, signers, persons and agencies sign (sections 10, 12.1 to 12.3, 12.5 and 13)."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from msgspec import structs

from referral.domain.events import (
    FigureReleased,
    Mark,
    PolicyActivated,
    PolicySignature,
    Quarantined,
    ReleaseMade,
    Unit,
)
from referral.wire import codec, policy_digest
from referral.wire.signed import policy_signature, writer_signature
from referral.wire.signed.policy_signature import Believed, Trusted
from referral.wire.signed.writer_signature import OWNERS, Writers
from tests.vectors.form import Vector, VectorFile, bad, good, public, secret
from tests.vectors.leaves import AT, CASE

SERVICES = {service: 0x41 + n for n, service in enumerate(OWNERS.values())}
"""Service → the byte of its seed."""
WRITERS = Writers({service: (public(seed),) for service, seed in SERVICES.items()})
TOPIC, SEED = "referral-intake", SERVICES["intake"]
HEADER = writer_signature.HEADER


def records() -> VectorFile:
    """Publications of one to five records, and of each topic; and headers that do not hold."""
    found = []
    for count in (1, 2, 3, 5):
        told = [(f"key {n}".encode(), f"value {n}".encode()) for n in range(count)]
        for index, (_, header) in enumerate(writer_signature.sign(secret(SEED), TOPIC, told)):
            found.append(_record(f"{index + 1} of {count}", TOPIC, *told[index], header))
    for topic, service in OWNERS.items():
        ((_, header),) = writer_signature.sign(secret(SERVICES[service]), topic, [(b"key", b"value")])
        found.append(_record(f"{topic}: {service}", topic, b"key", b"value", header))
    for reader in ("intake", "routing", "notifier"):
        key = f"{reader}/referral-intake/3/9".encode()
        ((_, header),) = writer_signature.sign(secret(SERVICES[reader]), "referral-quarantine", [(key, b"value")])
        found.append(_record(f"referral-quarantine: {reader}", "referral-quarantine", key, b"value", header))
    ((_, header),) = writer_signature.sign(secret(SEED), TOPIC, [(b"", b"value")])
    found.append(_record("a record without a key", TOPIC, None, b"value", header))
    found.append(good("a topic that nobody signs", topic="referral-policy", key=b"1", value=b"value", kafka_time=1, headers=[], holds=True))
    early = Writers(WRITERS.keys, since=1000)
    for at, holds in ((999, True), (1000, False), (0, False)):
        assert early.wrote(TOPIC, b"k", b"v", (), at) is holds
        held = {"topic": TOPIC, "key": b"k", "value": b"v", "headers": [], "signed_from": 1000, "kafka_time": at}
        found.append(good(f"unsigned, signed-from 1000, kafka_time {at}", **held, holds=holds))
    return VectorFile("12.1", [*found, *_not_written()])


def _record(name: str, topic: str, key: bytes | None, value: bytes, header: bytes) -> Vector:
    assert WRITERS.wrote(topic, key, value, [(HEADER, header)], 1)
    service = writer_signature.writer(topic, key) or ""
    leaf = sha256(b"\x00" + len(key or b"").to_bytes(4) + (key or b"") + value).digest()
    held = {"topic": topic, "key": key, "value": value, "writer": service, "public": public(SERVICES[service]), "leaf_hash": leaf}
    return good(name, **held, referral_signature=header)


def _not_written() -> Iterator[Vector]:
    told = [(f"key {n}".encode(), f"value {n}".encode()) for n in range(3)]
    (_, one), (_, two), (_, three) = writer_signature.sign(secret(SEED), TOPIC, told)
    by_routing = writer_signature.sign(secret(SERVICES["routing"]), TOPIC, told)[0][1]
    alone = writer_signature.sign(secret(SEED), TOPIC, [(b"ab", b"c")])[0][1]
    for name, why, topic, key, value, header in (
        ("another value", "the leaf is another", TOPIC, b"key 0", b"value 1", one),
        ("key and value cut elsewhere", "the length of the key is in the leaf", TOPIC, b"a", b"bc", alone),
        ("of another record", "its index is another's", TOPIC, b"key 0", b"value 0", two),
        ("another topic", "the topic is signed", "referral-routing", b"key 0", b"value 0", one),
        ("another service", "routing signs nothing of intake's", TOPIC, b"key 0", b"value 0", by_routing),
        ("another count", "the count is signed", TOPIC, b"key 0", b"value 0", one[:64] + (4).to_bytes(4) + one[68:]),
        ("an index that is not below the count", "index < count", TOPIC, b"key 0", b"value 0", one[:68] + (3).to_bytes(4) + one[72:]),
        ("a neighbour too many", "every byte is used", TOPIC, b"key 2", b"value 2", three + bytes(32)),
        ("a neighbour too few", "the way is too short", TOPIC, b"key 0", b"value 0", one[:-32]),
        ("a byte too many", "nothing follows the neighbours", TOPIC, b"key 0", b"value 0", one + b"\0"),
        ("empty", "no signature", TOPIC, b"key 0", b"value 0", b""),
        ("the quarantine of another reader", "the key's first word is the writer", "referral-quarantine", b"routing/x", b"", alone),
    ):
        assert not WRITERS.wrote(topic, key, value, [(HEADER, header)], 1), name
        service = writer_signature.writer(topic, key) or ""
        yield bad(name, why, topic=topic, key=key, value=value, public=public(SERVICES[service]), referral_signature=header)


FILES = {"b.yaml": b"two\n", "a.yaml": b"", "guidance/x.en.md": "ë\n".encode()}
SIGNERS = {"keeper": public(0x21), "office": public(0x22), "reserve": public(0x23)}
TRUSTED = Trusted(SIGNERS)


def bundle(number: int, files: dict[str, bytes], before: str, seeds: Sequence[int] = (0x21, 0x22), **more: Any) -> PolicyActivated:
    digest, valid_from = more.get("digest", policy_digest.digest(files)), more.get("valid_from", AT)
    signed = tuple(policy_signature.sign(secret(seed), number, digest, valid_from, more.get("signed_before", before)) for seed in seeds)
    at = more.get("at", AT)
    return PolicyActivated(number=number, digest=digest, at=at, files=files, valid_from=valid_from, before=before, signatures=signed)


def policies() -> VectorFile:
    """Digest, signed text, and chains of bundles with what becomes of each."""
    found = [
        good(f"digest of {len(files)} files", files=files, digest_text=policy_digest.digest(files)) for files in ({}, {"a": b""}, FILES)
    ]
    one = {"ab": b"c"}
    found.append(
        bad("digest without lengths", "the length of path and content is hashed", files=one, digest_text=sha256(b"abc").hexdigest())
    )
    first = bundle(1, FILES, "")
    for body in (first, bundle(2, FILES, first.digest)):
        text = policy_signature.statement(body.number, body.digest, body.valid_from, body.before)
        held = {"number": body.number, "digest_text": body.digest, "valid_from": body.valid_from, "before_text": body.before}
        found.append(good(f"signed text of bundle {body.number}", **held, signed=text, signatures=body.signatures))
    rules = {"pathways/a.yaml": b"a", "guidance/x.en.md": b"x", "authority.yaml": b"y", "codes.yaml": b"z", "directory/d.yaml": b"d"}
    found.append(good("digest of a procedure", procedure=b"a", digest_text=sha256(b"a").hexdigest()))
    found.append(good("digest of the directory", directory_files=rules, digest_text=directory_digest(rules)))
    found += _chains(first)
    return VectorFile("10, 12.2", found)


def directory_digest(files: Mapping[str, bytes]) -> str:
    """Return the digest of a policy's directory, as the page says it."""
    others = (path for path in sorted(files) if not path.startswith(("pathways/", "guidance/")) and path != "authority.yaml")
    return sha256(b"".join(path.encode() + b"\0" + sha256(files[path]).digest() for path in others)).hexdigest()


def _chains(first: PolicyActivated) -> Iterator[Vector]:
    more = {**FILES, "c.yaml": b"three\n"}
    second = bundle(2, more, first.digest)
    changed = {**more, "signers.yaml": _signers(new=0x24, office=0x22)}
    turned = bundle(2, changed, first.digest)
    pins = {1: bundle(1, FILES, "", ()).digest}
    twice = structs.replace(second, signatures=(second.signatures[0],) * 2)
    stranger = bundle(2, more, first.digest, (0x21, 0x2F))
    many = structs.replace(second, signatures=(*second.signatures, *(PolicySignature(public=bytes(32), signature=bytes(64)),) * 15))
    for name, pinned, bodies in (
        ("two bundles, each of two signers", {}, [first, second]),
        ("a bundle that comes again is passed over", {}, [first, first, second]),
        ("a stranger's signature beside two does not matter", {}, [first, bundle(2, more, first.digest, (0x2F, 0x21, 0x23))]),
        ("a pinned bundle needs no signature", pins, [bundle(1, FILES, "", ()), second]),
        ("signers.yaml names those of the next bundle", {}, [first, turned, bundle(3, FILES, turned.digest, (0x24, 0x22))]),
        ("one signer's signature twice is one signer", {}, [first, twice]),
        ("one signer and a stranger", {}, [first, stranger]),
        ("nobody", {}, [bundle(1, FILES, "", ())]),
        ("more than 16 signatures", {}, [first, many]),
        ("a signer who was replaced", {}, [first, turned, bundle(3, FILES, turned.digest, (0x21, 0x22))]),
        ("signed to follow another bundle", {}, [first, bundle(2, more, "0" * 64)]),
        ("before is not what was signed", {}, [first, bundle(2, more, first.digest, signed_before="0" * 64)]),
        ("before valid_from", {}, [first, bundle(2, more, first.digest, at=AT - 1)]),
        ("another digest than that of the files", {}, [first, bundle(2, more, first.digest, digest="0" * 64)]),
        ("a number is missing", {}, [first, bundle(3, more, first.digest)]),
        ("another bundle of the same number", {}, [first, bundle(1, more, "")]),
        ("signers.yaml names one", {}, [first, bundle(2, {**more, "signers.yaml": _signers(new=0x24)}, first.digest)]),
    ):
        believed = Believed(trusted=Trusted(SIGNERS, pinned))
        words = [believed.take(body) or "believed" for body in bodies]
        held: dict[str, Any] = {
            "signers": SIGNERS,
            "pins": pinned,
            "bundles": bodies,
            "results": words,
            "findings": [_finding(word, body, believed) for word, body in zip(words, bodies, strict=True)],
        }
        if set(words) <= {"believed", "repeated"}:
            yield good(name, **held)
        else:
            yield bad(name, words[-1], **held)


def _finding(word: str, body: PolicyActivated, believed: Believed) -> str:
    """Return the finding about a bundle that was judged so; empty: none."""
    if word == "policy-sequence":
        return "FORK" if body.number in believed.digests else "SEQUENCE_GAP"
    return {"believed": "", "repeated": "", "policy-digest": "HASH_DIFFERS"}.get(word, "POLICY_FORGED")


def _signers(**seeds: int) -> bytes:
    lines = (f"  {name}: {base64.b64encode(public(seed)).decode()}\n" for name, seed in seeds.items())
    return ("signers:\n" + "".join(lines)).encode()


def opened() -> VectorFile:
    """Bodies that are not sealed: of the quarantine, of figures, of older versions."""
    held = Quarantined(
        topic=TOPIC,
        partition=3,
        offset=9,
        reader="routing",
        reason="foreign",
        case_id=CASE,
        case_seq=2,
        at=AT,
        nonce=bytes(12),
        sealed=bytes(16),
        length=0,
        sha256=None,
    )
    figures = [
        FigureReleased(release=1, first="2027-01", last="2027-01", pathway="", measure=m, group="all", unit=Unit.CHILDREN, value=v, mark=k)
        for m, v, k in (("stage", 12, Mark.SHOWN), ("urgency", None, Mark.HIDDEN))
    ]
    bodies = [codec.encode(figure) for figure in figures]
    made = ReleaseMade(
        release=1,
        month="2027-01",
        corrects=None,
        threshold=10,
        figures=2,
        digest=sha256(b"".join(bodies)).hexdigest(),
        shown=1,
        hidden=1,
        waiting=0,
        narrowest=3,
        counted=(),
    )
    key = "routing/referral-intake/3/9"
    found = [good("quarantined", type=held.TYPE, key_text=key, body=codec.encode(held), record=held)]
    why = "its key names another reader"
    found.append(
        bad("quarantined under another's name", why, "quarantined", key_text="intake/referral-intake/3/9", body=codec.encode(held))
    )
    for figure, body in zip(figures, bodies, strict=True):
        place = f"release/1/2027-01/2027-01//{figure.measure}/all"
        found.append(good(f"figure {figure.measure}", type=figure.TYPE, key_text=place, body=body, record=figure))
    found.append(good("release", type=made.TYPE, key_text="release/1", body=codec.encode(made), record=made, of=bodies))
    why = "the digest is over the figures in the order of their keys"
    found.append(bad("release over the figures in another order", why, "release", digest_text=made.digest, of=bodies[::-1]))
    return VectorFile("10", found)
