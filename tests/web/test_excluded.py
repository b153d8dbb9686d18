"""A member of staff whom a case keeps away finds nothing of it in the inbox; colleagues go on."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from msgspec import structs
from sqlalchemy import text as sql

from referral.domain import events as e
from services.intake import store
from services.intake.casefile import access
from tests.harness import permits
from tests.harness.web.forms import fields, hidden
from tests.harness.web.support import CSW, support
from tests.harness.web.world import DESK, MINUTE, POLICE, WHY, World, accepted, signed_in

ADVOCATE = "advocate-prizren"
BEFORE, AFTER = "Marker-Dardha", "Marker-Qershia"
"""Stand for what was written about a child before somebody is kept away, and from then on."""
BOTH = {BEFORE, AFTER}
NOTHING = (404, set[str]())


def excluded(world: World, case_id: str, account: str) -> None:
    """As a door does it, in its own transaction."""
    world.run(lambda tx: access.exclude(tx, permits.ROUTING, {case_id: [f"staff:{account}"]}))


def later(world: World, us: int) -> None:
    """Pass time."""
    world.by_hand(lambda tx: tx.execute(sql(f"UPDATE runtime.clock SET offset_us = offset_us + {us}")))


def test_an_offer_is_not_there_for_the_excluded_one_and_stays_for_a_colleague(world: World) -> None:
    implicated = world.account("implicated", POLICE)
    world.account("colleague", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    excluded(world, case, implicated)
    with signed_in(world, "implicated") as person:
        inbox = person.get("/inbox").text
        assert offer not in inbox
        form = fields(inbox)
        answers = [
            person.get(f"/offers/{offer}"),
            person.post(f"/offers/{offer}/show", data=form),
            person.post(f"/offers/{offer}/answer", data=form | {"word": "ACCEPT", "key": "k"}),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        later(world, MINUTE)
        unknown = person.get("/offers/00000000-0000-4000-8000-000000000000").text
        assert _plain(answers[0].text, offer) == _plain(unknown, "00000000-0000-4000-8000-000000000000")
    with signed_in(world, "colleague") as person:
        assert offer in person.get("/inbox").text
        page = person.get(f"/offers/{offer}")
        assert page.status_code == 200
        assert person.post(f"/offers/{offer}/show", data=fields(page.text)).status_code == 200
    assert [type(event) for event in world.queued()] == [e.ReferralSubmitted, e.SectionDisclosed]


def test_a_desk_has_neither_task_nor_call_for_the_excluded_one(world: World) -> None:
    implicated = world.account("implicated", DESK, desk=True)
    world.account("colleague", DESK, desk=True)
    case = world.case("prizren")
    task = world.task(case, DESK, "no-candidate", "police")
    call = world.offer(case, "labour-inspectorate", "police", reach=e.Reach.PHONE)
    excluded(world, case, implicated)
    with signed_in(world, "implicated") as person:
        inbox = person.get("/inbox").text
        assert task not in inbox and call not in inbox
        form = fields(inbox)
        assert person.get(f"/tasks/{task}").status_code == 404
        assert person.get(f"/calls/{call}").status_code == 404
        assert person.post(f"/tasks/{task}/instruct", data=form | {"word": "STOP", "reason": "other", "key": "k"}).status_code == 404
        assert person.post(f"/calls/{call}/answer", data=form | {"word": "ACCEPT", "key": "k"}).status_code == 404
    with signed_in(world, "colleague") as person:
        inbox = person.get("/inbox").text
        assert task in inbox and call in inbox


def test_an_agency_that_is_excluded_finds_no_offer_before_routing_has_closed_it_or_after(world: World) -> None:
    """Its page named the municipality, the steps and the offices that hold them, for as long as the agency held a duty."""
    world.account("duty", POLICE)
    case = world.case("prizren")
    offer = world.offer(case, POLICE, "police")
    nothing = "00000000-0000-4000-8000-000000000000"
    with signed_in(world, "duty") as person:
        form = fields(person.get(f"/offers/{offer}").text) | {"word": "ACKNOWLEDGE"}
        world.run(lambda tx: access.exclude(tx, permits.ROUTING, {case: [f"agency:{POLICE}"]}))

        def everything(id: str) -> list[tuple[int, str]]:
            later(world, MINUTE)
            answers = [
                person.get(f"/offers/{id}"),
                person.post(f"/offers/{id}/show", data=form),
                person.post(f"/offers/{id}/answer", data=form),
                person.post(f"/offers/{id}/write/note", data=form | {"do": "discard"}),
            ]
            return [(answer.status_code, _plain(answer.text, id)) for answer in answers]

        assert offer not in person.get("/inbox").text
        assert everything(offer) == everything(nothing)
        world.say(case, e.OfferClosed(why=WHY, offer_id=offer, how=e.How.CANCELLED, reason="EXCLUDED"))
        assert offer not in person.get("/inbox").text
        assert everything(offer) == everything(nothing)


def _plain(page: str, id: str) -> str:
    """A page without what differs from one request to the next: a form's token, and the minute on paper."""
    page = re.sub('<p class="paper">[^<]*</p>', "", page.replace(id, "ID"))
    return "\n".join(line for line in page.splitlines() if 'name="form"' not in line)


