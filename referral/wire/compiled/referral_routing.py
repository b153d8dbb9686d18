"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events import CaseChanged, CaseClosed, CaseLinked, CaseOpened, CaseRaised, ChangeKind, ChangeProposed, DeadlinePassed, Decided, DecisionRecorded, How, InputIgnored, NeedsPerson, OfferAccepted, OfferAcknowledged, OfferArrived, OfferClosed, OfferEscalated, OfferHeld, OfferKind, OfferOpened, OfferReopened, OfferUnheard, PersonNotNeeded, Reach, ReferralAttached, StepDone, StepKind, StepOpened, TrackChanged, TrackState, UndoAllowed
from referral.wire import avro
from referral.wire.compiled import shared

ChangeKind_V1 = {0: ChangeKind.UNKNOWN, 2: ChangeKind.TRAITS, 4: ChangeKind.CONSENT, 6: ChangeKind.EXCLUSION, 8: ChangeKind.LIFT}
ChangeKind_BYTES = {ChangeKind.UNKNOWN: b"\x00", ChangeKind.TRAITS: b"\x02", ChangeKind.CONSENT: b"\x04", ChangeKind.EXCLUSION: b"\x06", ChangeKind.LIFT: b"\x08"}
Decided_V1 = {0: Decided.UNKNOWN, 2: Decided.PERSON, 4: Decided.AGREED, 6: Decided.DISAGREED, 8: Decided.SILENCE, 10: Decided.DESK}
Decided_BYTES = {Decided.UNKNOWN: b"\x00", Decided.PERSON: b"\x02", Decided.AGREED: b"\x04", Decided.DISAGREED: b"\x06", Decided.SILENCE: b"\x08", Decided.DESK: b"\x0a"}
How_V1 = {0: How.UNKNOWN, 2: How.COMPLETED, 4: How.DECLINED_BY_AGENCY, 6: How.DECLINED_BY_PERSON, 8: How.EXPIRED, 10: How.CANCELLED, 12: How.RETURNED, 14: How.RELEASED, 16: How.OVERTAKEN, 18: How.ENTERED_IN_ERROR}
How_BYTES = {How.UNKNOWN: b"\x00", How.COMPLETED: b"\x02", How.DECLINED_BY_AGENCY: b"\x04", How.DECLINED_BY_PERSON: b"\x06", How.EXPIRED: b"\x08", How.CANCELLED: b"\x0a", How.RETURNED: b"\x0c", How.RELEASED: b"\x0e", How.OVERTAKEN: b"\x10", How.ENTERED_IN_ERROR: b"\x12"}
OfferKind_V1 = {0: OfferKind.UNKNOWN, 2: OfferKind.NOTIFY, 4: OfferKind.REQUEST, 6: OfferKind.JOINT, 8: OfferKind.DECIDE, 10: OfferKind.PLACE}
Reach_V1 = {0: Reach.UNKNOWN, 2: Reach.SYSTEM, 4: Reach.WEB, 6: Reach.PHONE}
OfferKind_BYTES = {OfferKind.UNKNOWN: b"\x00", OfferKind.NOTIFY: b"\x02", OfferKind.REQUEST: b"\x04", OfferKind.JOINT: b"\x06", OfferKind.DECIDE: b"\x08", OfferKind.PLACE: b"\x0a"}
Reach_BYTES = {Reach.UNKNOWN: b"\x00", Reach.SYSTEM: b"\x02", Reach.WEB: b"\x04", Reach.PHONE: b"\x06"}
StepKind_V1 = {0: StepKind.UNKNOWN, 2: StepKind.NOTIFY, 4: StepKind.REQUEST, 6: StepKind.JOINT, 8: StepKind.DECIDE, 10: StepKind.PLACE, 12: StepKind.FEED}
StepKind_BYTES = {StepKind.UNKNOWN: b"\x00", StepKind.NOTIFY: b"\x02", StepKind.REQUEST: b"\x04", StepKind.JOINT: b"\x06", StepKind.DECIDE: b"\x08", StepKind.PLACE: b"\x0a", StepKind.FEED: b"\x0c"}
TrackState_V1 = {0: TrackState.UNKNOWN, 2: TrackState.OPENED, 4: TrackState.PAUSED, 6: TrackState.RESUMED, 8: TrackState.SWITCHED, 10: TrackState.ENDED}
TrackState_BYTES = {TrackState.UNKNOWN: b"\x00", TrackState.OPENED: b"\x02", TrackState.PAUSED: b"\x04", TrackState.RESUMED: b"\x06", TrackState.SWITCHED: b"\x08", TrackState.ENDED: b"\x0a"}


