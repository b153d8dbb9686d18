"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import OfferAccepted
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[OfferAccepted, int]:
    """offer-accepted.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_late = avro.BOOLEANS[d[i]]
    i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    f_due_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return OfferAccepted(head=f_head, why=f_why, offer_id=f_offer_id, by=f_by, late=f_late, due=f_due, due_what=f_due_what), i


def write(x: OfferAccepted) -> bytes:
    """offer-accepted.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.offer_id),
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        avro.BOOLEAN_BYTES[x.late],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        avro.CODES[x.due_what],
    ))
