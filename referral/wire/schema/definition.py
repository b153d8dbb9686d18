"""What a schema file says, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class SchemaError(Exception):
    """A schema file breaks a rule. The message names file, field and what to do."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One file.

    type: e.g. offer-opened.v1. name: of the record. topic: where it travels, None for a shared type. uses: shared types, by type.
    definition: as written, every reference expanded. canonical: Avro's parsing canonical form. fingerprint: its CRC-64-AVRO, signed.
    """

    type: str
    stem: str
    version: int
    name: str
    topic: str | None
    uses: tuple[str, ...]
    definition: Json
    canonical: str
    fingerprint: int
    path: Path

    def __repr__(self) -> str:
        return f"Schema({self.type} {self.fingerprint:#x})"


@dataclass(frozen=True, slots=True)
class Schemas:
    """All schemas of a folder, every version."""

    by_type: Mapping[str, Schema]
    by_fingerprint: Mapping[int, Schema]

    def versions(self, stem: str) -> list[Schema]:
        """Every version of a stem, oldest first; empty for an unknown one."""
        return sorted((s for s in self.by_type.values() if s.stem == stem), key=lambda s: s.version)

    def newest(self) -> dict[str, Schema]:
        """Stem → its newest version: what the program writes."""
        return {stem: self.versions(stem)[-1] for stem in dict.fromkeys(s.stem for s in self.by_type.values())}

    def bodies(self) -> Iterator[Schema]:
        """The schemas that travel: those with a topic."""
        return (s for s in self.by_type.values() if s.topic)
