"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import OfferKind, OfferOpened, Reach
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why

OfferKind_V1 = {0: OfferKind.UNKNOWN, 2: OfferKind.NOTIFY, 4: OfferKind.REQUEST, 6: OfferKind.JOINT, 8: OfferKind.DECIDE, 10: OfferKind.PLACE}
Reach_V1 = {0: Reach.UNKNOWN, 2: Reach.SYSTEM, 4: Reach.WEB, 6: Reach.PHONE}
OfferKind_BYTES = {OfferKind.UNKNOWN: b"\x00", OfferKind.NOTIFY: b"\x02", OfferKind.REQUEST: b"\x04", OfferKind.JOINT: b"\x06", OfferKind.DECIDE: b"\x08", OfferKind.PLACE: b"\x0a"}
Reach_BYTES = {Reach.UNKNOWN: b"\x00", Reach.SYSTEM: b"\x02", Reach.WEB: b"\x04", Reach.PHONE: b"\x06"}


def read_v1(d: bytes, i: int) -> tuple[OfferOpened, int]:
    """offer-opened.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_track_id = avro.ident(d[i : (i := i + 37)])
    f_step = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_round, i = avro.int32(d, i)
    else:
        f_round = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    if n > 0x7F:
        f_seat, i = avro.int32(d, i)
    else:
        f_seat = (n >> 1) ^ -(n & 1)
        i += 1
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    f_kind = OfferKind_V1[d[i]]
    i += 1
    f_role = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_service = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_reach = Reach_V1[d[i]]
    i += 1
    f_urgency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    if d[i]:
        f_ladder, i = avro.codes(d, i)
    else:
        f_ladder = ()
        i += 1
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    if d[i]:
        f_shows, i = avro.codes(d, i)
    else:
        f_shows = ()
        i += 1
    if d[i]:
        f_words, i = avro.codes(d, i)
    else:
        f_words = ()
        i += 1
    if d[i]:
        f_reasons, i = avro.codes(d, i)
    else:
        f_reasons = ()
        i += 1
    if d[i]:
        f_codes, i = avro.codes(d, i)
    else:
        f_codes = ()
        i += 1
    if d[i]:
        f_needs, i = avro.codes(d, i)
    else:
        f_needs = ()
        i += 1
    if d[i]:
        f_skip, i = avro.codes(d, i)
    else:
        f_skip = ()
        i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    f_due_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return OfferOpened(head=f_head, why=f_why, track_id=f_track_id, step=f_step, round=f_round, seat=f_seat, offer_id=f_offer_id, kind=f_kind, role=f_role, agency=f_agency, service=f_service, reach=f_reach, urgency=f_urgency, ladder=f_ladder, rung=f_rung, shows=f_shows, words=f_words, reasons=f_reasons, codes=f_codes, needs=f_needs, skip=f_skip, due=f_due, due_what=f_due_what), i


def write(x: OfferOpened) -> bytes:
    """offer-opened.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.step],
        avro.INTS[x.round],
        avro.INTS[x.seat],
        avro.ident_bytes(x.offer_id),
        OfferKind_BYTES[x.kind],
        avro.CODES[x.role],
        avro.CODES[x.agency],
        avro.CODES[x.service],
        Reach_BYTES[x.reach],
        avro.CODES[x.urgency],
        avro.codes_bytes(x.ladder),
        avro.INTS[x.rung],
        avro.codes_bytes(x.shows),
        avro.codes_bytes(x.words),
        avro.codes_bytes(x.reasons),
        avro.codes_bytes(x.codes),
        avro.codes_bytes(x.needs),
        avro.codes_bytes(x.skip),
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        avro.CODES[x.due_what],
    ))
