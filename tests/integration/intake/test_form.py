"""A form that several agencies fill, on a real database: answers side by side, what they point to, and a decision below it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from referral.domain import events as e
from referral.runtime.settings import Settings
from tests.harness.audit_log import POLICY
from tests.harness.htcds_values import shipped
from tests.harness.line.intake_stack import Stack, new_id, offer, stack, track

pytestmark = pytest.mark.servers
POLICE, CSW = "police-prizren", "csw-prizren"
TABLE = POLICY.sections["risk-form"].table
assert TABLE is not None
CALM: dict[str, Any] = dict.fromkeys(TABLE.items, False)
MARKER = "Marker-Arsye-Ћирилица"


@pytest.fixture
async def intake(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Stack]:
    settings = Settings(kafka="", database=database, master_key_file=key_files[0], instance="test", drill_clock=True)
    async with stack(settings, shipped()) as made:
        yield made


async def risk(intake: Stack, step: str = "risk", **more: Any) -> tuple[str, dict[str, str]]:
    """A case with the decision on its risk at the police and at the centre for social work: (case, agency → offer)."""
    body = {"traits": {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "urgent", "age_band": "12-14"}}
    case_id = (await intake.submit(body, "ngo-lantern"))["case_id"]
    offers = {agency: new_id() for agency in (POLICE, CSW)}
    plain: dict[str, Any] = {
        "kind": e.OfferKind.DECIDE,
        "step": step,
        "words": ("DECIDE",),
        "codes": ("LOW", "MEDIUM", "HIGH", "not-agreed"),
    }
    shown = {"shows": ("identity", "narrative", "safety-plan", "risk-form")}
    for seat, (agency, id) in enumerate(offers.items()):
        await intake.decided(case_id, *([track()] if not seat else []), offer(agency, id, **(plain | shown | {"seat": 2 * seat} | more)))
    return case_id, offers


async def put(intake: Stack, agency: str, case_id: str, **answers: Any) -> None:
    answer = await intake.http.put(f"/v1/cases/{case_id}/file/risk-form", json=CALM | answers, headers=intake.token(agency))
    assert answer.status_code == 200, answer.text


async def read(intake: Stack, agency: str, case_id: str) -> dict[str, Any]:
    answer = await intake.get(agency, f"/v1/cases/{case_id}/file")
    return dict(answer.json()["sections"]["risk-form"])


async def decide(intake: Stack, offers: dict[str, str], agency: str, code: str, **texts: str) -> Any:
    return await intake.post(agency, f"/v1/offers/{offers[agency]}/responses", {"word": "DECIDE", "code": code, "texts": texts})


async def test_answers_stand_side_by_side_and_the_graver_one_counts(intake: Stack) -> None:
    case_id, _ = await risk(intake)
    await put(intake, POLICE, case_id)
    assert (await read(intake, CSW, case_id))["points_to"] == "LOW"
    await put(intake, CSW, case_id, threat=True, held="unknown")
    found = await read(intake, POLICE, case_id)
    assert (found["points_to"], found["until_asked"], found["because"]) == ("HIGH", False, {"threat": "yes"})
    assert [(one["agency"], one["content"]["threat"]) for one in found["entries"]] == [(POLICE, False), (CSW, True)]
    await put(intake, CSW, case_id)
    found = await read(intake, POLICE, case_id)
    assert found["points_to"] == "LOW" and len(found["entries"]) == 2, "an agency's newer form takes the place of its own alone"


async def test_less_than_the_form_points_to_needs_a_reason_and_is_no_systems_word(intake: Stack) -> None:
    case_id, offers = await risk(intake)
    await put(intake, POLICE, case_id, threat=True)
    bare = await decide(intake, offers, POLICE, "LOW")
    assert (bare.status_code, bare.json()["code"], bare.json()["where"]) == (422, "not-recorded", "$.texts.reason")
    system = await decide(intake, offers, POLICE, "LOW", reason=MARKER)
    assert (system.status_code, system.json()["code"], system.json()["where"]) == (409, "needs-person", "$.code")
    assert bare.headers["content-type"] == system.headers["content-type"] == "application/problem+json"
    assert (await decide(intake, offers, POLICE, "HIGH")).status_code == 202, "what it points to needs neither"
    [said] = [body for body in await intake.queued_bodies(case_id) if isinstance(body, e.ResponseSubmitted)]
    assert (said.code, said.pointed) == ("HIGH", "HIGH")


async def test_nobody_has_filled_it_is_not_low(intake: Stack) -> None:
    _, offers = await risk(intake)
    assert (await decide(intake, offers, CSW, "MEDIUM")).json()["code"] == "not-recorded"


async def test_a_step_without_a_form_takes_no_level(intake: Stack) -> None:
    case_id, offers = await risk(intake, "guardian", codes=("csw-guardian", "LOW"))
    assert (await decide(intake, offers, CSW, "LOW")).status_code == 202
    [said] = [body for body in await intake.queued_bodies(case_id) if isinstance(body, e.ResponseSubmitted)]
    assert said.pointed is None


async def test_no_event_says_what_was_answered(intake: Stack) -> None:
    case_id, offers = await risk(intake)
    await put(intake, POLICE, case_id, threat=True, weapon="unknown")
    await decide(intake, offers, POLICE, "HIGH", reason=MARKER)
    said = " ".join(
        repr(body) + str([getattr(body, name) for name in body.__struct_fields__]) for body in await intake.queued_bodies(case_id)
    )
    assert not [item for item in (*TABLE.items, MARKER) if item in said.replace("risk-form", "")]