def read_case_changed_v1(d: bytes, i: int) -> tuple[CaseChanged, int]:
    """case-changed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_traits, i = shared.read_traits_v1(d, i)
    n = d[i]
    i += 1
    f_consent = None
    if n:
        if n != 2:
            avro.fail("union")
        f_consent, i = shared.read_consent_v1(d, i)
    if d[i]:
        f_excluded, i = avro.codes(d, i)
    else:
        f_excluded = ()
        i += 1
    return CaseChanged(head=f_head, why=f_why, traits=f_traits, consent=f_consent, excluded=f_excluded, consent_by='', lifted=()), i


def read_case_changed_v2(d: bytes, i: int) -> tuple[CaseChanged, int]:
    """case-changed.v2"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_traits, i = shared.read_traits_v1(d, i)
    n = d[i]
    i += 1
    f_consent = None
    if n:
        if n != 2:
            avro.fail("union")
        f_consent, i = shared.read_consent_v1(d, i)
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


def write_case_changed(x: CaseChanged) -> bytes:
    """case-changed.v2"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        shared.write_traits(x.traits),
        b"\x00" if (v_consent := x.consent) is None else b"\x02" + shared.write_consent(v_consent),
        avro.codes_bytes(x.excluded),
        avro.CODES[x.consent_by],
        avro.codes_bytes(x.lifted),
    ))


def read_case_closed_v1(d: bytes, i: int) -> tuple[CaseClosed, int]:
    """case-closed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_outcome = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_sealed = avro.BOOLEANS[d[i]]
    i += 1
    return CaseClosed(head=f_head, why=f_why, outcome=f_outcome, sealed=f_sealed), i


def write_case_closed(x: CaseClosed) -> bytes:
    """case-closed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.CODES[x.outcome],
        avro.BOOLEAN_BYTES[x.sealed],
    ))


def read_case_linked_v1(d: bytes, i: int) -> tuple[CaseLinked, int]:
    """case-linked.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_other = avro.ident(d[i : (i := i + 37)])
    f_how = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return CaseLinked(head=f_head, why=f_why, other=f_other, how=f_how), i


def write_case_linked(x: CaseLinked) -> bytes:
    """case-linked.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.other),
        avro.CODES[x.how],
    ))


def read_case_opened_v1(d: bytes, i: int) -> tuple[CaseOpened, int]:
    """case-opened.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_referral_id = avro.ident(d[i : (i := i + 37)])
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_traits, i = shared.read_traits_v1(d, i)
    n = d[i]
    i += 1
    f_consent = None
    if n:
        if n != 2:
            avro.fail("union")
        f_consent, i = shared.read_consent_v1(d, i)
    if d[i]:
        f_excluded, i = avro.codes(d, i)
    else:
        f_excluded = ()
        i += 1
    f_drill = avro.BOOLEANS[d[i]]
    i += 1
    return CaseOpened(head=f_head, why=f_why, referral_id=f_referral_id, agency=f_agency, traits=f_traits, consent=f_consent, excluded=f_excluded, drill=f_drill), i


