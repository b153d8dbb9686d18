"""What one agency sends about a case that others work on: it reads, writes and ends no more than it may, and the desk sees all of it."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from msgspec import structs
from sqlalchemy import event

from referral.domain import events as e
from referral.domain.authority.matrix import Who
from referral.domain.authority.words import Kind
from referral.domain.inputs import derived
from referral.runtime.settings import Settings
from services.intake import store
from services.intake.casefile import access
from tests.harness.line.intake_stack import BODY, LISTS, WHY, Stack, changed, new_id, offer, opened, stack, track

pytestmark = pytest.mark.servers

WITHDRAWN: dict[str, Any] = {"state": "WITHDRAWN", "basis": "consent", "giver": "person"}
BY_CONSENT = structs.replace(LISTS, withdrawal={"trafficking-child": "stop"})
GIVEN = e.Consent(state=e.ConsentState.GIVEN, basis="consent", giver="person", scope=(), recipients=(), until=None)


async def put(intake: Stack, agency: str, case_id: str, text: str, section: str = "narrative") -> httpx.Response:
    return await intake.http.put(f"/v1/cases/{case_id}/file/{section}", json={"text": text}, headers=intake.token(agency))


async def test_the_sender_cannot_replace_what_police_wrote_and_every_writing_is_an_event(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    await intake.decided(case_id, offer("csw", other := new_id(), step="guardian", shows=("narrative",)))
    assert (await put(intake, "school", case_id, "Marker-mine")).status_code == 200, "until the first other writer"
    assert (await put(intake, "police", case_id, "Marker-seen")).status_code == 200
    forged = await put(intake, "school", case_id, "Marker-forged")
    assert (forged.status_code, forged.json()["code"]) == (403, "not-yours")
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).json()["sections"]["narrative"] == {"text": "Marker-seen"}
    written = [body for body in await intake.queued_bodies(case_id) if isinstance(body, e.SectionWritten)]
    assert [(w.agency, w.section, w.version, set(w.offers)) for w in written] == [
        ("school", "narrative", 2, {offer_id, other}),
        ("police", "narrative", 3, {other}),
    ]
    assert len({w.content for w in written}) == 2 and all(len(w.content) == 32 for w in written)


async def test_a_right_guess_about_a_section_is_answered_like_a_wrong_one(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    for guess in (BODY["file"]["narrative"]["text"], "Marker-wrong"):
        first = (await put(intake, "school", case_id, guess)).json()["version"]
        assert (await put(intake, "school", case_id, guess)).json()["version"] == first + 1


async def test_older_versions_are_for_the_desk_and_what_a_further_referral_brings_is_put_aside_there(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    await put(intake, "police", case_id, "Marker-seen")
    further = {**BODY, "case_id": case_id, "file": {"narrative": {"text": "Marker-again"}, "contact": {"phone": "none"}}}
    assert (await intake.post("school", "/v1/referrals", further, new_id())).status_code == 202
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).json()["sections"]["narrative"] == {"text": "Marker-seen"}
    path = f"/v1/cases/{case_id}/file/narrative/versions"
    found = (await intake.get("desk-prizren", path)).json()["versions"]
    assert [(v["version"], v["agency"], v["content"]["text"]) for v in found] == [
        (-1, "school", "Marker-again"),
        (1, "school", "Marker-Tregimi"),
        (2, "police", "Marker-seen"),
    ]
    assert (await intake.queued(case_id))[-1] == "section-disclosed.v1"
    assert [(await intake.get(a, path)).status_code for a in ("school", "police", "csw")] == [403, 403, 404]


async def test_a_desk_has_no_right_any_more_once_its_last_task_is_settled(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    task = new_id()
    needs = e.NeedsPerson(why=WHY, task_id=task, desk="desk-gjakova", about="x", track_id=None, step="", seat=-1, rung=1, due=None)
    await intake.decided(case_id, needs)
    path, stop = f"/v1/cases/{case_id}", {"word": "STOP", "reason": "OTHER"}
    assert (await intake.get("desk-gjakova", path)).status_code == 200
    await intake.decided(case_id, e.PersonNotNeeded(why=WHY, task_id=task, how="done"))
    assert (await intake.get("desk-gjakova", path)).status_code == 404
    assert (await intake.post("desk-gjakova", f"{path}/instructions", stop)).status_code == 404
    assert (await intake.get("desk-prizren", path)).status_code == 200


async def test_consent_that_another_obtained_is_not_taken_back_at_the_door(bare: Settings) -> None:
    async with stack(bare, BY_CONSENT) as intake:
        case_id, _ = await opened(intake)
        await intake.decided(case_id, offer("csw", new_id(), step="guardian"), structs.replace(changed(consent=GIVEN), consent_by="csw"))

        async def reads() -> int:
            return (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code

        path = f"/v1/cases/{case_id}/consent"
        assert (await intake.post("school", path, WITHDRAWN)).status_code == 202
        assert await reads() == 200, "routing decides what another agency says"
        receipt = (await intake.post("csw", path, WITHDRAWN)).json()
        assert await reads() == 403, "who obtained it takes it back at once"
        proposed = e.ChangeProposed(
            why=WHY, task_id=new_id(), kind=e.ChangeKind.CONSENT, agency="csw", by=None, traits=None, consent=None, actor=""
        )
        await intake.decided(case_id, proposed)
        assert await reads() == 403, "the answer to something else"
        await intake.decided(case_id, proposed, ids=[derived(receipt["event_id"], 0)])
        assert await reads() == 200, "routing has not taken it"
        gone = structs.replace(GIVEN, state=e.ConsentState.WITHDRAWN)
        await intake.decided(case_id, structs.replace(changed(consent=gone), consent_by="csw"))
        assert await reads() == 403


async def test_who_is_kept_away_no_longer_reads_again_and_the_last_desk_stays(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    path = f"/v1/cases/{case_id}/exclusions"
    for actor in ("police", "desk-prizren"):
        assert (await intake.post("school", path, {"kind": "AGENCY", "actor": actor})).status_code == 202
    last = await intake.post("school", path, {"kind": "AGENCY", "actor": "oversight"})
    assert (last.status_code, last.json()["code"]) == (409, "last-desk")
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 403
    further = {**BODY, "case_id": case_id, "file": {}, "excludes": ["agency:oversight", "relation:parent"]}
    assert (await intake.post("school", "/v1/referrals", further, new_id())).status_code == 202
    assert (await intake.post("oversight", f"/v1/cases/{case_id}/instructions", {"word": "STOP", "reason": "OTHER"})).status_code == 202
    away = ("agency:police", "agency:desk-prizren")
    await intake.decided(case_id, changed(excluded=away), structs.replace(changed(), lifted=away))
    assert (await intake.get("police", f"/v1/cases/{case_id}/file")).status_code == 200
    assert (await intake.get("desk-prizren", f"/v1/cases/{case_id}")).status_code == 200
    order = {"word": "LIFT", "reason": "OTHER", "target": "agency:police"}
    alone = await intake.post("desk-prizren", f"/v1/cases/{case_id}/instructions", order)
    assert (alone.status_code, alone.json()["code"]) == (403, "person-needed"), "a system is nobody"


async def excluded_alone(intake: Stack, state: str) -> tuple[str, str]:
    """A case of which one party alone, the school, keeps police away, whose offer is in this state; and the task that asks a second one."""
    case_id, offer_id = await opened(intake)
    if state == "ACCEPTED":
        accepted = e.OfferAccepted(why=WHY, offer_id=offer_id, by=None, due=None, due_what="", late=False)
        await intake.decided(case_id, accepted)
    answer = await intake.post("school", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "police"})
    assert answer.status_code == 202
    task, kind = new_id(), e.ChangeKind.EXCLUSION
    proposed = e.ChangeProposed(
        why=WHY, task_id=task, kind=kind, agency="school", by=None, traits=None, consent=None, actor="agency:police"
    )
    await intake.decided(case_id, changed(excluded=("agency:police",)), proposed)
    assert (await put(intake, "school", case_id, "Marker-after")).status_code == 200
    return case_id, task


async def narrative(intake: Stack, agency: str, case_id: str) -> tuple[int, str]:
    answer = await intake.get(agency, f"/v1/cases/{case_id}/file")
    return answer.status_code, answer.json().get("sections", {}).get("narrative", {}).get("text", "")


async def test_one_party_does_not_blind_whoever_drives_to_the_child(intake: Stack) -> None:
    """Police has accepted: it reads on what it was shown, not what is written from then on; after half an hour without a second party it
    reads that too. It writes nothing until then."""
    case_id, task = await excluded_alone(intake, "ACCEPTED")
    assert await narrative(intake, "police", case_id) == (200, "Marker-Tregimi")
    assert [(await intake.get("police", f"/v1/{what}")).status_code for what in (f"cases/{case_id}", "offers")] == [200, 200]
    assert len((await intake.get("police", "/v1/offers")).json()["offers"]) == 1
    assert (await put(intake, "police", case_id, "Marker-mine")).status_code in (403, 404), "who is suspected writes nothing"
    await intake.by_hand("UPDATE runtime.clock SET offset_us = offset_us + :late RETURNING offset_us", late=store.ALONE_US - 60_000_000)
    assert await narrative(intake, "police", case_id) == (200, "Marker-Tregimi")
    await intake.by_hand("UPDATE runtime.clock SET offset_us = offset_us + :late RETURNING offset_us", late=61_000_000)
    assert await narrative(intake, "police", case_id) == (200, "Marker-after")
    await intake.decided(case_id, e.PersonNotNeeded(why=WHY, task_id=task, how="confirmed"))
    assert (await narrative(intake, "police", case_id))[0] == 403, "the second party ends it, whenever it says so"
    assert (await intake.get("police", "/v1/offers")).json()["offers"] == []


async def test_a_desk_keeps_the_suspect_out_at_once_although_it_has_accepted(intake: Stack) -> None:
    case_id, _ = await excluded_alone(intake, "ACCEPTED")
    answer = await intake.post("desk-prizren", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "police"})
    assert answer.status_code == 202
    assert (await narrative(intake, "police", case_id))[0] == 403
    assert (await intake.get("police", f"/v1/cases/{case_id}")).status_code == 404


async def test_an_exclusion_hides_everything_from_who_has_accepted_nothing(intake: Stack) -> None:
    case_id, _ = await excluded_alone(intake, "OFFERED")
    assert (await narrative(intake, "police", case_id))[0] == 403
    assert (await intake.get("police", "/v1/offers")).json()["offers"] == []


NEXT_DOOR = structs.replace(
    LISTS, contacts={("trafficking-child", "police"): ("guardian",)}, telephones={"csw": "+999280001", "desk-gjakova": "+999280002"}
)
"""Police may telephone whoever holds the guardian's step, and the case's desk."""


async def asked(intake: Stack) -> tuple[str, str, str]:
    """A case in which police has accepted, whose step shows the age band too, and csw is asked: (case, police's offer, csw's offer)."""
    case_id, mine = await opened(intake, shows=("narrative", "age-band"))
    theirs, accepted = new_id(), e.OfferAccepted(why=WHY, offer_id=mine, by=None, due=None, due_what="", late=False)
    await intake.decided(case_id, accepted, offer("csw", theirs, step="guardian"))
    return case_id, mine, theirs


async def alone(intake: Stack, case_id: str) -> str:
    """One party alone, the school, keeps police away; the task that asks a second one."""
    answer = await intake.post("school", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "police"})
    assert answer.status_code == 202
    task = new_id()
    proposed = e.ChangeProposed(
        why=WHY, task_id=task, kind=e.ChangeKind.EXCLUSION, agency="school", by=None, traits=None, consent=None, actor="agency:police"
    )
    await intake.decided(case_id, changed(excluded=("agency:police",)), proposed)
    return task


async def later(intake: Stack, us: int) -> None:
    await intake.by_hand("UPDATE runtime.clock SET offset_us = offset_us + :late RETURNING offset_us", late=us)


async def now(intake: Stack) -> int:
    return int(await intake.scalar("SELECT runtime.clock()"))


async def shown(intake: Stack, case_id: str, offer_id: str) -> list[Any]:
    """All that police's system is shown of a case."""
    paths = (f"offers/{offer_id}", "offers", f"cases/{case_id}", f"cases/{case_id}/fhir", f"cases/{case_id}/file")
    answers = [await intake.get("police", f"/v1/{path}") for path in paths]
    return [answer.json() if answer.status_code == 200 else answer.status_code for answer in answers]


