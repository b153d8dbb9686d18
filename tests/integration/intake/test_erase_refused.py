"""Two persons have everything erased that a desk refused to confirm: a flood is thrown away with two commands."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from referral.domain import events as e
from services.intake.casefile import access
from services.intake.erasure import commands
from tests.harness import permits
from tests.harness.engines import by_hand
from tests.harness.line.intake_stack import WHY, Stack, new_id, offer, track
from tests.integration.intake.test_erasing import closed, does, refused, staffed

pytestmark = pytest.mark.servers
__all__ = ["staffed"]  # a fixture
ASK, APPROVE = "/staff/refused/erasure", "/staff/refused/approval"


async def erasures(intake: Stack, who: str, path: str, **body: str) -> list[dict[str, str]]:
    """Those that one request brought about."""
    answer = await does(intake, who, path, body)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["erasures"])


async def turned_away(intake: Stack) -> str:
    """A referral that nobody vouches for, and that the desk refused."""
    case_id, task = (await intake.submit())["case_id"], new_id()
    asked = e.NeedsPerson(
        why=WHY, task_id=task, desk="desk-prizren", about="confirm-referral", track_id=None, step="", seat=-1, rung=0, due=9_000_000
    )
    await intake.decided(case_id, asked)
    await intake.decided(
        case_id, e.PersonNotNeeded(why=WHY, task_id=task, how="refused"), e.CaseClosed(why=WHY, outcome="not-confirmed", sealed=False)
    )
    return str(case_id)


async def test_a_flood_is_thrown_away_by_two_people_and_nothing_else_is(staffed: Stack) -> None:
    made_up = [await turned_away(staffed) for _ in range(3)]
    kept = await turned_away(staffed)
    await does(staffed, "ana", f"/staff/cases/{kept}/holds", {"basis": "court-order"})
    disputed = await turned_away(staffed)
    await does(staffed, "ana", f"/staff/cases/{disputed}/erasure", {"basis": "storage-ended"})
    await does(staffed, "ben", f"/staff/cases/{disputed}/erasure/refusal", {})
    real, _ = await closed(staffed)
    confirmed = await turned_away(staffed)
    await staffed.decided(confirmed, track("22222222-2222-4222-8222-222222222222"), offer("police", new_id()))

    assert await erasures(staffed, "gent", ASK, basis="storage-ended") == [], "another desk's"
    assert (await refused(staffed, "nora", ASK, {"basis": "storage-ended"}))[0] == 403, "no desk"
    assert await erasures(staffed, "ben", APPROVE) == [], "nobody has asked"
    asked = await erasures(staffed, "ana", ASK, basis="storage-ended")
    assert [one["case_id"] for one in asked] == made_up and {one["state"] for one in asked} == {"REQUESTED"}
    assert await erasures(staffed, "ana", ASK, basis="storage-ended") == [], "asked for once"
    assert await erasures(staffed, "ana", APPROVE) == [], "nobody approves what they asked for"
    done = await erasures(staffed, "ben", APPROVE)
    assert [one["case_id"] for one in done] == made_up and {one["state"] for one in done} == {"APPROVED"}
    for case_id in made_up:
        assert (await staffed.queued(case_id))[-1] == e.CaseErased.TYPE, "each has an entry of its own in the log"
    for case_id in (kept, disputed, real, confirmed):
        assert e.CaseErased.TYPE not in await staffed.queued(case_id)


async def test_what_a_desk_confirmed_is_never_thrown_away_with_what_it_refused(staffed: Stack) -> None:
    """No procedure applied to it, so a desk acted by itself and closed the case."""
    case_id, asked, alone = (await staffed.submit())["case_id"], new_id(), new_id()
    shared = {"why": WHY, "desk": "desk-prizren", "track_id": None, "step": "", "seat": -1, "rung": 0, "due": 9_000_000}
    await staffed.decided(case_id, e.NeedsPerson(task_id=asked, about="confirm-referral", **shared))
    confirmed = e.PersonNotNeeded(why=WHY, task_id=asked, how="confirmed")
    await staffed.decided(case_id, confirmed, e.NeedsPerson(task_id=alone, about="no-pathway", **shared))
    over = e.PersonNotNeeded(why=WHY, task_id=alone, how="closed")
    await staffed.decided(case_id, over, e.CaseClosed(why=WHY, outcome="closed", sealed=False))
    assert await erasures(staffed, "ana", ASK, basis="storage-ended") == []


async def test_a_case_that_keeps_a_person_away_keeps_nobody_from_the_others_and_tells_that_person_nothing(staffed: Stack) -> None:
    away, made_up = await turned_away(staffed), await turned_away(staffed)
    async with by_hand(staffed.settings) as tx:
        ana, ben = [
            str(row[0]) for row in await tx.execute(text("SELECT id FROM intake.account WHERE login IN ('ana', 'ben') ORDER BY login"))
        ]
    async with staffed.door.begin() as tx:
        await access.exclude(tx, permits.ROUTING, {away: [f"staff:{ana}"]})
    answer = await does(staffed, "ana", ASK, {"basis": "storage-ended"})
    assert [one["case_id"] for one in answer.json()["erasures"]] == [made_up] and away not in answer.text
    assert [one["case_id"] for one in await erasures(staffed, "ben", ASK, basis="storage-ended")] == [away]
    async with staffed.door.begin() as tx:
        await access.exclude(tx, permits.ROUTING, {made_up: [f"staff:{ben}"]})
    answer = await does(staffed, "ben", APPROVE, {})
    assert answer.json()["erasures"] == [] and made_up not in answer.text


async def test_one_request_takes_as_many_as_it_can_and_the_next_goes_on(staffed: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "AT_ONCE", 2)
    for _ in range(3):
        await turned_away(staffed)
    counts = [len(await erasures(staffed, "ana", ASK, basis="storage-ended")) for _ in range(3)]
    counts += [len(await erasures(staffed, "ben", APPROVE)) for _ in range(3)]
    assert counts == [2, 1, 0] * 2
