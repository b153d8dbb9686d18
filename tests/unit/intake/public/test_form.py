"""The public form as a value: what it asks, what it carries, and the referral that it makes."""

from __future__ import annotations

import msgspec
import pytest

from referral.domain.contradictions import contradictions
from services.intake import policy_view
from services.intake.public import form
from services.intake.public.form import Answers
from tests.harness import shipped

LISTS = policy_view.of(shipped.compiled(), 1)
GIVEN = {"danger": "no", "found_in": "prizren", "concern": "child-labour", "age_band": "12-14", "need.happened": "Made up."}


def test_the_least_that_can_be_sent() -> None:
    given = form.answers(GIVEN)
    assert form.first_wrong(given, LISTS) == ("check", {})
    made = form.submission(given, LISTS)
    assert (made.traits.urgency, made.traits.age, made.traits.found_in) == ("routine", "child", "prizren")
    assert dict(made.sections) == {"location": b'{"municipality":"prizren"}', "narrative": b'{"text":"Made up."}'}


@pytest.mark.parametrize("step", ["danger", "about", "words"])
def test_each_page_is_needed(step: str) -> None:
    kept = [name for name in GIVEN if {"need.happened": "words", "danger": "danger"}.get(name, "about") != step]
    assert form.first_wrong(form.answers({name: GIVEN[name] for name in kept}), LISTS)[0] == step


def test_what_is_not_known_is_left_for_the_desk() -> None:
    made = form.submission(
        form.answers(GIVEN | {"found_in": "unknown", "concern": "unknown", "age_band": "unknown", "danger": "unsure"}), LISTS
    )
    assert (made.traits.found_in, made.traits.concern, made.traits.age, made.traits.urgency) == ("", "", "uncertain", "urgent")


@pytest.mark.parametrize("band", LISTS.codes["age-band"])
def test_no_age_contradicts_its_band(band: str) -> None:
    assert contradictions(form.submission(form.answers(GIVEN | {"age_band": band}), LISTS).traits) == ()


def test_everything_typed_is_carried_and_nothing_else() -> None:
    typed = {form.written(name): f"x{number}" for number, name in enumerate(Answers.__dataclass_fields__) if name != "marked"} | {
        "voice": "child",
        "relation": "family",
        "key": "a" * 32,
    }
    assert dict(form.answers(typed | {"agency": "police", "case_id": "x"}).hidden) == typed


def test_a_key_is_ours_or_new() -> None:
    assert form.answers({"key": "0" * 32}).key == "0" * 32
    assert {len(form.answers({"key": wrong}).key) for wrong in ("", "0" * 31, "Z" * 32, "0" * 33, "ж" * 32)} == {32}


def test_a_text_that_turns_its_direction_stays_plain() -> None:
    assert form.answers({"need.happened": "\u202eabc\u2066 "}).happened == "abc"


def test_a_text_may_be_as_long_as_it_says() -> None:
    for field, most in form.TEXTS.items():
        step = "known" if field == "need.why_away" else "words" if field.startswith("need.") else "you"
        assert form.wrong(step, form.answers(GIVEN | {field: "ж" * most}), LISTS) == {}
        assert form.wrong(step, form.answers(GIVEN | {field: "ж" * (most + 1)}), LISTS) == {field.removeprefix("need."): "refer.long"}


@pytest.mark.parametrize(
    ("relation", "sender"), [("", ""), ("neighbour", ""), ("professional", ""), ("other", "School Drita"), ("", "School Drita")]
)
def test_who_reports_cannot_be_recognised_by_those_who_judge(relation: str, sender: str) -> None:
    """In a village with one school “the teacher” is a name: the exact role is in the section of the reporter, which no step shows but the
    Ombudsperson's."""
    made = form.submission(form.answers(GIVEN | {"relation": relation, "role": "teacher of class 5b", "who": "Made Up"}), LISTS, sender)
    sections = {name: msgspec.json.decode(content) for name, content in made.sections}
    assert sections["reporter"]["role"] == "teacher of class 5b" and sections["reporter"]["who"] == "Made Up"
    coarse = form.RELATIONS.get(relation or ("professional" if sender else ""))
    assert sections["narrative"].get("who_said") == coarse
    apart = msgspec.json.encode({name: content for name, content in sections.items() if name != "reporter"}).decode()
    assert "5b" not in apart and "Made Up" not in apart and "Drita" not in apart
    shown = {step.id for one in shipped.compiled().current for step in one.steps for seat in step.seats if "reporter" in seat.shows}
    assert shown == {"team"}


def test_the_fields_are_those_of_the_case_file() -> None:
    """So that every later page shows what the public wrote under the names of its fields."""
    typed = GIVEN | dict.fromkeys(form.TEXTS, "x")
    file = shipped.compiled().sections
    for section, content in form.submission(form.answers(typed), LISTS).sections:
        known = {field.id for field in file[section].fields} | {"when_to_call"}
        assert set(msgspec.json.decode(content)) <= known, section


