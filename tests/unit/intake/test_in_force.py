"""The policy in force as intake sees it: what stands on the topic and cannot be used changes nothing."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path

import fastavro
from aiokafka import ConsumerRecord
from msgspec import structs
from prometheus_client import REGISTRY

from referral.runtime import policy_feed
from referral.runtime.settings import CHECKOUT, Settings
from referral.wire import codec, headers, policy_digest
from services.intake.policy_view import PolicyInForce
from tests.harness.policies import TRUSTED, bundle

FILES = policy_digest.read(CHECKOUT / "policy")
SETTINGS = Settings(kafka="", database="", master_key_file=Path("none"), instance="test")


def record(number: int, files: dict[str, bytes], before: dict[str, bytes] | None) -> ConsumerRecord:
    body = bundle(number, files, at=number, before=before)
    told = headers.plain(body.TYPE, id=str(number), source="routing", at=1)
    return ConsumerRecord("referral-policy", 0, number, 1, 1, b"", codec.encode(body), None, 0, 0, tuple(told))


def test_a_record_of_before_there_were_signatures_is_read_and_believed_where_it_is_pinned() -> None:
    body = {"number": 1, "digest": policy_digest.digest(FILES), "at": datetime.fromtimestamp(1, UTC), "files": FILES}
    value = io.BytesIO()
    fastavro.schemaless_writer(value, fastavro.schema.load_schema(str(CHECKOUT / "schemas" / "avro" / "policy-activated.v1.avsc")), body)
    told = headers.plain("policy-activated.v1", id="1", source="routing", at=1)
    found = ConsumerRecord("referral-policy", 0, 1, 1, 1, b"", value.getvalue(), None, 0, 0, tuple(told))
    assert policy_feed.Chain(TRUSTED).take(found) == "policy-signatures"
    chain = policy_feed.Chain(structs.replace(TRUSTED, pins={1: policy_digest.digest(FILES)}))
    assert chain.take(found) == "" and chain.newest is not None and chain.newest.files == FILES


def passed_over() -> float:
    return REGISTRY.get_sample_value("referral_policy_passed_over_total", {"reason": "policy-errors"}) or 0


async def test_a_bundle_that_does_not_compile_leaves_the_one_before_in_force_and_intake_running() -> None:
    """Its digest is right, so readers believe it: who may write there must not end intake at each start."""
    followed, before = policy_feed.Bundles(SETTINGS, TRUSTED), passed_over()
    for number, files, earlier in ((1, FILES, None), (2, {"codes.yaml": b"x"}, FILES)):
        assert followed._chain.take(record(number, files, earlier)) == ""
    followed._caught_up = True
    in_force = PolicyInForce(followed)
    following = asyncio.create_task(in_force.follow())
    try:
        async with asyncio.timeout(60):
            while passed_over() == before:
                await asyncio.wait({following}, timeout=0.05)
                assert not following.done(), following.exception()
        assert in_force.lists.number == 1
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
