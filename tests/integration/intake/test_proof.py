"""The receipt of a referral becomes provable: intake fetches the proof from audit, for its sender alone, and it is checked offline."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from structlog.testing import capture_logs

from referral.domain.events import CaseOpened, Meta, ReferralSubmitted
from referral.domain.inputs import Input, Raw, Source
from referral.errors import Unproven
from referral.local import keyfiles
from referral.proof import receipt as receipts
from referral.runtime.keys import case_keys
from referral.runtime.settings import Settings
from referral.wire import codec, seal, topics
from referral.wire.signed import trust_lines
from services.audit.api import application
from services.intake.unanswered import ReceiptCheck
from tests.harness.engines import by_hand
from tests.harness.erased import INTAKE
from tests.harness.line.audit_stack import KEY, KEYS, honest, log
from tests.harness.line.intake_stack import BODY, WHY, new_id, stack
from tests.harness.made_child import CHILD

pytestmark = pytest.mark.servers


def logged(receipt: dict[str, Any], offset: int) -> Input:
    """The referral's event as audit reads it from the topic. Two cases may share a partition: each record has its own offset."""
    case_id, type_ = receipt["case_id"], ReferralSubmitted.TYPE
    meta = Meta(
        event_id=receipt["event_id"],
        case_id=case_id,
        case_seq=1,
        type=type_,
        fingerprint=codec.fingerprint(type_),
        cause_id=new_id(),
        recorded_at=5,
        source="intake",
        drill=False,
    )
    value = seal.seal(bytes(32), ReferralSubmitted.TOPIC, meta, b"body", bytes(12))
    source = Source(topic=ReferralSubmitted.TOPIC, partition=topics.partition(case_id), offset=offset)
    return Input(id=new_id(), case_id="", body=Raw(key=case_id.encode(), value=value, kafka_time=17), source=source)


