"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import ChangeKind, ChangeProposed
from referral.wire import avro
from referral.wire.compiled import consent
from referral.wire.compiled import head
from referral.wire.compiled import traits
from referral.wire.compiled import why

ChangeKind_V1 = {0: ChangeKind.UNKNOWN, 2: ChangeKind.TRAITS, 4: ChangeKind.CONSENT, 6: ChangeKind.EXCLUSION, 8: ChangeKind.LIFT}
ChangeKind_BYTES = {ChangeKind.UNKNOWN: b"\x00", ChangeKind.TRAITS: b"\x02", ChangeKind.CONSENT: b"\x04", ChangeKind.EXCLUSION: b"\x06", ChangeKind.LIFT: b"\x08"}


def read_v1(d: bytes, i: int) -> tuple[ChangeProposed, int]:
    """change-proposed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_task_id = avro.ident(d[i : (i := i + 37)])
    f_kind = ChangeKind_V1[d[i]]
    i += 1
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_traits = None
    if n:
        if n != 2:
            avro.fail("union")
        f_traits, i = traits.read_v1(d, i)
    n = d[i]
    i += 1
    f_consent = None
    if n:
        if n != 2:
            avro.fail("union")
        f_consent, i = consent.read_v1(d, i)
    f_actor = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return ChangeProposed(head=f_head, why=f_why, task_id=f_task_id, kind=f_kind, agency=f_agency, by=f_by, traits=f_traits, consent=f_consent, actor=f_actor), i


def write(x: ChangeProposed) -> bytes:
    """change-proposed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.task_id),
        ChangeKind_BYTES[x.kind],
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        b"\x00" if (v_traits := x.traits) is None else b"\x02" + traits.write(v_traits),
        b"\x00" if (v_consent := x.consent) is None else b"\x02" + consent.write(v_consent),
        avro.CODES[x.actor],
    ))
