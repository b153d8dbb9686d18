"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events.actor_excluded import ActorExcluded
from referral.domain.events.actor_excluded import ActorKind
from referral.domain.events.case_changed import CaseChanged
from referral.domain.events.case_closed import CaseClosed
from referral.domain.events.case_erased import CaseErased
from referral.domain.events.case_key import CaseKey
from referral.domain.events.case_linked import CaseLinked
from referral.domain.events.case_opened import CaseOpened
from referral.domain.events.case_raised import CaseRaised
from referral.domain.events.change_proposed import ChangeKind
from referral.domain.events.change_proposed import ChangeProposed
from referral.domain.events.claim import Claim
from referral.domain.events.consent import Consent
from referral.domain.events.consent import ConsentState
from referral.domain.events.consent_changed import ConsentChanged
from referral.domain.events.counted import Counted
from referral.domain.events.deadline_passed import DeadlinePassed
from referral.domain.events.decision_recorded import Decided
from referral.domain.events.decision_recorded import DecisionRecorded
from referral.domain.events.facts import Facts
from referral.domain.events.figure_released import FigureReleased
from referral.domain.events.figure_released import Mark
from referral.domain.events.figure_released import Unit
from referral.domain.events.head import CauseKind
from referral.domain.events.head import Head
from referral.domain.events.input_ignored import InputIgnored
from referral.domain.events.instruction_given import Instruction
from referral.domain.events.instruction_given import InstructionGiven
from referral.domain.events.knock_failed import KnockFailed
from referral.domain.events.knock_sent import KnockSent
from referral.domain.events.leaf import EntryKind
from referral.domain.events.leaf import Leaf
from referral.domain.events.meta import Meta
from referral.domain.events.needs_person import NeedsPerson
from referral.domain.events.offer_accepted import OfferAccepted
from referral.domain.events.offer_acknowledged import OfferAcknowledged
from referral.domain.events.offer_arrived import OfferArrived
from referral.domain.events.offer_closed import How
from referral.domain.events.offer_closed import OfferClosed
from referral.domain.events.offer_escalated import OfferEscalated
from referral.domain.events.offer_held import OfferHeld
from referral.domain.events.offer_opened import OfferKind
from referral.domain.events.offer_opened import OfferOpened
from referral.domain.events.offer_opened import Reach
from referral.domain.events.offer_unheard import OfferUnheard
from referral.domain.events.passed import Passed
from referral.domain.events.person_not_needed import PersonNotNeeded
from referral.domain.events.policy_activated import PolicyActivated
from referral.domain.events.quarantined import Quarantined
from referral.domain.events.referral_attached import ReferralAttached
from referral.domain.events.referral_submitted import Door
from referral.domain.events.referral_submitted import ReferralSubmitted
from referral.domain.events.referral_withdrawn import ReferralWithdrawn
from referral.domain.events.release_made import ReleaseMade
from referral.domain.events.response_submitted import ResponseSubmitted
from referral.domain.events.response_submitted import Via
from referral.domain.events.response_submitted import Word
from referral.domain.events.roster_changed import RosterChanged
from referral.domain.events.roster_row import RosterRow
from referral.domain.events.rung_failed import RungFailed
from referral.domain.events.rung_reached import RungReached
from referral.domain.events.section_disclosed import SectionDisclosed
from referral.domain.events.section_written import SectionWritten
from referral.domain.events.signed import Scheme
from referral.domain.events.signed import Signed
from referral.domain.events.step_done import StepDone
from referral.domain.events.step_opened import StepKind
from referral.domain.events.step_opened import StepOpened
from referral.domain.events.track_changed import TrackChanged
from referral.domain.events.track_changed import TrackState
from referral.domain.events.traits import Traits
from referral.domain.events.traits_changed import TraitsChanged
from referral.domain.events.why import Why

