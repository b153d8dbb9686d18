"""Write the results of `referral doctor` for node_exporter's textfile collector, so that a timer's red check is an alert."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from referral.ca import files
from referral.cli.admin.doctor_result import Check, Result
from referral.errors import Rejected

NAME = "referral_doctor_check"
ITSELF = "itself"
"""Check that stands in the file alone when doctor did not run to its end: nothing was checked."""
BLIND = Check(name=ITSELF, result=Result.UNCHECKED, said="doctor did not run to its end")


def write(file: Path, checks: Iterable[Check]) -> None:
    """Replace the file by these results. Rejected: it cannot be written, or node_exporter would not read it."""
    if file.suffix != ".prom":
        raise Rejected("name", "--textfile", "node_exporter reads files alone whose name ends in .prom")
    registry = CollectorRegistry()
    result = Gauge(NAME, "1: the check had this result at the last run", ["check", "result"], registry=registry)
    for one in checks:
        result.labels(one.name, one.result).set(1)
    try:
        files.replace(file, generate_latest(registry))
    except OSError as error:
        raise Rejected("unwritable", "--textfile", f"a file that this user may write: {error.strerror}") from None
