"""Make reports of the public page that wait at a desk, without sending each: as accepted at the door, and as routing asks the desk."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import Door, NeedsPerson, Why
from referral.domain.inputs import Input, Source
from referral.domain.rules.context import UNCONFIRMED
from referral.runtime.postgres import clock
from referral.runtime.service import Batch
from services.intake.commands import accept_referrals
from services.intake.commands.accept_referrals import Posting
from services.intake.context import IntakeContext
from services.intake.handle import Intake
from services.intake.model import Receipt
from services.intake.public import form

QUARTER = 15 * 60 * 1_000_000
WHY = Why(rule="made up", procedure="", directory="", engine=1, passed=())
KNOWN = {"found_in": "prizren", "concern": "trafficking", "age_band": "12-14"}


async def wait(tx: AsyncConnection, door: IntakeContext, count: int, desk: str, texts: int) -> None:
    """Let so many reports wait at this desk, with so many different texts; the urgency follows from the text."""
    made = []
    for n in range(count):
        words = {"danger": ("yes", "unsure", "no")[n % texts % 3], "need.happened": f"Made up {n % texts}."}
        referral = form.submission(form.answers(KNOWN | words), door.lists())
        made.append(Posting(agency="public", key=uuid.uuid4().bytes * 2, door=Door.WEB, referral=referral))
    receipts = [one for one in await accept_referrals.accept(tx, door, door.lists(), made) if isinstance(one, Receipt)]
    assert len(receipts) == count
    now = await clock.now(tx)
    inputs = tuple(_asked(receipt.case_id, desk, now, n) for n, receipt in enumerate(receipts))
    keys = await door.keys.load(tx, [one.case_id for one in inputs])
    await Intake(door, None).handle(tx, Batch(now=now, inputs=inputs, keys=keys, owned=frozenset()))


def _asked(case_id: str, desk: str, now: int, n: int) -> Input:
    """Routing asks the desk about one of them, a moment after the one before."""
    task = NeedsPerson(
        why=WHY,
        task_id=str(uuid.uuid4()),
        desk=desk,
        about=UNCONFIRMED,
        track_id=None,
        step="",
        seat=-1,
        rung=0,
        due=now + n + QUARTER,
    )
    source = Source(topic="referral-routing", partition=0, offset=n)
    return Input(id=str(uuid.uuid4()), case_id=case_id, body=task, source=source, seq=1, at=now + n)
