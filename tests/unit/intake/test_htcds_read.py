"""A file's form: CSV as spreadsheets write it and JSON, the same records; what is none is told in one line, without an echo."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral.errors import Rejected
from services.intake.htcds import reader
from services.intake.htcds.reader import ROWS, Sheet, from_csv, from_json
from tests.harness.htcds_values import EXAMPLE, MARKER, table

ROW = {"ref_FoundIn": "prizren", "prs_FirstName": 'Testa, "the\n made-up"', "vic_TypeOfExploitation": "ForcedBegging;Other"}


def written(rows: list[dict[str, str]], delimiter: str = ",", end: str = "\r\n") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def cells(sheet: Sheet) -> list[dict[str, str]]:
    assert not any(record.faults for record in sheet.records)
    return [record.cells for record in sheet.records]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_csv_as_any_spreadsheet_writes_it(delimiter: str, end: str, mark: bytes) -> None:
    assert cells(from_csv(mark + written([ROW, ROW], delimiter, end), table())) == [ROW, ROW]


def test_rows_are_counted_as_a_spreadsheet_counts_them_and_empty_ones_are_nothing() -> None:
    sheet = from_csv(b"ref_FoundIn,prs_FirstName,,\nprizren, A ,,\n,,,\n\ngjilan,,,\n", table())
    assert [(record.row, record.cells) for record in sheet.records] == [
        (2, {"ref_FoundIn": "prizren", "prs_FirstName": "A"}),
        (5, {"ref_FoundIn": "gjilan"}),
    ]
    assert sheet.ignored == ()


@pytest.mark.parametrize("sign", [";", ",", "\t"])
def test_the_line_in_which_excel_names_its_separator_is_none_of_the_file(sign: str) -> None:
    plain = from_csv(f"ref_FoundIn{sign}ref_Urgency\nprizren{sign}urgent\n".encode(), table())
    named = from_csv(f"\ufeffsep={sign}\r\nref_FoundIn{sign}ref_Urgency\r\nprizren{sign}urgent\r\n".encode(), table())
    assert [record.cells for record in named.records] == [record.cells for record in plain.records]
    assert [record.row for record in named.records] == [3], "as a text editor counts them"


def test_json_says_the_same_as_csv() -> None:
    same = [{"ref_FoundIn": "prizren", "vic_TypeOfExploitation": ["ForcedBegging", "Other"], "prs_FirstName": ROW["prs_FirstName"]}]
    assert cells(from_json(json.dumps(same).encode(), table())) == cells(from_csv(written([ROW]), table()))
    one = from_json(b'{"con_Consent": true, "vic_AgeWhenTrafficked": 14, "prs_Email": null}', table())
    assert cells(one) == [{"con_Consent": "true", "vic_AgeWhenTrafficked": "14"}]


def test_columns_of_which_nothing_is_kept_are_named_unless_the_name_may_be_a_persons() -> None:
    rows = [
        {**ROW, "org_Phone": "1", "prs_Nickname": MARKER, MARKER: MARKER, "Shelf": ""},
        {**ROW, "org_Phone": "", "prs_Nickname": MARKER},
    ]
    sheet = from_csv(written([{name: row.get(name, "") for name in rows[0]} for row in rows]), table())
    assert [(note.where, note.name, note.filled) for note in sheet.ignored] == [
        ("column 4 (D)", "org_Phone", 1),
        ("column 5 (E)", "prs_Nickname", 2),
        ("column 6 (F)", "", 1),
        ("column 7 (G)", "", 0),
    ]
    assert MARKER not in str(sheet.ignored) and MARKER not in str([record.cells for record in sheet.records])
    objects = from_json(json.dumps(rows).encode(), table())
    assert [(note.where, note.name, note.filled) for note in objects.ignored] == [
        ("$[0]", "org_Phone", 2),
        ("$[0]", "prs_Nickname", 2),
        ("$[0]", "", 2),
    ]


@pytest.mark.parametrize(
    ("data", "code", "where"),
    [
        (b"", "not-htcds", "row 1"),
        (f"{MARKER},2012-01-01\n".encode(), "not-htcds", "row 1"),
        (b"ref_FoundIn,ref_FoundIn\n", "duplicate-key", "row 1"),
        (b"ref_FoundIn,ref_Urgency\n", "no-rows", "row 2"),
        (f"ref_FoundIn,ref_Urgencyprizren,{MARKER}".encode(), "no-rows", "row 2"),
        ("ref_FoundIn\nPejë\n".encode("latin-1"), "not-utf-8", "$"),
        (b'ref_FoundIn\n"prizren\n', "not-csv", "line 2"),
        (b'ref_FoundIn\n"a"b\n', "not-csv", "line 2"),
        (b"ref_FoundIn\n" + b"x" * 200_000, "not-csv", "line 2"),
        (b"ref_FoundIn\na\0b\n", "bad-text", "$"),
        (b"ref_FoundIn\n" + b"prizren\n" * (ROWS + 1), "too-large", "$"),
    ],
)
def test_what_is_no_csv_is_refused_whole(data: bytes, code: str, where: str) -> None:
    with pytest.raises(Rejected) as caught:
        from_csv(data, table())
    assert (caught.value.code, caught.value.where) == (code, where) and MARKER not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "code", "where"),
    [
        ("x", "wrong-type", "$[0]"),
        ([], "no-rows", "$"),
        ([{}, [MARKER]], "wrong-type", "$[1]"),
        ([{"ref_FoundIn": "prizren"}] * (ROWS + 1), "too-large", "$"),
    ],
)
def test_what_is_no_array_of_records_is_refused_whole(value: object, code: str, where: str) -> None:
    with pytest.raises(Rejected) as caught:
        from_json(json.dumps(value).encode(), table())
    assert (caught.value.code, caught.value.where) == (code, where) and MARKER not in str(caught.value)


@pytest.mark.parametrize("value", [{"a": 1}, [1], ["Other", ["x"]], ["Other;ForcedBegging"]])
def test_a_json_value_of_another_form_is_that_records_fault(value: object) -> None:
    [record] = from_json(json.dumps({"vic_TypeOfExploitation": value}).encode(), table()).records
    assert [(fault.code, fault.where) for fault in record.faults] == [("wrong-type", "$[0].vic_TypeOfExploitation")]


@pytest.mark.parametrize("line", [b"prizren", b"prizren,A,B,C"])
def test_a_row_of_another_width_is_not_read_at_all(line: bytes) -> None:
    [record] = from_csv(b"ref_FoundIn,prs_FirstName,ref_Key\n" + line + b"\n", table()).records
    assert record.cells == {} and [(fault.code, fault.where) for fault in record.faults] == [("wrong-width", "row 2")]


def test_the_limit_is_what_is_still_taken() -> None:
    assert len(from_csv(b"ref_FoundIn\n" + b"prizren\n" * ROWS, table()).records) == ROWS


@given(st.binary(max_size=80) | st.text('ref_FoundIn,;"\n\tA1', max_size=80).map(str.encode))
def test_any_bytes_are_answered(data: bytes) -> None:
    for read in (from_csv, from_json):
        try:
            read(data, table())
        except Rejected as error:
            assert error.where and error.hint


@given(st.data())
def test_any_damage_to_the_example_is_answered(data: st.DataObject) -> None:
    whole = EXAMPLE.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    hurt = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(st.integers(0, 4)) :]
    try:
        from_csv(hurt, table())
    except Rejected as error:
        assert error.where and error.hint


def wide(columns: int, rows: int, first: str = "ref_FoundIn", quote: str = "") -> bytes:
    """A CSV with so many columns, of which only the first is named, and rows of one cell."""
    return (f"{quote}{first}{quote}" + "," * (columns - 1) + "\n" + "x\n" * rows).encode()


@pytest.mark.parametrize("data", [wide(reader.COLUMNS + 1, 1), wide(reader.COLUMNS + 1, 1, "ref_FoundIn\n", '"')])
def test_a_file_has_at_most_so_many_columns(data: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        reader.from_csv(data, table())
    assert (refused.value.code, refused.value.where, refused.value.status) == ("too-large", "row 1", 413)
    assert str(reader.COLUMNS) in refused.value.hint


def test_a_file_with_as_many_columns_as_are_allowed_is_read() -> None:
    assert len(reader.from_csv(wide(reader.COLUMNS, 2), table()).records) == 2


def test_a_record_of_json_has_at_most_so_many_fields_and_a_file_so_many_names() -> None:
    one = {f"xyz_A{'b' * (i % 40)}{'c' * (i // 40)}": 1 for i in range(reader.COLUMNS + 1)}
    assert len(one) == reader.COLUMNS + 1
    half = len(one) // 2 + 1
    parts = [dict([*one.items()][:half]), dict([*one.items()][half:])]
    for value in ([one], parts):
        with pytest.raises(Rejected) as refused:
            reader.from_json(json.dumps(value).encode(), table())
        assert (refused.value.code, refused.value.status) == ("too-large", 413)


def test_a_hostile_file_of_a_mebibyte_costs_a_moment() -> None:
    """200,000 columns and 500 rows of one cell took twelve seconds for 196 KiB."""
    began = time.process_time()
    for data in (wide(1_000_000, 500), wide(reader.COLUMNS, 500) + b"," * 900_000 + b"\n"):
        with contextlib.suppress(Rejected):
            reader.from_csv(data, table())
    assert time.process_time() - began < 1.0
