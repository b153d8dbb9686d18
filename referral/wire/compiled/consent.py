"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Consent, ConsentState
from referral.wire import avro

ConsentState_V1 = {0: ConsentState.UNKNOWN, 2: ConsentState.GIVEN, 4: ConsentState.REFUSED, 6: ConsentState.WITHDRAWN, 8: ConsentState.NOT_ASKED}
ConsentState_BYTES = {ConsentState.UNKNOWN: b"\x00", ConsentState.GIVEN: b"\x02", ConsentState.REFUSED: b"\x04", ConsentState.WITHDRAWN: b"\x06", ConsentState.NOT_ASKED: b"\x08"}


def read_v1(d: bytes, i: int) -> tuple[Consent, int]:
    """consent.v1"""
    f_state = ConsentState_V1[d[i]]
    i += 1
    f_basis = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_giver = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    if d[i]:
        f_scope, i = avro.codes(d, i)
    else:
        f_scope = ()
        i += 1
    if d[i]:
        f_recipients, i = avro.codes(d, i)
    else:
        f_recipients = ()
        i += 1
    n = d[i]
    i += 1
    f_until = None
    if n:
        if n != 2:
            avro.fail("union")
        f_until, i = avro.long(d, i)
    return Consent(state=f_state, basis=f_basis, giver=f_giver, scope=f_scope, recipients=f_recipients, until=f_until), i


def write(x: Consent) -> bytes:
    """consent.v1"""
    return b"".join((
        ConsentState_BYTES[x.state],
        avro.CODES[x.basis],
        avro.CODES[x.giver],
        avro.codes_bytes(x.scope),
        avro.codes_bytes(x.recipients),
        b"\x00" if (v_until := x.until) is None else b"\x02" + avro.LONGS[v_until],
    ))
