"""The result of one check of `referral doctor`, and the file with which a timer shows all of them to Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from referral.ca import files
from referral.errors import Rejected

SHOWN = 3
"""Faults that a check lists (ours): a row is read at night."""
METRIC = "referral_doctor_check"
BY_RULES: Mapping[str, tuple[str, ...]] = {
    "backup": ("BackupOld", "StandbyBehind"),
    "clock": ("NotReady",),
    "knocks": ("KnocksPaused",),
}
"""Check → the alert rules that judge the same thing by the minute. The file leaves these checks out: a fault is one alert, not two."""
# fmt: off
NAMES = (
    "conservation", "positions", "leases", "sequences", "alarms", "keys", "erasures", "topics", "copies", "outbox", "quarantine", "places",
    "policy", "clock", "duty", "knocks", "rights", "passwords", "tokens", "commands", "events", "walls", "backup", "certificates", "older",
)
# fmt: on
"""Every check, in the order in which an operator should read them."""


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


BLIND = Check(name="itself", result=Result.UNCHECKED, said="doctor did not run to its end")
"""The check that stands in the file alone when doctor did not run to its end: nothing was checked."""


def check(name: str, bad: Iterable[str], good: str, do: str, warn: Iterable[str] = ()) -> Check:
    """Return a check that is bad if `bad` yields anything, else a warning if `warn` does; it lists the first SHOWN."""
    for result, faults in ((Result.BAD, list(bad)), (Result.WARN, list(warn))):
        if faults:
            more = f" … and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
            return Check(name=name, result=result, said="; ".join(faults[:SHOWN]) + more, do=do)
    return Check(name=name, result=Result.GOOD, said=good)


def write(file: Path, checks: Iterable[Check]) -> None:
    """Replace the file by these results. Rejected: it cannot be written, or node_exporter would not read it."""
    if file.suffix != ".prom":
        raise Rejected("name", "--textfile", "node_exporter reads files alone whose name ends in .prom")
    registry = CollectorRegistry()
    result = Gauge(METRIC, "1: the check had this result at the last run", ["check", "result"], registry=registry)
    for one in checks:
        if one.name not in BY_RULES:
            result.labels(one.name, one.result).set(1)
    try:
        files.replace(file, generate_latest(registry))
    except OSError as error:
        raise Rejected("unwritable", "--textfile", f"a file that this user may write: {error.strerror}") from None