async def moved(intake: Stack, case_id: str, theirs: str, other: str) -> None:
    """The child is moved away from the suspect, its age is settled, csw accepts, and the case is linked to another one of police's."""
    at, gone = await now(intake), changed(excluded=("agency:police",), found_in="gjakova", age_band="15-17")
    accepted = e.OfferAccepted(why=WHY, offer_id=theirs, by=None, due=None, due_what="", late=False)
    for body in (gone, accepted, e.CaseLinked(why=WHY, other=other, how="sibling")):
        await intake.decided_at(at, case_id, body)


async def test_whom_one_party_excludes_sees_the_child_where_it_was(bare: Settings) -> None:
    """The child was moved because of this very agency: for half an hour it sees the case as it stood when it was excluded."""
    async with stack(bare, NEXT_DOOR) as intake:
        (case_id, mine, theirs), (other, _) = await asked(intake), await opened(intake)
        before = await shown(intake, case_id, mine)
        desk = [{"step": "", "agency": "desk-prizren", "telephone": ""}]
        assert before[0]["contacts"] == desk and before[-1]["sections"]["age-band"] == {"age_band": "12-14"}
        task = await alone(intake, case_id)
        await moved(intake, case_id, theirs, other)
        assert await shown(intake, case_id, mine) == before
        await later(intake, store.ALONE_US - 60_000_000)
        assert await shown(intake, case_id, mine) == before
        await later(intake, 61_000_000)
        offer_now, _, case_now, _, file_now = await shown(intake, case_id, mine)
        assert [(one["step"], one["agency"]) for one in offer_now["contacts"]] == [("guardian", "csw"), ("", "desk-gjakova")]
        assert file_now["sections"]["age-band"] == {"age_band": "15-17"} and len(case_now["links"]) == 1, "nobody else has said so"
        await intake.decided(case_id, e.PersonNotNeeded(why=WHY, task_id=task, how="confirmed"))
        assert await shown(intake, case_id, mine) == [404, ANY, 404, 404, 403]


