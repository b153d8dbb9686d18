"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import AccountChanged, ActorExcluded, ActorKind, AnswerWithdrawn, CaseErased, ConsentChanged, Door, Instruction, InstructionGiven, ReferralSubmitted, ReferralWithdrawn, ResponseSubmitted, SectionDisclosed, SectionWritten, TraitsChanged, Via, Word
from referral.wire import avro
from referral.wire.compiled import shared

ActorKind_V1 = {0: ActorKind.UNKNOWN, 2: ActorKind.AGENCY, 4: ActorKind.STAFF, 6: ActorKind.RELATION}
ActorKind_BYTES = {ActorKind.UNKNOWN: b"\x00", ActorKind.AGENCY: b"\x02", ActorKind.STAFF: b"\x04", ActorKind.RELATION: b"\x06"}
Instruction_V1 = {0: Instruction.UNKNOWN, 2: Instruction.OFFER, 4: Instruction.REOPEN, 6: Instruction.TRANSFER, 8: Instruction.OVERTAKEN, 10: Instruction.LINK, 12: Instruction.CLOSE, 14: Instruction.RELEASE, 16: Instruction.STOP, 18: Instruction.RESUME, 20: Instruction.SETTLE}
Instruction_V2 = {0: Instruction.UNKNOWN, 2: Instruction.OFFER, 4: Instruction.REOPEN, 6: Instruction.TRANSFER, 8: Instruction.OVERTAKEN, 10: Instruction.LINK, 12: Instruction.CLOSE, 14: Instruction.RELEASE, 16: Instruction.STOP, 18: Instruction.RESUME, 20: Instruction.SETTLE, 22: Instruction.CONFIRM, 24: Instruction.REFUSE, 26: Instruction.LIFT}
Instruction_BYTES = {Instruction.UNKNOWN: b"\x00", Instruction.OFFER: b"\x02", Instruction.REOPEN: b"\x04", Instruction.TRANSFER: b"\x06", Instruction.OVERTAKEN: b"\x08", Instruction.LINK: b"\x0a", Instruction.CLOSE: b"\x0c", Instruction.RELEASE: b"\x0e", Instruction.STOP: b"\x10", Instruction.RESUME: b"\x12", Instruction.SETTLE: b"\x14", Instruction.CONFIRM: b"\x16", Instruction.REFUSE: b"\x18", Instruction.LIFT: b"\x1a"}
Door_V1 = {0: Door.UNKNOWN, 2: Door.HTTP, 4: Door.KAFKA, 6: Door.WEB, 8: Door.SYSTEM}
Door_BYTES = {Door.UNKNOWN: b"\x00", Door.HTTP: b"\x02", Door.KAFKA: b"\x04", Door.WEB: b"\x06", Door.SYSTEM: b"\x08"}
Word_V1 = {0: Word.UNKNOWN, 2: Word.ACKNOWLEDGE, 4: Word.ACCEPT, 6: Word.ARRIVE, 8: Word.COMPLETE, 10: Word.DECLINE, 12: Word.HOLD, 14: Word.RETURN, 16: Word.DECIDE}
Via_V1 = {0: Via.UNKNOWN, 2: Via.SYSTEM, 4: Via.WEB, 6: Via.PHONE}
Word_BYTES = {Word.UNKNOWN: b"\x00", Word.ACKNOWLEDGE: b"\x02", Word.ACCEPT: b"\x04", Word.ARRIVE: b"\x06", Word.COMPLETE: b"\x08", Word.DECLINE: b"\x0a", Word.HOLD: b"\x0c", Word.RETURN: b"\x0e", Word.DECIDE: b"\x10"}
Via_BYTES = {Via.UNKNOWN: b"\x00", Via.SYSTEM: b"\x02", Via.WEB: b"\x04", Via.PHONE: b"\x06"}


def read_account_changed_v1(d: bytes, i: int) -> tuple[AccountChanged, int]:
    """account-changed.v1"""
    f_at, i = avro.long(d, i)
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_account = avro.ident(d[i : (i := i + 37)])
    f_change = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_changed_by = avro.ident(d[i : (i := i + 37)])
    return AccountChanged(at=f_at, agency=f_agency, account=f_account, change=f_change, changed_by=f_changed_by), i


def write_account_changed(x: AccountChanged) -> bytes:
    """account-changed.v1"""
    return b"".join((
        avro.LONGS[x.at],
        avro.CODES[x.agency],
        avro.ident_bytes(x.account),
        avro.CODES[x.change],
        avro.ident_bytes(x.changed_by),
    ))


