"""The page after an answer: what was asked since, and whether the agency may take it back."""

from __future__ import annotations

import pytest
from msgspec import structs
from starlette.responses import Response

from referral.domain.rules.take_back import TAKE_BACK
from referral.errors import Rejected
from services.intake.messages import responses
from services.intake.model import Answer, Offer, Since, Spot
from services.intake.pages import answers as answers_page
from services.intake.pages import confirmation
from services.intake.pages import offer as offers
from services.intake.pages.answers import Here
from tests.harness.web import drawn
from tests.unit.intake.test_pages import NOW, SHIPPED, offer

MINUTE = 60_000_000
DONE = offer(state="COMPLETED", closed_at=NOW, undo_until=NOW + 2 * MINUTE)


def seen(of: Offer = DONE, since: Since | None = None, now: int = NOW + MINUTE) -> Response:
    call = drawn.request("/offers/o", now=now)
    return answers_page.draw(
        Here(call, of, Spot(desk="desk-prizren"), (), who="", stages=(), contacts=(), since=since or Since(), closes="")
    )


def test_while_nobody_was_asked_it_may_be_taken_back_until_a_time() -> None:
    page = drawn.text(seen())
    assert "Nobody else has been asked because of it." in page
    assert "You can take it back until" in page and "as long as nobody else is asked" in page
    assert "Take it back" in drawn.said(seen(now=NOW + 2 * MINUTE))
    assert "Take it back" not in drawn.said(seen(now=NOW + 2 * MINUTE + 1))


def test_what_was_asked_since_is_named_by_step_and_never_by_agency() -> None:
    steps = (("interview", "OFFERED"), ("interview", "OFFERED"), ("plan", "ACCEPTED"), ("shelter", "CANCELLED"))
    page = seen(since=Since(steps, desk=True))
    shown = drawn.text(page)
    assert "Asked since your answer: Interview (asked, no answer yet), Case plan (accepted)." in shown
    assert "A desk has been asked to decide." in shown and "Take it back" not in drawn.said(page)
    desk = SHIPPED.agencies["desk-prizren"]
    assert f"{SHIPPED.names('agency', 'desk-prizren', 'en')} {desk.telephone}" in shown


@pytest.mark.parametrize("of", [structs.replace(DONE, undo_until=None), structs.replace(DONE, closed_at=None, state="ACCEPTED")])
def test_what_routing_does_not_allow_is_not_offered(of: Offer) -> None:
    assert "Take it back" not in drawn.said(seen(of))


def answers(*words: tuple[str, str | None]) -> tuple[Answer, ...]:
    return tuple(Answer(word=word, at=NOW + n, became=became, login=f"user-{n}") for n, (word, became) in enumerate(words))


def test_only_the_last_answer_that_took_effect_and_only_for_ten_minutes() -> None:
    done, taken = ("COMPLETE", ""), (TAKE_BACK, "")
    assert offers.ending(answers(("ACCEPT", ""), done), NOW) == answers(("ACCEPT", ""), done)[1]
    assert offers.ending(answers(done, taken), NOW) is None
    assert offers.ending(answers(done, (TAKE_BACK, "NOTHING_TO_TAKE_BACK"), ("ACCEPT", None)), NOW) == answers(done)[0]
    assert offers.ending(answers(("ACCEPT", "")), NOW) is None
    assert offers.ending(answers(done), NOW + 10 * MINUTE + 1) is None


def test_what_became_of_taking_it_back_is_said_in_words() -> None:
    def became(rows: tuple[Answer, ...]) -> confirmation.Sent:
        query = confirmation.link("/offers/x", rows[-1].word, rows[-1].at, "token").partition("?")[2]
        sent = confirmation.became(drawn.request(query=query), "/offers/x", rows)
        assert sent is not None
        return sent

    def told(*words: tuple[str, str | None]) -> confirmation.Sent:
        return became(answers(*words))

    assert told(("COMPLETE", ""), (TAKE_BACK, "")).title == "Taken back. This is open for your agency again."
    late = told(("COMPLETE", ""), (TAKE_BACK, "NOTHING_TO_TAKE_BACK"))
    assert late.title == "Take it back: this changed nothing" and "It was too late" in late.means
    second = told(("COMPLETE", ""), (TAKE_BACK, ""), (TAKE_BACK, "NOTHING_TO_TAKE_BACK"))
    assert "user-1 had answered “Take it back”" in second.means, "a login stays as it is written"
    rows = (Answer(word="ACCEPT", at=NOW, became="", login=""), Answer(word="ACCEPT", at=NOW + 1, became="SECOND", login="user-1"))
    assert "Your agency's system had answered “Accept”" in became(rows).means, "a sentence began with a small letter"


@pytest.mark.parametrize("word", ["DECLINE", "RETURN", "ACCEPT", "", "complete"])
def test_no_other_answer_can_be_taken_back(word: str) -> None:
    with pytest.raises(Rejected) as refused:
        responses.withdrawn(responses.TakeBackBody(word=word), offer(), by=None, recorded_by=None, at=NOW)
    assert (refused.value.code, refused.value.where) == ("illegal-answer", "$.word")
