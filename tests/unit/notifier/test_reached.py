"""A message that arrives is reported to routing once for each rung: without the report no silence is the agency's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from referral.domain.events import KnockAnswered, KnockDelivered, KnockSent, OfferEscalated, OfferUnheard, RungReached
from referral.domain.inputs import Input, Source
from referral.runtime.service import Outcome
from services.notifier.handle import Board, arrives, heard, is_reached
from services.notifier.plan import Question, State, follow
from tests.unit.notifier.test_plan import MINUTE, WHY, opened

OFFER, PERSON, REFERENCE = (f"00000000-0000-0000-0000-00000000000{n}" for n in "abc")


def knock(kind: type[KnockSent | KnockDelivered], channel: str, rung: int = 0) -> KnockSent | KnockDelivered:
    return kind(offer_id=OFFER, task_id=None, rung=rung, person=PERSON, channel=channel, again=0, at=0, reference=REFERENCE)


def asked(**changes: object) -> Question:
    question = follow(None, opened(offer_id=OFFER, due=15 * MINUTE), case_id="case", at=0, drill=False)
    assert question is not None
    return replace(question, **changes)  # type: ignore[arg-type]


def said(question: Question, *knocks: KnockSent | KnockDelivered | KnockAnswered) -> tuple[list[int], Question]:
    """The rungs that are reported as reached, and the question after it."""
    board, outcome = Board({OFFER: question}, {}), Outcome()
    for body in knocks:
        heard(outcome, board, Input(id=REFERENCE, case_id="case", body=body, source=Source(topic="queue")), 0)
    return [event.rung for _, event in outcome.emitted if isinstance(event, RungReached)], board.asked[OFFER]


def silent(**changes: object) -> Question:
    """The agency has let a third of its limit pass: a second round of knocks was planned."""
    return asked(**{"rounds": (2,), **changes})


@pytest.mark.parametrize(
    ("kind", "channel", "told"),
    [(KnockSent, "email", True), (KnockSent, "voice", True), (KnockSent, "sms", False), (KnockDelivered, "sms", True)],
)
def test_an_sms_has_arrived_when_its_receipt_says_so_and_everything_else_when_it_was_taken(
    kind: type[KnockSent | KnockDelivered], channel: str, told: bool
) -> None:
    body = knock(kind, channel)
    assert arrives(body) is told and said(silent(), body)[0] == [0] * told


def test_nothing_is_said_while_the_agency_has_time_to_answer() -> None:
    """Most do. So routing has no second input for each offer."""
    rungs, question = said(asked(rounds=(1,), next_at=5 * MINUTE), knock(KnockSent, "email"))
    assert (rungs, question.arrived, question.reached) == ([], 0, -1)
    assert is_reached(replace(question, rounds=(2,))), "at the first repeat"
    assert said(asked(rounds=(1,), next_at=None), knock(KnockSent, "email"))[0] == [0], "no repeat will come"


def test_it_is_said_once_for_each_rung() -> None:
    first, question = said(silent(), knock(KnockSent, "email"), knock(KnockSent, "email"), knock(KnockDelivered, "sms"))
    assert (first, question.reached) == ([0], 0)
    climbed = follow(
        question, OfferEscalated(why=WHY, offer_id=OFFER, rung=1, due=9, due_what="acknowledge"), case_id="case", at=0, drill=False
    )
    assert climbed is not None and not is_reached(replace(climbed, rounds=(2, 2)))
    assert said(replace(climbed, rounds=(2, 2)), knock(KnockSent, "email", 0), knock(KnockSent, "email", 1))[0] == [1], "and of that rung"


def test_who_acknowledges_who_reads_by_a_system_and_what_has_no_limit_is_not_said() -> None:
    for question in (silent(taken=True), silent(state=State.ANSWERED), silent(system=True), silent(due=None), silent(reached=0)):
        assert said(question, knock(KnockSent, "email"))[0] == []


def test_the_first_after_our_channels_were_away_is_said_at_once_whoever_reads_it() -> None:
    rungs, question = said(asked(rounds=(1,), next_at=9, away=True, system=True), knock(KnockSent, "email"))
    assert (rungs, question.away) == ([0], False)


def test_what_routing_has_recorded_is_not_said_again_after_a_restore() -> None:
    told = OfferUnheard(why=WHY, offer_id=OFFER, rung=0, away=False)
    question = follow(silent(), told, case_id="case", at=0, drill=False)
    assert question is not None and said(question, knock(KnockSent, "email"))[0] == []
