"""Definitions that are plainly made up."""

from __future__ import annotations

from msgspec import Struct

NAMES = ["children", "municipality", "sex-age", "stage", "rung", "declined", "late", "unanswered", "duplicate", "withdrawn", "wait", "full"]


class Measure(Struct, frozen=True):
    name: dict[str, str]
    definition: dict[str, str]
    unit: str
    source: str
    query: str


MEASURES = {
    name: Measure(
        name={language: f"{name} ({language})" for language in ("sq", "sr-Latn", "sr-Cyrl", "en")},
        definition=dict.fromkeys(("sq", "sr-Latn", "sr-Cyrl", "en"), f"Made up, of {name}."),
        unit="CHILDREN",
        source="=made up",
        query="none",
    )
    for name in NAMES
}
