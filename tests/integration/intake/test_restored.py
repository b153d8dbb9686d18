"""An older copy shows no erased case: intake hides it again before its doors open, and under a running intake."""

from __future__ import annotations

import httpx
import pytest
from msgspec import structs
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from referral.errors import Rejected, Unavailable
from referral.runtime.keys import case_keys
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from services.intake.context import IntakeContext
from services.intake.erasure import store
from services.intake.erasure.restored import RestoredErasures
from tests.harness import permits
from tests.harness.engines import by_hand
from tests.harness.erased import KEY
from tests.harness.line.intake_stack import LISTS, new_id
from tests.integration.eraser.test_destroying import ASKED, FILE, running

pytestmark = pytest.mark.servers


@pytest.fixture
def settings(either: Settings) -> Settings:
    """With a broker in memory."""
    return either


async def test_without_trust_no_intake_starts_that_could_show_an_erased_case(bare: Settings) -> None:
    with pytest.raises(Rejected, match="REFERRAL_TRUST"):
        RestoredErasures(None, structs.replace(bare, trust=None))  # type: ignore[arg-type]


async def test_what_comes_back_is_hidden_before_the_doors_open_and_under_a_running_intake(settings: Settings, tmp_path: object) -> None:
    async with running(settings, tmp_path) as line:  # type: ignore[arg-type]
        case_id = await line.case()
        await line.erased(case_id)

        async def older() -> None:
            """A copy from before the approval."""
            async with by_hand(settings) as tx:
                for sql in (
                    "DELETE FROM intake.erasure",
                    "DELETE FROM intake.erasure_read",
                    "UPDATE intake.casefile SET erasing_at = NULL",
                ):
                    await tx.execute(text(sql))

        async def shown() -> bool:
            async with by_hand(settings) as tx:
                at = await tx.execute(text("SELECT erasing_at FROM intake.casefile WHERE case_id = :c"), {"c": case_id})
                return at.scalar_one() is None

        await older()
        assert await shown()
        fresh = RestoredErasures(line.door, line.settings)
        shut = fresh.gate(Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("open"), methods=["GET", "POST"])]))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(shut), base_url="http://intake") as client:
            with pytest.raises(Unavailable):
                await client.get("/v1/cases/x")
            assert (await client.post("/v1/referrals")).text == "open"
            assert fresh.not_ready().keys() == {"erasures"}
            await fresh.turn()
            assert (await client.get("/v1/cases/x")).text == "open" and not fresh.not_ready()
        assert not await shown()
        line.audit.proven.add(case_id)
        await line.held.turn()
        await line.pass_time()
        await line.held.turn()
        await fresh.turn()
        async with line.door.begin() as tx:
            await line.door.keys.create(tx, case_id)
            await tx.execute(text(FILE), {"case": case_id, "closed": 2})
        await older()
        assert await shown()
        await fresh.turn()
        assert not await shown()


async def test_a_row_that_was_put_back_by_hand_is_hidden_at_the_next_start(bare: Settings) -> None:
    engine, case_id = database.engine(bare, "intake"), new_id()
    door = IntakeContext(engine, case_keys.read(bare), lambda: LISTS, new_id, lambda: 0, KEY)
    try:
        async with door.begin() as tx:
            await tx.execute(text(FILE), {"case": case_id, "closed": 2})
            await tx.execute(text(ASKED), {"id": new_id(), "case": case_id})
            await store.hide(tx, permits.RESTORED)
            assert (await tx.execute(text("SELECT erasing_at FROM intake.casefile WHERE case_id = :c"), {"c": case_id})).scalar() == 2
    finally:
        await engine.dispose()
