"""Records of the roster's book, as a reader of the log has them."""

from __future__ import annotations

from referral.domain.events import AccountChanged, Meta, RosterChanged
from referral.domain.inputs import ROSTER_BOOK
from referral.proof.entry import INTAKE, NOTIFICATION, Entry, Kind
from referral.proof.history.case import Read
from referral.wire import codec

BESA = "00000000-0000-4000-8000-000000000001"


def logged(number: int, event: AccountChanged | RosterChanged) -> Read:
    topic = INTAKE if isinstance(event, AccountChanged) else NOTIFICATION
    kind = Kind.EVENT
    entry = Entry(idx=number, kind=kind, topic=topic, partition=0, offset=number, kafka_time=0, key=None, value=b"", sha256=b"")
    meta = Meta(
        event_id=BESA,
        type=event.TYPE,
        fingerprint=codec.fingerprint(event.TYPE),
        case_id=ROSTER_BOOK,
        case_seq=number,
        cause_id=BESA,
        recorded_at=0,
        source="intake",
        drill=False,
    )
    return Read(entry=entry, meta=meta, body_bytes=codec.encode(event))
