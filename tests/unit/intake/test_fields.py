"""The fields of a section: what a form says, what it keeps of what systems sent, and two versions brought together."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.policy.directory import Field, Section
from referral.runtime import i18n
from services.intake import policy_view
from services.intake.casefile import fields
from services.intake.casefile.sections import Writing
from services.intake.messages.timestamps import micros
from services.intake.pages import render
from services.intake.pages.writing import content
from tests.harness import shipped
from tests.harness.web import drawn

POLICY = shipped.compiled()
CODES = policy_view.of(POLICY, 1).codes
SAY = i18n.load(render.WORDS, *render.MORE)
NAMES = {"sq": "x", "sr-Latn": "x", "sr-Cyrl": "x", "en": "x"}
SHORT = Section(
    id="s",
    personal=True,
    names=NAMES,
    fields=(
        Field("line", "line", NAMES, {}, 20),
        Field("text", "text", NAMES, {}, 40),
        Field("day", "date", NAMES, {}, 0),
        Field("speaks", "choice", NAMES, {}, 0, "language"),
        Field("safe", "yes-no", NAMES, {}, 0),
        Field("phone", "telephone", NAMES, {}, 30),
        Field("many", "number", NAMES, {}, 0),
    ),
)
ENTERED = st.fixed_dictionaries(
    {
        "line": st.text("aë б", max_size=25),
        "text": st.text("aë б\n", max_size=45),
        "day": st.sampled_from(["", "2026-02-28", "2026-02-30", "28.2.2026"]),
        "speaks": st.sampled_from(["", "sq", "rom", "xx"]),
        "safe": st.sampled_from(["", "yes", "no", "unknown", "maybe"]),
        "phone": st.sampled_from(["", "+383 44 000-000", "call me"]),
        "many": st.sampled_from(["", "0", "3", "-1", "1000001", "9" * 9]),
    }
)
SENT = st.dictionaries(
    st.sampled_from([field.id for field in SHORT.fields] + ["other", "given_name"]),
    st.none() | st.booleans() | st.integers(-2, 2_000_000) | st.text("ab\n", max_size=50) | st.lists(st.text("a", max_size=2), max_size=2),
    max_size=9,
)


def said(entry: str, text: str) -> tuple[dict[str, Any], dict[str, str]]:
    parsed = fields.parse(SHORT, {entry: text}, CODES)
    return parsed.entries, parsed.errors


@pytest.mark.parametrize(
    ("entry", "text", "value"),
    [
        ("line", " two\n words ", "two words"),
        ("day", "2026-11-28", "2026-11-28"),
        ("speaks", "rom", "rom"),
        ("safe", "yes", True),
        ("safe", "no", False),
        ("safe", "unknown", "unknown"),
        ("phone", "+383 (0)44 000-000", "+383 (0)44 000-000"),
        ("many", "3", 3),
    ],
)
def test_an_entry_is_stored_as_its_type(entry: str, text: str, value: object) -> None:
    assert said(entry, text) == ({entry: value}, {})


@pytest.mark.parametrize(
    ("entry", "text", "why"),
    [
        ("line", "x" * 21, "long"),
        ("text", "x" * 41, "long"),
        ("day", "30.11.2026", "date"),
        ("speaks", "xx", "choice"),
        ("safe", "true", "choice"),
        ("phone", "ask her", "telephone"),
        ("phone", "+" * 31 + "1", "long"),
        ("many", "many", "number"),
        ("many", "1000001", "number"),
        ("many", "٣", "number"),
    ],
)
def test_an_entry_that_cannot_be_stored_says_why(entry: str, text: str, why: str) -> None:
    assert said(entry, text) == ({}, {entry: why})
    assert all(say.has(f"write.error.{why}") for say in SAY.values())


@given(ENTERED)
def test_what_is_stored_comes_back_into_the_form(entered: dict[str, str]) -> None:
    parsed = fields.parse(SHORT, entered, CODES)
    again = fields.entries(SHORT, parsed.entries, CODES)
    assert fields.parse(SHORT, again, CODES) == fields.Parsed(entries=parsed.entries, errors={})
    assert fields.further(SHORT, parsed.entries, CODES) == {}


@given(SENT, ENTERED)
def test_a_form_loses_nothing_that_it_cannot_show(sent: dict[str, Any], entered: dict[str, str]) -> None:
    said = fields.parse(SHORT, entered, CODES).entries
    revised = fields.revised(SHORT, sent, said, CODES)
    shown = {name for name, text in fields.entries(SHORT, sent, CODES).items() if text}
    for name, value in sent.items():
        assert name in shown or name in said or revised.get(name) == value or value in (None, ""), name
    assert all(revised[name] == value for name, value in said.items())


TEXTS = st.fixed_dictionaries({name: st.sampled_from(["", "a", "b", "c"]) for name in ("one", "two", "three")})


@given(TEXTS, TEXTS, TEXTS)
def test_a_merge_keeps_every_change_of_both_sides(base: dict[str, str], theirs: dict[str, str], mine: dict[str, str]) -> None:
    merged = fields.merge(base, theirs, mine)
    for name in base:
        if mine[name] != base[name]:
            assert merged.entries[name] == mine[name], "what I wrote stays in my form"
            assert (name in merged.clashes) == (theirs[name] not in (base[name], mine[name]))
        else:
            assert merged.entries[name] == theirs[name]
            assert (name in merged.taken) == (theirs[name] != base[name])
    assert all(merged.clashes[name] == theirs[name] for name in merged.clashes)


@given(TEXTS, TEXTS)
def test_a_merge_with_what_nobody_changed_is_mine(base: dict[str, str], mine: dict[str, str]) -> None:
    assert fields.merge(base, base, mine) == fields.Merged(entries=mine, clashes={}, taken=())


@pytest.mark.parametrize("language", i18n.ENDONYMS)
def test_the_file_is_shown_with_labels_and_what_no_field_holds_as_it_was_sent(language: str) -> None:
    def name(kind: str, code: str) -> str:
        return POLICY.names(kind, code, language)

    care, say = POLICY.sections["care-needs"], SAY[language]
    shown = content.content(care, {"food": "Halal", "interpreter": "rom", "shoe_size": 36, "text": {"by": "nurse"}}, name, say, CODES)
    labels = {field.id: field.names[language] for field in care.fields}
    assert shown == {
        labels["food"]: "Halal",
        labels["interpreter"]: POLICY.names("language", "rom", language),
        say("write.further"): {"shoe_size": 36, "text": {"by": "nurse"}},
    }
    assert content.content(POLICY.sections["age-band"], {"age_band": "12-14"}, lambda kind, code: code, say, CODES) == "12-14"


def test_words_of_a_decision_stand_under_its_step_and_time() -> None:
    first, second, later = (
        "2026-01-02T09:41:50.678831Z guardian",
        "2026-01-02T09:41:51.000000Z guardian",
        "2026-01-03T09:00:00.000000Z risk",
    )
    now = micros(datetime.fromisoformat("2026-01-03T10:00:00+00:00"))
    shown = content.recorded({first: "a", second: "b", later: "c"}, lambda _, code: code.title(), SAY["en"], now)
    assert list(shown.items()) == [("Guardian · yesterday 10:41", "a"), ("Guardian · yesterday 10:41 ·", "b"), ("Risk · 10:00", "c")]
    assert content.recorded(None, lambda _, code: code, SAY["en"], now) == {}


def test_who_referred_is_not_named_and_a_login_only_to_colleagues() -> None:
    def line(agency: str, hidden: set[str], own: str) -> str:
        call = drawn.request(agency=own)
        values = {"say": call.say, "name": lambda _, code: code, "now": 0, "account": call.account, "hidden": hidden}
        module = call.pages.render.templates.get_template("cases.html").make_module(values)
        return str(module.written(Writing(version=2, agency=agency, login="a.login", at=0)))  # type: ignore[attr-defined]

    assert "school" not in line("school", {"school"}, "csw") and "whoever referred the case" in line("school", {"school"}, "csw")
    assert "csw · 01:00" in line("csw", {"school"}, "police") and "a.login" not in line("csw", {"school"}, "police")
    assert "csw · a.login" in line("csw", {"csw"}, "csw")
