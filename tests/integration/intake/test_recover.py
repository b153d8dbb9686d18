"""The doors after the database went back: what was taken under a key is known again, by both doors, and who was excluded stays so."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import text

from referral.client import SigningKey, encrypt, sign_record
from referral.runtime.postgres import database as databases
from referral.runtime.recovery import recover
from referral.runtime.settings import Settings
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire import policy_digest
from services.intake.messages.timestamps import when
from services.intake.recover import hook
from tests.harness.engines import connecting
from tests.harness.waiting import until
from tests.integration.intake.test_process import AGENCY, BODY, OTHER, encoded, line
from tests.integration.line.test_recover import copied

pytestmark = pytest.mark.servers
KEY = SignerKey(AGENCY, ED25519, bytes(32))
MARKER = {"file": {"identity": {"name": "Marker-Ëmri"}}}


async def test_a_key_taken_after_the_copy_still_stands_for_the_same_receipt(settings: Settings) -> None:
    async with line(settings) as intake:
        files = policy_digest.read(settings.policy)
        files[f"directory/{AGENCY}.yaml"] += f'signing: {{keys: ["{KEY.verifier.encode().decode()}"]}}\n'.encode()
        await intake.policy(files)
        early = await intake.taken(BODY, "before-the-copy")
        await intake.process.kill()
        await intake.stack.sql("INSERT INTO routing.policy VALUES (1, '', :files, 1, 1)", files=msgspec.msgpack.encode(files))
        copy = await copied(settings)
        await intake.start()
        late = await intake.taken(BODY | MARKER, "after-the-copy")
        barred = f"/v1/cases/{late['case_id']}/exclusions", {"kind": "AGENCY", "actor": OTHER}, {"Idempotency-Key": "exclusion"}
        excluded = (await intake.http.post(barred[0], json=barred[1], headers=barred[2])).json()
        public = bytes.fromhex((await intake.http.get("/v1/ingress-key")).json()["public_key"])
        value = encrypt(public, f"ingress.{AGENCY}", encoded(BODY))
        signed = sign_record(SigningKey(KEY.encode().decode()), f"ingress.{AGENCY}", value, id="by-kafka", sequence=1)
        await intake.put(value, "by-kafka", tuple(header for header in signed if header[0] != "ce_id"))
        by_kafka = await intake.state("by-kafka")

        async def said() -> bool:
            return len(await intake.stack.metas("referral-intake")) >= 4

        await until(said)
        await intake.process.kill()

        intake.process.settings = copy
        counts = await recover.recover(copy, "intake", hook)
        assert (counts["cases"], counts["referrals"], counts["receipts"]) == (3, 3, 4)
        async with connecting(databases.admin(copy)) as tx:
            assert (await tx.execute(text("SELECT agency, last FROM intake.numbered"))).all() == [(AGENCY, 1)]
            [at] = (await tx.execute(text("SELECT at FROM intake.exclusion"))).scalars()
            assert when(at) == excluded["received_at"], "an excluded sender sees the case as of then, not as of the restore"
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

        await until(once)
        assert len(await intake.stack.metas("referral-intake")) == 5
