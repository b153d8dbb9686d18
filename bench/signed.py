"""Measure the cost of signatures without servers: at the door for each request, and in `referral audit verify` for each event.

python -m bench.signed
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from bench.rows import Row, at_least, show
from referral.client import Client
from referral.domain.events import Consent, ConsentChanged, ConsentState, Meta, PolicyActivated, Signed
from referral.domain.policy import Policy, compile
from referral.proof.entry import Entry, Kind
from referral.proof.history.case import Read
from referral.proof.verify.policies import Bundles
from referral.proof.verify.report import Report
from referral.proof.verify.signatures import Signatures
from referral.runtime.settings import CHECKOUT
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import codec, policy_digest
from referral.wire.signed import statements
from services.intake.messages.signatures import Request, of_request

SIGNED = 5_000
PACE = 10_000
"""Events a second on one core (AUDIT.md §5); the verification of Ed25519 alone is the limit."""
AGENCY, CASE = "school-drita", str(uuid.UUID(int=1))
CONSENT = Consent(state=ConsentState.GIVEN, basis="consent", giver="guardian", scope=(), recipients=())


def rules(key: SignerKey) -> Policy:
    """Return our policy, in which the agency signs with this key."""
    files = policy_digest.read(CHECKOUT / "policy")
    listed = f'signing: {{must: true, keys: ["{key.verifier.encode().decode()}"]}}\n'
    return compile({**files, f"directory/{AGENCY}.yaml": files[f"directory/{AGENCY}.yaml"] + listed.encode()})


def requests(key: SignerKey) -> list[Request]:
    """Return the SDK's requests, signed."""
    caught: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        caught.append(request)
        return httpx.Response(202, json={})

    transport = httpx.MockTransport(answer)
    with Client("https://intake", "token", signing_key=key.encode().decode(), transport=transport, seconds=lambda: 0) as school:
        for number in range(SIGNED):
            school.consent(CASE, {"state": "GIVEN"}, key=str(number))
    return [Request(method=r.method, path=r.url.path, headers={n: [v] for n, v in r.headers.items()}, body=r.content) for r in caught]


def read(signed: Signed | None, number: int) -> Read:
    """Return the event as the auditor has opened it."""
    id = str(uuid.UUID(int=number))
    body = ConsentChanged(agency=AGENCY, consent=CONSENT, received_at=0, signed=signed)
    meta = Meta(
        event_id=id,
        case_id=CASE,
        case_seq=number,
        type=body.TYPE,
        fingerprint=codec.fingerprint(body.TYPE),
        cause_id=id,
        recorded_at=0,
        source="",
        drill=False,
    )
    place: dict[str, Any] = {"topic": body.TOPIC, "partition": 0, "offset": number, "kafka_time": 0, "key": b""}
    return Read(entry=Entry(idx=number, kind=Kind.EVENT, value=b"", sha256=b"", **place), meta=meta, body_bytes=codec.encode(body))


def rows() -> Iterator[Row]:
    """Measure the door, the auditor, and Ed25519 alone."""
    key = SignerKey(AGENCY, ED25519, bytes(32))
    policy, sent = rules(key), requests(key)
    began = time.perf_counter()
    taken = [of_request(one, AGENCY, policy.agencies[AGENCY].signing, 0) for one in sent]
    yield Row(name="signed requests looked at by the door, one core", value=SIGNED / (time.perf_counter() - began), unit="requests/s")
    report, activated = Report(), {1: PolicyActivated(number=1, digest="", at=0, files={}, valid_from=0, before="")}
    judge = Signatures(bundles=Bundles(report=report, activated=activated, compiled={1: policy}, logged=[0], published=[0]), report=report)
    reads = [read(signed, number) for number, signed in enumerate(taken, 1)]
    began = time.perf_counter()
    for one in reads:
        judge.look(one)
    pace = SIGNED / (time.perf_counter() - began)
    assert not report.findings and report.counts["signatures"] == SIGNED
    began = time.perf_counter()
    for signature in taken:
        assert signature is not None and statements.holds(signature.public, signature.signature, signature.base)
    bare = SIGNED / (time.perf_counter() - began)
    yield Row(name="Ed25519 alone, one core", value=bare, unit="signatures/s")
    yield at_least("signatures of events looked at by audit verify, one core", pace, "events/s", PACE)


async def figures() -> AsyncIterator[Row]:
    """Measure the promises about signatures."""
    for row in rows():
        yield row


if __name__ == "__main__":
    show([*rows()])
