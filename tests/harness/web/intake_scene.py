"""A scene in which every page of intake has something to show: an agency, its desk, a child in each state. All made up."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from referral.domain import events as e
from referral.domain.events import How, OfferKind, Reach
from tests.harness.web.agency_line import DUTY as RUNG
from tests.harness.web.agency_line import Line
from tests.harness.web.answered import ended, sent, taken
from tests.harness.web.intake_pages import COORDINATES, DESKS, DUTY, WORKER
from tests.harness.web.world import COORDINATOR, DESK, NOTICE, POLICE, WHY, World, accepted, closed, signed_in

WORKS = "csw-prizren"


async def scene(line: Line) -> Mapping[str, str]:
    """Return name → id of everything that a look of `intake_pages` names."""
    await line.person(DUTY, RUNG, "back-up", head=True, email="duty@x.example", sms="+99944000001", voice="+99944000001")
    person = await line.person("officer", RUNG)
    await line.shift(person, "mon-fri 08:00-20:00")
    await line.person(WORKER, "focal-point", agency=WORKS)
    await line.person(DESKS, RUNG, agency=DESK)
    await asyncio.to_thread(line.world.account, COORDINATES, COORDINATOR)
    async with line.notifier.admin.begin() as tx:
        await tx.execute(text("UPDATE intake.account SET desk = true WHERE login = :login"), {"login": DESKS})
    return {"person": person, **await asyncio.to_thread(_cases, line.world)}


def _cases(world: World) -> dict[str, str]:
    case = world.case("prizren")
    run = world.track(case)
    found = {
        "open": world.offer(case, POLICE, "police", track_id=run),
        "accepted": taken(world, case, track_id=run),
        "over": world.offer(case, POLICE, "police", track_id=run),
        "expired": world.offer(case, POLICE, "police", track_id=run),
        "notice": world.offer(case, POLICE, "police", track_id=run, kind=OfferKind.NOTIFY, words=("ACKNOWLEDGE",)),
        "support": world.offer(case, WORKS, "support", track_id=run, seat=1, shows=("identity", "contact", "safety-plan", "note")),
        "decide": _decide(world, case, run),
        "call": world.offer(case, "shelter-linden", "shelter", track_id=run, reach=Reach.PHONE, kind=OfferKind.PLACE),
        "called": world.offer(case, "foster-network", "care-place", track_id=run, reach=Reach.PHONE, shows=("location",)),
        "task": world.task(case, DESK, "no-candidate", "shelter", run),
        "unverified": str(uuid.uuid4()),
    }
    world.say(case, closed(found["over"], How.CANCELLED), closed(found["expired"], How.EXPIRED))
    world.say(case, accepted(found["called"], world.now() + 60 * 60_000_000))
    world.offer(case, COORDINATOR, "coordinator", track_id=run, **NOTICE)
    other = world.case("prizren", drill=True)
    ends = world.track(other)
    found["stopped"], found["settled"] = (
        world.task(other, DESK, "stopped", "", ends),
        world.task(other, DESK, "transfer-failed", "support", ends),
    )
    world.say(other, e.PersonNotNeeded(why=WHY, task_id=found["settled"], how="done"))
    found["slip"] = _slip(world, case)
    public = world.case("prizren")
    waits: dict[str, Any] = {"track_id": None, "step": "", "seat": -1, "rung": 0, "due": world.now() + 900_000_000}
    world.say(public, e.NeedsPerson(why=WHY, task_id=found["unverified"], desk=DESK, about="confirm-referral", **waits))
    return found


def _decide(world: World, case: str, run: str) -> str:
    deciding = {"kind": OfferKind.DECIDE, "words": ("DECIDE",), "codes": ("csw-guardian", "relative"), "needs": ("reason", "child-view")}
    return world.offer(case, WORKS, "guardian", track_id=run, role="social-worker", due_what="decide", **deciding)


def _slip(world: World, case: str) -> str:
    """An offer that a person of the police has just completed at the page, and may take back; its id."""
    offer = taken(world, case)
    with signed_in(world, DUTY) as person:
        sent(person, f"/offers/{offer}", "answer", word="COMPLETE")
    world.decide(case, *ended(offer, How.COMPLETED, world.now(), undo=True, minutes=60))
    return offer
