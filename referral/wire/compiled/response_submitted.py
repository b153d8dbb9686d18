"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import ResponseSubmitted, Via, Word
from referral.wire import avro
from referral.wire.compiled import claim
from referral.wire.compiled import signed

Word_V1 = {0: Word.UNKNOWN, 2: Word.ACKNOWLEDGE, 4: Word.ACCEPT, 6: Word.ARRIVE, 8: Word.COMPLETE, 10: Word.DECLINE, 12: Word.HOLD, 14: Word.RETURN, 16: Word.DECIDE}
Via_V1 = {0: Via.UNKNOWN, 2: Via.SYSTEM, 4: Via.WEB, 6: Via.PHONE}
Word_BYTES = {Word.UNKNOWN: b"\x00", Word.ACKNOWLEDGE: b"\x02", Word.ACCEPT: b"\x04", Word.ARRIVE: b"\x06", Word.COMPLETE: b"\x08", Word.DECLINE: b"\x0a", Word.HOLD: b"\x0c", Word.RETURN: b"\x0e", Word.DECIDE: b"\x10"}
Via_BYTES = {Via.UNKNOWN: b"\x00", Via.SYSTEM: b"\x02", Via.WEB: b"\x04", Via.PHONE: b"\x06"}


def read_v1(d: bytes, i: int) -> tuple[ResponseSubmitted, int]:
    """response-submitted.v1"""
    f_response_id = avro.ident(d[i : (i := i + 37)])
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_word = Word_V1[d[i]]
    i += 1
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_code = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    if d[i]:
        f_recorded, i = avro.codes(d, i)
    else:
        f_recorded = ()
        i += 1
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_via = Via_V1[d[i]]
    i += 1
    n = d[i]
    i += 1
    f_recorded_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_recorded_by = avro.ident(d[i : (i := i + 37)])
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
    return ResponseSubmitted(response_id=f_response_id, offer_id=f_offer_id, agency=f_agency, word=f_word, reason=f_reason, code=f_code, recorded=f_recorded, by=f_by, via=f_via, recorded_by=f_recorded_by, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write(x: ResponseSubmitted) -> bytes:
    """response-submitted.v1"""
    return b"".join((
        avro.ident_bytes(x.response_id),
        avro.ident_bytes(x.offer_id),
        avro.CODES[x.agency],
        Word_BYTES[x.word],
        avro.CODES[x.reason],
        avro.CODES[x.code],
        avro.codes_bytes(x.recorded),
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        Via_BYTES[x.via],
        b"\x00" if (v_recorded_by := x.recorded_by) is None else b"\x02" + avro.ident_bytes(v_recorded_by),
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + claim.write(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + signed.write(v_signed),
    ))