def write_case_opened(x: CaseOpened) -> bytes:
    """case-opened.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.referral_id),
        avro.CODES[x.agency],
        shared.write_traits(x.traits),
        b"\x00" if (v_consent := x.consent) is None else b"\x02" + shared.write_consent(v_consent),
        avro.codes_bytes(x.excluded),
        avro.BOOLEAN_BYTES[x.drill],
    ))


def read_case_raised_v1(d: bytes, i: int) -> tuple[CaseRaised, int]:
    """case-raised.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_new_case_id = avro.ident(d[i : (i := i + 37)])
    f_pathway = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_traits, i = shared.read_traits_v1(d, i)
    if d[i]:
        f_excluded, i = avro.codes(d, i)
    else:
        f_excluded = ()
        i += 1
    f_about = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return CaseRaised(head=f_head, why=f_why, new_case_id=f_new_case_id, pathway=f_pathway, traits=f_traits, excluded=f_excluded, about=f_about), i


def write_case_raised(x: CaseRaised) -> bytes:
    """case-raised.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.new_case_id),
        avro.CODES[x.pathway],
        shared.write_traits(x.traits),
        avro.codes_bytes(x.excluded),
        avro.CODES[x.about],
    ))


def read_change_proposed_v1(d: bytes, i: int) -> tuple[ChangeProposed, int]:
    """change-proposed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
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
        f_traits, i = shared.read_traits_v1(d, i)
    n = d[i]
    i += 1
    f_consent = None
    if n:
        if n != 2:
            avro.fail("union")
        f_consent, i = shared.read_consent_v1(d, i)
    f_actor = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return ChangeProposed(head=f_head, why=f_why, task_id=f_task_id, kind=f_kind, agency=f_agency, by=f_by, traits=f_traits, consent=f_consent, actor=f_actor), i


def write_change_proposed(x: ChangeProposed) -> bytes:
    """change-proposed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.task_id),
        ChangeKind_BYTES[x.kind],
        avro.CODES[x.agency],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        b"\x00" if (v_traits := x.traits) is None else b"\x02" + shared.write_traits(v_traits),
        b"\x00" if (v_consent := x.consent) is None else b"\x02" + shared.write_consent(v_consent),
        avro.CODES[x.actor],
    ))


def read_deadline_passed_v1(d: bytes, i: int) -> tuple[DeadlinePassed, int]:
    """deadline-passed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    f_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_was_due, i = avro.long(d, i)
    return DeadlinePassed(head=f_head, why=f_why, offer_id=f_offer_id, what=f_what, was_due=f_was_due), i


def write_deadline_passed(x: DeadlinePassed) -> bytes:
    """deadline-passed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
        avro.CODES[x.what],
        avro.LONGS[x.was_due],
    ))


def read_decision_recorded_v1(d: bytes, i: int) -> tuple[DecisionRecorded, int]:
    """decision-recorded.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
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
    f_code = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_how = Decided_V1[d[i]]
    i += 1
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    return DecisionRecorded(head=f_head, why=f_why, track_id=f_track_id, step=f_step, round=f_round, seat=f_seat, code=f_code, how=f_how, by=f_by), i


def write_decision_recorded(x: DecisionRecorded) -> bytes:
    """decision-recorded.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.step],
        avro.INTS[x.round],
        avro.INTS[x.seat],
        avro.CODES[x.code],
        Decided_BYTES[x.how],
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
    ))


def read_input_ignored_v1(d: bytes, i: int) -> tuple[InputIgnored, int]:
    """input-ignored.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_referral_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_referral_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    return InputIgnored(head=f_head, why=f_why, reason=f_reason, referral_id=f_referral_id, offer_id=f_offer_id), i


def write_input_ignored(x: InputIgnored) -> bytes:
    """input-ignored.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.CODES[x.reason],
        b"\x00" if (v_referral_id := x.referral_id) is None else b"\x02" + avro.ident_bytes(v_referral_id),
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
    ))


def read_needs_person_v1(d: bytes, i: int) -> tuple[NeedsPerson, int]:
    """needs-person.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_task_id = avro.ident(d[i : (i := i + 37)])
    f_desk = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_about = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
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
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    return NeedsPerson(head=f_head, why=f_why, task_id=f_task_id, desk=f_desk, about=f_about, track_id=f_track_id, step=f_step, seat=f_seat, rung=f_rung, due=f_due, offer_id=None), i


