"""Load htcds.yaml, which maps each HTCDS field to a section or a trait. The wiring of the HTTP handlers reads it once."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct, field

FILE = Path(__file__).with_name("htcds.yaml")


class Field(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field; the head of htcds.yaml explains its attributes. of, list: allowed values, by the standard or by a list of the policy."""

    type: str
    source: str
    core: bool = False
    of: tuple[str, ...] = ()
    list: str = ""
    section: str = ""
    name: str = field(name="as", default="")
    trait: str = ""
    words: dict[str, str] = {}
    tells: str = ""
    refuses: dict[str, str] = {}
    unless: str = ""
    left: str = ""

    @property
    def several(self) -> bool:
        """Return True if a cell may hold several words."""
        return self.type in ("many", "codes", "countries", "actors")


class Fields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table of HTCDS fields.

    fields: by name.
    languages: ISO 639 → ours.
    domestic: ISO 3166 codes of this country.
    """

    fields: dict[str, Field]
    languages: dict[str, str]
    domestic: tuple[str, ...]


def load(path: Path = FILE) -> Fields:
    """Return the table. Raises msgspec.ValidationError with the place that is not understood."""
    return msgspec.yaml.decode(path.read_bytes(), type=Fields)