def read_actor_excluded_v1(d: bytes, i: int) -> tuple[ActorExcluded, int]:
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
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    return ActorExcluded(agency=f_agency, by=f_by, kind=f_kind, actor=f_actor, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write_actor_excluded(x: ActorExcluded) -> bytes:
    """actor-excluded.v1"""
    return b"".join((
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        ActorKind_BYTES[x.kind],
        avro.CODES[x.actor],
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + shared.write_claim(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + shared.write_signed(v_signed),
    ))


def read_answer_withdrawn_v1(d: bytes, i: int) -> tuple[AnswerWithdrawn, int]:
    """answer-withdrawn.v1"""
    f_offer_id = avro.ident(d[i : (i := i + 37)])
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
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    return AnswerWithdrawn(offer_id=f_offer_id, agency=f_agency, by=f_by, recorded_by=f_recorded_by, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write_answer_withdrawn(x: AnswerWithdrawn) -> bytes:
    """answer-withdrawn.v1"""
    return b"".join((
        avro.ident_bytes(x.offer_id),
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        b"\x00" if (v_recorded_by := x.recorded_by) is None else b"\x02" + avro.ident_bytes(v_recorded_by),
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + shared.write_claim(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + shared.write_signed(v_signed),
    ))


def read_case_erased_v1(d: bytes, i: int) -> tuple[CaseErased, int]:
    """case-erased.v1"""
    return CaseErased(requested_by=None, requested_at=0, approved_by=None, approved_at=0, basis='', records=0, signature=None, requested_signature=None, approved_signature=None), i


def read_case_erased_v2(d: bytes, i: int) -> tuple[CaseErased, int]:
    """case-erased.v2"""
    n = d[i]
    i += 1
    f_requested_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_requested_by = avro.ident(d[i : (i := i + 37)])
    f_requested_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_approved_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_approved_by = avro.ident(d[i : (i := i + 37)])
    f_approved_at, i = avro.long(d, i)
    f_basis = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_records, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_tag = None
    if n:
        if n != 2:
            avro.fail("union")
        f_tag, i = avro.blob(d, i)
    return CaseErased(requested_by=f_requested_by, requested_at=f_requested_at, approved_by=f_approved_by, approved_at=f_approved_at, basis=f_basis, records=f_records, signature=None, requested_signature=None, approved_signature=None), i


def read_case_erased_v3(d: bytes, i: int) -> tuple[CaseErased, int]:
    """case-erased.v3"""
    n = d[i]
    i += 1
    f_requested_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_requested_by = avro.ident(d[i : (i := i + 37)])
    f_requested_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_approved_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_approved_by = avro.ident(d[i : (i := i + 37)])
    f_approved_at, i = avro.long(d, i)
    f_basis = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_records, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_signature = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signature, i = avro.fixed(d, i, 64)
    return CaseErased(requested_by=f_requested_by, requested_at=f_requested_at, approved_by=f_approved_by, approved_at=f_approved_at, basis=f_basis, records=f_records, signature=f_signature, requested_signature=None, approved_signature=None), i


def read_case_erased_v4(d: bytes, i: int) -> tuple[CaseErased, int]:
    """case-erased.v4"""
    n = d[i]
    i += 1
    f_requested_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_requested_by = avro.ident(d[i : (i := i + 37)])
    f_requested_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_approved_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_approved_by = avro.ident(d[i : (i := i + 37)])
    f_approved_at, i = avro.long(d, i)
    f_basis = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_records, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_signature = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signature, i = avro.fixed(d, i, 64)
    n = d[i]
    i += 1
    f_requested_signature = None
    if n:
        if n != 2:
            avro.fail("union")
        f_requested_signature, i = avro.fixed(d, i, 64)
    n = d[i]
    i += 1
    f_approved_signature = None
    if n:
        if n != 2:
            avro.fail("union")
        f_approved_signature, i = avro.fixed(d, i, 64)
    return CaseErased(requested_by=f_requested_by, requested_at=f_requested_at, approved_by=f_approved_by, approved_at=f_approved_at, basis=f_basis, records=f_records, signature=f_signature, requested_signature=f_requested_signature, approved_signature=f_approved_signature), i


def write_case_erased(x: CaseErased) -> bytes:
    """case-erased.v4"""
    return b"".join((
        b"\x00" if (v_requested_by := x.requested_by) is None else b"\x02" + avro.ident_bytes(v_requested_by),
        avro.LONGS[x.requested_at],
        b"\x00" if (v_approved_by := x.approved_by) is None else b"\x02" + avro.ident_bytes(v_approved_by),
        avro.LONGS[x.approved_at],
        avro.CODES[x.basis],
        avro.LONGS[x.records],
        b"\x00" if (v_signature := x.signature) is None else b"\x02" + avro.fixed_bytes(v_signature, 64),
        b"\x00" if (v_requested_signature := x.requested_signature) is None else b"\x02" + avro.fixed_bytes(v_requested_signature, 64),
        b"\x00" if (v_approved_signature := x.approved_signature) is None else b"\x02" + avro.fixed_bytes(v_approved_signature, 64),
    ))


def read_consent_changed_v1(d: bytes, i: int) -> tuple[ConsentChanged, int]:
    """consent-changed.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_consent, i = shared.read_consent_v1(d, i)
    f_received_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_claim = None
    if n:
        if n != 2:
            avro.fail("union")
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    return ConsentChanged(agency=f_agency, consent=f_consent, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write_consent_changed(x: ConsentChanged) -> bytes:
    """consent-changed.v1"""
    return b"".join((
        avro.CODES[x.agency],
        shared.write_consent(x.consent),
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + shared.write_claim(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + shared.write_signed(v_signed),
    ))


def read_instruction_given_v1(d: bytes, i: int) -> tuple[InstructionGiven, int]:
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
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    return InstructionGiven(instruction_id=f_instruction_id, word=f_word, agency=f_agency, by=f_by, reason=f_reason, track_id=f_track_id, step=f_step, seat=f_seat, target=f_target, other=f_other, received_at=f_received_at, claim=f_claim, signed=f_signed, task_id=None), i


def read_instruction_given_v2(d: bytes, i: int) -> tuple[InstructionGiven, int]:
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
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    n = d[i]
    i += 1
    f_task_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_task_id = avro.ident(d[i : (i := i + 37)])
    return InstructionGiven(instruction_id=f_instruction_id, word=f_word, agency=f_agency, by=f_by, reason=f_reason, track_id=f_track_id, step=f_step, seat=f_seat, target=f_target, other=f_other, received_at=f_received_at, claim=f_claim, signed=f_signed, task_id=f_task_id), i


def write_instruction_given(x: InstructionGiven) -> bytes:
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
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + shared.write_claim(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + shared.write_signed(v_signed),
        b"\x00" if (v_task_id := x.task_id) is None else b"\x02" + avro.ident_bytes(v_task_id),
    ))


def read_referral_submitted_v1(d: bytes, i: int) -> tuple[ReferralSubmitted, int]:
    """referral-submitted.v1"""
    f_referral_id = avro.ident(d[i : (i := i + 37)])
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_door = Door_V1[d[i]]
    i += 1
    f_opens = avro.BOOLEANS[d[i]]
    i += 1
    f_traits, i = shared.read_traits_v1(d, i)
    n = d[i]
    i += 1
    f_consent = None
    if n:
        if n != 2:
            avro.fail("union")
        f_consent, i = shared.read_consent_v1(d, i)
    if d[i]:
        f_sections, i = avro.codes(d, i)
    else:
        f_sections = ()
        i += 1
    if d[i]:
        f_excludes, i = avro.codes(d, i)
    else:
        f_excludes = ()
        i += 1
    f_received_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_claim = None
    if n:
        if n != 2:
            avro.fail("union")
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    return ReferralSubmitted(referral_id=f_referral_id, agency=f_agency, door=f_door, opens=f_opens, traits=f_traits, consent=f_consent, sections=f_sections, excludes=f_excludes, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write_referral_submitted(x: ReferralSubmitted) -> bytes:
    """referral-submitted.v1"""
    return b"".join((
        avro.ident_bytes(x.referral_id),
        avro.CODES[x.agency],
        Door_BYTES[x.door],
        avro.BOOLEAN_BYTES[x.opens],
        shared.write_traits(x.traits),
        b"\x00" if (v_consent := x.consent) is None else b"\x02" + shared.write_consent(v_consent),
        avro.codes_bytes(x.sections),
        avro.codes_bytes(x.excludes),
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + shared.write_claim(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + shared.write_signed(v_signed),
    ))


def read_referral_withdrawn_v1(d: bytes, i: int) -> tuple[ReferralWithdrawn, int]:
    """referral-withdrawn.v1"""
    f_referral_id = avro.ident(d[i : (i := i + 37)])
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_received_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_claim = None
    if n:
        if n != 2:
            avro.fail("union")
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    return ReferralWithdrawn(referral_id=f_referral_id, agency=f_agency, reason=f_reason, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write_referral_withdrawn(x: ReferralWithdrawn) -> bytes:
    """referral-withdrawn.v1"""
    return b"".join((
        avro.ident_bytes(x.referral_id),
        avro.CODES[x.agency],
        avro.CODES[x.reason],
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + shared.write_claim(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + shared.write_signed(v_signed),
    ))


def read_response_submitted_v1(d: bytes, i: int) -> tuple[ResponseSubmitted, int]:
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
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    return ResponseSubmitted(response_id=f_response_id, offer_id=f_offer_id, agency=f_agency, word=f_word, reason=f_reason, code=f_code, recorded=f_recorded, by=f_by, via=f_via, recorded_by=f_recorded_by, received_at=f_received_at, claim=f_claim, signed=f_signed), i


def write_response_submitted(x: ResponseSubmitted) -> bytes:
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
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + shared.write_claim(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + shared.write_signed(v_signed),
    ))


def read_section_disclosed_v1(d: bytes, i: int) -> tuple[SectionDisclosed, int]:
    """section-disclosed.v1"""
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_section = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_basis = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_at, i = avro.long(d, i)
    return SectionDisclosed(offer_id=f_offer_id, agency=f_agency, by=f_by, section=f_section, basis=f_basis, at=f_at), i


def write_section_disclosed(x: SectionDisclosed) -> bytes:
    """section-disclosed.v1"""
    return b"".join((
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        avro.CODES[x.section],
        avro.CODES[x.basis],
        avro.LONGS[x.at],
    ))


def read_section_written_v1(d: bytes, i: int) -> tuple[SectionWritten, int]:
    """section-written.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_section = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_version, i = avro.int32(d, i)
    else:
        f_version = (n >> 1) ^ -(n & 1)
        i += 1
    f_content, i = avro.blob(d, i)
    f_offers, i = avro.many(d, i, avro.ident_at)
    f_at, i = avro.long(d, i)
    return SectionWritten(agency=f_agency, by=f_by, section=f_section, version=f_version, content=f_content, offers=f_offers, at=f_at), i


def write_section_written(x: SectionWritten) -> bytes:
    """section-written.v1"""
    return b"".join((
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        avro.CODES[x.section],
        avro.INTS[x.version],
        avro.blob_bytes(x.content),
        avro.many_bytes(x.offers, avro.ident_bytes),
        avro.LONGS[x.at],
    ))


def read_traits_changed_v1(d: bytes, i: int) -> tuple[TraitsChanged, int]:
    """traits-changed.v1"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_traits, i = shared.read_traits_v1(d, i)
    f_received_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_claim = None
    if n:
        if n != 2:
            avro.fail("union")
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    return TraitsChanged(agency=f_agency, by=f_by, traits=f_traits, received_at=f_received_at, claim=f_claim, signed=f_signed, only=()), i


def read_traits_changed_v2(d: bytes, i: int) -> tuple[TraitsChanged, int]:
    """traits-changed.v2"""
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_traits, i = shared.read_traits_v1(d, i)
    f_received_at, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_claim = None
    if n:
        if n != 2:
            avro.fail("union")
        f_claim, i = shared.read_claim_v1(d, i)
    n = d[i]
    i += 1
    f_signed = None
    if n:
        if n != 2:
            avro.fail("union")
        f_signed, i = shared.read_signed_v1(d, i)
    if d[i]:
        f_only, i = avro.codes(d, i)
    else:
        f_only = ()
        i += 1
    return TraitsChanged(agency=f_agency, by=f_by, traits=f_traits, received_at=f_received_at, claim=f_claim, signed=f_signed, only=f_only), i


def write_traits_changed(x: TraitsChanged) -> bytes:
    """traits-changed.v2"""
    return b"".join((
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        shared.write_traits(x.traits),
        avro.LONGS[x.received_at],
        b"\x00" if (v_claim := x.claim) is None else b"\x02" + shared.write_claim(v_claim),
        b"\x00" if (v_signed := x.signed) is None else b"\x02" + shared.write_signed(v_signed),
        avro.codes_bytes(x.only),
    ))