def read_needs_person_v2(d: bytes, i: int) -> tuple[NeedsPerson, int]:
    """needs-person.v2"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_task_id = avro.ident(d[i : (i := i + 37)])
    f_desk = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_about = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
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
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    n = d[i]
    i += 1
    f_offer_id = None
    if n:
        if n != 2:
            avro.fail("union")
        f_offer_id = avro.ident(d[i : (i := i + 37)])
    return NeedsPerson(head=f_head, why=f_why, task_id=f_task_id, desk=f_desk, about=f_about, track_id=f_track_id, step=f_step, seat=f_seat, rung=f_rung, due=f_due, offer_id=f_offer_id), i


def write_needs_person(x: NeedsPerson) -> bytes:
    """needs-person.v2"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.task_id),
        avro.CODES[x.desk],
        avro.CODES[x.about],
        b"\x00" if (v_track_id := x.track_id) is None else b"\x02" + avro.ident_bytes(v_track_id),
        avro.CODES[x.step],
        avro.INTS[x.seat],
        avro.INTS[x.rung],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        b"\x00" if (v_offer_id := x.offer_id) is None else b"\x02" + avro.ident_bytes(v_offer_id),
    ))


def read_offer_accepted_v1(d: bytes, i: int) -> tuple[OfferAccepted, int]:
    """offer-accepted.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_late = avro.BOOLEANS[d[i]]
    i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    f_due_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return OfferAccepted(head=f_head, why=f_why, offer_id=f_offer_id, by=f_by, late=f_late, due=f_due, due_what=f_due_what), i


def write_offer_accepted(x: OfferAccepted) -> bytes:
    """offer-accepted.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.offer_id),
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        avro.BOOLEAN_BYTES[x.late],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        avro.CODES[x.due_what],
    ))


def read_offer_acknowledged_v1(d: bytes, i: int) -> tuple[OfferAcknowledged, int]:
    """offer-acknowledged.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    f_due_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return OfferAcknowledged(head=f_head, why=f_why, offer_id=f_offer_id, by=f_by, due=f_due, due_what=f_due_what), i


def write_offer_acknowledged(x: OfferAcknowledged) -> bytes:
    """offer-acknowledged.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.offer_id),
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        avro.CODES[x.due_what],
    ))


def read_offer_arrived_v1(d: bytes, i: int) -> tuple[OfferArrived, int]:
    """offer-arrived.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    f_due_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return OfferArrived(head=f_head, why=f_why, offer_id=f_offer_id, by=f_by, due=f_due, due_what=f_due_what), i


def write_offer_arrived(x: OfferArrived) -> bytes:
    """offer-arrived.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.offer_id),
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        avro.CODES[x.due_what],
    ))


def read_offer_closed_v1(d: bytes, i: int) -> tuple[OfferClosed, int]:
    """offer-closed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    f_how = How_V1[d[i]]
    i += 1
    f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return OfferClosed(head=f_head, why=f_why, offer_id=f_offer_id, how=f_how, reason=f_reason), i


def write_offer_closed(x: OfferClosed) -> bytes:
    """offer-closed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.offer_id),
        How_BYTES[x.how],
        avro.CODES[x.reason],
    ))


def read_offer_escalated_v1(d: bytes, i: int) -> tuple[OfferEscalated, int]:
    """offer-escalated.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    n = d[i]
    i += 1
    f_reason = None
    if n:
        if n != 2:
            avro.fail("union")
        f_reason = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    f_due_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return OfferEscalated(head=f_head, why=f_why, offer_id=f_offer_id, rung=f_rung, reason=f_reason, due=f_due, due_what=f_due_what), i


def write_offer_escalated(x: OfferEscalated) -> bytes:
    """offer-escalated.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.offer_id),
        avro.INTS[x.rung],
        b"\x00" if (v_reason := x.reason) is None else b"\x02" + avro.CODES[v_reason],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        avro.CODES[x.due_what],
    ))


