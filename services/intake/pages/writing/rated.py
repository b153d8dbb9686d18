"""Put a form that several agencies fill in words: what it points to and why, and who answered what. Pure. It shows no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from referral.domain.policy.directory import Section
from referral.runtime.i18n import Name, Words
from services.intake.casefile import fields
from services.intake.casefile.fields import UNKNOWN, Codes
from services.intake.casefile.filled import NOT_ASKED
from services.intake.messages.timestamps import micros
from services.intake.pages.writing import content


class Said(Struct, frozen=True, kw_only=True):
    """One agency's answer. agency: empty for whoever referred the case, where the reader may not know. at: µs UTC."""

    agency: str
    at: int
    answer: str


class Rated(Struct, frozen=True, kw_only=True):
    """What a form says. level: a code of the decision. because: (question, answer) of what makes it so. rows: each question with whoever
    answered it."""

    level: str
    until_asked: bool
    because: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Said]]]


def rated(section: Section, stored: Mapping[str, Any], name: Name, say: Words, codes: Codes, level: str = "") -> Rated:
    """Return a form in words. stored: as readers get it. level: of the step, where it does not decide the one that the form points to."""
    words = {"yes": say("yes"), UNKNOWN: say("write.unknown"), NOT_ASKED: say("form.not-asked")}
    because = [(content.label(one.names, say), words[stored["because"][one.id]]) for one in section.fields if one.id in stored["because"]]
    each = [
        (one["agency"], micros(datetime.fromisoformat(one["at"])), fields.entries(section, one["content"], codes))
        for one in stored["entries"]
    ]
    rows = [
        (
            content.label(one.names, say),
            [Said(agency=who, at=at, answer=content.shown(one, said[one.id], name, say)) for who, at, said in each if said[one.id]],
        )
        for one in section.fields
    ]
    answered = [row for row in rows if row[1]]
    return Rated(level=level or stored["points_to"], until_asked=stored["until_asked"], because=because, rows=answered)
