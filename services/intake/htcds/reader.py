"""Split a file in the shape of HTCDS into records: a CSV's rows or JSON's objects. Pure; an error never repeats a value that was sent."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from referral.errors import Rejected
from services.intake.htcds.fields import Field, Fields
from services.intake.messages import strict_json

ROWS = 500
"""Most records of one file (ours): half a megabyte of full rows, accepted well within the time that a caller waits."""
COLUMNS = 200
"""Most columns of a file, fields of a record and names in a file (ours): more than twice the 92 fields that we know. They are counted
before anything is split, so that a file of commas costs no time."""
UNNAMED = "no field of HTCDS has this name; nothing of it is kept"
_FIELD_LIKE = re.compile(r"[a-z]{3}_[A-Za-z]{1,60}")


class Record(Struct, frozen=True, kw_only=True):
    """One record.

    row: as a spreadsheet counts, the names being row 1; of JSON the object's number from 1.
    place: prefix of a field's name in errors.
    cells: field → text, without empty cells.
    faults: faults of its form.
    """

    row: int
    place: str
    cells: dict[str, str]
    faults: tuple[Rejected, ...] = ()

    def __repr__(self) -> str:
        return f"Record({self.row})"


class Note(Struct, frozen=True, kw_only=True):
    """A column of which nothing is kept. name: only where it has the form of a field's name; without its names row a file would show a
    person's there. filled: records that had something in it."""

    where: str
    name: str
    filled: int
    hint: str


class Sheet(Struct, frozen=True, kw_only=True):
    """A file's records, and the columns of which nothing is kept."""

    records: tuple[Record, ...]
    ignored: tuple[Note, ...]


def from_csv(data: bytes, table: Fields) -> Sheet:
    """Return the sheet of a CSV file. Rejected: no UTF-8 (400), no CSV (400), no names in the first row, a name twice, too many rows."""
    (head, *rows), first = _lines(data)
    names = [name.strip() for name in head]
    known = [name if name in table.fields else "" for name in names]
    if not any(known):
        raise Rejected("not-htcds", "row 1", "the first row must name the fields of HTCDS, such as prs_FirstName or ref_FoundIn")
    if len(set(filter(None, known))) != len([*filter(None, known)]):
        raise Rejected("duplicate-key", "row 1", "a field stands twice in the first row; which one is meant?", status=400)
    kept = [bool(name) and not table.fields[name].left for name in known]
    records = [_row(number, cells, known, kept) for number, cells in enumerate(rows, first + 1) if any(cell.strip() for cell in cells)]
    if not records:
        raise Rejected(
            "no-rows", "row 2", "no row follows the names: are the line breaks gone (curl needs --data-binary), or is nobody in it?"
        )
    ignored = []
    for i, name in enumerate(names):
        filled = sum(1 for cells in rows if i < len(cells) and cells[i].strip())
        if not kept[i] and (name or filled):
            ignored.append(_note(f"column {i + 1} ({_letters(i)})", name, filled, table.fields.get(name)))
    return Sheet(records=tuple(records), ignored=tuple(ignored))


def from_json(data: bytes, table: Fields) -> Sheet:
    """Return the sheet of a JSON array of records, or of one record. Rejected: as every JSON body; a record that is no object; too many."""
    value = strict_json.read(data)
    items = value if isinstance(value, list) else [value]
    if not items:
        raise Rejected("no-rows", "$", "the list is empty: nobody is referred")
    if len(items) > ROWS:
        raise _too_many("$")
    records: list[Record] = []
    left: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        if not isinstance(item, dict):
            raise Rejected("wrong-type", f"$[{i}]", "a record is a JSON object with the fields of HTCDS")
        faults: list[Rejected] = []
        cells: dict[str, str] = {}
        if len(item) > COLUMNS or len(left) > COLUMNS:
            raise _too_wide(f"$[{i}]")
        for name, inner in item.items():
            field = table.fields.get(name)
            if field is None or field.left:
                left.setdefault(name if _FIELD_LIKE.fullmatch(name) else "", []).append(i)
                continue
            try:
                cells |= {name: text} if (text := _text(field, inner, f"$[{i}].{name}")) else {}
            except Rejected as fault:
                faults.append(fault)
        records.append(Record(row=i + 1, place=f"$[{i}].", cells=cells, faults=tuple(faults)))
    if len(left) > COLUMNS:
        raise _too_wide("$")
    ignored = (_note(f"$[{at[0]}]", name, len(at), table.fields.get(name)) for name, at in left.items())
    return Sheet(records=tuple(records), ignored=tuple(ignored))


