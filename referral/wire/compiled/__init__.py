"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from referral.domain import events
from referral.wire.compiled import actor_excluded
from referral.wire.compiled import case_changed
from referral.wire.compiled import case_closed
from referral.wire.compiled import case_erased
from referral.wire.compiled import case_key
from referral.wire.compiled import case_linked
from referral.wire.compiled import case_opened
from referral.wire.compiled import case_raised
from referral.wire.compiled import change_proposed
from referral.wire.compiled import claim
from referral.wire.compiled import consent
from referral.wire.compiled import consent_changed
from referral.wire.compiled import counted
from referral.wire.compiled import deadline_passed
from referral.wire.compiled import decision_recorded
from referral.wire.compiled import facts
from referral.wire.compiled import figure_released
from referral.wire.compiled import head
from referral.wire.compiled import input_ignored
from referral.wire.compiled import instruction_given
from referral.wire.compiled import knock_failed
from referral.wire.compiled import knock_sent
from referral.wire.compiled import leaf
from referral.wire.compiled import meta
from referral.wire.compiled import needs_person
from referral.wire.compiled import offer_accepted
from referral.wire.compiled import offer_acknowledged
from referral.wire.compiled import offer_arrived
from referral.wire.compiled import offer_closed
from referral.wire.compiled import offer_escalated
from referral.wire.compiled import offer_held
from referral.wire.compiled import offer_opened
from referral.wire.compiled import offer_unheard
from referral.wire.compiled import passed
from referral.wire.compiled import person_not_needed
from referral.wire.compiled import policy_activated
from referral.wire.compiled import quarantined
from referral.wire.compiled import referral_attached
from referral.wire.compiled import referral_submitted
from referral.wire.compiled import referral_withdrawn
from referral.wire.compiled import release_made
from referral.wire.compiled import response_submitted
from referral.wire.compiled import roster_changed
from referral.wire.compiled import roster_row
from referral.wire.compiled import rung_failed
from referral.wire.compiled import rung_reached
from referral.wire.compiled import section_disclosed
from referral.wire.compiled import section_written
from referral.wire.compiled import signed
from referral.wire.compiled import step_done
from referral.wire.compiled import step_opened
from referral.wire.compiled import track_changed
from referral.wire.compiled import traits
from referral.wire.compiled import traits_changed
from referral.wire.compiled import why

FINGERPRINTS = {
    "actor-excluded.v1": -4421981727998345176,
    "case-changed.v1": 621906282370676571,
    "case-changed.v2": -1037514604680346356,
    "case-closed.v1": -8958679653239091702,
    "case-erased.v1": -938371900409926525,
    "case-erased.v2": 4433471736724350974,
    "case-erased.v3": 1732259199576507028,
    "case-key.v1": -2559064170110284968,
    "case-linked.v1": 6222442492616847950,
    "case-opened.v1": 2437435815398576646,
    "case-raised.v1": -4404043213737500516,
    "change-proposed.v1": -7126132360965341267,
    "claim.v1": -5303069421361513362,
    "consent-changed.v1": 855161976666262391,
    "consent.v1": 2078319248597939007,
    "counted.v1": -6139686268546950970,
    "deadline-passed.v1": -5443881282869276783,
    "decision-recorded.v1": -5513107833183527350,
    "facts.v1": -7418124646854443554,
    "figure-released.v1": -2756706793969339097,
    "head.v1": 725859280912230612,
    "input-ignored.v1": 8166195143366387227,
    "instruction-given.v1": -1616713294164667394,
    "instruction-given.v2": -4465239921855106696,
    "knock-failed.v1": 387856051343050515,
    "knock-sent.v1": -2093424176418181721,
    "leaf.v1": -76331536571386477,
    "leaf.v2": 1524651760997752659,
    "meta.v1": -294720532920057354,
    "needs-person.v1": 5524754876861207023,
    "needs-person.v2": -4318917341659472409,
    "offer-accepted.v1": -7107110479503557348,
    "offer-acknowledged.v1": -3885427401037165372,
    "offer-arrived.v1": 3845454823370212923,
    "offer-closed.v1": -5903307523124896204,
    "offer-escalated.v1": -8142864290877489613,
    "offer-held.v1": -8345909471966476456,
    "offer-opened.v1": 7016236317045396622,
    "offer-unheard.v1": 1071916171833572025,
    "passed.v1": 9153950226952924373,
    "person-not-needed.v1": 2680861182526063321,
    "policy-activated.v1": -858678549514275396,
    "quarantined.v1": 7719928095000935047,
    "quarantined.v2": -3936041613116032243,
    "referral-attached.v1": -6716535971413402687,
    "referral-submitted.v1": -923104350086175150,
    "referral-withdrawn.v1": -7286849571957443288,
    "release-made.v1": -2053079638189357190,
    "response-submitted.v1": -2703843390454981339,
    "roster-changed.v1": 685924876492168121,
    "roster-row.v1": 3549348418096659276,
    "rung-failed.v1": 5981256200875020575,
    "rung-reached.v1": -2860879624182566180,
    "sealed.v1": -8432922871647502632,
    "section-disclosed.v1": 5534290302212687549,
    "section-written.v1": 5262337778049864599,
    "signed.v1": -3728815708809776247,
    "step-done.v1": 3175322365600057189,
    "step-opened.v1": -5194724344244462576,
    "track-changed.v1": -4531027455271491141,
    "traits-changed.v1": -1158964745305761832,
    "traits.v1": -9213293569509141260,
    "why.v1": -8558118471590480678,
}

