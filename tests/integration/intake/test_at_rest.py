"""Twin worlds: an agency that referred a child and is then excluded sees at every door what it would see of a case that simply rests.

The doors are read out of the app: one that is added and not asked here makes the test red. Decision 0080.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from referral.domain import events as e
from referral.runtime.postgres import clock
from services.intake.api.routes import operations
from services.intake.casefile import access
from tests.harness.line.intake_stack import BODY, WHY, Stack, changed, new_id, offer, track

pytestmark = pytest.mark.servers
DAY = 24 * 60 * 60 * 1_000_000
TIME, SIGNATURE, ID = r"\d{4}-\d\d-\d\dT[0-9:.]+Z", r'"signature":"[^"]+"', r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass
class World:
    """One case that the school referred, linked with another one of its own; what its doors answered, and what that cost."""

    intake: Stack
    key: str = field(default_factory=new_id)
    case_id: str = ""
    referral_id: str = ""
    offer_id: str = ""
    statements: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        receipt = await self.intake.submit(key=self.key)
        other = await self.intake.submit()
        self.case_id, self.referral_id, self.offer_id = receipt["case_id"], receipt["referral_id"], new_id()
        opens = e.CaseOpened(
            why=WHY,
            referral_id=self.referral_id,
            agency="school",
            traits=changed().traits,
            consent=None,
            excluded=(),
            drill=False,
        )
        link = e.CaseLinked(why=WHY, other=other["case_id"], how="sibling")
        await self.say(opens, track(new_id()), offer("police", self.offer_id), link)
        await self.say(e.OfferAcknowledged(why=WHY, offer_id=self.offer_id, by=None, due=None, due_what=""))

    async def say(self, *bodies: Any) -> None:
        async with self.intake.door.begin() as tx:
            at = await clock.now(tx)
        for body in bodies:
            await self.intake.decided_at(at, self.case_id, body)

    async def exclude_school(self) -> None:
        """Police says that the school must be kept away; routing says so too, and asks the desk."""
        exclusion = {"kind": "AGENCY", "actor": "school"}
        assert (await self.intake.post("police", f"/v1/cases/{self.case_id}/exclusions", exclusion)).status_code == 202
        await self.say(changed(excluded=("agency:school",)), self.task("confirm-change"))

    def task(self, about: str) -> e.NeedsPerson:
        return e.NeedsPerson(why=WHY, task_id=new_id(), desk="desk-prizren", about=about, track_id=None, step="", seat=-1, rung=0, due=None)

    async def go_on(self) -> None:
        """Everything moves that a sender could see: offers, tasks, procedures, links, sections, the end of the case."""
        police, case = "police", f"/v1/cases/{self.case_id}"
        accepted = e.OfferAccepted(why=WHY, offer_id=self.offer_id, by=None, due=None, due_what="", late=False)
        third = (await self.intake.submit())["case_id"]
        more = (track(new_id(), "another-procedure"), e.CaseLinked(why=WHY, other=third, how="sibling"), self.task("no-candidate"))
        await self.say(accepted, *more)
        written = await self.intake.http.put(f"{case}/file/identity", json={"name": "Marker-police"}, headers=self.intake.token(police))
        assert written.json()["version"] == 2, written.text
        await self.say(e.OfferClosed(why=WHY, offer_id=self.offer_id, how=e.How.COMPLETED, reason=""))
        await self.say(e.CaseClosed(why=WHY, outcome="done", sealed=False))

    async def asked(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """Ask a door, and remember the statements that it costs."""
        self.statements = []

        def heard(_: Any, __: Any, statement: str, *___: Any) -> None:
            if "agency_token" not in statement:  # who asks is remembered for a while
                self.statements.append(statement)

        engine = self.intake.door.engine.sync_engine
        event.listen(engine, "before_cursor_execute", heard)
        try:
            return await ask()
        finally:
            event.remove(engine, "before_cursor_execute", heard)

    async def door(self, name: str, key: str = "") -> httpx.Response:
        """Ask one door of the app as the school's system. key: of a command."""
        case, referral, intake = f"/v1/cases/{self.case_id}", f"/v1/referrals/{self.referral_id}", self.intake
        unknown = "11111111-2222-4333-8444-555555555555"

        async def get(path: str, accept: str = "application/json") -> httpx.Response:
            return await intake.http.get(path, headers=intake.token("school") | {"Accept": accept})

        async def post(path: str, body: Any) -> httpx.Response:
            return await intake.post("school", path, body, key or new_id())

        async def put(path: str, body: Any) -> httpx.Response:
            return await intake.http.put(path, json=body, headers=intake.token("school"))

        consent = {"state": "WITHDRAWN", "basis": "consent", "giver": "person"}
        further = {**BODY, "case_id": self.case_id, "excludes": ["agency:police"], "consent": consent | {"state": "REFUSED"}}
        asks: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "getReferral": lambda: get(referral),
            "getReceiptProof": lambda: get(f"{referral}/proof"),
            "getSubmission": lambda: get(f"/v1/submissions/{self.key}"),
            "getCase": lambda: get(case),
            "getCase as FHIR": lambda: get(case, "application/fhir+json"),
            "readCaseFile": lambda: get(f"{case}/file"),
            "listSectionVersions": lambda: get(f"{case}/file/identity/versions"),
            "listOffers": lambda: get("/v1/offers?state=all"),
            "getOffer": lambda: get(f"/v1/offers/{self.offer_id}"),
            "listCodes": lambda: get("/v1/codes"),
            "getStatus": lambda: get("/v1/status"),
            "getIngressKey": lambda: get("/v1/ingress-key"),
            "respondToOffer": lambda: post(f"/v1/offers/{self.offer_id}/responses", {"word": "ACCEPT"}),
            "takeBackAnswer": lambda: post(f"/v1/offers/{self.offer_id}/withdrawal", {"word": "COMPLETE"}),
            "writeSection": lambda: put(f"{case}/file/identity", {"name": "Marker-mine"}),
            "recordConsent": lambda: post(f"{case}/consent", consent),
            "recordTraits": lambda: post(f"{case}/traits", {**BODY["traits"], "age": "adult", "age_band": "unknown"}),
            "excludeActor": lambda: post(f"{case}/exclusions", {"kind": "AGENCY", "actor": "police"}),
            "giveInstruction": lambda: post(f"{case}/instructions", {"word": "LINK", "reason": "OTHER", "other": unknown}),
            "submitReferral": lambda: post("/v1/referrals", further),
            "withdrawReferral": lambda: post(f"{referral}/withdrawal", {"reason": "MISTAKE"}),
        }
        return await self.asked(asks[name])


