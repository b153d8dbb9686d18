"""The public form as a value: what it asks, what it carries, and the referral that it makes."""

from __future__ import annotations

import msgspec
import pytest

from referral.domain.contradictions import contradictions
from services.intake import policy_view
from services.intake.public import form
from services.intake.public.form import STEPS, Answers
from tests.harness import shipped

LISTS = policy_view.of(shipped.compiled(), 1)
GIVEN = {"danger": "no", "found_in": "prizren", "concern": "child-labour", "age_band": "12-14", "need.happened": "Made up."}


def test_the_least_that_can_be_sent() -> None:
    given = form.answers(GIVEN)
    assert form.first_wrong(given, LISTS) == ("check", {})
    made = form.submission(given)
    assert (made.traits.urgency, made.traits.age, made.traits.found_in) == ("routine", "child", "prizren")
    assert dict(made.sections) == {"location": b'{"municipality":"prizren"}', "narrative": b'{"text":"Made up."}'}


@pytest.mark.parametrize("step", STEPS[:3])
def test_each_page_is_needed(step: str) -> None:
    kept = [name for name in GIVEN if {"need.happened": "words", "danger": "danger"}.get(name, "about") != step]
    assert form.first_wrong(form.answers({name: GIVEN[name] for name in kept}), LISTS)[0] == step


def test_what_is_not_known_is_left_for_the_desk() -> None:
    made = form.submission(form.answers(GIVEN | {"found_in": "unknown", "concern": "unknown", "age_band": "unknown", "danger": "unsure"}))
    assert (made.traits.found_in, made.traits.concern, made.traits.age, made.traits.urgency) == ("", "", "uncertain", "urgent")


@pytest.mark.parametrize("band", LISTS.codes["age-band"])
def test_no_age_contradicts_its_band(band: str) -> None:
    assert contradictions(form.submission(form.answers(GIVEN | {"age_band": band})).traits) == ()


def test_everything_typed_is_carried_and_nothing_else() -> None:
    typed = {form.written(name): f"x{number}" for number, name in enumerate(Answers.__dataclass_fields__)} | {
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
        step = "words" if field.startswith("need.") else "you"
        assert form.wrong(step, form.answers(GIVEN | {field: "ж" * most}), LISTS) == {}
        assert form.wrong(step, form.answers(GIVEN | {field: "ж" * (most + 1)}), LISTS) == {field.removeprefix("need."): "refer.long"}


@pytest.mark.parametrize(
    ("relation", "sender"), [("", ""), ("neighbour", ""), ("professional", ""), ("other", "School Drita"), ("", "School Drita")]
)
def test_who_reports_cannot_be_recognised_by_those_who_judge(relation: str, sender: str) -> None:
    """In a village with one school “the teacher” is a name: the exact role is in the section of the reporter, which no step shows but the
    Ombudsperson's."""
    made = form.submission(form.answers(GIVEN | {"relation": relation, "role": "teacher of class 5b", "who": "Made Up"}), sender)
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
    for section, content in form.submission(form.answers(typed)).sections:
        known = {field.id for field in file[section].fields} | {"when_to_call"}
        assert set(msgspec.json.decode(content)) <= known, section
