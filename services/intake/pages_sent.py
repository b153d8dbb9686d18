"""After an answer: the page that says that it is kept, or what is wrong with it. Pure.

The link back carries word and time with a mark that only we can make for this visit: nobody can send a link that claims an answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.datastructures import QueryParams

from referral.errors import Rejected
from referral.runtime.words import Words
from services.intake import words_time
from services.intake.pages_form import Entered
from services.intake.pages_visit import Visit

_FIELDS = {"$.reason": ("reason", "error.reason"), "$.code": ("code", "error.code"), "$.word": ("top", "error.word")}
_KEYS = {"key-reused": "error.key"}


@dataclass(frozen=True, slots=True)
class Sent:
    """What was taken, in words, and when."""

    title: str
    time: str


def link(where: str, word: str, at: int, token: str) -> str:
    """The page of an offer or task, saying what was just taken. at: µs UTC."""
    return f"{where}?sent={word}.{at}.{_mark(where, word, at, token)}"


def told(query: QueryParams, where: str, visit: Visit, say: Words, start: str) -> Sent | None:
    """What such a link says; None without one, or for one that we did not make. start: of the texts for its word."""
    word, _, rest = query.get("sent", "").partition(".")
    at, _, mark = rest.partition(".")
    if not (at.isascii() and at.isdecimal() and len(at) <= 18) or not hmac.compare_digest(
        mark.encode(), _mark(where, word, int(at), visit.token).encode()
    ):
        return None
    title = "sent.title" if start == "word" else "task.sent"
    return Sent(title=say(title, word=say(f"{start}.{word}")), time=words_time.clock(say, int(at), visit.now))


def _mark(where: str, word: str, at: int, token: str) -> str:
    return hmac.new(token.encode(), f"sent {where} {word} {at}".encode(), "sha256").hexdigest()[:32]


def refused(entered: Entered, why: Rejected) -> Entered:
    """The answer with what the door found wrong, beside the field it is about."""
    errors: Mapping[str, str]
    if why.code in _KEYS:
        errors = {"top": _KEYS[why.code]}
    elif why.where in _FIELDS:
        errors = dict([_FIELDS[why.where]])
    elif why.where.startswith("$.texts."):
        errors = {f"need.{why.where.removeprefix('$.texts.')}": "error.need"}
    else:
        errors = {"top": "error.refused"}
    return replace(entered, errors=errors, refusal=why.code)
