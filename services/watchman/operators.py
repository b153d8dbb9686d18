"""Read the list of the operators whom the watchman calls. Nothing of it is ever logged: an operator is known by the place in the list."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import yaml
from msgspec import Struct

from referral import file_rights
from referral.errors import Rejected

LEAST = 2
"""Operators at least (the issue): one person sleeps too deeply, or is on a plane."""
REPEAT_MINUTES = 3.0
"""Minutes between the last operator of the list and the first one again, if the file does not say (ours; oncall#2622)."""
WHERE = "REFERRAL_WATCHMAN_OPERATORS"
SHAPE = "see docs/operators.md, A watchman, for its form"


class Operator(Struct, frozen=True, forbid_unknown_fields=True):
    """One person. language: of the words. voice, sms: numbers with their country, +383…. email: an address. Empty: not by this channel."""

    language: Literal["sq", "sr-Latn", "sr-Cyrl", "en"]
    voice: str = ""
    sms: str = ""
    email: str = ""

    def address(self, channel: str) -> str:
        """Return the address for a channel; empty: none."""
        return {"voice": self.voice, "sms": self.sms, "email": self.email}[channel]

    def __repr__(self) -> str:
        return "Operator()"


class Operators(Struct, frozen=True, forbid_unknown_fields=True):
    """The list, in the order of the calls. repeat_minutes: pause after the last one, before the first is called again."""

    operators: tuple[Operator, ...]
    repeat_minutes: float = REPEAT_MINUTES


def read(path: Path, loud: str) -> Operators:
    """Return the list of a YAML file. loud: the channel that wakes somebody.

    Rejected: no such file, others may read it, another form, or too few people who can be woken. The text quotes nothing of the file.
    """
    try:
        if file_rights.exposed(path):
            raise Rejected("readable", WHERE, f"it holds private numbers, and others than its owner may read it: chmod 600 {path}")
        written = yaml.safe_load(path.read_text("utf-8"))
    except OSError:
        raise Rejected("unreadable", WHERE, f"a file that this process may read; {SHAPE}") from None
    except (yaml.YAMLError, UnicodeError):
        raise Rejected("malformed", WHERE, f"this is no YAML; {SHAPE}") from None
    try:
        found = msgspec.convert(written, Operators)
    except msgspec.ValidationError as error:
        at = str(error).rpartition(" - at ")[2] if " - at " in str(error) else ""
        raise Rejected("malformed", WHERE, f"{at or 'the file'} is not as it must be; {SHAPE}") from None
    if sum(bool(one.address(loud)) for one in found.operators) < LEAST:
        raise Rejected("too-few", WHERE, f"name at least {LEAST} people with `{loud}`: one alone may not hear it")
    return found
