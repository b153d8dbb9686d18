"""The public page as a stranger uses it, one request at a time: a whole form, a code, and what became of them on the inbox's side."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain import events as e
from referral.domain.authority.words import Act
from referral.runtime.postgres import clock
from services.intake.casefile import access
from services.intake.casefile import write as writing
from services.intake.messages import strict_json
from tests.harness import permits
from tests.harness.web.forms import fields, hidden
from tests.harness.web.world import DESK, WHY, World

GIVEN = {
    "danger": "yes",
    "found_in": "prizren",
    "concern": "trafficking",
    "age_band": "12-14",
    "need.happened": "Marker-Tregimi: a man waits for her every day.",
    "need.where": "Marker-Shkolla",
    "need.child": "Marker-Lirië",
    "who": "Marker-Mësuesja",
    "role": "teacher",
    "telephone": "Marker 044 000 000",
    "when": "after two",
}
"""A made-up report, in the fields of the form."""


def opened(visitor: httpx.Client) -> dict[str, str]:
    """The hidden fields of an empty form."""
    return hidden(visitor.get("/refer").text)


def reported(visitor: httpx.Client, **more: str) -> httpx.Response:
    """A whole form, sent at once."""
    return visitor.post("/refer", data=opened(visitor) | GIVEN | {"at": "check", "go": "send"} | more)


def sent(visitor: httpx.Client, form: dict[str, str], address: str = "", **more: str) -> httpx.Response:
    """A whole form with a key of its own, as the proxy passes it on."""
    key = {"key": uuid.uuid4().hex}
    headers = {"X-Forwarded-For": address} if address else {}
    return visitor.post("/refer", data=form | key | GIVEN | {"at": "check", "go": "send"} | more, headers=headers)


def taken(answers: list[httpx.Response]) -> int:
    """How many were accepted; every other one was told whom to call."""
    refused = [answer for answer in answers if answer.status_code != 200]
    wrong = [answer for answer in refused if answer.status_code != 429 or 'href="tel:' not in answer.text]
    assert not wrong, [answer.status_code for answer in wrong]
    return len(answers) - len(refused)


def asked(visitor: httpx.Client, code: str, note: str = "") -> httpx.Response:
    form = fields(visitor.get("/refer/receipt").text)
    return visitor.post("/refer/receipt", data=form | {"code": code, "need.note": note})


def submitted(world: World) -> list[e.ReferralSubmitted]:
    return [event for event in world.queued() if isinstance(event, e.ReferralSubmitted)]


def noted(world: World) -> list[e.SectionWritten]:
    """What alerts those who read a story: that the public has written to it."""
    return [event for event in world.queued() if isinstance(event, e.SectionWritten) and event.agency == "public"]


def case_of(world: World) -> str:
    """The case of the newest referral."""
    newest = "SELECT case_id FROM intake.referral ORDER BY received_at DESC LIMIT 1"

    async def read(tx: Any) -> str:
        return str((await tx.execute(sql(newest))).scalar_one())

    return world.run(read)


def waits(world: World, case: str) -> str:
    """Routing opens the case and asks the desk; the task's id."""
    task = str(uuid.uuid4())
    place: dict[str, Any] = {"track_id": None, "step": "", "seat": -1, "rung": 0, "due": world.now() + 900_000_000}
    world.say(case, e.NeedsPerson(why=WHY, task_id=task, desk=DESK, about="confirm-referral", **place))
    return task


def rewritten(world: World, case_id: str, agency: str) -> None:
    """An agency writes a story of its own."""

    async def write(tx: AsyncConnection) -> None:
        case = await access.take(tx, world.door.keys, case_id)
        leave = permits.leave(Act.WRITE_SECTION, case_id, agency)
        story = strict_json.canonical({"text": "What we found."})
        await writing.put(tx, world.door, case, leave, "narrative", story, await clock.now(tx))

    world.run(write)
