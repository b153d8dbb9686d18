"""The JSON Schema for editors knows exactly the words that the reader knows, and takes every procedure that we ship."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from referral.cli import run
from referral.domain.policy import compile
from referral.domain.policy.reading import vocabulary as words
from referral.domain.policy.reading.json_schema import schema
from tests.stories.teller import POLICY

FILES = {path.relative_to(POLICY).as_posix(): path.read_bytes() for path in POLICY.rglob("*.yaml")}
SCHEMA = schema(compile(FILES).codes)
PATHWAYS = {path: yaml.safe_load(data) for path, data in FILES.items() if path.startswith("pathways/")}


def test_it_has_the_words_of_the_reader_each_with_its_meaning() -> None:
    assert set(SCHEMA["properties"]) == set(words.PATHWAY) and set(SCHEMA["required"]) == set(words.PATHWAY_NEEDED)
    steps = {kind["title"]: kind["properties"] for kind in SCHEMA["$defs"]["step"]["oneOf"]}
    assert {kind: set(found) for kind, found in steps.items()} == {kind: {"id", *own, *words.STEP} for kind, own in words.KINDS.items()}
    assert all(one["description"] for found in steps.values() for one in found.values())
    assert set(steps["ask"]["within"]["properties"]) == {*words.LIMITS, words.FROM}


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [*([value["$ref"]] if "$ref" in value else []), *(r for one in value.values() for r in references(one))]
        return [r for one in value for r in references(one)] if isinstance(value, list) else []

    assert {reference.removeprefix("#/$defs/") for reference in references(SCHEMA)} <= set(SCHEMA["$defs"])


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA


WRONG: list[tuple[str, Any]] = [
    ("colour", "red"),
    ("ask", "social-wroker"),
    ("area", ["found_in"]),
    ("shows", ["adress"]),
    ("within", {"accept": "1 h"}),
    ("within", {"accept": "1 hour P"}),
    ("at", ["3 working days P"]),
    ("when", {"age": ["young"]}),
    ("when", {"consent": ["givn"]}),
    ("after", ["police"]),
    ("statutory", "maybe"),
]


@pytest.mark.parametrize("path", PATHWAYS)
def test_it_takes_what_we_ship_and_marks_a_slip(path: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [error.message for error in validator.iter_errors(PATHWAYS[path])] == []
    for word, value in WRONG:
        wrong = {**PATHWAYS[path], "steps": [{"id": "police", "ask": "police", "within": {"accept": "1 h P"}, word: value}]}
        assert list(validator.iter_errors(wrong)), (word, value)
