"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import CaseRaised
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import traits
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[CaseRaised, int]:
    """case-raised.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_new_case_id = avro.ident(d[i : (i := i + 37)])
    f_pathway = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_traits, i = traits.read_v1(d, i)
    if d[i]:
        f_excluded, i = avro.codes(d, i)
    else:
        f_excluded = ()
        i += 1
    f_about = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return CaseRaised(head=f_head, why=f_why, new_case_id=f_new_case_id, pathway=f_pathway, traits=f_traits, excluded=f_excluded, about=f_about), i


def write(x: CaseRaised) -> bytes:
    """case-raised.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.new_case_id),
        avro.CODES[x.pathway],
        traits.write(x.traits),
        avro.codes_bytes(x.excluded),
        avro.CODES[x.about],
    ))