def _lines(data: bytes) -> tuple[list[list[str]], int]:
    """Return the cells of each line from the names on, and the number of the line with the names: Excel may write its separator above."""
    try:
        text = data.decode("utf-8-sig")  # spreadsheets write a byte order mark
    except UnicodeDecodeError:
        raise Rejected("not-utf-8", "$", "save the file as CSV in UTF-8", status=400) from None
    if "\0" in text:
        raise Rejected("bad-text", "$", "a text holds a character that is none (U+0000)", status=400)
    named = _SEPARATOR.match(text)
    text = text[named.end() :] if named else text
    first = text.partition("\n")[0]
    delimiter = named[1] if named else next((sign for sign in first if sign in ",;\t"), ",")
    if first.count(delimiter) >= COLUMNS:
        raise _too_wide("row 1")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return list(_bounded(reader)) or [[]], 2 if named else 1


_SEPARATOR = re.compile("sep=([,;\t])\r?\n", re.IGNORECASE)
"""The line above all others by which Excel knows its separator."""


def _bounded(reader: Any) -> Iterator[list[str]]:
    try:
        for number, cells in enumerate(reader):
            if number > ROWS:
                raise _too_many("$")
            if number == 0 and len(cells) > COLUMNS:  # a name may contain a line end
                raise _too_wide("row 1")
            yield cells
    except csv.Error:
        hint = "this is no CSV: a quote is left open or a cell is too long"
        raise Rejected("not-csv", f"line {reader.line_num}", hint, status=400) from None


def _row(number: int, cells: list[str], known: list[str], kept: list[bool]) -> Record:
    place, width = f"row {number}, ", len(known)
    if len(cells) < width or any(cell.strip() for cell in cells[width:]):
        fault = Rejected(
            "wrong-width", f"row {number}", f"this row has {len(cells)} cells, the first one has {width}; put a cell with a comma in quotes"
        )
        return Record(row=number, place=place, cells={}, faults=(fault,))
    filled = {name: cell.strip() for name, cell, keep in zip(known, cells, kept, strict=False) if keep and cell.strip()}
    return Record(row=number, place=place, cells=filled)


def _text(field: Field, value: Any, where: str) -> str:
    """Return a JSON value as the text that a CSV cell would hold; empty for null."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value).strip()
        case list() if field.several and all(isinstance(word, str) and ";" not in word for word in value):
            return ";".join(value)
    raise Rejected("wrong-type", where, "send a list of words" if field.several else "send one value")


def _note(where: str, name: str, filled: int, field: Field | None) -> Note:
    hint = UNNAMED if field is None else f"nothing of it is kept: {field.left}"
    return Note(where=where, name=name if _FIELD_LIKE.fullmatch(name) else "", filled=filled, hint=hint)


def _too_many(where: str) -> Rejected:
    return Rejected("too-large", where, f"a file has at most {ROWS} records; send it in parts", status=413)


def _too_wide(where: str) -> Rejected:
    return Rejected("too-large", where, f"a file has at most {COLUMNS} columns, a record as many fields", status=413)


def _letters(index: int) -> str:
    """Return a column as a spreadsheet names it: A, Z, AA."""
    letters = ""
    while index >= 0:
        letters, index = chr(ord("A") + index % 26) + letters, index // 26 - 1
    return letters
