"""`referral submit`, for files in the shape of HTCDS: sent whole, answered row by row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from referral.client import Client, Problem

_FIELD = re.compile(r"(prs|vic|per|cas|con|cco|hte|spl|org|ref)_[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one record, or of a file as a whole. where: file:row. result: received, received before, or what is wrong."""

    where: str
    receipt: dict[str, Any]
    result: str
    bad: bool


def media(path: Path, text: bytes) -> str:
    """The media type of a file in the shape of HTCDS; empty for one of ours. JSON is HTCDS when a name in it is a field's."""
    if path.suffix.lower() in (".csv", ".tsv"):
        return "text/csv"
    if path.suffix.lower() != ".json":
        return ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    first = value[0] if isinstance(value, list) and value else value
    return "application/vnd.htcds+json" if isinstance(first, dict) and any(map(_FIELD.fullmatch, first)) else ""


def send(client: Client, path: Path, text: bytes, kind: str) -> Iterator[Told]:
    """Send a file; what became of each record, then of each column that was left out."""
    try:
        answer = client.submit_file(text, kind)
    except Problem as problem:
        yield Told(str(path), {}, str(problem), True)
        return
    for row in answer["rows"]:
        wrong = [f"{one['code']} at {one['where']}: {one['hint']}" for one in row.get("problems", ())]
        result = "; ".join(wrong) or ("received before" if row["state"] == "REPEATED" else "received")
        yield Told(f"{path}:{row['row']}", row, result, bool(wrong))
    for note in answer["ignored"]:
        name = f", {note['name']}" if note["name"] else ""
        yield Told(f"{path}, {note['where']}{name}", {"ignored": note["hint"]}, f"{note['hint']} ({note['filled']} filled)", False)