async def test_what_nobody_stored_at_the_exclusion_is_hidden(bare: Settings) -> None:
    """After an upgrade, or a restore of the exclusion from the log: the place of then is not known, and that of now is not told."""
    async with stack(bare, NEXT_DOOR) as intake:
        (case_id, mine, theirs), (other, _) = await asked(intake), await opened(intake)
        await alone(intake, case_id)
        await intake.by_hand("UPDATE intake.exclusion SET sealed = NULL, desk = NULL RETURNING 1")
        await moved(intake, case_id, theirs, other)
        offer_now, *_, file_now = await shown(intake, case_id, mine)
        assert offer_now["contacts"] == [] and list(file_now["sections"]) == ["narrative"]


async def test_consent_that_comes_after_the_exclusion_opens_nothing_to_the_excluded_agency(bare: Settings) -> None:
    async with stack(bare, BY_CONSENT) as intake:
        case_id, mine, _ = await asked(intake)
        await intake.decided(case_id, changed(consent=structs.replace(GIVEN, scope=("age-band",))))
        assert list((await shown(intake, case_id, mine))[-1]["sections"]) == ["age-band"]
        await alone(intake, case_id)
        await intake.decided(case_id, changed(excluded=("agency:police",), consent=GIVEN))
        assert list((await shown(intake, case_id, mine))[-1]["sections"]) == ["age-band"]
        await intake.decided(case_id, changed(excluded=("agency:police",), consent=structs.replace(GIVEN, state=e.ConsentState.WITHDRAWN)))
        assert (await shown(intake, case_id, mine))[-1] == 403, "a consent that ends, ends at once"