READERS: dict[str, tuple[int, Callable[[bytes, int], tuple[Struct, int]]]] = {
    "actor-excluded.v1": (-4421981727998345176, actor_excluded.read_v1),
    "case-changed.v1": (621906282370676571, case_changed.read_v1),
    "case-changed.v2": (-1037514604680346356, case_changed.read_v2),
    "case-closed.v1": (-8958679653239091702, case_closed.read_v1),
    "case-erased.v1": (-938371900409926525, case_erased.read_v1),
    "case-erased.v2": (4433471736724350974, case_erased.read_v2),
    "case-erased.v3": (1732259199576507028, case_erased.read_v3),
    "case-key.v1": (-2559064170110284968, case_key.read_v1),
    "case-linked.v1": (6222442492616847950, case_linked.read_v1),
    "case-opened.v1": (2437435815398576646, case_opened.read_v1),
    "case-raised.v1": (-4404043213737500516, case_raised.read_v1),
    "change-proposed.v1": (-7126132360965341267, change_proposed.read_v1),
    "consent-changed.v1": (855161976666262391, consent_changed.read_v1),
    "deadline-passed.v1": (-5443881282869276783, deadline_passed.read_v1),
    "decision-recorded.v1": (-5513107833183527350, decision_recorded.read_v1),
    "figure-released.v1": (-2756706793969339097, figure_released.read_v1),
    "input-ignored.v1": (8166195143366387227, input_ignored.read_v1),
    "instruction-given.v1": (-1616713294164667394, instruction_given.read_v1),
    "instruction-given.v2": (-4465239921855106696, instruction_given.read_v2),
    "knock-failed.v1": (387856051343050515, knock_failed.read_v1),
    "knock-sent.v1": (-2093424176418181721, knock_sent.read_v1),
    "needs-person.v1": (5524754876861207023, needs_person.read_v1),
    "needs-person.v2": (-4318917341659472409, needs_person.read_v2),
    "offer-accepted.v1": (-7107110479503557348, offer_accepted.read_v1),
    "offer-acknowledged.v1": (-3885427401037165372, offer_acknowledged.read_v1),
    "offer-arrived.v1": (3845454823370212923, offer_arrived.read_v1),
    "offer-closed.v1": (-5903307523124896204, offer_closed.read_v1),
    "offer-escalated.v1": (-8142864290877489613, offer_escalated.read_v1),
    "offer-held.v1": (-8345909471966476456, offer_held.read_v1),
    "offer-opened.v1": (7016236317045396622, offer_opened.read_v1),
    "offer-unheard.v1": (1071916171833572025, offer_unheard.read_v1),
    "person-not-needed.v1": (2680861182526063321, person_not_needed.read_v1),
    "policy-activated.v1": (-858678549514275396, policy_activated.read_v1),
    "quarantined.v1": (7719928095000935047, quarantined.read_v1),
    "quarantined.v2": (-3936041613116032243, quarantined.read_v2),
    "referral-attached.v1": (-6716535971413402687, referral_attached.read_v1),
    "referral-submitted.v1": (-923104350086175150, referral_submitted.read_v1),
    "referral-withdrawn.v1": (-7286849571957443288, referral_withdrawn.read_v1),
    "release-made.v1": (-2053079638189357190, release_made.read_v1),
    "response-submitted.v1": (-2703843390454981339, response_submitted.read_v1),
    "roster-changed.v1": (685924876492168121, roster_changed.read_v1),
    "rung-failed.v1": (5981256200875020575, rung_failed.read_v1),
    "rung-reached.v1": (-2860879624182566180, rung_reached.read_v1),
    "section-disclosed.v1": (5534290302212687549, section_disclosed.read_v1),
    "section-written.v1": (5262337778049864599, section_written.read_v1),
    "step-done.v1": (3175322365600057189, step_done.read_v1),
    "step-opened.v1": (-5194724344244462576, step_opened.read_v1),
    "track-changed.v1": (-4531027455271491141, track_changed.read_v1),
    "traits-changed.v1": (-1158964745305761832, traits_changed.read_v1),
}

