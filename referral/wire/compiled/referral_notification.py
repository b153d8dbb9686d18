"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import KnockAnswered, KnockDelivered, KnockFailed, KnockSent, RosterChanged, RungFailed, RungReached
from referral.wire import avro
from referral.wire.compiled import shared


def read_knock_answered_v1(d: bytes, i: int) -> tuple[KnockAnswered, int]:
    """knock-answered.v1"""
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_task_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_task_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_person = None
    if n:
        if n != 2:
            avro.fail("union")
        f_person = avro.ident(d[i : (i := i + 37)])
    f_channel = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_word = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_at, i = avro.long(d, i)
    f_reference = avro.ident(d[i : (i := i + 37)])
    return KnockAnswered(offer_id=f_offer_id, task_id=f_task_id, rung=f_rung, person=f_person, channel=f_channel, word=f_word, at=f_at, reference=f_reference), i


def write_knock_answered(x: KnockAnswered) -> bytes:
    """knock-answered.v1"""
    return b"".join((
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
        b"\x00" if (v_task_id := x.task_id) is None else b"\x02" + avro.ident_bytes(v_task_id),
        avro.INTS[x.rung],
        b"\x00" if (v_person := x.person) is None else b"\x02" + avro.ident_bytes(v_person),
        avro.CODES[x.channel],
        avro.CODES[x.word],
        avro.LONGS[x.at],
        avro.ident_bytes(x.reference),
    ))


def read_knock_delivered_v1(d: bytes, i: int) -> tuple[KnockDelivered, int]:
    """knock-delivered.v1"""
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_task_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_task_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_person = None
    if n:
        if n != 2:
            avro.fail("union")
        f_person = avro.ident(d[i : (i := i + 37)])
    f_channel = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_again, i = avro.int32(d, i)
    else:
        f_again = (n >> 1) ^ -(n & 1)
        i += 1
    f_at, i = avro.long(d, i)
    f_reference = avro.ident(d[i : (i := i + 37)])
    return KnockDelivered(offer_id=f_offer_id, task_id=f_task_id, rung=f_rung, person=f_person, channel=f_channel, again=f_again, at=f_at, reference=f_reference), i


def write_knock_delivered(x: KnockDelivered) -> bytes:
    """knock-delivered.v1"""
    return b"".join((
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
        b"\x00" if (v_task_id := x.task_id) is None else b"\x02" + avro.ident_bytes(v_task_id),
        avro.INTS[x.rung],
        b"\x00" if (v_person := x.person) is None else b"\x02" + avro.ident_bytes(v_person),
        avro.CODES[x.channel],
        avro.INTS[x.again],
        avro.LONGS[x.at],
        avro.ident_bytes(x.reference),
    ))


def read_knock_failed_v1(d: bytes, i: int) -> tuple[KnockFailed, int]:
    """knock-failed.v1"""
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_task_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_task_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_person = None
    if n:
        if n != 2:
            avro.fail("union")
        f_person = avro.ident(d[i : (i := i + 37)])
    f_channel = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_again, i = avro.int32(d, i)
    else:
        f_again = (n >> 1) ^ -(n & 1)
        i += 1
    f_at, i = avro.long(d, i)
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_attempts, i = avro.int32(d, i)
    else:
        f_attempts = (n >> 1) ^ -(n & 1)
        i += 1
    return KnockFailed(offer_id=f_offer_id, task_id=f_task_id, rung=f_rung, person=f_person, channel=f_channel, again=f_again, at=f_at, reason=f_reason, attempts=f_attempts), i


def write_knock_failed(x: KnockFailed) -> bytes:
    """knock-failed.v1"""
    return b"".join((
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
        b"\x00" if (v_task_id := x.task_id) is None else b"\x02" + avro.ident_bytes(v_task_id),
        avro.INTS[x.rung],
        b"\x00" if (v_person := x.person) is None else b"\x02" + avro.ident_bytes(v_person),
        avro.CODES[x.channel],
        avro.INTS[x.again],
        avro.LONGS[x.at],
        avro.CODES[x.reason],
        avro.INTS[x.attempts],
    ))


def read_knock_sent_v1(d: bytes, i: int) -> tuple[KnockSent, int]:
    """knock-sent.v1"""
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_task_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_task_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_person = None
    if n:
        if n != 2:
            avro.fail("union")
        f_person = avro.ident(d[i : (i := i + 37)])
    f_channel = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_again, i = avro.int32(d, i)
    else:
        f_again = (n >> 1) ^ -(n & 1)
        i += 1
    f_at, i = avro.long(d, i)
    f_reference = avro.ident(d[i : (i := i + 37)])
    return KnockSent(offer_id=f_offer_id, task_id=f_task_id, rung=f_rung, person=f_person, channel=f_channel, again=f_again, at=f_at, reference=f_reference), i


def write_knock_sent(x: KnockSent) -> bytes:
    """knock-sent.v1"""
    return b"".join((
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
        b"\x00" if (v_task_id := x.task_id) is None else b"\x02" + avro.ident_bytes(v_task_id),
        avro.INTS[x.rung],
        b"\x00" if (v_person := x.person) is None else b"\x02" + avro.ident_bytes(v_person),
        avro.CODES[x.channel],
        avro.INTS[x.again],
        avro.LONGS[x.at],
        avro.ident_bytes(x.reference),
    ))


def read_roster_changed_v1(d: bytes, i: int) -> tuple[RosterChanged, int]:
    """roster-changed.v1"""
    f_at, i = avro.long(d, i)
    f_changed_by = avro.ident(d[i : (i := i + 37)])
    f_rows, i = avro.many(d, i, shared.read_roster_row_v1)
    n = d[i]
    if n > 0x7F:
        f_thrown_away, i = avro.int32(d, i)
    else:
        f_thrown_away = (n >> 1) ^ -(n & 1)
        i += 1
    return RosterChanged(at=f_at, changed_by=f_changed_by, rows=f_rows, thrown_away=f_thrown_away), i


def write_roster_changed(x: RosterChanged) -> bytes:
    """roster-changed.v1"""
    return b"".join((
        avro.LONGS[x.at],
        avro.ident_bytes(x.changed_by),
        avro.many_bytes(x.rows, shared.write_roster_row),
        avro.INTS[x.thrown_away],
    ))


def read_rung_failed_v1(d: bytes, i: int) -> tuple[RungFailed, int]:
    """rung-failed.v1"""
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_at, i = avro.long(d, i)
    return RungFailed(offer_id=f_offer_id, rung=f_rung, reason=f_reason, at=f_at), i


def write_rung_failed(x: RungFailed) -> bytes:
    """rung-failed.v1"""
    return b"".join((
        avro.ident_bytes(x.offer_id),
        avro.INTS[x.rung],
        avro.CODES[x.reason],
        avro.LONGS[x.at],
    ))


def read_rung_reached_v1(d: bytes, i: int) -> tuple[RungReached, int]:
    """rung-reached.v1"""
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    f_at, i = avro.long(d, i)
    return RungReached(offer_id=f_offer_id, rung=f_rung, at=f_at), i


def write_rung_reached(x: RungReached) -> bytes:
    """rung-reached.v1"""
    return b"".join((
        avro.ident_bytes(x.offer_id),
        avro.INTS[x.rung],
        avro.LONGS[x.at],
    ))
