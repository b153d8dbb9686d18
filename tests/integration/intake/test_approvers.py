"""Where the policy names approvers, both persons sign an erasure with keys of their own, and intake signs nothing without them."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral.cli.agency.case import approval_body, request_body
from referral.domain import events as e
from referral.wire.signed.erasure_approval import Erasers
from tests.harness.erased import APPROVERS, FIRST, INTAKE, SECOND, STRANGER
from tests.harness.line.intake_stack import Stack
from tests.integration.intake.test_erase_refused import APPROVE, ASK, turned_away
from tests.integration.intake.test_erasing import closed, does, refused, staffed

pytestmark = pytest.mark.servers
__all__ = ["staffed"]  # a fixture


async def body(intake: Stack, who: str, case_id: str, key: Ed25519PrivateKey, basis: str = "") -> Any:
    """What the person's command sends: a request on this basis, else an approval."""
    state = (await does(intake, who, f"/staff/cases/{case_id}/erasure")).json()
    return request_body(key, state, basis) if basis else approval_body(key, state)


async def test_intake_signs_an_erasure_only_with_both_persons_signatures(staffed: Stack) -> None:
    case_id, _ = await closed(staffed)
    path, other = f"/staff/cases/{case_id}/erasure", (await closed(staffed))[0]
    asked_before = (await closed(staffed))[0]
    assert (await does(staffed, "ana", f"/staff/cases/{asked_before}/erasure", {"basis": "storage-ended"})).status_code == 200
    staffed.door.approvers.update(APPROVERS)  # type: ignore[attr-defined]
    plain = {"basis": "storage-ended"}
    for wrong in (
        plain,
        await body(staffed, "ana", case_id, STRANGER, "storage-ended"),
        await body(staffed, "ben", case_id, FIRST, "storage-ended"),
        await body(staffed, "ana", other, FIRST, "storage-ended"),
        {**(await body(staffed, "ana", case_id, FIRST, "storage-ended")), "basis": "person-asked"},
        {**plain, "signature": "AAAA"},
    ):
        assert await refused(staffed, "ana", path, wrong) == (403, "not-signed"), wrong
    assert (await does(staffed, "ana", path, await body(staffed, "ana", case_id, FIRST, "storage-ended"))).status_code == 200
    for wrong in (
        {},
        await body(staffed, "ben", case_id, FIRST),
        await body(staffed, "ben", case_id, STRANGER),
        await body(staffed, "ana", case_id, SECOND),
    ):
        assert await refused(staffed, "ben", f"{path}/approval", wrong) == (403, "not-signed"), wrong
    assert await refused(staffed, "ben", f"/staff/cases/{asked_before}/erasure/approval", {}) == (403, "not-signed")
    approved = await does(staffed, "ben", f"{path}/approval", await body(staffed, "ben", case_id, SECOND))
    assert approved.json()["state"] == "APPROVED"
    (said,) = [one for one in await staffed.queued_bodies(case_id) if isinstance(one, e.CaseErased)]
    assert Erasers(INTAKE.intake, APPROVERS).genuine(case_id, said, 1)

    flood = {await turned_away(staffed) for _ in range(3)}
    for who, key, way, basis in (("ana", FIRST, ASK, "storage-ended"), ("ben", SECOND, APPROVE, "")):
        many: dict[str, Any] = {"basis": basis, "signatures": {}}
        unsigned = (await does(staffed, who, way, many)).json()
        assert {one["case_id"] for one in unsigned["unsigned"]} == flood and unsigned["erasures"] == [], "nothing is done unsigned"
        for one in unsigned["unsigned"]:
            made = request_body(key, one, basis) if basis else approval_body(key, one)
            many["signatures"][one["case_id"]] = made["signature"]
        said_of = (await does(staffed, who, way, many)).json()
        assert {one["case_id"] for one in said_of["erasures"]} == flood and said_of["unsigned"] == []
