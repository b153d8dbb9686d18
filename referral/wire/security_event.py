"""The security event: one row of `audit.security`, to which services only add. It has closed words and ids of ours, nothing that somebody
typed.

Decision 0050 says why it is a table and no topic.
"""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from referral.domain.local_time import local


class Kind(StrEnum):
    """Kind of a security event.

    SIGNED_IN, SIGNED_OUT: of a person or an office; detail: page, new-device, basic or token.
    REFUSED: a wrong password, token or code; detail: which. THROTTLED: refused unread, after too many of them.
    PASSWORD_SET: detail: own, or invitation (with a code that is good once).
    DENIED: somebody whom we know asked for what the table of rights refuses; detail: the code of the refusal.
    FILE_READ: of a case; detail: a keyed digest of it, so that cases can be counted. READ_OFF_DUTY: the same by night, about nothing new.
    LOG_READ: an auditor's, or a command's; detail: page, replay or export. HONEY: somebody used what nobody has a use for.
    """

    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    REFUSED = "refused"
    THROTTLED = "throttled"
    PASSWORD_SET = "password-set"  # noqa: S105 - a word, no secret
    DENIED = "denied"
    FILE_READ = "file-read"
    READ_OFF_DUTY = "read-off-duty"
    LOG_READ = "log-read"
    HONEY = "honey"


SPRAYED = "sprayed"
"""Detail of a REFUSED that counts no single sign-in: somebody tries one password at many logins."""
UNKNOWN, OTHERS = "unknown", "others"
"""Names for somebody whom we do not know, and for several whom a row counts."""
KEPT_DAYS = 365
"""Days until an event is removed (P8: one year): who asks later than that has the log, which is for ever."""
FORMS = {
    "who": re.compile(rf"{UNKNOWN}|{OTHERS}|(account|agency|office):[A-Za-z0-9._-]{{1,80}}"),
    "detail": re.compile(r"[a-z0-9-]{0,60}"),
    "place": re.compile(r"[0-9a-f]{0,12}"),
}
"""Forms that a row may hold; the table refuses others."""
DIGITS = 12
"""Hexadecimal digits of a digest in an event: enough to tell two apart."""
NIGHT_FROM, NIGHT_TO = 22, 6
"""Hours in Kosovo between which nobody reads without a new question (P). The roster is no measure: it names whom we knock, and a social
worker who reads by day has no shift."""


class Event(Struct, frozen=True, kw_only=True):
    """Event of security. who: kind:id, or UNKNOWN. detail: a word. place: begin of a keyed digest of the address. times: how often."""

    kind: Kind
    who: str = UNKNOWN
    detail: str = ""
    place: str = ""
    times: int = 1

    def __post_init__(self) -> None:
        for name, form in FORMS.items():
            if not form.fullmatch(getattr(self, name)):
                raise ValueError(f"a security event's {name} has another form")


class Row(Event, frozen=True, kw_only=True):
    """An event in its table. at: µs UTC. service: who wrote it, as the database knows. idx: entry of the log that seals it, if any."""

    id: int
    at: int
    service: str
    idx: int | None


def account(id_: str) -> str:
    """Return who an account is; UNKNOWN for none."""
    return f"account:{id_}" if id_ else UNKNOWN


def agency(id_: str) -> str:
    """Return who an agency is; UNKNOWN for none."""
    return f"agency:{id_}" if id_ else UNKNOWN


def office(name: str) -> str:
    """Return who an office is; UNKNOWN for none."""
    return f"office:{name}" if name else UNKNOWN


def word(code: str) -> str:
    """Return a code as a detail; `other` where it is none."""
    return code if FORMS["detail"].fullmatch(code) else "other"


def by_night(at: int) -> bool:
    """Return whether a time, µs UTC, is outside of the hours in which people read."""
    hour = local(at).hour
    return hour >= NIGHT_FROM or hour < NIGHT_TO
