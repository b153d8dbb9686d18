"""Parse and check the forms of the pages. Pure. An error names a field and a text of words.yaml; entered values are always kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from services.intake.messages.responses import WORDS_LIMIT
from services.intake.model import Offer
from services.intake.pages.offer import possible

BODY_LIMIT = 256 * 1024
"""Most bytes of a form: two texts of WORDS_LIMIT Cyrillic letters, six bytes each when encoded, and room."""
FIELDS = 40
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
_WRITING = re.compile(r"/(offers/[0-9a-f-]{36}/write|(offers|tasks)/[0-9a-f-]{36}/change/(consent|keep-away|age|place))")
Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Entered:
    """The entered values of an answer or instruction.

    errors: field → key of words.yaml; empty when it can be sent.
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


def answer(form: Fields, offer: Offer) -> Entered:
    """Return the answer in a form, checked against the offer."""
    word = form.get("word", "")
    reason, code = form.get("reason", ""), form.get("code", "")
    texts = {need: form.get(f"need.{need}", "").strip() for need in offer.needs} if word == "DECIDE" else {}
    errors: dict[str, str] = {}
    if word not in possible(offer):
        errors["top"] = "error.word"
    if word in ("DECLINE", "HOLD", "RETURN") and not reason:
        errors["reason"] = "error.reason"
    if word == "DECIDE":
        if not code:
            errors["code"] = "error.code"
        errors |= {f"need.{need}": "error.need" for need, text in texts.items() if not text}
        errors |= {f"need.{need}": "error.long" for need, text in texts.items() if len(text) > WORDS_LIMIT}
    spoke = form.get("spoke", "").strip()
    if len(spoke) > SPOKE_LIMIT:
        errors["spoke"] = "error.long"
    return Entered(word=word, reason=reason, code=code, spoke=spoke, texts=texts, errors=errors)


def instruction(form: Fields, words: tuple[str, ...], choices: Mapping[str, str]) -> Entered:
    """Return the instruction in a form. words: instructions that the page offers. choices: instruction → the field of its target."""
    word, reason, how = form.get("word", ""), form.get("reason", ""), form.get("how", "")
    target = form.get(choices[word], "") if word in choices else ""
    errors: dict[str, str] = {}
    if word not in words:
        errors["top"] = "error.word"
    if not reason:
        errors["reason"] = "error.reason"
    if word in choices and not target and word != "REOPEN":
        errors[choices[word]] = "task.needed"
    if word == "LINK" and not how:
        errors["how"] = "task.needed"
    return Entered(word=word, reason=reason, target=target, how=how, errors=errors)


def here(path: str) -> str:
    """Return the path if it is a page of ours, else the inbox, so that a link cannot lead to another site."""
    return path if _HERE.fullmatch(path) or _WRITING.fullmatch(path) else "/inbox"
