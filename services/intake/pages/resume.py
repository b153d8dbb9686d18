"""Carry a form over the end of its session: the page on which the session ends asks to sign in, and the next one sends what was written.

Nothing is stored: the two pages carry the form in hidden fields, as they came. Sections of the case file have drafts instead (`writing`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.intake.pages.forms import Fields

_FORMS = re.compile(
    r"/((offers|calls)/[0-9a-f-]{36}/(answer|take-back)|tasks/[0-9a-f-]{36}/instruct|unverified/[0-9a-f-]{36}/answer"
    r"|(offers|tasks)/[0-9a-f-]{36}/change/(consent|keep-away|age|place))"
)
"""Paths of the forms that are carried. Never one with a password in it."""
AGAIN, KEPT = "again", "kept."
"""Field of the path of the form, and what the names of its own fields begin with."""


@dataclass(frozen=True, slots=True, repr=False)
class Kept:
    """A form that waits for its sender to sign in. again: the path to which it is sent; empty where there is none."""

    again: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def hidden(self) -> Mapping[str, str]:
        """Return the hidden fields of a sign-in form that carries it."""
        return {AGAIN: self.again, **{KEPT + name: value for name, value in self.fields.items()}} if self.again else {}


NOTHING = Kept()


def ended(path: str, form: Fields) -> Kept:
    """Return the form whose session has ended; nothing where the path takes no form that can be carried."""
    if not _FORMS.fullmatch(path):
        return NOTHING
    return Kept(path, {name: value for name, value in form.items() if name != "form"})


def carried(form: Fields) -> Kept:
    """Return the form that a sign-in form carries."""
    again = form.get(AGAIN, "")
    if not _FORMS.fullmatch(again):
        return NOTHING
    return Kept(again, {name.removeprefix(KEPT): value for name, value in form.items() if name.startswith(KEPT)})
