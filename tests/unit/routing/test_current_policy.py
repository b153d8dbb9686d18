"""The policy in force of an instance of routing: what is compiled, passed over, and compiled again after a cancellation."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from services.routing.current_policy import CurrentPolicy
from tests.attacks.policies import row
from tests.harness.audit_log import FILES
from tests.harness.policies import TRUSTED, bundle

UNFIT = {**FILES, "codes.yaml": b"nothing: that is known\n"}


async def test_a_signed_bundle_that_does_not_compile_is_passed_over_once_and_the_next_one_is_taken() -> None:
    current = CurrentPolicy(TRUSTED)
    for one in (bundle(1, FILES), bundle(2, UNFIT, before=FILES)):
        assert current._take(row(one))
    with capture_logs() as said:
        await current._compile()
        await current._compile()
    assert current.latest is not None and current.latest.number == 1
    assert [(line["number"], line["reason"]) for line in said if line["event"] == "policy passed over"] == [(2, "policy-errors")]
    assert current._take(row(bundle(3, FILES, before=UNFIT)))
    await current._compile()
    assert current.latest.number == 3


async def test_a_bundle_is_compiled_by_the_next_batch_when_one_is_cancelled_meanwhile() -> None:
    current = CurrentPolicy(TRUSTED)
    assert current._take(row(bundle(1, FILES)))
    cancelled = asyncio.create_task(current._compile())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait({cancelled})
    assert cancelled.cancelled() and current.latest is None
    await current._compile()
    assert current.latest is not None and current.latest.number == 1