async def test_a_desk_that_has_accepted_too_is_kept_from_the_desk_s_view_at_once(intake: Stack) -> None:
    """One party alone does not blind the holder of the duty; a desk keeps away, with its tasks and the offers of others."""
    case_id, mine = await opened(intake, agency="desk-prizren")
    accepted = e.OfferAccepted(why=WHY, offer_id=mine, by=None, due=None, due_what="", late=False)
    needs = e.NeedsPerson(
        why=WHY, task_id=new_id(), desk="desk-prizren", about="no-candidate", track_id=None, step="", seat=-1, rung=0, due=None
    )
    await intake.decided(case_id, accepted, offer("csw", new_id(), step="guardian"), needs)
    before = (await intake.get("desk-prizren", f"/v1/cases/{case_id}")).json()
    assert (len(before["offers"]), len(before["tasks"])) == (2, 1)
    answer = await intake.post("school", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "desk-prizren"})
    assert answer.status_code == 202
    proposed = e.ChangeProposed(
        why=WHY,
        task_id=new_id(),
        kind=e.ChangeKind.EXCLUSION,
        agency="school",
        by=None,
        traits=None,
        consent=None,
        actor="agency:desk-prizren",
    )
    await intake.decided(case_id, changed(excluded=("agency:desk-prizren",)), proposed)
    after = (await intake.get("desk-prizren", f"/v1/cases/{case_id}")).json()
    assert [one["offer_id"] for one in after["offers"]] == [mine] and after["tasks"] == []
    own = access.own(Who(Kind.STAFF, "desk-prizren", "somebody"))
    async with intake.door.begin() as tx:
        assert [one.offer_id for one in await store.open_offers(tx, own)] == [mine]
        assert await store.desk_tasks(tx, own) == ()
        assert await store.desk_offers_since(tx, own, 0) == ()