async def test_a_receipt_is_proven_to_its_sender_once_witnesses_have_seen_it(bare: Settings, tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        urls = [await opened.enter_async_context(honest(tmp_path, n)) for n in (1, 2, 3)]
        made = await opened.enter_async_context(log(bare, urls))
        audit = httpx.AsyncClient(transport=httpx.ASGITransport(application(made.engine, case_keys.read(bare))), base_url="http://log")
        intake = await opened.enter_async_context(stack(bare, log=await opened.enter_async_context(audit)))
        receipt, other = await intake.submit(), await intake.submit()
        own = await intake.submit({**BODY, "excludes": ["agency:school"]})
        path = f"/v1/referrals/{receipt['referral_id']}/proof"
        publisher = made.publisher()
        await publisher.check()
        await made.append(5)
        await publisher.round()
        early = await intake.get("school", path)
        assert (early.status_code, early.json()["code"], early.headers["Retry-After"]) == (404, "not-logged-yet", "1")
        await made.append(1, lambda n: logged(receipt, n))
        await made.append(1, lambda n: logged(own, n))
        assert (await intake.get("school", path)).status_code == 404, "committed is not published"
        await publisher.round()
        await made.append(300)
        await publisher.round()

        answer = await intake.get("school", path)
        operation = (await intake.http.get("/openapi.json")).json()["paths"]["/v1/referrals/{referral_id}/proof"]["get"]
        assert answer.status_code == 200 and [*operation["responses"]["200"]["content"]] == [answer.headers["content-type"]]
        told = [(f"w{n}", key.verifier, url) for n, (key, url) in enumerate(zip(KEYS, urls, strict=True), 1)]
        policy = keyfiles.policy(KEY.verifier, told)
        found = receipts.check(receipt, answer.content, policy)
        assert (found.log, found.index) == (KEY.name, 96) and found.size > 300 and len(found.witnesses) >= 2
        with pytest.raises(Unproven, match="another event"):
            receipts.check(other, answer.content, policy)

        shown = await intake.get("school", f"/v1/referrals/{own['referral_id']}")
        proven = await intake.get("school", f"/v1/referrals/{own['referral_id']}/proof")
        assert (shown.status_code, proven.status_code) == (200, 200), "a receipt is proven to whoever has it"
        assert receipts.check(own, proven.content, policy).index == 97
        foreign, unknown = await intake.get("police", path), await intake.get("police", f"/v1/referrals/{new_id()}/proof")
        assert (foreign.status_code, foreign.content) == (404, unknown.content)
        assert foreign.json()["code"] == "unknown-referral"
        assert (await intake.get("school", f"/v1/referrals/{other['referral_id']}/proof")).json()["code"] == "not-logged-yet"


def late(stage: str) -> float | None:
    return REGISTRY.get_sample_value("referral_promises_late", {"stage": stage})


async def test_a_referral_that_nobody_answers_for_a_minute_is_an_alarm_and_its_receipt_says_what_was_promised(bare: Settings) -> None:
    """It is swallowed behind the door: its row leaves intake's queue and no event is said. doctor and the receipt find it too."""
    proven: set[str] = set()

    async def audit(scope: Any, receive: Any, send: Any) -> None:
        status = 200 if scope["path"].removeprefix("/proofs/") in proven else 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with httpx.AsyncClient(transport=httpx.ASGITransport(audit), base_url="http://log") as client, stack(bare, log=client) as intake:
        key = new_id()
        receipt, other = await intake.submit(key=key), await intake.submit()
        policy = keyfiles.policy(KEY.verifier, ()) + trust_lines.intake_line(INTAKE.intake[0])
        assert receipts.promised(receipt, policy)
        assert receipts.promised((await intake.get("school", f"/v1/submissions/{key}")).json(), policy)
        look = ReceiptCheck(intake.door)
        await look.turn()
        assert (late("decided"), late("logged")) == (0, 0)
        async with by_hand(intake.settings) as tx:
            await tx.execute(text("DELETE FROM intake.queue"))
            for table in ("referral", "submission"):
                await tx.execute(text(f"UPDATE intake.{table} SET received_at = received_at - 361000000"))
        with capture_logs() as said:
            await look.turn()
        assert (late("decided"), late("logged")) == (2, 2)
        assert [(one["reason"], one["count"], one["log_level"]) for one in said] == [("decided", 2, "error"), ("logged", 2, "error")]
        with capture_logs() as said:
            await look.turn()
        assert not said, "nothing has become worse"
        third = await intake.submit()
        proven |= {third["event_id"]}
        async with by_hand(intake.settings) as tx:
            aged = {"event": third["event_id"], "case": third["case_id"]}
            await tx.execute(text("UPDATE intake.submission SET received_at = received_at - 361000000 WHERE event_id = :event"), aged)
            await tx.execute(text("UPDATE intake.referral SET received_at = received_at - 361000000 WHERE case_id = :case"), aged)
        with capture_logs() as said:
            await look.turn()
        assert (late("decided"), late("logged")) == (3, 2), "the log proves the newest; the two before it are still owed"
        assert [(one["reason"], one["count"]) for one in said] == [("decided", 3)], "the first loss does not hide the next one"
        proven |= {receipt["event_id"], other["event_id"]}
        for one in (receipt, other, third):
            opened = CaseOpened(why=WHY, referral_id=one["referral_id"], agency="school", traits=CHILD, drill=True)
            await intake.decided(one["case_id"], opened)
        await look.turn()
        assert (late("decided"), late("logged")) == (0, 0)


async def test_a_log_that_is_away_is_503_and_no_refusal(bare: Settings) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"oops"})

    closed = httpx.AsyncClient(base_url="http://127.0.0.1:9", timeout=1)
    for client in (closed, httpx.AsyncClient(transport=httpx.ASGITransport(broken), base_url="http://log")):
        async with client, stack(bare, log=client) as intake:
            receipt = await intake.submit()
            answer = await intake.get("school", f"/v1/referrals/{receipt['referral_id']}/proof")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable") and answer.headers["Retry-After"]
