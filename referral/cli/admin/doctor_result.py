"""The result of one check of `referral doctor`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct, structs

SHOWN = 3
"""Faults that a check lists (ours): a row is read at night."""


class Result(StrEnum):
    """WARN: an operator must act within weeks, or somebody has dealt with it; nothing is broken, and the exit code stays 0."""

    GOOD = "good"
    WARN = "warn"
    BAD = "BAD"
    UNCHECKED = "not checked"


class Check(Struct, frozen=True, kw_only=True):
    """The result of one check. do: the operator's remedy; empty where none is needed."""

    name: str
    result: Result
    said: str
    do: str = ""


def check(name: str, bad: Iterable[str], good: str, do: str) -> Check:
    """Return a check that is bad if `bad` yields anything; it lists the first SHOWN."""
    faults = list(bad)
    if not faults:
        return Check(name=name, result=Result.GOOD, said=good)
    more = f" … and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return Check(name=name, result=Result.BAD, said="; ".join(faults[:SHOWN]) + more, do=do)


def warned(name: str, bad: Iterable[str], warn: Iterable[str], good: str, do: str) -> Check:
    """Return a check that is bad if `bad` yields anything, else a warning if `warn` does."""
    found = check(name, bad, good, do)
    if found.result is Result.BAD or (late := check(name, warn, good, do)).result is Result.GOOD:
        return found
    return structs.replace(late, result=Result.WARN)
