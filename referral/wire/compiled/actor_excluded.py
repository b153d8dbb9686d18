"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import ActorExcluded, ActorKind
from referral.wire import avro
from referral.wire.compiled import claim
from referral.wire.compiled import signed

ActorKind_V1 = {0: ActorKind.UNKNOWN, 2: ActorKind.AGENCY, 4: ActorKind.STAFF, 6: ActorKind.RELATION}
ActorKind_BYTES = {ActorKind.UNKNOWN: b"\x00", ActorKind.AGENCY: b"\x02", ActorKind.STAFF: b"\x04", ActorKind.RELATION: b"\x06"}


def read_v1(d: bytes, i: int) -> tuple[ActorExcluded, int]:
    """actor-excluded.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_kind = ActorKind_V1[d[i]]
    i += 1
    f_actor = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_received_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_claim = None
    if n:
        if n != 2:
            avro.fail("union")
        f_claim, i = claim.read_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = signed.read_v1(d, i)
    return ActorExcluded(agency=f_agency, by=f_by, kind=f_kind, actor=f_actor, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write(x: ActorExcluded) -> bytes:
    """actor-excluded.v1"""
    return b"".join((
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        ActorKind_BYTES[x.kind],
        avro.CODES[x.actor],
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + claim.write(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + signed.write(v_signed),
    ))
