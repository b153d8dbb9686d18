"""Traits that cannot both hold are refused at every door, with both fields named; every other pair of codes is taken."""

from __future__ import annotations

from itertools import product
from typing import Any

import msgspec
import pytest

from referral.domain import events as e
from referral.domain.contradictions import contradictions
from referral.errors import Rejected
from services.intake.htcds import record
from services.intake.htcds.reader import Record
from services.intake.messages import responses, submission
from tests.harness.htcds_values import shipped, table
from tests.unit.intake.test_every_door import BASE, DAY, DOORS, by_http

BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("an adult in a child's band", {"age": "adult", "age_band": "12-14"}, "age", "age_band"),
    ("an adult in the oldest band of a child", {"age": "adult", "age_band": "15-17"}, "age", "age_band"),
    ("a child in an adult's band", {"age": "child", "age_band": "18-120"}, "age", "age_band"),
    ("an uncertain age in an adult's band", {"age": "uncertain", "age_band": "18-120"}, "age", "age_band"),
    ("an adult who is unaccompanied", {"age": "adult", "flags": ["siblings", "unaccompanied"]}, "age", "flags"),
    ("asylum in the own country", {"origin": "domestic", "asylum": "claimed"}, "origin", "asylum"),
    ("a pregnant man", {"sex": "male", "flags": ["pregnant"]}, "sex", "flags"),
    ("a pregnant infant", {"age_band": "0-5", "flags": ["pregnant"]}, "age_band", "flags"),
]
IDS = [one[0] for one in BAD]
CELLS = {"age": "ref_Age", "age_band": "prs_Birthdate", "origin": "prs_Citizenship", "asylum": "ref_Asylum", "sex": "prs_Gender"}
CELLS |= {"flags": "ref_Flags"}
SAID = {
    "12-14": "2013-05-17", "15-17": "2010-05-17", "18-120": "1990-05-17", "0-5": "2023-05-17", "domestic": "XK", "male": "Masculine",
}  # fmt: skip


def named(refused: Rejected, one: str, other: str, before: str) -> None:
    assert (refused.code, refused.status) == ("contradiction", 422)
    assert refused.where == before + one
    assert before + one in refused.hint and before + other in refused.hint


@pytest.mark.parametrize("door", ["HTTP", *DOORS])
@pytest.mark.parametrize(("traits", "one", "other"), [b[1:] for b in BAD], ids=IDS)
def test_what_cannot_both_hold_is_refused_at_this_door(door: str, traits: dict[str, Any], one: str, other: str) -> None:
    send = by_http if door == "HTTP" else DOORS[door][0]
    with pytest.raises(Rejected) as refused:
        send({"traits": BASE["traits"] | traits})
    named(refused.value, one, other, "traits." if door == "Avro on Kafka" else "$.traits.")


@pytest.mark.parametrize(("traits", "one", "other"), [b[1:] for b in BAD], ids=IDS)
def test_what_cannot_both_hold_is_refused_when_traits_change(traits: dict[str, Any], one: str, other: str) -> None:
    body = msgspec.convert(BASE["traits"] | traits, submission.TraitsBody)
    with pytest.raises(Rejected) as refused:
        responses.traits(body, shipped(), agency="school-drita", by=None, at=0)
    named(refused.value, one, other, "$.")


def row(**cells: str) -> record.ValidRecord | record.Faulty:
    return record.read(Record(row=7, place="row 7, ", cells={"ref_FoundIn": "prizren", **cells}), table(), shipped(), DAY)


@pytest.mark.parametrize(("traits", "one", "other"), [b[1:] for b in BAD if b[1] != {"age": "uncertain", "age_band": "18-120"}])
def test_what_cannot_both_hold_is_refused_in_a_row_with_both_columns_named(traits: dict[str, Any], one: str, other: str) -> None:
    cells = {CELLS[name]: ";".join(said) if isinstance(said, list) else SAID.get(said, said) for name, said in traits.items()}
    found = row(**cells)
    assert isinstance(found, record.Faulty)
    [fault] = [fault for fault in found.faults if fault.code == "contradiction" and CELLS[one] in fault.hint]
    assert fault.where == f"row 7, {CELLS[one]}"
    assert CELLS[other] in fault.hint
    assert not any(said in fault.hint for said in cells.values()), "what was sent is never repeated"


def test_a_row_that_doubts_a_grown_up_birthdate_is_a_child_of_no_band() -> None:
    """`ref_Age` stands above the birthdate: false papers make nobody an adult."""
    found = row(ref_Age="uncertain", prs_Birthdate="1990-05-17")
    assert isinstance(found, record.ValidRecord)
    assert (found.submission.traits.age, found.submission.traits.age_band) == ("uncertain", "unknown")
    younger = row(ref_Age="uncertain", prs_Birthdate="2013-05-17")
    assert isinstance(younger, record.ValidRecord) and younger.submission.traits.age_band == "12-14"


def test_every_other_pair_of_codes_is_taken() -> None:
    codes, base = shipped().codes, submission.traits(msgspec.convert(BASE["traits"], submission.TraitsBody), shipped(), "$")
    lists = {"concern": "concern", "age": "age", "age_band": "age-band", "sex": "sex", "urgency": "urgency", "origin": "origin"}
    lists |= {"asylum": "asylum", "flags": "flag"}
    bad: set[tuple[str, str, str, str]] = set()
    for (one, first), (other, second) in product(lists.items(), repeat=2):
        for a, b in product(codes[first], codes[second]):
            said: dict[str, Any] = {one: (a,) if one == "flags" else a}
            said[other] = (b,) if other == "flags" else b
            if one < other and any({c.one, c.other} == {one, other} for c in contradictions(msgspec.structs.replace(base, **said))):
                bad.add((one, a, other, b))
    children = ("0-2", "3-5", "0-5", "6-11", "12-14", "15-17")
    assert bad == {
        *(("age", "adult", "age_band", band) for band in children),
        *(("age", age, "age_band", "18-120") for age in ("child", "uncertain")),
        ("age", "adult", "flags", "unaccompanied"),
        ("asylum", "claimed", "origin", "domestic"),
        ("flags", "pregnant", "sex", "male"),
        *(("age_band", band, "flags", "pregnant") for band in ("0-2", "3-5", "0-5")),
    }


def test_the_examples_hold_together() -> None:
    blank = e.Traits(
        concern="trafficking", age="child", age_band="12-14", sex="female", found_in="prizren", home="", urgency="urgent",
        origin="foreign", asylum="claimed", languages=("sq",), flags=("unaccompanied", "pregnant"),
    )  # fmt: skip
    assert contradictions(blank) == ()