READS = (
    "getReferral",
    "getReceiptProof",
    "getSubmission",
    "getCase",
    "getCase as FHIR",
    "readCaseFile",
    "listSectionVersions",
    "listOffers",
    "getOffer",
    "listCodes",
    "getStatus",
    "getIngressKey",
)
WRITES = (
    "respondToOffer",
    "takeBackAnswer",
    "writeSection",
    "writeSection",
    "recordConsent",
    "recordTraits",
    "excludeActor",
    "giveInstruction",
    "submitReferral",
    "writeSection",
    "withdrawReferral",
    "recordTraits",
)
"""In this order; the last two: what its sender sees after it has taken the referral back."""


def plain(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """An answer without what two cases never share: ids, times, and what is signed over them."""
    text = answer.text
    for pattern, word in ((SIGNATURE, "SIGNATURE"), (TIME, "TIME"), (ID, "ID"), (r'"case_number":"[^"]+"', "NUMBER")):
        text = re.sub(pattern, word, text)
    return answer.status_code, text, {k: v for k, v in answer.headers.items() if k != "content-length"}


def test_every_door_of_the_app_is_asked(intake: Stack) -> None:
    known = {name.partition(" ")[0] for name in (*READS, *WRITES)}
    assert {op.id for op in operations(intake.door)} == known, "ask the new door in both worlds"


async def test_an_excluded_sender_sees_a_case_that_rests(intake: Stack) -> None:
    """What it read before the exclusion it reads for ever, byte by byte, a day later too; and each door costs the same statements."""
    excluded, rests = World(intake), World(intake)
    for world in (excluded, rests):
        await world.begin()
    before = {name: (await excluded.door(name)) for name in READS}
    await excluded.exclude_school()
    for step in ("excluded", "went on", "a day later"):
        if step == "went on":
            await excluded.go_on()
        if step == "a day later":
            await intake.by_hand("UPDATE runtime.clock SET offset_us = offset_us + :day RETURNING offset_us", day=DAY)
        for name in READS:
            now = await excluded.door(name)
            assert (now.status_code, now.content) == (before[name].status_code, before[name].content), (step, name)
            resting = await rests.door(name)
            assert plain(now) == plain(resting), (step, name)
            assert excluded.statements == rests.statements, (step, name)


async def test_what_an_excluded_sender_sends_is_taken_as_of_a_case_that_rests_and_changes_nothing(intake: Stack) -> None:
    excluded, rests = World(intake), World(intake)
    for world in (excluded, rests):
        await world.begin()
    await excluded.exclude_school()
    before = await opened_facts(intake, excluded.case_id)
    for name in WRITES:
        key = new_id()
        answers = [await world.door(name, key + label) for world, label in ((excluded, "a"), (rests, "b"))]
        assert plain(answers[0]) == plain(answers[1]), name
        again = [await world.door(name, key + label) for world, label in ((excluded, "a"), (rests, "b"))]
        assert plain(again[0]) == plain(again[1]), f"{name}, sent again"
        for read in READS:
            seen = [plain(await world.door(read)) for world in (excluded, rests)]
            assert seen[0] == seen[1], (read, "after", name)
    assert await opened_facts(intake, excluded.case_id) == before
    assert (
        await intake.scalar("SELECT count(*) FROM intake.exclusion WHERE case_id = :case AND actor = 'police'", case=excluded.case_id) == 0
    )
    found = (await intake.get("desk-prizren", f"/v1/cases/{excluded.case_id}/file/identity/versions")).json()["versions"]
    assert [one["version"] for one in found if one["content"].get("name") == "Marker-mine"] and all(
        one["version"] < 0 for one in found if one["content"].get("name") == "Marker-mine"
    )
    said = (await intake.get("desk-prizren", f"/v1/cases/{excluded.case_id}/file/narrative/versions")).json()["versions"]
    assert {*(word for one in said for word in one["content"])} >= {"consent", "traits", "exclusion"}, "its desk reads what it said"
    police = (await intake.get("police", f"/v1/cases/{excluded.case_id}/file")).json()["sections"]
    assert police["identity"] == BODY["file"]["identity"], "nobody else reads it"


async def opened_facts(intake: Stack, case_id: str) -> Any:
    async with intake.door.begin() as tx:
        case = await access.known(tx, intake.door.keys, case_id)
        assert case is not None
        return case.facts, case.desk


async def test_whoever_also_holds_a_step_is_kept_away_as_before_and_a_lifted_exclusion_shows_the_case_as_it_is(intake: Stack) -> None:
    world = World(intake)
    await world.begin()
    await world.exclude_school()
    await world.go_on()
    await world.say(changed(excluded=()))
    lifted = changed()
    await world.say(type(lifted)(**{**{n: getattr(lifted, n) for n in lifted.__struct_fields__}, "lifted": ("agency:school",)}))
    assert (await world.door("getReferral")).json()["state"] == "COMPLETED"
    held = World(intake)
    await held.begin()
    await held.say(offer("school", mine := new_id(), step="guardian"))
    await held.exclude_school()
    assert [(await held.door(name)).status_code for name in ("getReferral", "getCase", "writeSection")] == [404, 404, 404]
    assert (await intake.get("school", f"/v1/offers/{mine}")).status_code == 404


async def test_whoever_names_itself_is_shown_the_first_decision_and_no_more(intake: Stack) -> None:
    """A complaint about one's own house: whoever is complained about sees a referral under way, and not that it is about them."""
    receipt = await intake.submit({**BODY, "excludes": ["agency:school"]})
    world = World(intake, case_id=receipt["case_id"], referral_id=receipt["referral_id"], offer_id=new_id())
    assert (await world.door("getReferral")).json()["state"] == "RECEIVED"
    await world.say(track(new_id()), offer("police", world.offer_id))
    assert (await world.door("getReferral")).json()["state"] == "OFFERED"
    await world.say(e.OfferAccepted(why=WHY, offer_id=world.offer_id, by=None, due=None, due_what="", late=False))
    assert (await world.door("getReferral")).json()["state"] == "OFFERED"