def read_offer_held_v1(d: bytes, i: int) -> tuple[OfferHeld, int]:
    """offer-held.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
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
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    return OfferHeld(head=f_head, why=f_why, offer_id=f_offer_id, by=f_by, reason=f_reason, due=f_due), i


def write_offer_held(x: OfferHeld) -> bytes:
    """offer-held.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.offer_id),
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        avro.CODES[x.reason],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
    ))


def read_offer_opened_v1(d: bytes, i: int) -> tuple[OfferOpened, int]:
    """offer-opened.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
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


def write_offer_opened(x: OfferOpened) -> bytes:
    """offer-opened.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
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


def read_offer_reopened_v1(d: bytes, i: int) -> tuple[OfferReopened, int]:
    """offer-reopened.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    i += 1
    f_by = None
    if n:
        if n != 2:
            avro.fail("union")
        f_by = avro.ident(d[i : (i := i + 37)])
    f_track_id = avro.ident(d[i : (i := i + 37)])
    f_step = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    f_arrived = avro.BOOLEANS[d[i]]
    i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    f_due_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_done_at = None
    if n:
        if n != 2:
            avro.fail("union")
        f_done_at, i = avro.long(d, i)
    return OfferReopened(head=f_head, why=f_why, offer_id=f_offer_id, by=f_by, track_id=f_track_id, step=f_step, arrived=f_arrived, due=f_due, due_what=f_due_what, done_at=f_done_at), i


def write_offer_reopened(x: OfferReopened) -> bytes:
    """offer-reopened.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.offer_id),
        b"\x00" if (v_by := x.by) is None else b"\x02" + avro.ident_bytes(v_by),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.step],
        avro.BOOLEAN_BYTES[x.arrived],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        avro.CODES[x.due_what],
        b"\x00" if (v_done_at := x.done_at) is None else b"\x02" + avro.LONGS[v_done_at],
    ))


def read_offer_unheard_v1(d: bytes, i: int) -> tuple[OfferUnheard, int]:
    """offer-unheard.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    n = d[i]
    if n > 0x7F:
        f_rung, i = avro.int32(d, i)
    else:
        f_rung = (n >> 1) ^ -(n & 1)
        i += 1
    f_away = avro.BOOLEANS[d[i]]
    i += 1
    return OfferUnheard(head=f_head, why=f_why, offer_id=f_offer_id, rung=f_rung, away=f_away), i


def write_offer_unheard(x: OfferUnheard) -> bytes:
    """offer-unheard.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.offer_id),
        avro.INTS[x.rung],
        avro.BOOLEAN_BYTES[x.away],
    ))


def read_person_not_needed_v1(d: bytes, i: int) -> tuple[PersonNotNeeded, int]:
    """person-not-needed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_task_id = avro.ident(d[i : (i := i + 37)])
    f_how = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return PersonNotNeeded(head=f_head, why=f_why, task_id=f_task_id, how=f_how), i


def write_person_not_needed(x: PersonNotNeeded) -> bytes:
    """person-not-needed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.task_id),
        avro.CODES[x.how],
    ))


def read_referral_attached_v1(d: bytes, i: int) -> tuple[ReferralAttached, int]:
    """referral-attached.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_referral_id = avro.ident(d[i : (i := i + 37)])
    f_agency = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return ReferralAttached(head=f_head, why=f_why, referral_id=f_referral_id, agency=f_agency), i


def write_referral_attached(x: ReferralAttached) -> bytes:
    """referral-attached.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.referral_id),
        avro.CODES[x.agency],
    ))


