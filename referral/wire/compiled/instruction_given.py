"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import Instruction, InstructionGiven
from referral.wire import avro
from referral.wire.compiled import claim
from referral.wire.compiled import signed

Instruction_V1 = {0: Instruction.UNKNOWN, 2: Instruction.OFFER, 4: Instruction.REOPEN, 6: Instruction.TRANSFER, 8: Instruction.OVERTAKEN, 10: Instruction.LINK, 12: Instruction.CLOSE, 14: Instruction.RELEASE, 16: Instruction.STOP, 18: Instruction.RESUME, 20: Instruction.SETTLE}
Instruction_V2 = {0: Instruction.UNKNOWN, 2: Instruction.OFFER, 4: Instruction.REOPEN, 6: Instruction.TRANSFER, 8: Instruction.OVERTAKEN, 10: Instruction.LINK, 12: Instruction.CLOSE, 14: Instruction.RELEASE, 16: Instruction.STOP, 18: Instruction.RESUME, 20: Instruction.SETTLE, 22: Instruction.CONFIRM, 24: Instruction.REFUSE, 26: Instruction.LIFT}
Instruction_BYTES = {Instruction.UNKNOWN: b"\x00", Instruction.OFFER: b"\x02", Instruction.REOPEN: b"\x04", Instruction.TRANSFER: b"\x06", Instruction.OVERTAKEN: b"\x08", Instruction.LINK: b"\x0a", Instruction.CLOSE: b"\x0c", Instruction.RELEASE: b"\x0e", Instruction.STOP: b"\x10", Instruction.RESUME: b"\x12", Instruction.SETTLE: b"\x14", Instruction.CONFIRM: b"\x16", Instruction.REFUSE: b"\x18", Instruction.LIFT: b"\x1a"}


def read_v1(d: bytes, i: int) -> tuple[InstructionGiven, int]:
    """instruction-given.v1"""
    f_instruction_id = avro.ident(d[i : (i := i + 37)])
    f_word = Instruction_V1[d[i]]
    i += 1
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_track_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_track_id = avro.ident(d[i : (i := i + 37)])
    f_step = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_seat, i = avro.int32(d, i)
    else:
        f_seat = (n >> 1) ^ -(n & 1)
        i += 1
    f_target = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_other = None
    if n:
        if n != 2:
            avro.fail("union")
        f_other = avro.ident(d[i : (i := i + 37)])
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
    return InstructionGiven(instruction_id=f_instruction_id, word=f_word, agency=f_agency, by=f_by, reason=f_reason, track_id=f_track_id, step=f_step, seat=f_seat, target=f_target, other=f_other, received_at=f_received_at, claim=f_claim, signed=f_signed, task_id=None), i


def read_v2(d: bytes, i: int) -> tuple[InstructionGiven, int]:
    """instruction-given.v2"""
    f_instruction_id = avro.ident(d[i : (i := i + 37)])
    f_word = Instruction_V2[d[i]]
    i += 1
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_track_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_track_id = avro.ident(d[i : (i := i + 37)])
    f_step = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_seat, i = avro.int32(d, i)
    else:
        f_seat = (n >> 1) ^ -(n & 1)
        i += 1
    f_target = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_other = None
    if n:
        if n != 2:
            avro.fail("union")
        f_other = avro.ident(d[i : (i := i + 37)])
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
    n = d[i]
    i += 1
    f_task_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_task_id = avro.ident(d[i : (i := i + 37)])
    return InstructionGiven(instruction_id=f_instruction_id, word=f_word, agency=f_agency, by=f_by, reason=f_reason, track_id=f_track_id, step=f_step, seat=f_seat, target=f_target, other=f_other, received_at=f_received_at, claim=f_claim, signed=f_signed, task_id=f_task_id), i


def write(x: InstructionGiven) -> bytes:
    """instruction-given.v2"""
    return b"".join((
        avro.ident_bytes(x.instruction_id),
        Instruction_BYTES[x.word],
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        avro.CODES[x.reason],
        b"\x00" if (v_track_id := x.track_id) is None else b"\x02" + avro.ident_bytes(v_track_id),
        avro.CODES[x.step],
        avro.INTS[x.seat],
        avro.CODES[x.target],
        b"\x00" if (v_other := x.other) is None else b"\x02" + avro.ident_bytes(v_other),
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + claim.write(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + signed.write(v_signed),
        b"\x00" if (v_task_id := x.task_id) is None else b"\x02" + avro.ident_bytes(v_task_id),
    ))
