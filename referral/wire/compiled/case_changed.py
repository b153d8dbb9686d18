"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import CaseChanged
from referral.wire import avro
from referral.wire.compiled import consent
from referral.wire.compiled import head
from referral.wire.compiled import traits
from referral.wire.compiled import why


def read_v1(d: bytes, i: int) -> tuple[CaseChanged, int]:
    """case-changed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_traits, i = traits.read_v1(d, i)
    n = d[i]
    i += 1
    f_consent = None
    if n:
        if n != 2:
            avro.fail("union")
        f_consent, i = consent.read_v1(d, i)
    if d[i]:
        f_excluded, i = avro.codes(d, i)
    else:
        f_excluded = ()
        i += 1
    return CaseChanged(head=f_head, why=f_why, traits=f_traits, consent=f_consent, excluded=f_excluded, consent_by='', lifted=()), i


def read_v2(d: bytes, i: int) -> tuple[CaseChanged, int]:
    """case-changed.v2"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_traits, i = traits.read_v1(d, i)
    n = d[i]
    i += 1
    f_consent = None
    if n:
        if n != 2:
            avro.fail("union")
        f_consent, i = consent.read_v1(d, i)
    if d[i]:
        f_excluded, i = avro.codes(d, i)
    else:
        f_excluded = ()
        i += 1
    f_consent_by = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    if d[i]:
        f_lifted, i = avro.codes(d, i)
    else:
        f_lifted = ()
        i += 1
    return CaseChanged(head=f_head, why=f_why, traits=f_traits, consent=f_consent, excluded=f_excluded, consent_by=f_consent_by, lifted=f_lifted), i


def write(x: CaseChanged) -> bytes:
    """case-changed.v2"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        traits.write(x.traits),
        b"\x00" if (v_consent := x.consent) is None else b"\x02" + consent.write(v_consent),
        avro.codes_bytes(x.excluded),
        avro.CODES[x.consent_by],
        avro.codes_bytes(x.lifted),
    ))