@dataclass(frozen=True)
class Holder:
    """The person of the police that a case keeps away, with an offer that shows notes and a section with two versions."""

    world: World
    person: httpx.Client
    account: str
    case: str
    offer: str
    form: str

    def _read(self, path: str, **form: str) -> tuple[int, set[str]]:
        answer = self.person.post(f"/offers/{self.offer}/{path}", data={"form": self.form} | form)
        return answer.status_code, {marker for marker in BOTH if marker in answer.text}

    def reads(self) -> list[tuple[int, set[str]]]:
        """What the case file shows, the form for a further note, and each version of a section: (status, markers)."""
        versions = [self._read("write/care-needs", do="show", version=number) for number in "12"]
        return [self._read("show"), self._read("write/note", do="open"), *versions]


@contextmanager
def holding(world: World, *, state: str) -> Iterator[tuple[Holder, Write]]:
    """The holder, whose offer is in this state, and the colleague of another agency who writes."""
    account = world.account("suspect", POLICE)
    world.account("worker", CSW)
    case = world.case("prizren")
    shows = ("care-needs", "note")
    mine, theirs = support(world, case, shows=shows), support(world, case, POLICE, step="police", seat=0, shows=shows)
    if state == "ACCEPTED":
        world.say(case, accepted(theirs, world.now() + 60 * MINUTE))
    with signed_in(world, "worker") as worker, signed_in(world, "suspect") as suspect:
        form = fields(suspect.get(f"/offers/{theirs}").text)["form"]
        write = Write(worker, mine)
        write.everywhere(BEFORE)
        yield Holder(world, suspect, account, case, theirs, form), write


@dataclass(frozen=True)
class Write:
    """A person who writes a note and the next version of a section."""

    person: httpx.Client
    offer: str

    def everywhere(self, marker: str) -> None:
        for section in ("care-needs", "note"):
            path = f"/offers/{self.offer}/write"
            opened = self.person.post(f"{path}/{section}", data=fields(self.person.get(path).text) | {"do": "open"}).text
            entries = hidden(opened, "form", "key", "since") | {"do": "save", "f.text": marker}
            assert self.person.post(f"{path}/{section}", data=entries).status_code == 303


@pytest.mark.parametrize("state", ["OFFERED", "ACCEPTED"])
@pytest.mark.parametrize("kept_away", ["the person", "the agency"])
def test_who_is_kept_away_reads_no_note_and_no_version(world: World, kept_away: str, state: str) -> None:
    with holding(world, state=state) as (holder, write):
        assert holder.reads() == [(200, {BEFORE}), (200, {BEFORE}), (200, {BEFORE}), (200, set())], "as anybody who holds the step"
        actor = f"staff:{holder.account}" if kept_away == "the person" else f"agency:{POLICE}"
        world.run(lambda tx: access.exclude(tx, permits.ROUTING, {holder.case: [actor]}))
        write.everywhere(AFTER)
        assert holder.reads() == [NOTHING] * 4
        later(holder.world, store.ALONE_US + MINUTE)
        assert holder.reads() == [NOTHING] * 4, "however long it takes"


