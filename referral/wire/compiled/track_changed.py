"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import TrackChanged, TrackState
from referral.wire import avro
from referral.wire.compiled import head
from referral.wire.compiled import why

TrackState_V1 = {0: TrackState.UNKNOWN, 2: TrackState.OPENED, 4: TrackState.PAUSED, 6: TrackState.RESUMED, 8: TrackState.SWITCHED, 10: TrackState.ENDED}
TrackState_BYTES = {TrackState.UNKNOWN: b"\x00", TrackState.OPENED: b"\x02", TrackState.PAUSED: b"\x04", TrackState.RESUMED: b"\x06", TrackState.SWITCHED: b"\x08", TrackState.ENDED: b"\x0a"}


def read_v1(d: bytes, i: int) -> tuple[TrackChanged, int]:
    """track-changed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = head.read_v1(d, i)
    f_why, i = why.read_v1(d, i)
    f_track_id = avro.ident(d[i : (i := i + 37)])
    f_pathway = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_digest, i = avro.long_code(d, i)
    f_state = TrackState_V1[d[i]]
    i += 1
    f_paused_by = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_opened_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_opened_by = avro.ident(d[i : (i := i + 37)])
    f_outcome = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return TrackChanged(head=f_head, why=f_why, track_id=f_track_id, pathway=f_pathway, digest=f_digest, state=f_state, paused_by=f_paused_by, opened_by=f_opened_by, outcome=f_outcome), i


def write(x: TrackChanged) -> bytes:
    """track-changed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + head.write(v_head),
        why.write(x.why),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.pathway],
        avro.LONG_CODES[x.digest],
        TrackState_BYTES[x.state],
        avro.CODES[x.paused_by],
        b"\x00" if (v_opened_by := x.opened_by) is None else b"\x02" + avro.ident_bytes(v_opened_by),
        avro.CODES[x.outcome],
    ))
