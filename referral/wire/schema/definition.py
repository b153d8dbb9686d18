"""Values of parsed schema files: one `Schema` per file, `Schemas` for a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class SchemaError(Exception):
    """A schema file breaks a rule. The message names file, field and correction."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One schema file.

    type: e.g. offer-opened.v1; stem and version are its parts.
    name: the record's name.
    topic: the topic of its events; None for a shared type.
    uses: types of the shared schemas that it refers to.
    definition: the JSON with every reference expanded.
    canonical: Avro's parsing canonical form.
    fingerprint: CRC-64-AVRO of the canonical form, signed.
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
    """All schemas of a folder, in every version."""

    by_type: Mapping[str, Schema]
    by_fingerprint: Mapping[int, Schema]

    def versions(self, stem: str) -> list[Schema]:
        """Return every version of a stem, oldest first; empty for an unknown stem."""
        return sorted((s for s in self.by_type.values() if s.stem == stem), key=lambda s: s.version)

    def newest(self) -> dict[str, Schema]:
        """Return stem → its newest version, which the program writes."""
        return {stem: self.versions(stem)[-1] for stem in dict.fromkeys(s.stem for s in self.by_type.values())}

    def bodies(self) -> Iterator[Schema]:
        """Return the schemas with a topic."""
        return (s for s in self.by_type.values() if s.topic)
