"""Who was asked to look after a person whom nobody has confirmed to be in danger, and what they found, for the desk that confirms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from referral.domain.authority.words import Act, Kind
from services.intake import store
from services.intake.casefile import access, sections
from services.intake.pages.page_request import PageRequest
from services.intake.projection.timeline import Line

SAID = {
    "OFFERED": "OFFERED",
    "ACKNOWLEDGED": "ACKNOWLEDGED",
    "ON_HOLD": "ACKNOWLEDGED",
    "ACCEPTED": "ACCEPTED",
    "COMPLETED": "ACCEPTED",
    "EXPIRED": "EXPIRED",
    "DECLINED_BY_AGENCY": "DECLINED",
    "DECLINED_BY_PERSON": "DECLINED",
    "RETURNED": "DECLINED",
}
"""State of an offer → the text `confirm.looks.…` about it."""


@dataclass(frozen=True, slots=True)
class Looking:
    """An agency that was asked to look.

    state: of its offer, a value of SAID or OTHER. found: code of what it says that it found, or empty. telephone: of its office, or empty.
    at: of the newest change, µs UTC.
    """

    agency: str
    state: str
    found: str
    telephone: str
    at: int


async def of_case(call: PageRequest, case_id: str) -> Sequence[Looking]:
    """Return who was asked to look, in order. The step that decides what was found asks the holder of the step that looks."""
    door, policy = call.pages.door, call.pages.render.policy()
    async with door.begin() as tx:
        leave = await access.permitted(tx, call.who(Kind.DESK), Act.SEE_REPORT, case_id)
        asked = await store.looking(tx, leave, [check.id for check in policy.unverified])
        happened = await store.happenings(tx, leave) if asked else ()
        key = (await door.keys.load(tx, [case_id])).get(case_id)
    if key is None:
        return ()
    cipher = sections.box(key)
    steps = (step for check in policy.unverified for step in check.steps if step.seats and step.seats[0].holder)
    looks = {step.id: step.seats[0].holder[0] for step in steps if step.seats[0].holder}
    found: dict[str, tuple[str, int]] = {}
    for seq, at, sealed in happened:
        line = msgspec.msgpack.decode(sections.unseal(cipher, sealed, case_id, "timeline", str(seq)), type=Line)
        if line.what == "DECIDED" and line.step in looks:
            found[looks[line.step]] = line.detail.rpartition(": ")[2].partition(" ")[0], at
    telephones = door.lists().telephones

    def said(step: str, agency: str, state: str, at: int) -> Looking:
        known = SAID.get(state, "OTHER")
        code, when = found.get(step, ("", at)) if known == "ACCEPTED" else ("", at)
        return Looking(agency, known, code, telephones.get(agency, ""), when)

    return [said(*one) for one in asked if one[0] not in looks]
