"""Audit's process: the only wiring."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prometheus_client import Counter

from referral.proof.entry import Entry
from referral.runtime.observe import log
from referral.runtime.service import Service, run
from referral.runtime.settings import load
from referral.wire import schema
from services.audit import says
from services.audit.handle import Audit
from services.audit.ingest import Says

ALARMS = Counter("referral_audit_alarms", "Forks and gaps among the entries.", ["kind"])
"""Worry at the first, at once: somebody writes who should not, or a record is missing. `referral audit verify` names the entry."""


def alarm(entries: Sequence[Entry]) -> None:
    """Say aloud what should not be there."""
    for entry in entries:
        ALARMS.labels(entry.kind).inc()
        place = {"topic": entry.topic, "partition": entry.partition, "offset": entry.offset}
        log().error("audit alarm", service="audit", reason=entry.kind, number=entry.idx, case_id=entry.case_id, seq=entry.case_seq, **place)


def service(own: Sequence[Says] = ()) -> Service:
    """What the loop is told about audit. own: what it says itself."""
    topics = ("referral-intake", "referral-routing", "referral-notification", "referral-policy", "referral-quarantine")
    audit = Audit(alarm, own)
    return Service(name="audit", reads=topics, handle=audit.handle, one_unit=True, against=lambda: audit.against)


if __name__ == "__main__":
    asyncio.run(run(service(says.schemas(schema.load(load().schemas)))))
