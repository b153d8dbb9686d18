"""Where each field of HTCDS goes: htcds.yaml as values. Read once, by whoever makes the door."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml
from msgspec import Struct, field

FILE = Path(__file__).with_name("htcds.yaml")


class Field(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field; the words are explained at the head of the file. of, list: what is allowed, by the standard or by a list of the policy."""

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
        """Whether a cell holds several words."""
        return self.type in ("many", "codes", "countries", "actors")


class Fields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """fields: by name. languages: ISO 639 → ours. domestic: ISO 3166 codes of here."""

    fields: dict[str, Field]
    languages: dict[str, str]
    domestic: tuple[str, ...]


def load(path: Path = FILE) -> Fields:
    """The table. Raises msgspec.ValidationError naming the place of what is not understood."""
    return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Fields)