def test_one_party_alone_hides_the_notes_and_versions_that_come_after_it_and_a_second_one_all(world: World) -> None:
    """Decisions 0071 and 0075: the child's social worker writes where the child is now, and whom to keep away, while a second party is
    asked about the officer."""
    with holding(world, state="ACCEPTED") as (holder, write):
        task = str(uuid.uuid4())
        world.run(lambda tx: access.exclude(tx, permits.ROUTING, {holder.case: [f"agency:{POLICE}"]}))
        world.run(lambda tx: access.alone(tx, permits.ROUTING, holder.case, f"agency:{POLICE}", task))
        write.everywhere(AFTER)
        before = [(200, {BEFORE}), NOTHING, (200, {BEFORE}), (200, set())]
        assert holder.reads() == before, "what was shown already; the form for a further note stays shut"
        later(holder.world, store.ALONE_US - 2 * MINUTE)
        assert holder.reads() == before
        later(holder.world, 3 * MINUTE)
        assert holder.reads() == [(200, BOTH), NOTHING, (200, {BEFORE}), (200, {AFTER})], "nobody else has said so"
        world.run(lambda tx: access.seconded(tx, permits.ROUTING, holder.case, task))
        assert holder.reads() == [NOTHING] * 4


def of_the_case(page: str) -> list[str]:
    """Texts of a page about the case: age band, municipality, how far the steps are, the desk, and whom one may telephone."""
    return re.findall(r"age (?:12-14|15-17)|· (?:Prizren|Pej\w+)|\d (?:accepted|waiting)[^<]*|desk (?:Prizren|Pejë)|tel:\+\d+", page)


def test_one_party_alone_hides_where_the_child_was_moved_from_the_suspect(world: World) -> None:
    """Decision 0071: an officer is the suspect, and the child is moved away from him. For half an hour his pages show the case as it stood
    when somebody said so: the municipality, the age band, the steps, and the offices to telephone."""
    world.account("suspect", POLICE)
    case = world.case("prizren")
    run = world.track(case)
    mine, theirs = (world.offer(case, agency, step, track_id=run) for agency, step in ((POLICE, "police"), (ADVOCATE, "support")))
    world.say(case, accepted(mine, world.now() + 60 * MINUTE))
    with signed_in(world, "suspect") as suspect:
        form = fields(suspect.get(f"/offers/{mine}").text)

        def pages() -> list[list[str]]:
            shown = (suspect.get("/inbox"), suspect.get(f"/offers/{mine}"), suspect.get("/overview"))
            told = [of_the_case(page.text) for page in shown]
            asks_once = suspect.post(f"/offers/{mine}/answer", data=form | {"word": "COMPLETE", "key": "k" * 32})
            return [*told, of_the_case(asks_once.text)]

        before = pages()
        assert all({"age 12-14", "· Prizren"} <= set(one) for one in before[:2]), before
        assert {"1 accepted, 1 waiting", "desk Prizren"} <= set(before[1]), before[1]
        task = str(uuid.uuid4())
        world.run(lambda tx: access.exclude(tx, permits.ROUTING, {case: [f"agency:{POLICE}"]}))
        world.run(lambda tx: access.alone(tx, permits.ROUTING, case, f"agency:{POLICE}", task))
        [sent] = [event for event in world.queued() if isinstance(event, e.ReferralSubmitted)]
        moved = structs.replace(sent.traits, found_in="peje", age_band="15-17")
        world.say(case, e.CaseChanged(why=WHY, traits=moved, consent=None, excluded=(f"agency:{POLICE}",), consent_by=""))
        world.say(case, accepted(theirs, world.now() + 90 * MINUTE))
        assert pages() == before
        later(world, store.ALONE_US - 2 * MINUTE)
        assert pages() == before
        later(world, 3 * MINUTE)
        assert pages() != before and {"age 15-17", "desk Pejë", "2 accepted"} <= set(pages()[1]), (
            "nobody else has said so: it reads everything again"
        )
        world.run(lambda tx: access.seconded(tx, permits.ROUTING, case, task))
        assert suspect.get(f"/offers/{mine}").status_code == 404