def typed(**more: str) -> Answers:
    return form.spoken(form.answers(GIVEN | {name.replace("_", ".", 1): value for name, value in more.items()}), LISTS)


def test_the_page_of_questions_is_passed_over_where_nothing_more_is_asked() -> None:
    assert "known" in form.steps(typed(), LISTS)
    assert "known" not in form.steps(form.answers(GIVEN | {"concern": "unknown"}), LISTS)
    assert "known" in form.steps(form.answers(GIVEN | {"concern": "unknown"}), LISTS, staff=True), "staff are asked about everything"


@pytest.mark.parametrize("concern", LISTS.codes["concern"])
def test_a_stranger_is_asked_at_most_three_and_each_concern_has_some(concern: str) -> None:
    asked = [one for _, group in form.questions(form.answers(GIVEN | {"concern": concern}), LISTS) for one in group]
    assert 1 <= len(asked) <= 3


def test_only_yes_says_something_and_every_answer_is_kept() -> None:
    made = form.submission(typed(known_danger="yes", known_workplace="no"), LISTS)
    assert made.traits.flags == ("danger",)
    assert dict(made.sections)["known"] == b'{"danger":"yes","workplace":"no"}'
    unknown = form.submission(typed(known_danger="unknown", known_workplace="no"), LISTS)
    assert unknown.traits.flags == () and dict(unknown.sections)["known"] == b'{"danger":"unknown","workplace":"no"}'
    assert "known" not in dict(form.submission(typed(), LISTS).sections)


def test_a_stranger_answers_only_what_was_asked() -> None:
    made = form.submission(typed(known_pregnant="yes", known_danger="maybe", away_parent="yes"), LISTS)
    assert (made.traits.flags, made.excludes) == ((), ())


def test_staff_say_sex_languages_origin_and_whom_to_keep_away() -> None:
    given = form.answers(
        GIVEN
        | {
            "known.sex": "male",
            "known.languages.rom": "yes",
            "known.languages.sq": "yes",
            "known.origin": "foreign",
            "known.asylum": "unknown",
        }
        | {"away.parent": "yes", "away.agency.id": "csw-prizren", "need.why_away": "Made up."}
    )
    made = form.submission(given, LISTS, "School Drita")
    assert (made.traits.sex, made.traits.languages, made.traits.origin, made.traits.asylum) == ("male", ("sq", "rom"), "foreign", "unknown")
    assert made.excludes == ("relation:parent", "agency:csw-prizren")
    assert dict(made.sections)["safety-plan"] == b'{"keep_away":"Made up."}'


def test_answers_that_cannot_both_hold_are_shown_again() -> None:
    wrong = form.answers(GIVEN | {"known.sex": "male", "known.pregnant": "yes"})
    assert form.first_wrong(wrong, LISTS, staff=True) == ("known", {"known": "refer.known.contradiction"})
    assert form.first_wrong(form.answers(GIVEN | {"away.agency.id": "nobody"}), LISTS, staff=True)[1] == {"away": "refer.away.wrong"}


@pytest.mark.parametrize("word", LISTS.questions.child)
def test_a_childs_own_words_mean_a_concern(word: str) -> None:
    said = LISTS.questions.child[word]
    made = form.submission(typed(voice="child", said=word, concern=""), LISTS)
    assert (made.traits.concern, made.traits.flags) == (said.concern, said.flags)


def test_a_child_without_its_family_in_this_country_is_not_one_that_ran_away() -> None:
    """What it answers about itself is said of the case: nobody asks it a second time which languages it speaks."""
    answers = {"known.you-alone": "yes", "known.you-languages.tr": "yes"}
    made = form.submission(form.spoken(form.answers(GIVEN | {"voice": "child", "said": "family"} | answers), LISTS), LISTS)
    assert (made.traits.concern, made.traits.flags, made.traits.languages) == ("unaccompanied", ("unaccompanied", "alone-now"), ("tr",))
    ran = form.submission(form.spoken(form.answers(GIVEN | {"voice": "child", "said": "away"}), LISTS), LISTS)
    assert (ran.traits.concern, ran.traits.flags) == ("missing", ())


def test_nobody_is_asked_about_an_adult_what_is_asked_about_a_child() -> None:
    for concern in LISTS.codes["concern"]:
        given = form.answers(GIVEN | {"concern": concern, "age_band": "18-120"})
        asked = {one.id for _, group in form.questions(given, LISTS, staff=True) for one in group}
        assert "advocate-first" in asked and not {"suspect-is-parent", "unaccompanied", "asks-asylum"} & asked