def read_step_done_v1(d: bytes, i: int) -> tuple[StepDone, int]:
    """step-done.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_track_id = avro.ident(d[i : (i := i + 37)])
    f_step = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_round, i = avro.int32(d, i)
    else:
        f_round = (n >> 1) ^ -(n & 1)
        i += 1
    f_outcome = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    return StepDone(head=f_head, why=f_why, track_id=f_track_id, step=f_step, round=f_round, outcome=f_outcome), i


def write_step_done(x: StepDone) -> bytes:
    """step-done.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.step],
        avro.INTS[x.round],
        avro.CODES[x.outcome],
    ))


def read_step_opened_v1(d: bytes, i: int) -> tuple[StepOpened, int]:
    """step-opened.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_track_id = avro.ident(d[i : (i := i + 37)])
    f_step = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    if n > 0x7F:
        f_round, i = avro.int32(d, i)
    else:
        f_round = (n >> 1) ^ -(n & 1)
        i += 1
    f_kind = StepKind_V1[d[i]]
    i += 1
    if d[i]:
        f_seats, i = avro.codes(d, i)
    else:
        f_seats = ()
        i += 1
    n = d[i]
    i += 1
    f_starts = None
    if n:
        if n != 2:
            avro.fail("union")
        f_starts, i = avro.long(d, i)
    return StepOpened(head=f_head, why=f_why, track_id=f_track_id, step=f_step, round=f_round, kind=f_kind, seats=f_seats, starts=f_starts), i


def write_step_opened(x: StepOpened) -> bytes:
    """step-opened.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.step],
        avro.INTS[x.round],
        StepKind_BYTES[x.kind],
        avro.codes_bytes(x.seats),
        b"\x00" if (v_starts := x.starts) is None else b"\x02" + avro.LONGS[v_starts],
    ))


def read_track_changed_v1(d: bytes, i: int) -> tuple[TrackChanged, int]:
    """track-changed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
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


def write_track_changed(x: TrackChanged) -> bytes:
    """track-changed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.track_id),
        avro.CODES[x.pathway],
        avro.LONG_CODES[x.digest],
        TrackState_BYTES[x.state],
        avro.CODES[x.paused_by],
        b"\x00" if (v_opened_by := x.opened_by) is None else b"\x02" + avro.ident_bytes(v_opened_by),
        avro.CODES[x.outcome],
    ))


def read_undo_allowed_v1(d: bytes, i: int) -> tuple[UndoAllowed, int]:
    """undo-allowed.v1"""
    n = d[i]
    i += 1
    f_head = None
    if n:
        if n != 2:
            avro.fail("union")
        f_head, i = shared.read_head_v1(d, i)
    f_why, i = shared.read_why_v1(d, i)
    f_offer_id = avro.ident(d[i : (i := i + 37)])
    f_until, i = avro.long(d, i)
    f_arrived = avro.BOOLEANS[d[i]]
    i += 1
    n = d[i]
    i += 1
    f_due = None
    if n:
        if n != 2:
            avro.fail("union")
        f_due, i = avro.long(d, i)
    f_due_what = avro.WORDS[d[i : (i := i + 1 + (d[i] >> 1))]]
    n = d[i]
    i += 1
    f_done_at = None
    if n:
        if n != 2:
            avro.fail("union")
        f_done_at, i = avro.long(d, i)
    return UndoAllowed(head=f_head, why=f_why, offer_id=f_offer_id, until=f_until, arrived=f_arrived, due=f_due, due_what=f_due_what, done_at=f_done_at), i


def write_undo_allowed(x: UndoAllowed) -> bytes:
    """undo-allowed.v1"""
    return b"".join((
        b"\x00" if (v_head := x.head) is None else b"\x02" + shared.write_head(v_head),
        shared.write_why(x.why),
        avro.ident_bytes(x.offer_id),
        avro.LONGS[x.until],
        avro.BOOLEAN_BYTES[x.arrived],
        b"\x00" if (v_due := x.due) is None else b"\x02" + avro.LONGS[v_due],
        avro.CODES[x.due_what],
        b"\x00" if (v_done_at := x.done_at) is None else b"\x02" + avro.LONGS[v_done_at],
    ))
