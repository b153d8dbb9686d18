"""submit and strict as properties: whatever comes, the door's answer is a submission or Rejected with a path; nothing else, and no echo."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from referral import client
from referral.domain.events import Door
from referral.errors import Rejected
from referral.wire import codec, event_digest
from services.intake.messages import responses, strict_json, submission
from services.intake.messages.words import Said
from tests.harness.line.intake_stack import LISTS

CODES = LISTS.codes
MARKER = "Ëmri-Ћирилица"
FEW = 40
"""Examples where one takes long: all quick tests of the doors together end within 5 s."""
ID = "0b6f2f0e-54f7-4b1c-9d53-0c9f0f2c9a11"
letters = st.text('aZ09 _$`"\\/ëЋ\u2028\U0001f600', max_size=6)
leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | letters
anything = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3), max_leaves=12)


@st.composite
def referrals(draw: st.DrawFn) -> dict[str, Any]:
    def word(name: str) -> Any:
        return draw(st.sampled_from(CODES[name]))

    traits = {"concern": word("concern"), "age": word("age"), "found_in": word("municipality"), "urgency": word("urgency")}
    for field, name in (("age_band", "age-band"), ("sex", "sex"), ("origin", "origin"), ("asylum", "asylum"), ("home", "municipality")):
        if draw(st.booleans()):
            traits[field] = word(name)
    for field, name in (("languages", "language"), ("flags", "flag")):
        traits[field] = draw(st.lists(st.sampled_from(CODES[name]), unique=True, max_size=3))
    if traits["age"] == "adult":  # these lists have bands and flags of children alone
        traits.pop("age_band", None)
        traits["flags"] = []
    if (traits.get("origin"), traits.get("asylum")) == ("domestic", "claimed"):
        del traits["asylum"]
    body: dict[str, Any] = {"traits": traits, "drill": draw(st.booleans())}
    if draw(st.booleans()):
        body["consent"] = {
            "state": "GIVEN",
            "basis": word("basis"),
            "giver": word("giver"),
            "until": draw(st.none() | st.just("2027-01-01T00:00:00.000001Z")),
        }
    if draw(st.booleans()):
        body["excludes"] = draw(st.lists(st.sampled_from(["agency:csw", "agency:police", f"staff:{ID}", "relation:parent"]), unique=True))
    names = draw(st.lists(st.sampled_from(CODES["written"]), unique=True))
    body["file"] = {name: draw(st.dictionaries(st.sampled_from(["a", "b"]), leaf, min_size=1)) for name in names}
    return body


@given(referrals())
def test_a_good_body_becomes_an_event_that_travels_and_sections_that_stay(body: dict[str, Any]) -> None:
    found = submission.submission(json.dumps(body).encode(), LISTS)
    event = submission.event(found, referral_id=ID, agency="school", door=Door.HTTP, received_at=7)
    assert codec.decode(event.TYPE, codec.fingerprint(event.TYPE), codec.encode(event)) == event
    assert event.sections == tuple(sorted(body["file"]))
    assert {name: json.loads(content) for name, content in found.sections} == body["file"]
    assert event.opens
    assert event.excludes == tuple(body.get("excludes", ()))


@given(referrals(), st.booleans())
def test_the_words_of_a_body_are_those_of_its_event(body: dict[str, Any], further: bool) -> None:
    """So intake never signs, nor refuses, anything but what it records."""
    body = {**body, "case_id": ID} if further else body
    found = submission.submission(json.dumps(body).encode(), LISTS)
    said = Said(salt="s" * 22, digest=client.event_digest(body, "s" * 22))
    said.check(event_digest.words_of_body(body))
    said.check(submission.recorded(found, "school"))
    with pytest.raises(Rejected, match="event-digest-differs"):
        said.check(submission.recorded(structs.replace(found, traits=structs.replace(found.traits, age="-")), "school"))


ACTS: tuple[tuple[dict[str, Any], Callable[[bytes], Any]], ...] = (
    (
        {"word": "RELEASE", "reason": CODES["instruction-reason"][0], "step": CODES["step"][0], "seat": 0, "track_id": ID, "target": ""},
        lambda data: responses.instruction(
            strict_json.parse(data, responses.InstructionBody), LISTS, id=ID, agency="police", by=None, at=7
        ),
    ),
    (
        {"kind": "AGENCY", "actor": "csw"},
        lambda data: responses.exclusion(strict_json.parse(data, responses.ExclusionBody), LISTS, agency="police", by=None, at=7),
    ),
    (
        {"reason": CODES["withdrawal-reason"][0]},
        lambda data: responses.withdrawal(strict_json.parse(data, responses.WithdrawalBody), LISTS, referral_id=ID, agency="a", at=7),
    ),
    (
        {
            "state": "GIVEN",
            "basis": CODES["basis"][0],
            "giver": CODES["giver"][0],
            "scope": [],
            "until": "2027-01-01T01:00:00.000001+01:00",
        },
        lambda data: responses.consent(strict_json.parse(data, submission.ConsentBody), LISTS, agency="police", at=7),
    ),
)


@pytest.mark.parametrize(("body", "event"), ACTS)
def test_the_words_of_an_act_are_those_of_its_event(body: dict[str, Any], event: Callable[[bytes], Any]) -> None:
    said = Said(salt="s" * 22, digest=client.event_digest(body, "s" * 22))
    said.check(event_digest.words_of_event(event(json.dumps(body).encode()), ID, drill=True))


@given(referrals())
def test_the_order_of_names_and_the_spaces_between_them_mean_nothing(body: dict[str, Any]) -> None:
    plain = submission.submission(json.dumps(body).encode(), LISTS)
    turned = submission.submission(json.dumps(dict(reversed(body.items())), indent=3, ensure_ascii=False).encode(), LISTS)
    assert submission.sameness(plain, "school") == submission.sameness(turned, "school")


@settings(max_examples=FEW)
@given(referrals(), referrals())
def test_two_bodies_are_the_same_exactly_when_they_mean_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = (submission.submission(json.dumps(body).encode(), LISTS) for body in (one, other))
    assert (submission.sameness(a, "school") == submission.sameness(b, "school")) == (a == b)
    assert submission.sameness(a, "school") != submission.sameness(a, "police")


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    refused(data)


@given(anything)
def test_any_json_is_answered(value: Any) -> None:
    refused(json.dumps(value).encode())


@settings(max_examples=FEW)
@given(referrals(), st.data())
def test_any_one_change_of_a_good_body_is_taken_or_named(body: dict[str, Any], data: st.DataObject) -> None:
    place: dict[str, Any] = data.draw(st.sampled_from([body, body["traits"]]))
    name = data.draw(st.sampled_from([*place, MARKER]))
    place[name] = data.draw(st.just(MARKER) | anything)
    try:
        submission.submission(json.dumps(body).encode(), LISTS)
    except Rejected as error:
        assert error.where.startswith("$")
        assert error.hint
        assert MARKER not in str(error)


def refused(data: bytes) -> None:
    try:
        submission.submission(data, LISTS)
    except Rejected as error:
        assert error.where.startswith("$") and error.code and error.hint and error.status in (400, 422)
    else:
        pytest.fail("no such body is a referral")


def test_the_case_file_never_travels_on_kafka() -> None:
    body = {"traits": {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "urgent"}}
    assert submission.codes_only(json.dumps(body).encode(), LISTS).sections == ()
    with pytest.raises(Rejected, match="personal-facts"):
        submission.codes_only(json.dumps({**body, "file": {"identity": {"name": MARKER}}}).encode(), LISTS)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "a": 2}}]', "NaN", "[Infinity]", "1e400", '"\\ud800"', "[" * 20 + "]" * 20, ""]
)
def test_what_means_two_things_or_none_is_no_json(text: str) -> None:
    with pytest.raises(Rejected):
        strict_json.read(text.encode())


@settings(max_examples=FEW)
@given(anything)
def test_what_is_read_is_what_was_written(value: Any) -> None:
    assert strict_json.read(json.dumps(value).encode()) == value
    assert strict_json.read(strict_json.canonical(value)) == value
    assert strict_json.canonical(strict_json.read(json.dumps(value, indent=2).encode())) == strict_json.canonical(value)


def test_one_desk_of_the_country_stays_whoever_is_kept_away() -> None:
    lists = structs.replace(LISTS, country_desk="desk-gjakova")
    body = {"traits": {"concern": "trafficking", "age": "child", "found_in": "prizren", "urgency": "urgent"}}
    with pytest.raises(Rejected, match="last-desk"):
        submission.submission(json.dumps(body | {"excludes": ["agency:desk-gjakova", "agency:oversight"]}).encode(), lists)
    assert submission.submission(json.dumps(body | {"excludes": ["agency:desk-prizren", "agency:oversight"]}).encode(), lists).excludes
    every = ("agency:desk-prizren", "relation:parent", "agency:oversight", "agency:desk-gjakova")
    assert lists.keepable("prizren", (), every) == every[:3]
    assert lists.keepable("prizren", ("desk-prizren", "oversight"), every[3:]) == ()
