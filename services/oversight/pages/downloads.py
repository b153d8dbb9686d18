"""Export releases as CSV and JSON, and the dictionary of their columns and measures. Pure: the same bytes each time."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from referral.domain.events import FigureReleased, Mark, Unit
from referral.runtime.i18n import Words
from referral.wire.figure_release import Published
from services.oversight.pages.naming import Measures

COLUMNS: Mapping[str, tuple[str, str]] = {
    "release": (
        "integer",
        "Number of the release that published it, dense from 1. A correction has a later one and the same other columns.",
    ),
    "corrects": ("integer", "Number of the release that this one corrects; empty for the one release of a month."),
    "first": ("month", "First month that it counts, e.g. 2027-01."),
    "last": ("month", "Last month that it counts. Months are calendar months in Europe/Belgrade."),
    "pathway": ("code", "Procedure; empty where the figure belongs to none."),
    "measure": ("code", "What is counted; before a dot the measure, after it the agency, the reason or what was waited for."),
    "group": ("code", "Which part of it; all: every child of these months."),
    "unit": ("code", "Unit of the value: CHILDREN, MINUTES or DAYS."),
    "value": ("integer", "The figure; empty unless the mark is SHOWN."),
    "mark": ("code", "SHOWN, HIDDEN or WAITING."),
}
MARKS: Mapping[Mark, str] = {
    Mark.SHOWN: "The value is published.",
    Mark.HIDDEN: "It is below the threshold, none included, or another that is could be computed from it. Which of the two applies is not"
    " published. A late.… or declined.… without rows is hidden too, not zero. Of a wait or of days: too few children, or places, are behind"
    " it.",
    Mark.WAITING: "Too few children yet: these months are published together with later ones.",
}
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Beginnings that a spreadsheet takes for a formula."""


def figures_csv(releases: Iterable[Published]) -> bytes:
    """Return RFC 4180 CSV, UTF-8, with a header; one figure a row."""
    rows = ([_field(figure, published, name) for name in COLUMNS] for published in releases for figure in published.figures)
    return _csv(list(COLUMNS), rows)


def figures_json(releases: Iterable[Published]) -> bytes:
    """Return a list of releases, each with its release record and its figures."""
    listed = [
        {"release": msgspec.to_builtins(published.made), "figures": [msgspec.to_builtins(figure) for figure in published.figures]}
        for published in releases
    ]
    return msgspec.json.format(msgspec.json.encode(listed), indent=1) + b"\n"


def dictionary_csv(defined: Measures, words: Words) -> bytes:
    """Return columns, units, marks, and in one language terms, measures and the counts of a release.

    A byte order mark begins it, for spreadsheets.
    """
    rows = [(kind, name, type_, meaning, unit, source, query) for kind, name, type_, meaning, unit, source, query in _rows(defined, words)]
    return "\ufeff".encode() + _csv(("kind", "name", "type", "meaning", "unit", "source", "query"), rows)


def dictionary_json(defined: Measures, words: Mapping[str, Words]) -> bytes:
    """Return the dictionary in all languages."""
    document = {
        "columns": [{"name": name, "type": type_, "meaning": meaning} for name, (type_, meaning) in COLUMNS.items()],
        "marks": [{"mark": mark.value, "meaning": meaning} for mark, meaning in MARKS.items()],
        "measures": [
            {
                "measure": id,
                "name": dict(measure.name),
                "definition": dict(measure.definition),
                "unit": str(measure.unit),
                "source": measure.source,
                "query": measure.query,
            }
            for id, measure in defined.measures.items()
        ],
        "terms": [{"term": id, "name": dict(one.name), "definition": dict(one.definition)} for id, one in defined.terms.items()],
        "counted": [
            {"what": what, "meaning": {language: _met(texts)[what] for language, texts in words.items()}}
            for what in _met(next(iter(words.values())))
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def etag(body: bytes) -> str:
    """Return a strong tag: a hash of the bytes."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def safe(text: str) -> str:
    """Return the text so that no spreadsheet runs it as a formula."""
    return f"'{text}" if text.startswith(RISKY) else text


def _field(figure: FigureReleased, published: Published, name: str) -> str:
    if name == "corrects":
        return "" if published.made.corrects is None else str(published.made.corrects)
    value = getattr(figure, name)
    if name == "value":
        return str(value) if figure.mark is Mark.SHOWN and value is not None else ""
    return safe(str(value))


def _met(words: Words) -> dict[str, str]:
    """Return what a release may have counted as excluded or doubtful, with its meaning."""
    start = "counted."
    return {key.removeprefix(start): text for key, text in words.texts.items() if key.startswith(start)}


def _rows(defined: Measures, words: Words) -> Iterable[Sequence[str]]:
    language = words.language
    for name, (type_, meaning) in COLUMNS.items():
        yield "column", name, type_, meaning, "", "", ""
    for mark, meaning in MARKS.items():
        yield "mark", mark.value, "", meaning, "", "", ""
    for unit in (Unit.CHILDREN, Unit.MINUTES, Unit.DAYS):
        yield "unit", unit.value, "", "", "", "", ""
    for id, term in defined.terms.items():
        yield "term", id, "", f"{term.name[language]}. {term.definition[language]}", "", "", ""
    for id, one in defined.measures.items():
        yield "measure", id, "", f"{one.name[language]}. {one.definition[language]}", str(one.unit), one.source, one.query
    for what, text in _met(words).items():
        yield "counted", what, "", text, "", "", ""


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([safe(field) for field in row] for row in rows)
    return text.getvalue().encode()
