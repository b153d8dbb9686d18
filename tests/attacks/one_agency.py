"""Attacks by one agency that takes part in a case, or did: it ends no duty of another, replaces and guesses nothing, and reads no longer.

`attacks` need no server. `doors` start one PostgreSQL for all three together: in `make attacks` only, and as contract tests in
`tests/integration/intake/test_second_party.py`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from referral.domain import events as e
from referral.domain.case import open_offers
from referral.local import keyfiles
from referral.runtime.bootstrap import prepare_database
from referral.runtime.settings import Settings
from tests.attacks.ground import Attack, Noticed
from tests.harness import servers
from tests.harness.line.intake_stack import BODY, WHY, Stack, new_id, opened, stack
from tests.stories.teller import World, policy

SENDER, FORMER = "the sender, whose token was stolen", "a desk whose task is settled"
DESK, HOLDER, SUPERVISOR, LAST = "desk", "police, who have taken it", "supervising body", "oversight"
CHILD = ("refer found_in=prizren", "police: ACCEPT", "csw: ACCEPT")
ADULT = ("refer age=adult age_band=18-120 consent=GIVEN found_in=prizren", "police: ACCEPT")
MINE, SEEN, FORGED = "mine", "what police saw", "forged address"


@cache
def _policy() -> Any:
    return policy()


def alone(begins: Sequence[str], *acts: str, away: bool = False) -> Noticed:
    """What one agency does to a case. The holder notices where its offer stands all the same; the desks where they are told.

    away: whether the attack bars a desk, so that only the ones above it can notice.
    """
    world = World(_policy())
    for line in (*begins, *acts):
        world.tell(line)
    assert world.case is not None
    told = {task.desk: task.about for task in world.case.tasks if task.about == "confirm-change"}
    stands = [offer for offer in open_offers(world.case) if offer.agency == "police-prizren" and offer.state == "ACCEPTED"]
    found = {HOLDER: f"its offer is {stands[0].state.lower()} still" if stands else ""}
    names = {"desk-prizren": DESK, "dsw": SUPERVISOR, "ombudsperson": LAST}
    found |= {names[desk]: f"asked about {about}" for desk, about in told.items() if not (away and names[desk] == DESK)}
    return found


def attacks() -> list[Attack]:
    adult = "traits age=adult age_band=18-120 by=school-drita"
    kept = [f"exclude agency {one} by=school-drita" for one in ("police-prizren", "desk-prizren", "dsw", "ombudsperson")]
    return [
        Attack(what="say that a child is an adult", power=SENDER, must=(HOLDER, DESK), run=partial(alone, CHILD, adult)),
        Attack(
            what="say that a child is an adult, then that consent is withdrawn",
            power=SENDER,
            must=(HOLDER, DESK),
            run=partial(alone, CHILD, adult, "consent WITHDRAWN by=school-drita"),
        ),
        Attack(
            what="take back consent that another obtained",
            power="an agency that takes part",
            must=(HOLDER, DESK),
            run=partial(alone, ADULT, "consent WITHDRAWN by=health-prizren"),
        ),
        Attack(
            what="let consent run out in a moment that another obtained",
            power="an agency that takes part",
            must=(HOLDER, DESK),
            run=partial(alone, ADULT, "consent GIVEN by=health-prizren until=1min"),
        ),
        Attack(what="exclude the police who have taken a case", power=SENDER, must=(HOLDER, DESK), run=partial(alone, CHILD, kept[0])),
        Attack(
            what="exclude police, desk, supervising body and oversight",
            power=SENDER,
            must=(HOLDER, LAST),
            run=partial(alone, CHILD, *kept, away=True),
        ),
    ]


def doors() -> list[Attack]:
    """Over HTTP, on a real database: seconds, not milliseconds."""
    return [
        Attack(what="replace what police wrote", power=SENDER, must=(HOLDER, DESK), run=partial(_said, "overwrite")),
        Attack(what="replace it by a further referral", power=SENDER, must=(HOLDER, DESK), run=partial(_said, "attach")),
        Attack(what="guess a section by the version that is answered", power=SENDER, must=("door",), run=partial(_said, "guess")),
        Attack(what="read and order on after the last task is settled", power=FORMER, must=("door",), run=partial(_said, "former")),
    ]


@cache
def _every() -> dict[str, Noticed]:
    return asyncio.run(_carried_out())


def _said(name: str) -> Noticed:
    return _every()[name]


async def _carried_out() -> dict[str, Noticed]:
    made = servers.Servers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            master, _ = keyfiles.ensure(Path(folder))
            url = made.address("postgres")
            own = {"database": url, "database_passwords": servers.passwords(url), "master_key_file": master}
            settings = Settings(kafka="", instance="attacks", drill_clock=True, **own)
            await prepare_database(settings)
            async with stack(settings) as intake:
                written = await _writes(intake)
                return {**written, "guess": await _guesses(intake), "former": await _former(intake)}
    finally:
        made.close()


async def _writes(intake: Stack) -> dict[str, Noticed]:
    """The sender's PUT, and its further referral, after police have written."""
    case_id, _ = await opened(intake)
    path = f"/v1/cases/{case_id}/file"
    await intake.http.put(f"{path}/narrative", json={"text": SEEN}, headers=intake.token("police"))
    answer = await intake.http.put(f"{path}/narrative", json={"text": FORGED}, headers=intake.token("school"))
    refused = answer.json().get("code", "") if answer.status_code == 403 else ""
    first = await _told(intake, case_id, HOLDER)
    await intake.post("school", "/v1/referrals", {**BODY, "case_id": case_id, "file": {"narrative": {"text": FORGED}}}, new_id())
    second = await _told(intake, case_id, HOLDER)
    versions = (await intake.get("desk-prizren", f"{path}/narrative/versions")).json().get("versions", [])
    aside = next((f"reads it as put aside, version {v['version']}" for v in versions if v["content"] == {"text": FORGED}), "")
    older = f"reads {len(versions)} versions, and who wrote each" if refused and len(versions) > 1 else ""
    return {"overwrite": {**first, DESK: older, "door": refused}, "attach": {**second, DESK: aside}}


