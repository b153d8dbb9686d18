"""The reading entry: somebody is about to open cases of the log. Audit appends it before anything is shown or a key is lent."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import UNSET, DecodeError, Struct, UnsetType, json

from referral.errors import Malformed

OPERATOR = "operator"
"""The reader of every command beside the running system: whoever may use its master key. An auditor reads with a token or an export."""


TOKEN = re.compile(r"token:[0-9a-f]{16}")
"""Subject of a token, as `act.token` writes it."""


class How(StrEnum):
    """The way of a reading. PAGE: the auditor's page. EXPORT: `audit export` lent keys. REPLAY, FIGURES: these commands opened cases."""

    PAGE = "PAGE"
    EXPORT = "EXPORT"
    REPLAY = "REPLAY"
    FIGURES = "FIGURES"


class Reading(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of a READING entry (JSON). The entry's `logged_at` is its time.

    reader: the office that a token names, or OPERATOR; never a person.
    cases: the ids of the cases; empty: all.
    lent: SHA-256 of the auditor's public key (DER), hexadecimal, to which keys were lent; empty: to none.
    token: subject of the token with which somebody signed in (`act.token`). Missing: none, or an entry of before. An operator typed the
    reader's name; the ADMINISTRATION entry about the same subject names the two operators who made the token.
    """

    reader: str
    how: How
    cases: tuple[str, ...] = ()
    lent: str = ""
    token: str | UnsetType = UNSET

    def encode(self) -> bytes:
        return json.encode(self, order="sorted")

    def __str__(self) -> str:
        what = f"case {', '.join(self.cases)}" if self.cases else "all cases"
        match self.how:
            case How.EXPORT:
                return f"the {self.reader} lends the keys of {what} to the auditor's key {self.lent[:16]}"
            case How.PAGE:
                made = "" if self.token is UNSET else f", with {self.token}, which operators made: find the act of that number"
                return f"{self.reader} opens {what} on the auditor's page{made}"
            case _:
                return f"the {self.reader} opens {what} with `audit {self.how.lower()}`"


def parse(value: bytes) -> Reading:
    """Parse the value of a reading entry. Malformed."""
    try:
        found = json.decode(value, type=Reading)
    except DecodeError as error:
        raise Malformed("reading", str(error)) from None
    if found.token is not UNSET and not TOKEN.fullmatch(found.token):
        raise Malformed("reading", "its token has another form")
    return found
