"""Questions: a page can say every circumstance that a procedure tests; only "yes" says something; a child has words of its own."""

from __future__ import annotations

import pytest

from referral.cli.policy import policy_folder
from referral.domain.policy import PolicyErrors, compile
from referral.domain.policy.questions import traits_said, unsettable
from referral.domain.policy.reading.questions import FILE, MOST
from referral.runtime.settings import CHECKOUT
from referral.wire import policy_digest

FILES = policy_digest.read(CHECKOUT / "policy")
SHIPPED = compile(FILES)
QUESTIONS = SHIPPED.questions


def test_a_page_can_set_everything_that_a_procedure_tests() -> None:
    assert list(unsettable(QUESTIONS, SHIPPED.current)) == []


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({path: data for path, data in FILES.items() if path != FILE}, "tests flags=in-custody, and no page can set it"),
        (
            {**FILES, FILE: FILES[FILE].replace(b"[refuses-parents, wants-to-speak, advocate-first, ", b"[refuses-parents, ")},
            "advocate-first",
        ),
    ],
    ids=["no questions", "one question that nobody is asked"],
)
def test_a_policy_that_tests_what_no_page_can_set_is_refused_and_an_earlier_bundle_is_still_read(
    files: dict[str, bytes], says: str
) -> None:
    found, errors = policy_folder.check(files)
    assert found is None and any(says in error and "ask it in questions.yaml" in error for error in errors), errors
    assert compile(files).current


def test_every_concern_asks_a_stranger_at_most_three_questions_and_a_child_as_few() -> None:
    assert set(QUESTIONS.public) == set(SHIPPED.codes["concern"])
    assert all(1 <= len(ids) <= MOST for ids in QUESTIONS.public.values())
    assert all(len(word.asks) <= MOST for word in QUESTIONS.child.values())


def test_a_fourth_question_is_refused() -> None:
    more = FILES[FILE].replace(b"violence: [injured, ", b"violence: [siblings, injured, ")
    with pytest.raises(PolicyErrors) as caught:
        compile({**FILES, FILE: more})
    assert any("4 questions are more than a stranger answers; at most 3" in error for error in caught.value.errors)


@pytest.mark.parametrize("concern", ["violence", "sexual-abuse", "missing", "unaccompanied", "trafficking", "without-parental-care"])
def test_a_child_has_words_of_its_own_for(concern: str) -> None:
    """A child that works, lives with a disability or is in an institution says what is done to it, or "something else"."""
    assert [word.id for word in QUESTIONS.child.values() if word.concern == concern]


@pytest.mark.parametrize("answer", ["no", "unknown", ""])
def test_no_and_not_known_say_nothing(answer: str) -> None:
    asked = [one for one in QUESTIONS.each.values() if not one.choose]
    assert len(asked) > 40 and traits_said(asked, {one.id: answer for one in asked}) == {}
