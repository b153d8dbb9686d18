"""The doors after the database went back: what was taken under a key is known again, by both doors, and who was excluded stays so."""

from __future__ import annotations

import msgspec
import pytest

from referral.runtime import refold
from referral.runtime.settings import Settings
from referral.wire import bundle
from services.intake.recover import hook
from tests.contract.runtime_stack import until
from tests.contract.test_intake_process import BODY, OTHER, encoded, line
from tests.contract.test_recover import copied

pytestmark = pytest.mark.servers
MARKER = {"file": {"identity": {"name": "Marker-Ëmri"}}}


async def test_a_key_taken_after_the_copy_still_stands_for_the_same_receipt(settings: Settings) -> None:
    async with line(settings) as intake:
        await intake.policy()
        early = await intake.taken(BODY, "before-the-copy")
        await intake.kill()
        files = msgspec.msgpack.encode(bundle.read(settings.policy))
        await intake.stack.sql("INSERT INTO routing.policy VALUES (1, '', :files, 1, 1)", files=files)
        copy = await copied(settings)
        await intake.start()
        late = await intake.taken(BODY | MARKER, "after-the-copy")
        barred = f"/v1/cases/{late['case_id']}/exclusions", {"kind": "AGENCY", "actor": OTHER}, {"Idempotency-Key": "exclusion"}
        excluded = (await intake.http.post(barred[0], json=barred[1], headers=barred[2])).json()
        await intake.publish(encoded(BODY), "by-kafka")
        by_kafka = await intake.state("by-kafka")

        async def said() -> bool:
            return len(await intake.stack.metas("referral-intake")) == 4

        await until(said, 30)
        await intake.kill()

        intake.settings = copy
        counts = await refold.recover(copy, "intake", hook)
        assert (counts["cases"], counts["referrals"], counts["receipts"]) == (3, 3, 4)
        await intake.start()
        assert await intake.taken(BODY, "before-the-copy") == early
        assert await intake.taken(BODY | MARKER, "after-the-copy") == late
        assert (await intake.submit(BODY, "after-the-copy")).status_code == 409
        assert (await intake.http.post(barred[0], json=barred[1], headers=barred[2])).json() == excluded
        assert await intake.state("by-kafka") == by_kafka
        await intake.publish(encoded(BODY), "read-again")  # its topic was read again from the copy's position, before this one
        last = await intake.state("read-again")

        async def once() -> bool:
            return {m.case_id for m in await intake.stack.metas("referral-intake")} == {
                early["case_id"],
                late["case_id"],
                by_kafka["case_id"],
                last["case_id"],
            }

        await until(once, 30)
        assert len(await intake.stack.metas("referral-intake")) == 5
