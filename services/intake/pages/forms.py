"""Parse and check the forms of the pages, and carry one over the end of its session. Pure.

An error names a field and a text of the pages' words; entered values are always kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

BODY_LIMIT = 256 * 1024
"""Most bytes of a form: two texts of WORDS_LIMIT Cyrillic letters, six bytes each when encoded, and room."""
FIELDS = 160
"""Most fields of a form (ours): the questions of "What is known" are some sixty, with a box for each language."""
SPOKE_LIMIT = 100
"""Most characters of whom a desk spoke to (ours): a name and a service number."""
SECTION = "f."
"""Begins the name of each field of a section of the case file, so that none collides with one of ours."""
PASSWORDS = frozenset({"password", "new", "repeat"})
"""Fields of passwords: their values stay as typed."""
WRITTEN = ("need.", SECTION)
"""Begin the names of fields that are shown again when a form comes after its session has ended."""
_HERE = re.compile(
    r"/(inbox|overview|refer|unverified|invitation|agency|me|exercises|(agency|me)/[a-z]+"
    r"|(offers|calls|tasks|unverified|exercises|agency/person)/[0-9a-f-]{36})"
)
_SPACE = re.compile(r"[^\S\n]")
_WRITING = re.compile(r"/(offers/[0-9a-f-]{36}/write|(offers|tasks)/[0-9a-f-]{36}/change/(known|consent|keep-away|age|place))")
Fields = Mapping[str, str]
SURE, YES = "sure", "yes"
"""Field of the form that means what it ends, after it was asked about once, and its value."""
ENDING = frozenset({"COMPLETE", "RETURN", "CLOSE", "STOP", "OVERTAKEN"})
"""Answers and instructions that end something: a tap too many at 03:00 must not do it."""


_CARRIED = re.compile(
    r"/((offers|calls)/[0-9a-f-]{36}/(answer|take-back)|tasks/[0-9a-f-]{36}/instruct|unverified/[0-9a-f-]{36}/answer"
    r"|(offers|tasks)/[0-9a-f-]{36}/change/(known|consent|keep-away|age|place))"
)
"""Paths of the forms that are carried over the end of their session. Never one with a password in it."""
AGAIN, KEPT = "again", "kept."
"""Field of the path of a carried form, and what the names of its own fields begin with."""


@dataclass(frozen=True, slots=True, repr=False)
class Entered:
    """The entered values of an answer or instruction.

    errors: field → key of a text; empty when it can be sent.
    refusal: code of the refusal.
    """

    word: str = ""
    reason: str = ""
    code: str = ""
    target: str = ""
    how: str = ""
    spoke: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""


def fields(body: bytes) -> dict[str, str] | None:
    """Return the fields of a form in UTF-8, the last of each name; None when the body is no such form. Passwords stay as typed."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=FIELDS)
    except ValueError:
        return None
    return {name: value if name in PASSWORDS else _clean(value) for name, value in pairs}


def _clean(value: str) -> str:
    """Return a value with plain line ends, and without control characters, which PostgreSQL and readers refuse.

    Mostly by functions of the interpreter: a loop over each character of the largest forms kept everybody else waiting.
    """
    lines = _SPACE.sub(" ", value.replace("\r\n", "\n")).split("\n")
    return "\n".join(line if line.isprintable() else "".join(filter(str.isprintable, line)) for line in lines)


def here(path: str) -> str:
    """Return the path if it is a page of ours, else the inbox, so that a link cannot lead to another site."""
    return path if _HERE.fullmatch(path) or _WRITING.fullmatch(path) else "/inbox"


def asks(form: Fields, word: str) -> bool:
    """Return whether a word ends something, and the person has not said yet that they mean it."""
    return word in ENDING and form.get(SURE) != YES


@dataclass(frozen=True, slots=True, repr=False)
class Carried:
    """A form that waits for its sender to sign in. again: the path to which it is sent; empty where there is none.

    Nothing is stored: the page on which the session ends, and the next one, carry it in hidden fields, as it came. Sections of the case
    file have drafts instead (`writing.sections`).
    """

    again: str = ""
    fields: Fields = field(default_factory=dict)

    @property
    def hidden(self) -> Fields:
        """Return the hidden fields of a sign-in form that carries it."""
        return {AGAIN: self.again, **{KEPT + name: value for name, value in self.fields.items()}} if self.again else {}


NOTHING = Carried()


def ended(path: str, form: Fields) -> Carried:
    """Return the form whose session has ended; nothing where the path takes no form that can be carried."""
    if not _CARRIED.fullmatch(path):
        return NOTHING
    return Carried(path, {name: value for name, value in form.items() if name != "form"})


def carried(form: Fields) -> Carried:
    """Return the form that a sign-in form carries."""
    again = form.get(AGAIN, "")
    if not _CARRIED.fullmatch(again):
        return NOTHING
    return Carried(again, {name.removeprefix(KEPT): value for name, value in form.items() if name.startswith(KEPT)})
