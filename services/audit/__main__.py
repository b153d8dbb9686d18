"""Audit's process: the only wiring."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prometheus_client import Counter

from referral.proof.entry import Entry
from referral.runtime.observe import log
from referral.runtime.service import Service, run
from services.audit.handle import Audit

ALARMS = Counter("referral_audit_alarms", "Forks and gaps among the entries.", ["kind"])
"""Worry at the first, at once: somebody writes who should not, or a record is missing. `referral audit verify` names the entry."""


def alarm(entries: Sequence[Entry]) -> None:
    """Say aloud what should not be there."""
    for entry in entries:
        ALARMS.labels(entry.kind).inc()
        place = {"topic": entry.topic, "partition": entry.partition, "offset": entry.offset}
        log().error("audit alarm", service="audit", reason=entry.kind, number=entry.idx, case_id=entry.case_id, seq=entry.case_seq, **place)


def service() -> Service:
    """What the loop is told about audit."""
    topics = ("referral-intake", "referral-routing", "referral-notification", "referral-policy", "referral-quarantine")
    return Service(name="audit", reads=topics, handle=Audit(alarm).handle, one_unit=True)


if __name__ == "__main__":
    asyncio.run(run(service()))