WRITERS: dict[type, Callable[[Any], bytes]] = {
    events.ActorExcluded: actor_excluded.write,
    events.CaseChanged: case_changed.write,
    events.CaseClosed: case_closed.write,
    events.CaseErased: case_erased.write,
    events.CaseKey: case_key.write,
    events.CaseLinked: case_linked.write,
    events.CaseOpened: case_opened.write,
    events.CaseRaised: case_raised.write,
    events.ChangeProposed: change_proposed.write,
    events.Claim: claim.write,
    events.Consent: consent.write,
    events.ConsentChanged: consent_changed.write,
    events.Counted: counted.write,
    events.DeadlinePassed: deadline_passed.write,
    events.DecisionRecorded: decision_recorded.write,
    events.Facts: facts.write,
    events.FigureReleased: figure_released.write,
    events.Head: head.write,
    events.InputIgnored: input_ignored.write,
    events.InstructionGiven: instruction_given.write,
    events.KnockFailed: knock_failed.write,
    events.KnockSent: knock_sent.write,
    events.Leaf: leaf.write,
    events.Meta: meta.write,
    events.NeedsPerson: needs_person.write,
    events.OfferAccepted: offer_accepted.write,
    events.OfferAcknowledged: offer_acknowledged.write,
    events.OfferArrived: offer_arrived.write,
    events.OfferClosed: offer_closed.write,
    events.OfferEscalated: offer_escalated.write,
    events.OfferHeld: offer_held.write,
    events.OfferOpened: offer_opened.write,
    events.OfferUnheard: offer_unheard.write,
    events.Passed: passed.write,
    events.PersonNotNeeded: person_not_needed.write,
    events.PolicyActivated: policy_activated.write,
    events.Quarantined: quarantined.write,
    events.ReferralAttached: referral_attached.write,
    events.ReferralSubmitted: referral_submitted.write,
    events.ReferralWithdrawn: referral_withdrawn.write,
    events.ReleaseMade: release_made.write,
    events.ResponseSubmitted: response_submitted.write,
    events.RosterChanged: roster_changed.write,
    events.RosterRow: roster_row.write,
    events.RungFailed: rung_failed.write,
    events.RungReached: rung_reached.write,
    events.SectionDisclosed: section_disclosed.write,
    events.SectionWritten: section_written.write,
    events.Signed: signed.write,
    events.StepDone: step_done.write,
    events.StepOpened: step_opened.write,
    events.TrackChanged: track_changed.write,
    events.Traits: traits.write,
    events.TraitsChanged: traits_changed.write,
    events.Why: why.write,
}