async def test_a_foreign_case_costs_the_same_statements_as_none(intake: Stack) -> None:
    """So the time of an answer does not tell that a case lives: neither to whoever was never asked, nor to whom it keeps away."""
    case_id, _ = await opened(intake)
    assert (await intake.post("school", f"/v1/cases/{case_id}/exclusions", {"kind": "AGENCY", "actor": "csw"})).status_code == 202
    exclusion = {"kind": "AGENCY", "actor": "police"}

    async def statements(agency: str, id: str) -> list[list[str]]:
        found = []
        for ask in (
            lambda: intake.get(agency, f"/v1/cases/{id}"),
            lambda: intake.get(agency, f"/v1/cases/{id}/file"),
            lambda: intake.post(agency, f"/v1/cases/{id}/exclusions", exclusion),
        ):
            seen: list[str] = []

            def heard(_: Any, __: Any, statement: str, *___: Any, seen: list[str] = seen) -> None:
                seen.append(statement)

            event.listen(intake.door.engine.sync_engine, "before_cursor_execute", heard)
            try:
                assert (await ask()).status_code == 404
            finally:
                event.remove(intake.door.engine.sync_engine, "before_cursor_execute", heard)
            found.append(seen)
        return found

    for agency in ("shelter", "csw"):
        await intake.get(agency, "/v1/offers")  # its token is known from now on
        assert await statements(agency, case_id) == await statements(agency, new_id())


async def test_a_case_of_which_nobody_is_asked_says_what_it_waits_for(intake: Stack) -> None:
    receipt = await intake.submit()
    case_id, path = receipt["case_id"], f"/v1/referrals/{receipt['referral_id']}"
    assert [(await intake.get("school", path)).json()[name] for name in ("state", "waits_for")] == ["RECEIVED", ""]
    tasks = [
        e.NeedsPerson(why=WHY, task_id=new_id(), desk="desk-prizren", about=about, track_id=None, step="", seat=-1, rung=0, due=None)
        for about in ("consent-missing", "no-candidate")
    ]
    for task, waits in zip(tasks, ("consent", "desk"), strict=True):
        await intake.decided(case_id, task)
        for found in ((await intake.get("school", path)).json(), (await intake.get("school", f"/v1/cases/{case_id}")).json()):
            assert (found["state"], found["waits_for"]) == ("WAITING", waits)
    await intake.decided(case_id, track(), offer("police", new_id()))
    assert (await intake.get("school", path)).json()["state"] == "OFFERED"


async def test_an_ended_offer_has_no_words_and_who_held_it_is_told_that_it_ended(intake: Stack) -> None:
    case_id, offer_id = await opened(intake)
    await intake.decided(case_id, e.OfferClosed(why=WHY, offer_id=offer_id, how=e.How.COMPLETED, reason=""))
    assert (await intake.get("police", f"/v1/offers/{offer_id}")).json()["words"] == []
    assert (await intake.get("police", f"/v1/cases/{case_id}")).status_code == 200
    for path, body in (("consent", WITHDRAWN), ("traits", BODY["traits"]), ("exclusions", {"kind": "RELATION", "actor": "parent"})):
        answer = await intake.post("police", f"/v1/cases/{case_id}/{path}", body)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-yours"), path
    assert (await put(intake, "police", case_id, "Marker")).status_code == 403
    expired = new_id()
    await intake.decided(case_id, offer("police", expired), e.OfferClosed(why=WHY, offer_id=expired, how=e.How.EXPIRED, reason="accept"))
    assert (await intake.get("police", f"/v1/offers/{expired}")).json()["words"] == ["ACCEPT"], "a late yes may count still"
