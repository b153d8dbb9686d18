"""An outage does not burn a ladder: answers that waited win over their deadlines, and what nobody answered climbs one rung."""

from __future__ import annotations

import uuid

import pytest

from referral.domain.events import OfferAcknowledged, OfferClosed, OfferEscalated, OfferOpened, ResponseSubmitted
from referral.proof.verify.report import Finding, Report
from referral.wire import topics
from tests.faults.line import Line

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]
AGENCY, STEP = "police-prishtine", "police"  # its limit to acknowledge is 15 minutes
BEFORE, OUTAGE = 8, 10


async def asked(line: Line, name: str) -> tuple[str, str]:
    """A new case and the offer to the police."""
    receipt = await line.refer(f"outage-{name}-{uuid.uuid4().hex}")
    offer = await line.offer(AGENCY, receipt["case_id"], STEP)
    return receipt["case_id"], offer["offer_id"]


async def waits(line: Line, case_id: str) -> bool:
    """Whether something of the case's partition waits in intake's queue or outbox: what routing's alarms look at."""
    rows = await line.rows("SELECT oldest FROM intake.waiting WHERE partition = :number", number=topics.partition(case_id))
    return any(row.oldest is not None for row in rows)


async def test_answers_that_wait_in_queue_and_topic_win_over_their_deadlines(line: Line) -> None:
    in_topic, in_queue, silent = [await asked(line, name) for name in ("topic", "queue", "silent")]
    await line.pass_time(BEFORE)
    for process in line.stack.of("routing"):
        await process.hold()
    await line.respond(AGENCY, in_topic[1], "ACKNOWLEDGE")
    await line.logged(in_topic[0], ResponseSubmitted)  # it is on the topic, and nobody decides
    await line.stack["kafka"].hold()
    await line.respond(AGENCY, in_queue[1], "ACKNOWLEDGE")
    assert await waits(line, in_queue[0]), "the door took it, and it waits inside intake"
    await line.pass_time(OUTAGE)  # all three limits have passed when the line comes back
    await line.ready()  # everything comes back together

    (climbed,) = await line.logged(silent[0], OfferEscalated, offer_id=silent[1])
    assert climbed.rung == 1
    for case_id, offer_id in (in_topic, in_queue):
        await line.logged(case_id, OfferAcknowledged, offer_id=offer_id)
        assert not await line.said(case_id, OfferEscalated), "the answer was given in time"
    await line.pass_time(1)
    assert len(await line.said(silent[0], OfferEscalated)) == 1, "one rung for one outage"
    for case_id, offer_id in (in_topic, in_queue, silent):
        assert not await line.said(case_id, OfferClosed, offer_id=offer_id)


async def test_escalation_goes_on_while_intake_is_dead_with_an_answer_inside(line: Line) -> None:
    case_id, offer_id = await asked(line, "dead")
    await line.pass_time(BEFORE)
    await line.stack["kafka"].hold()
    await line.respond(AGENCY, offer_id, "ACKNOWLEDGE")
    for process in line.stack.of("intake"):
        await process.hold()
    await line.stack["kafka"].release()
    assert await waits(line, case_id), "it was taken, and nobody can say so"
    await line.pass_time(OUTAGE)
    (climbed,) = await line.logged(case_id, OfferEscalated)  # after the 30 s for which an alarm waits for a door
    assert (climbed.offer_id, climbed.rung) == (offer_id, 1)
    await line.ready()
    await line.logged(case_id, OfferAcknowledged, offer_id=offer_id)  # late, and it still counts
    assert len(await line.said(case_id, OfferEscalated)) == 1


@pytest.mark.parametrize("service", ["routing", "notifier", "audit", "intake", "kafka"])
async def test_a_server_that_was_away_has_left_nothing_undone(line: Line, service: str) -> None:
    """What `audit verify` says of omissions, while it is away as far as the log tells, and once everything is back."""
    case_id, offer_id = await asked(line, f"before-{service}")
    for process in [line.stack["kafka"]] if service == "kafka" else line.stack.of(service):
        await process.hold()
    if service != "intake":
        waiting = [(await line.refer(f"away-{service}-{uuid.uuid4().hex}"))["case_id"] for _ in range(3)]
        await line.respond(AGENCY, offer_id, "ACKNOWLEDGE")
    else:
        waiting = []
    await line.pass_time(OUTAGE if waiting else 2 * OUTAGE)  # whoever cannot answer is passed over
    assert not left_undone(await line.verified())
    await line.ready()
    for other in waiting:
        await line.offer(AGENCY, other, STEP)
        await line.logged(other, OfferOpened, agency=AGENCY)
        assert not left_undone(await line.verified()), "while it works off what has waited"
    await line.logged(case_id, OfferEscalated if service == "intake" else OfferAcknowledged, offer_id=offer_id)
    assert not left_undone(await line.verified())


def left_undone(report: Report) -> list[Finding]:
    codes = ("NOT_DECIDED", "OVERDUE", "NOT_KNOCKED", "LOST_FALSE", "LOST_UNPROVEN")
    return [found for found in report.findings if found.code in codes]