async def _told(intake: Stack, case_id: str, who: str) -> Noticed:
    read = (await intake.get("police", f"/v1/cases/{case_id}/file")).json()["sections"]["narrative"]["text"]
    return {who: "reads what they wrote" if read == SEEN else ""}


async def _guesses(intake: Stack) -> Noticed:
    """Silent where a right guess is answered otherwise than a wrong one."""
    case_id, _ = await opened(intake)
    steps = []
    for guess in (BODY["file"]["narrative"], {"text": "wrong"}):
        before, after = [
            (await intake.http.put(f"/v1/cases/{case_id}/file/narrative", json=guess, headers=intake.token("school"))).json()["version"]
            for _ in range(2)
        ]
        steps.append(after - before)
    return {"door": "counts a version for a right and for a wrong guess" if steps == [1, 1] else ""}


async def _former(intake: Stack) -> Noticed:
    case_id, _ = await opened(intake)
    needs = {"desk": "desk-gjakova", "about": "x", "track_id": None, "step": "", "seat": -1, "rung": 1, "due": None}
    await intake.decided(case_id, e.NeedsPerson(why=WHY, task_id=(task := new_id()), **needs))
    await intake.decided(case_id, e.PersonNotNeeded(why=WHY, task_id=task, how="done"))
    stop = {"word": "STOP", "reason": "OTHER"}
    codes = [
        (await intake.get("desk-gjakova", f"/v1/cases/{case_id}")).status_code,
        (await intake.post("desk-gjakova", f"/v1/cases/{case_id}/instructions", stop)).status_code,
    ]
    return {"door": f"answers {codes}" if codes == [404, 404] else ""}
