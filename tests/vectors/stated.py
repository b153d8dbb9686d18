"""Short logs of rare findings: what audit states and is not so, two true writers of one sequence, clocks and acts that come late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import UNSET, structs

from referral.proof.entry import Gap, Kind, digest
from referral.wire.schema.load import fingerprint_of
from tests.harness.audit_log import MINUTE
from tests.vectors import own
from tests.vectors.leaves import AT, CASE
from tests.vectors.short_log import Short

SCHEMA = b'{"fields":[],"name":"Nothing","namespace":"referral","type":"record"}'


def _gap(log: Short) -> None:
    """A GAP that says another sequence than came."""
    log.knock()
    log.knock(seq=3)
    value = Gap(topic="referral-notification", case_id=CASE, expected=2, came=4).encode()
    log.change(1, value=value, sha256=digest(value))


def _gap_hides(log: Short) -> None:
    """A GAP whose value is none."""
    log.knock()
    log.knock(seq=3)
    log.change(1, value=b"hello", sha256=digest(b"hello"))


def _gap_elsewhere(log: Short) -> None:
    """A GAP at another position than the record behind it."""
    log.knock()
    log.knock(seq=3)
    log.change(1, offset=90)


def _schema(log: Short) -> None:
    """A SCHEMA entry of its own fingerprint."""
    log.own(Kind.SCHEMA, SCHEMA)
    log.change(0, type="nothing.v1", fingerprint=fingerprint_of(SCHEMA))


def _schema_other(log: Short) -> None:
    """A SCHEMA entry of another fingerprint."""
    _schema(log)
    log.change(0, fingerprint=fingerprint_of(SCHEMA) ^ 1)


def _schema_none(log: Short) -> None:
    """A SCHEMA entry whose value is no schema."""
    log.own(Kind.SCHEMA, b"hello")


def _own_meta(log: Short) -> None:
    """One of audit's own entries names a case."""
    log.own(Kind.COVER, bytes([0xC0]) * 16)
    log.change(0, case_id=CASE)


def _late(log: Short) -> None:
    """A record that the broker had two minutes after it was recorded, and nothing in between: a note."""
    entry = log.knock()
    log.change(0, kafka_time=entry.kafka_time + 120_000, logged_at=entry.logged_at + 2 * MINUTE)


def _broker_away(log: Short) -> None:
    """The broker has not answered for six minutes."""
    for _ in range(7):
        log.beat(None)
        log.now += MINUTE


def _dated(log: Short) -> None:
    """An act that is dated before heartbeats that stand before it."""
    log.now = AT
    for _ in range(8):
        log.beat({})
        log.now += MINUTE
    act = structs.replace(own.PLAIN, id="0e" * 16, command="staff disable", second=UNSET, at=AT - MINUTE)
    log.own(Kind.ADMINISTRATION, act.encode())


STATED: Sequence[Callable[[Short], None]] = (
    _gap,
    _gap_hides,
    _gap_elsewhere,
    _schema,
    _schema_other,
    _schema_none,
    _own_meta,
    _late,
    _broker_away,
    _dated,
)


def two_writers(log: Short, lines: bytes) -> Mapping[str, bytes]:
    """Beside an unsigned record, two with one sequence are both signed. The key of the case is not there."""
    log.names(lines)
    log.knock()
    log.knock(by="")
    log.knock(seq=2)
    log.knock(seq=2)
    return {}
