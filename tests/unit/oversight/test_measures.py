"""Every measure that a figure can have is defined, once and in four languages, and no definition is of anything else."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
from typing import Any

import pytest
import yaml

from referral.domain.events import Unit
from referral.runtime import i18n
from services.oversight.counting.tables import known, spreads, tables
from services.oversight.disclosure.blocks import OPEN
from services.oversight.pages import naming
from services.oversight.pages.downloads import dictionary_csv, dictionary_json
from services.oversight.pages.naming import FILE, compiled, load
from tests.harness.oversight_log import WHOLE

ALL = load(11)
WORDS = i18n.load(FILE.with_name("words.yaml"))
WRITTEN: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))


def test_what_figures_can_say_is_defined_and_nothing_else() -> None:
    said = {table.measure for table in tables([], 0, known(WHOLE))} | {spread.measure for spread in spreads([], 0)} | {"full"}
    assert {measure.partition(".")[0] for measure in said} == set(ALL.measures)
    units = {id: one.unit for id, one in ALL.measures.items()}
    assert {id for id, unit in units.items() if unit is Unit.MINUTES} == {"wait"}
    assert {id for id, unit in units.items() if unit is Unit.DAYS} == {"full"}
    assert set(units.values()) == {Unit.CHILDREN, Unit.MINUTES, Unit.DAYS}


@pytest.mark.parametrize("id", sorted(ALL.measures))
def test_the_query_is_of_this_measure(id: str) -> None:
    query = ALL.measures[id].query
    assert query.startswith("referral audit figures ")
    (named,) = re.findall(r'"([^"]+)"', query)
    assert named in (id, f"{id}.")
    assert ("startswith" in query) == named.endswith(".")


def test_numbers_are_filled_in_and_no_text_is_in_another_language() -> None:
    for one in (*ALL.measures.values(), *ALL.terms.values()):
        for texts in (one.name, one.definition):
            assert list(texts) == ["sq", "sr-Latn", "sr-Cyrl", "en"]
            assert len(set(texts.values())) == 4
            assert not re.search("[{}]", "".join(texts.values()))
            assert not re.search("[A-Za-zđžćčš]", texts["sr-Cyrl"])
        assert not re.search("[Ѐ-ӿ]", one.definition["sq"] + one.definition["en"] + one.definition["sr-Latn"])
    assert "11" in ALL.terms["hidden"].definition["sq"]
    assert "13" in load(13).terms["hidden"].definition["sr-Cyrl"]
    assert f"{naming.FOLLOW_UP.days} days" in ALL.terms["month"].definition["en"]


def test_what_has_no_row_when_it_is_hidden_is_defined_so_and_the_dictionary_says_it() -> None:
    hidden = {"sq": "pa rresht është", "sr-Latn": "bez reda je skriven", "sr-Cyrl": "без реда је скривен", "en": "without a row is hidden"}
    saying = {id for id, one in ALL.measures.items() if all(word in one.definition[tongue] for tongue, word in hidden.items())}
    assert saying == {start.removesuffix(".") for start in OPEN}
    for language, word in hidden.items():
        rows = csv.DictReader(io.StringIO(dictionary_csv(ALL, WORDS[language]).decode("utf-8-sig"), newline=""))
        assert {row["name"] for row in rows if row["kind"] == "measure" and word in row["meaning"]} == saying
    (mark,) = (one["meaning"] for one in json.loads(dictionary_json(ALL, WORDS))["marks"] if one["mark"] == "HIDDEN")
    assert all(f"{id}.…" in mark for id in saying)


def test_what_a_release_met_stands_in_the_dictionary_in_every_language() -> None:
    told = {one["what"]: one["meaning"] for one in json.loads(dictionary_json(ALL, WORDS))["counted"]}
    assert {"gap", "kept", "erased"} <= told.keys()
    for language, said in WORDS.items():
        rows = csv.DictReader(io.StringIO(dictionary_csv(ALL, said).decode("utf-8-sig"), newline=""))
        assert {row["name"]: row["meaning"] for row in rows if row["kind"] == "counted"} == {
            what: each[language] for what, each in told.items()
        }


@pytest.mark.parametrize("field", ["name", "definition"])
@pytest.mark.parametrize("tongue", ["en", "sq", "sr"])
@pytest.mark.parametrize("kind", ["measures", "terms"])
def test_a_missing_language_refuses_to_load(kind: str, field: str, tongue: str) -> None:
    file = copy.deepcopy(WRITTEN)
    id = next(iter(file[kind]))
    del file[kind][id][field][tongue]
    with pytest.raises(ValueError, match=f"{id}: {field}: .*missing: {tongue}"):
        compiled(file, 11)


@pytest.mark.parametrize("field", ["unit", "source", "query"])
def test_a_measure_without_its_unit_source_or_query_refuses_to_load(field: str) -> None:
    file = copy.deepcopy(WRITTEN)
    del file["measures"]["late"][field]
    with pytest.raises(ValueError, match=f"late: missing: {field}"):
        compiled(file, 11)
