"""The fields of casefile.yaml, and what the shipped procedures show and let write."""

from __future__ import annotations

import pytest

from referral.domain.events import StepKind
from referral.domain.policy import PolicyErrors, compile
from referral.domain.policy.directory import LANGUAGES, MOST
from referral.runtime.i18n import cyrillic
from tests.unit.domain.policy.test_policy import FILES

SHIPPED = compile(FILES)
SEATS = [(pathway, step, rule) for pathway in SHIPPED.current for step in pathway.steps for rule in step.seats]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("type: line,", "type: lien,", "did you mean line?"),
        ("safe_way:", "safe way:", "safe way is not a valid field"),
        ("type: choice, of: language", "type: choice", "a choice needs it"),
        ("type: choice, of: language", "type: choice, of: langauge", "did you mean language?"),
        ("type: choice, of: language", "type: choice, of: giver", "code list with names giver is not known"),
        ("type: yes-no,", "type: yes-no, most: 5,", "most limits characters; yes-no has none"),
        ("most: 60", f"most: {MOST + 1}", "a whole number from 1 to 10000"),
        ("type: yes-no,", "type: yes-no, of: language,", "no other type has it"),
        ("      other_names:", "      name:", "name stands here twice"),
        ('en: "Other names"', 'de: "Other names"', "en is missing"),
    ],
)
def test_an_error_of_a_field_names_file_and_line(old: str, new: str, says: str) -> None:
    before = FILES["casefile.yaml"].decode()
    with pytest.raises(PolicyErrors) as refused:
        compile({**FILES, "casefile.yaml": before.replace(old, new, 1).encode()})
    said = [error for error in refused.value.errors if says in error]
    line = before[: before.index(old)].count("\n") + 1
    assert said and said[0].startswith("casefile.yaml:") and abs(int(said[0].split(":")[1]) - line) <= 2, refused.value.errors


def test_a_section_has_no_more_fields_than_a_form_holds() -> None:
    field = "{type: line, names: {sq: a, sr-Latn: a, sr-Cyrl: a, en: a}}"
    many = "".join(f"      f{n}: {field}\n" for n in range(25))
    changed = FILES["casefile.yaml"].decode().replace("      safe_way:", f"{many}      safe_way:", 1)
    with pytest.raises(PolicyErrors, match="more than a form holds; at most 24"):
        compile({**FILES, "casefile.yaml": changed.encode()})


def test_a_step_writes_only_what_it_reads_and_agencies_write() -> None:
    path = "pathways/trafficking-child.yaml"
    for listed, says in (("medical, family", "family is written here and not shown"), ("medical, sex", "sex is not known")):
        changed = FILES[path].replace(b"writes: [medical, note]", f"writes: [{listed}]".encode())
        with pytest.raises(PolicyErrors, match=says):
            compile({**FILES, path: changed})


def test_a_step_without_the_word_writes_the_personal_sections_that_it_reads() -> None:
    path = "pathways/trafficking-child.yaml"
    old = compile({**FILES, path: FILES[path].replace(b"    writes: [medical, note]", b"    # absent")})
    health = next(p for p in old.current if p.id == "trafficking-child").by_id["health"]
    assert health.seats[0].shows == ("age-band", "sex", "medical", "language", "safety-plan", "consent-holder", "note")
    assert health.seats[0].writes == ("medical", "safety-plan", "consent-holder", "note")


def test_every_field_has_both_scripts_letter_by_letter() -> None:
    fields = [field for section in SHIPPED.sections.values() for field in section.fields]
    assert len(fields) >= 50
    for field in fields:
        for said in filter(None, (field.names, field.hints)):
            assert set(said) == set(LANGUAGES) and said["sr-Cyrl"] == cyrillic(said["sr-Latn"]), field.id


def test_every_section_that_somebody_writes_has_a_form() -> None:
    written = {section for _, _, rule in SEATS for section in rule.writes}
    assert written and all(SHIPPED.sections[section].fields for section in written)


def test_whoever_must_go_to_the_person_sees_where_they_are() -> None:
    """An interpreter is present by telephone, and goes nowhere."""
    seats = [(pathway, step, rule) for pathway, step, rule in SEATS if rule.roles != ("interpreter",)]
    going = [(pathway.id, step.id, rule) for pathway, step, rule in seats if "present" in step.limits]
    assert len(going) >= 7
    assert [(pathway, step, rule.name) for pathway, step, rule in going if "location" not in rule.shows] == []


def test_nobody_decides_about_somebody_who_is_not_named() -> None:
    deciding = [(pathway.id, step.id) for pathway, step, rule in SEATS if step.kind is StepKind.DECIDE and "identity" not in rule.shows]
    assert deciding == []


def test_whoever_is_only_told_writes_nothing() -> None:
    assert [(pathway.id, step.id) for pathway, step, rule in SEATS if step.kind is StepKind.NOTIFY and rule.writes] == []


def test_no_section_that_identifies_is_shown_to_a_coordinator() -> None:
    shown = {section for _, step, rule in SEATS if step.id == "coordinator" for section in rule.shows}
    assert not any(SHIPPED.sections[section].personal for section in shown)