EVENTS = {
    ActorExcluded.TYPE: ActorExcluded,
    CaseChanged.TYPE: CaseChanged,
    CaseClosed.TYPE: CaseClosed,
    CaseErased.TYPE: CaseErased,
    CaseKey.TYPE: CaseKey,
    CaseLinked.TYPE: CaseLinked,
    CaseOpened.TYPE: CaseOpened,
    CaseRaised.TYPE: CaseRaised,
    ChangeProposed.TYPE: ChangeProposed,
    ConsentChanged.TYPE: ConsentChanged,
    DeadlinePassed.TYPE: DeadlinePassed,
    DecisionRecorded.TYPE: DecisionRecorded,
    FigureReleased.TYPE: FigureReleased,
    InputIgnored.TYPE: InputIgnored,
    InstructionGiven.TYPE: InstructionGiven,
    KnockFailed.TYPE: KnockFailed,
    KnockSent.TYPE: KnockSent,
    NeedsPerson.TYPE: NeedsPerson,
    OfferAccepted.TYPE: OfferAccepted,
    OfferAcknowledged.TYPE: OfferAcknowledged,
    OfferArrived.TYPE: OfferArrived,
    OfferClosed.TYPE: OfferClosed,
    OfferEscalated.TYPE: OfferEscalated,
    OfferHeld.TYPE: OfferHeld,
    OfferOpened.TYPE: OfferOpened,
    OfferUnheard.TYPE: OfferUnheard,
    PersonNotNeeded.TYPE: PersonNotNeeded,
    PolicyActivated.TYPE: PolicyActivated,
    Quarantined.TYPE: Quarantined,
    ReferralAttached.TYPE: ReferralAttached,
    ReferralSubmitted.TYPE: ReferralSubmitted,
    ReferralWithdrawn.TYPE: ReferralWithdrawn,
    ReleaseMade.TYPE: ReleaseMade,
    ResponseSubmitted.TYPE: ResponseSubmitted,
    RosterChanged.TYPE: RosterChanged,
    RungFailed.TYPE: RungFailed,
    RungReached.TYPE: RungReached,
    SectionDisclosed.TYPE: SectionDisclosed,
    SectionWritten.TYPE: SectionWritten,
    StepDone.TYPE: StepDone,
    StepOpened.TYPE: StepOpened,
    TrackChanged.TYPE: TrackChanged,
    TraitsChanged.TYPE: TraitsChanged,
}

__all__ = [
    "ActorExcluded",
    "ActorKind",
    "CaseChanged",
    "CaseClosed",
    "CaseErased",
    "CaseKey",
    "CaseLinked",
    "CaseOpened",
    "CaseRaised",
    "CauseKind",
    "ChangeKind",
    "ChangeProposed",
    "Claim",
    "Consent",
    "ConsentChanged",
    "ConsentState",
    "Counted",
    "DeadlinePassed",
    "Decided",
    "DecisionRecorded",
    "Door",
    "EVENTS",
    "EntryKind",
    "Facts",
    "FigureReleased",
    "Head",
    "How",
    "InputIgnored",
    "Instruction",
    "InstructionGiven",
    "KnockFailed",
    "KnockSent",
    "Leaf",
    "Mark",
    "Meta",
    "NeedsPerson",
    "OfferAccepted",
    "OfferAcknowledged",
    "OfferArrived",
    "OfferClosed",
    "OfferEscalated",
    "OfferHeld",
    "OfferKind",
    "OfferOpened",
    "OfferUnheard",
    "Passed",
    "PersonNotNeeded",
    "PolicyActivated",
    "Quarantined",
    "Reach",
    "ReferralAttached",
    "ReferralSubmitted",
    "ReferralWithdrawn",
    "ReleaseMade",
    "ResponseSubmitted",
    "RosterChanged",
    "RosterRow",
    "RungFailed",
    "RungReached",
    "Scheme",
    "SectionDisclosed",
    "SectionWritten",
    "Signed",
    "StepDone",
    "StepKind",
    "StepOpened",
    "TrackChanged",
    "TrackState",
    "Traits",
    "TraitsChanged",
    "Unit",
    "Via",
    "Why",
    "Word",
]
