"""The policy in force as intake sees it: what stands on the topic and cannot be used changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiokafka import ConsumerRecord
from prometheus_client import REGISTRY

from referral.domain.events import PolicyActivated
from referral.runtime import policy_feed
from referral.runtime.settings import CHECKOUT, Settings
from referral.wire import codec, headers, policy_digest
from services.intake.policy_view import PolicyInForce

FILES = policy_digest.read(CHECKOUT / "policy")
SETTINGS = Settings(kafka="", database="", master_key_file=Path("none"), instance="test")


def record(number: int, files: dict[str, bytes]) -> ConsumerRecord:
    body = PolicyActivated(number=number, digest=policy_digest.digest(files), at=number, files=files)
    told = headers.plain(body.TYPE, id=str(number), source="routing", at=1)
    return ConsumerRecord("referral-policy", 0, number, 1, 1, b"", codec.encode(body), None, 0, 0, tuple(told))


def passed_over() -> float:
    return REGISTRY.get_sample_value("referral_policy_passed_over_total", {"reason": "policy-errors"}) or 0


async def test_a_bundle_that_does_not_compile_leaves_the_one_before_in_force_and_intake_running() -> None:
    """Its digest is right, so readers believe it: who may write there must not end intake at each start."""
    followed, before = policy_feed.Bundles(SETTINGS), passed_over()
    for number, files in enumerate((FILES, {"codes.yaml": b"x"}), 1):
        assert followed._chain.take(record(number, files)) == ""
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
