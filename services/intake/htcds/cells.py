"""Parse one cell of an HTCDS record into a value, or refuse it with what is allowed. Pure; an error never repeats the value that was
sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

from referral.errors import Rejected
from services.intake.htcds.fields import Field
from services.intake.messages import submission
from services.intake.policy_view import Lists

Value = str | int | float | bool | list[str]
TEXT_LIMIT = 10_000
"""Most characters of one cell (ours): as of one recorded text."""
_CHECKS: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_COUNTRY = re.compile(r"[A-Z]{2,3}")


def value(field: Field, text: str, lists: Lists, where: str) -> Value:
    """Return the value of a cell. Rejected(out-of-range | unknown-code | repeated-code | wrong-type) at `where`."""
    if len(text) > TEXT_LIMIT:
        raise Rejected("out-of-range", where, f"a cell has at most {TEXT_LIMIT} characters")
    if field.several:
        return _several(field, text, lists, where)
    return _KINDS[field.type](field, text, lists, where)


def day(text: str, where: str) -> date:
    """Return a date written as YYYY-MM-DD."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise Rejected("wrong-type", where, "write a date that exists as YYYY-MM-DD") from None


def _several(field: Field, text: str, lists: Lists, where: str) -> list[str]:
    words = [word.strip() for word in text.split(";") if word.strip()]
    convert = {"many": _one, "codes": _code, "countries": _country, "actors": _actor}[field.type]
    words = [convert(field, word, lists, where) for word in words]
    if len(set(words)) != len(words):
        raise Rejected("repeated-code", where, "name each word once")
    return words


def _text(field: Field, text: str, lists: Lists, where: str) -> str:
    return text


def _one(field: Field, text: str, lists: Lists, where: str) -> str:
    if text not in field.of:
        raise Rejected("unknown-code", where, f"use one of: {', '.join(field.of)}")
    return text


def _code(field: Field, text: str, lists: Lists, where: str) -> str:
    return lists.word(field.list, text, where)


def _date(field: Field, text: str, lists: Lists, where: str) -> str:
    return day(text, where).isoformat()


def _checkbox(field: Field, text: str, lists: Lists, where: str) -> bool:
    if text.lower() not in _CHECKS:
        raise Rejected("wrong-type", where, "write true or false")
    return _CHECKS[text.lower()]


def _number(field: Field, text: str, lists: Lists, where: str) -> int:
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII):
        raise Rejected("wrong-type", where, "write a whole number, 0 to 9999")
    return int(text)


def _decimal(field: Field, text: str, lists: Lists, where: str) -> float:
    if not re.fullmatch(r"-?\d{1,3}(\.\d{1,15})?", text, re.ASCII):
        raise Rejected("wrong-type", where, "write degrees with a point, such as 42.2139")
    return float(text)


def _actor(field: Field, text: str, lists: Lists, where: str) -> str:
    try:
        return submission.excludes((text,), lists, where)[0]
    except Rejected as fault:
        raise Rejected(fault.code, where, fault.hint) from None


def _language(field: Field, text: str, lists: Lists, where: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise Rejected("unknown-code", where, "use a language code of ISO 639-2, such as alb, srp or rom")
    return text


def _country(field: Field, text: str, lists: Lists, where: str) -> str:
    if not _COUNTRY.fullmatch(text):
        raise Rejected("unknown-code", where, "use country codes of ISO 3166, such as XK or AL, with ; between")
    return text


_KINDS: Mapping[str, Callable[[Field, str, Lists, str], Value]] = {
    "text": _text,
    "one": _one,
    "code": _code,
    "date": _date,
    "checkbox": _checkbox,
    "number": _number,
    "decimal": _decimal,
    "language": _language,
    "country": _country,
}
