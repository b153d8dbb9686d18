"""What staff and a desk see of the public door in a flood: their own form, a list that stays short, many refused in a few taps."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import text as sql

from referral.domain import events as e
from services.intake import crowd
from services.intake.public import waiting
from tests.harness.web.forms import fields, hidden
from tests.harness.web.public_page import GIVEN, sent, submitted, taken
from tests.harness.web.world import DESK, World, signed_in

pytestmark = pytest.mark.servers


def test_the_form_of_staff_is_counted_as_their_agency_and_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "ORDINARY", 3)
    world.account("teacher", "school-drita", "en")
    with signed_in(world, "teacher") as person:
        form = hidden(person.get("/refer").text)
        assert taken([sent(person, form, danger="no") for _ in range(5)]) == 3
        assert GIVEN["need.happened"] in sent(person, form, danger="no").text
        assert sent(person, form).status_code == 200, "an emergency is never refused"
        world.by_hand(lambda tx: tx.execute(sql("UPDATE intake.session SET created_at = 0")))
        over = sent(person, form)
        assert over.status_code == 403 and GIVEN["need.happened"] in html.unescape(over.text), "the session ended in the form"
    assert len(submitted(world)) == 4


def test_a_desk_reads_a_page_of_many_at_once_and_refuses_what_it_saw(world: World) -> None:
    world.reports(70, DESK, texts=60)
    account = world.account("desk", DESK, "en", desk=True)
    world.account("other", "desk-prishtine", "en", desk=True)
    with signed_in(world, "desk") as person, signed_in(world, "other") as stranger:
        first = person.get("/unverified").text
        assert "Referrals to confirm (70)" in first and "Page 1 of 3" in first and first.count('class="card"') == waiting.PAGE
        assert first.count("mark emergency") == 20, "the most urgent first"
        pages_ = [person.get(f"/unverified?page={n}").text for n in (1, 2, 3, 9, "x", "-1", "9" * 99)]
        tasks = [re.findall(r'href="/unverified/([0-9a-f-]{36})"', page) for page in pages_]
        assert len(set(tasks[0] + tasks[1] + tasks[2])) == 60 and tasks[3] == tasks[2] and tasks[4] == tasks[5] == tasks[0]
        assert "Waiting: 70;" in html.unescape(person.get("/inbox").text)
        read = person.post("/unverified/read", data=hidden(pages_[1]))
        assert len(re.findall(r"Made up \d", read.text)) == waiting.PAGE and "Page 2 of 3" in read.text
        disclosed = [event for event in world.queued() if isinstance(event, e.SectionDisclosed)]
        assert [(event.section, event.by, event.basis) for event in disclosed] == [("narrative", account, "desk")] * waiting.PAGE
        form = hidden(read.text)
        assert person.post("/unverified/refuse", data=form | {"which": "marked", "reason": "made-up"}).status_code == 422, "nothing marked"
        assert person.post("/unverified/refuse", data=form | {"which": "others"}).status_code == 422, "no reason"
        unseen = form | {"which": "marked", "reason": "made-up", "mark.1": tasks[0][0]}
        assert person.post("/unverified/refuse", data=unseen | {"sure": "yes"}).status_code == 303
        assert stranger.post("/unverified/refuse", data=hidden(stranger.get("/unverified").text) | form | unseen).status_code == 403
        theirs = fields(stranger.get("/inbox").text) | {"which": "others", "reason": "made-up", "sure": "yes", "shown": form["shown"]}
        assert stranger.post("/unverified/refuse", data=theirs).status_code == 303
        assert orders(world) == [], "what the page did not show, and what is another desk's, stays"
        marked = tasks[1][13:16]  # the last of the urgent, and the first routine one, whose words two reports have
        assert "2 with the same words" in read.text.partition(marked[2])[2].partition("</li>")[0], "that is the third"
        marks = {f"mark.{n}": task for n, task in enumerate(marked, 1)}
        ask = person.post("/unverified/refuse", data=form | marks | {"which": "marked", "reason": "made-up"})
        assert "Refuse 4?" in ask.text, "every report of an entry"
        assert person.post("/unverified/refuse", data=hidden(ask.text)).status_code == 303
        assert len(orders(world)) == 4 and {order.task_id for order in orders(world)} > set(marked)
        unread = person.post("/unverified/refuse", data=hidden(pages_[0]) | {"which": "others", "reason": "made-up"})
        assert f"Nobody has read {waiting.PAGE} of them" in unread.text


def orders(world: World) -> list[e.InstructionGiven]:
    return [event for event in world.queued() if isinstance(event, e.InstructionGiven)]


def test_the_list_costs_as_many_statements_for_many_as_for_few(world: World) -> None:
    world.account("desk", DESK, "en", desk=True)
    work = []
    with signed_in(world, "desk") as person:
        for more in (30, 150):
            world.reports(more, DESK, texts=more)
            for path in ("/unverified", "/inbox", "/overview"):
                with world.statements() as seen:
                    page = person.get(path)
                work.append((path, len(seen)))
                assert page.status_code == 200 and len(page.content) < 60_000, path
    assert work[:3] == work[3:]
