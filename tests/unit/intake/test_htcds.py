"""A record in the shape of HTCDS: each field has one place, personal ones only in the case file; each fault is told without an echo."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.domain.events import ConsentState, Door
from referral.wire import codec
from services.intake.htcds import reader
from services.intake.htcds import record as htcds
from services.intake.htcds.reader import Record
from services.intake.htcds.record import Faulty, ValidRecord
from services.intake.messages import submission as submit
from tests.harness.htcds_values import EXAMPLE, MARKER, good, shipped, table

DAY = date(2026, 11, 25)
FIELDS = table().fields
STANDARD = {name: field for name, field in FIELDS.items() if not name.startswith("ref_")}
KEPT = {name: field for name, field in STANDARD.items() if field.section}
FULL = {name: good(name, field) for name, field in FIELDS.items() if not field.left}


def read(cells: dict[str, str], day: date = DAY) -> ValidRecord | Faulty:
    return htcds.read(Record(row=7, place="row 7, ", cells=cells), table(), shipped(), day)


def found(cells: dict[str, str], day: date = DAY) -> submit.Submission:
    answer = read({name: text for name, text in {"ref_FoundIn": "prizren", **cells}.items() if text}, day)
    assert isinstance(answer, ValidRecord), [str(fault) for fault in getattr(answer, "faults", ())]
    return answer.submission


def faults(cells: dict[str, str]) -> list[tuple[str, str]]:
    answer = read({"ref_FoundIn": "prizren", **cells})
    assert isinstance(answer, Faulty)
    assert all(fault.hint for fault in answer.faults)
    return [(fault.code, fault.where) for fault in answer.faults]


def sections(submission: submit.Submission) -> dict[str, Any]:
    return {name: json.loads(content) for name, content in submission.sections}


def test_the_table_has_every_named_field_of_the_standard_and_the_source_of_each() -> None:
    assert len(STANDARD) == 83, "84 lines of the standard, one of them empty"
    assert sum(field.core for field in STANDARD.values()) == 40
    assert all(field.source[:3] in ("S: ", "D: ", "P: ") for field in FIELDS.values())


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_goes_to_one_place_which_the_shipped_policy_has(name: str) -> None:
    field, codes = FIELDS[name], shipped().codes
    assert [bool(field.section), bool(field.left), name not in STANDARD].count(True) == 1
    assert not field.section or (field.section in codes["written"] and field.name)
    trait = {"sex": "sex", "flags": "flag", "languages": "language"}.get(field.trait, field.trait)
    assert not field.trait or set(field.words.values()) <= set(codes[trait])
    assert set(field.words) <= set(field.of) and set(field.refuses) <= set(field.of)
    assert (field.type in ("one", "many")) == bool(field.of) or field.left
    places = [(one.section, one.name) for one in FIELDS.values() if one.section]
    assert len(places) == len(set(places))


def test_every_language_of_the_table_is_one_of_the_policys() -> None:
    assert set(table().languages.values()) <= set(shipped().codes["language"])


@pytest.mark.parametrize("name", KEPT)
def test_a_fields_value_stands_in_its_section_and_nowhere_else(name: str) -> None:
    field = FIELDS[name]
    written = sections(found({name: good(name, field)}))
    assert list(written) == [field.section]
    assert set(written[field.section]) - {"confirmed_safe"} == {field.name}


def test_nothing_personal_is_in_the_event_that_travels() -> None:
    submission = found(FULL)
    event = submit.event(submission, referral_id=submit.NIL, agency="school-drita", door=Door.HTTP, received_at=7)
    travels = codec.encode(event).decode("utf-8", "replace") + repr(event) + repr(submission) + repr(read(FULL))
    for name, text in FULL.items():
        if FIELDS[name].section and FIELDS[name].type in ("text", "date", "decimal"):
            assert text not in travels, name
    assert MARKER not in travels and MARKER in submission.sections[0][1].decode()


def test_who_is_implicated_is_kept_away_from_the_first_moment() -> None:
    submission = found({"ref_Excludes": "AGENCY:csw-prizren; relation:parent"})
    event = submit.event(submission, referral_id=submit.NIL, agency="school-drita", door=Door.HTTP, received_at=7)
    assert event.excludes == ("agency:csw-prizren", "relation:parent")
    assert faults({"ref_Excludes": "relation:parent;relation:parent"}) == [("repeated-code", "row 7, ref_Excludes")]
    alone = {"ref_Excludes": "agency:dsw;agency:ombudsperson"}
    assert faults(alone) == [("last-desk", "row 7, ref_Excludes")], "each was looked at alone, and nobody was left who could lift it"


def test_a_way_to_the_person_is_never_taken_as_confirmed_safe() -> None:
    assert sections(found({"prs_MobilePhone": "+383 00 000 000"}))["contact"]["confirmed_safe"] is False


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, {"concern": "trafficking", "age": "uncertain", "age_band": "unknown", "urgency": "urgent", "sex": "unknown", "home": ""}),
        ({"prs_Birthdate": "2012-11-25"}, {"age": "child", "age_band": "12-14"}),
        ({"prs_Birthdate": "2008-11-26"}, {"age": "child", "age_band": "15-17"}),
        ({"prs_Birthdate": "2008-11-25"}, {"age": "adult", "age_band": "18-120"}),
        ({"prs_Birthdate": "2008-11-25", "ref_Age": "uncertain"}, {"age": "uncertain"}),
        ({"prs_Birthdate": "2024-02-29"}, {"age_band": "0-2"}),
        ({"prs_Gender": "Masculine"}, {"sex": "male"}),
        ({"prs_Gender": "TransgenderFeminine"}, {"sex": "other"}),
        ({"prs_Citizenship": "AL;XK"}, {"origin": "domestic"}),
        ({"prs_Citizenship": "SYR"}, {"origin": "foreign"}),
        ({"prs_PrimaryLanguage": "srp-RS", "prs_SecondaryLanguage": "ara"}, {"languages": ("sr-Latn", "other")}),
        ({"prs_PrimaryLanguage": "alb", "prs_SecondaryLanguage": "sq"}, {"languages": ("sq",)}),
        ({"ref_FoundIn": "Урошевац", "prs_MailingCity": "PRISHTINË"}, {"found_in": "ferizaj", "home": "prishtine"}),
        ({"ref_FoundIn": "", "prs_MailingCity": "Prizren"}, {"found_in": "prizren", "home": "prizren"}),
        ({"prs_MailingCity": "Nowhereville"}, {"home": ""}),
        ({"vic_Vulnerabilities": "Poverty;DisabilityAndPhysicalHealth", "ref_Flags": "siblings"}, {"flags": ("disability", "siblings")}),
        ({"vic_Vulnerabilities": "Poverty"}, {"flags": ()}),
        ({"vic_TraffickingStatus": "NotAVictimOfTrafficking", "ref_Concern": "child-labour"}, {"concern": "child-labour"}),
    ],
)
def test_what_the_program_concludes(cells: dict[str, str], expected: dict[str, Any]) -> None:
    traits = found(cells).traits
    assert {name: getattr(traits, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("cells", "state", "giver"),
    [
        ({"con_Consent": "true", "ref_Age": "adult"}, ConsentState.GIVEN, "person"),
        ({"con_Consent": "true", "ref_Age": "child"}, ConsentState.NOT_ASKED, "none"),
        ({"con_Consent": "true"}, ConsentState.NOT_ASKED, "none"),
        ({"con_Consent": "true", "ref_ConsentGiver": "guardian"}, ConsentState.GIVEN, "guardian"),
        ({"con_Consent": "true", "ref_ConsentGiver": "none"}, ConsentState.NOT_ASKED, "none"),
        ({"con_Consent": "false", "ref_ConsentGiver": "guardian"}, ConsentState.NOT_ASKED, "none"),
    ],
)
def test_a_ticked_box_is_a_consent_only_of_somebody(cells: dict[str, str], state: ConsentState, giver: str) -> None:
    consent = found(cells).consent
    assert consent is not None and (consent.state, consent.giver) == (state, giver)
    assert sections(found(cells))["narrative"]["consent_recorded"] is (cells["con_Consent"] == "true")
    assert found({}).consent is None


BAD = {
    "one": ("F", "unknown-code"),
    "many": ("Other;F", "unknown-code"),
    "date": ("12.04.2012", "wrong-type"),
    "checkbox": ("perhaps", "wrong-type"),
    "number": ("twelve", "wrong-type"),
    "decimal": ("42,2", "wrong-type"),
    "language": ("Shqip", "unknown-code"),
    "country": ("Kosovo", "unknown-code"),
    "countries": ("XK;Kosovo", "unknown-code"),
    "code": ("ASAP", "unknown-code"),
    "codes": ("siblings;ASAP", "unknown-code"),
    "actors": ("relation:parent;agency:nowhere", "unknown-code"),
    "text": ("x" * 10_001, "out-of-range"),
}


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if not field.left and name != "ref_FoundIn"])
def test_a_wrong_value_is_told_by_row_and_column(name: str) -> None:
    text, code = BAD[FIELDS[name].type]
    assert faults({name: text}) == [(code, f"row 7, {name}")]


@pytest.mark.parametrize(
    ("cells", "code", "name"),
    [
        ({"prs_Birthdate": "2026-11-26"}, "out-of-range", "prs_Birthdate"),
        ({"prs_Birthdate": "1899-01-01"}, "out-of-range", "prs_Birthdate"),
        ({"prs_Birthdate": "2026-02-30"}, "wrong-type", "prs_Birthdate"),
        ({"ref_FoundIn": "Atlantis"}, "unknown-code", "ref_FoundIn"),
        ({"vic_TypeOfExploitation": "ForcedBegging;ForcedBegging"}, "repeated-code", "vic_TypeOfExploitation"),
        ({"vic_TraffickingStatus": "NotAVictimOfTrafficking"}, "not-a-referral", "vic_TraffickingStatus"),
        ({"cas_Status": "Closed"}, "not-a-referral", "cas_Status"),
        ({"cas_Status": "Closed", "ref_Concern": "trafficking"}, "not-a-referral", "cas_Status"),
    ],
)
def test_what_makes_no_sense_is_told(cells: dict[str, str], code: str, name: str) -> None:
    assert faults(cells) == [(code, f"row 7, {name}")]


def test_where_nobody_says_where_the_person_is_the_field_is_named_and_all_faults_come_at_once() -> None:
    answer = read({"prs_Gender": "F", "con_Consent": "?"})
    assert isinstance(answer, Faulty)
    assert [(fault.code, fault.where) for fault in answer.faults] == [
        ("unknown-code", "row 7, prs_Gender"),
        ("wrong-type", "row 7, con_Consent"),
        ("missing-field", "row 7, ref_FoundIn"),
    ]


def test_a_birthday_between_two_sendings_makes_no_other_record() -> None:
    before, after = (read({**FULL, "prs_Birthdate": "2011-11-26", "ref_Age": "child"}, day) for day in (DAY, date(2026, 11, 26)))
    assert isinstance(before, ValidRecord) and isinstance(after, ValidRecord)
    assert (before.submission.traits.age_band, after.submission.traits.age_band) == ("12-14", "15-17")
    assert before.same == after.same and before.key == after.key == "our-4711"
    assert MARKER not in before.key


cells = st.dictionaries(st.sampled_from([name for name in FIELDS if not FIELDS[name].left]), st.text("aZ0;-.XK \n" + MARKER, max_size=12))


@given(cells)
def test_any_record_is_taken_or_told_and_never_echoed(sent: dict[str, str]) -> None:
    answer = read({name: text.strip() + MARKER for name, text in sent.items()})
    if isinstance(answer, Faulty):
        assert answer.faults
        for fault in answer.faults:
            assert fault.where.startswith("row 7") and fault.hint and MARKER not in str(fault)


def test_the_example_has_fifty_rows_forty_in_order_and_ten_clear_faults() -> None:
    sheet = reader.from_csv(EXAMPLE.read_bytes(), table())
    answers = {record.row: htcds.read(record, table(), shipped(), DAY) for record in sheet.records}
    wrong = {row: answer.faults for row, answer in answers.items() if isinstance(answer, Faulty)}
    assert (len(answers), len(wrong)) == (50, 10)
    assert {row: [(fault.code, fault.where.partition(", ")[2]) for fault in faults] for row, faults in wrong.items()} == {
        5: [("unknown-code", "prs_Gender")],
        10: [("wrong-type", "prs_Birthdate")],
        14: [("unknown-code", "ref_FoundIn")],
        18: [("wrong-width", "")],
        22: [("unknown-code", "vic_TypeOfExploitation")],
        27: [("not-a-referral", "vic_TraffickingStatus")],
        32: [("not-a-referral", "cas_Status")],
        36: [("out-of-range", "prs_Birthdate")],
        41: [("unknown-code", "ref_Urgency")],
        45: [("wrong-type", "con_Consent")],
    }
    assert [(note.name, note.where) for note in sheet.ignored] == [("org_Phone", "column 46 (AT)"), ("", "column 47 (AU)")]
    assert all(answer.submission.drill for answer in answers.values() if isinstance(answer, ValidRecord)), "made-up people are an exercise"
