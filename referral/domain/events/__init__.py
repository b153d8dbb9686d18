"""GENERATED from schemas/avro by `make generate`. Do not edit."""

from __future__ import annotations

from referral.domain.events.oversight_feed import FigureReleased
from referral.domain.events.oversight_feed import Mark
from referral.domain.events.oversight_feed import ReleaseMade
from referral.domain.events.oversight_feed import Unit
from referral.domain.events.referral_intake import AccountChanged
from referral.domain.events.referral_intake import ActorExcluded
from referral.domain.events.referral_intake import ActorKind
from referral.domain.events.referral_intake import AnswerWithdrawn
from referral.domain.events.referral_intake import CaseErased
from referral.domain.events.referral_intake import ConsentChanged
from referral.domain.events.referral_intake import Door
from referral.domain.events.referral_intake import Instruction
from referral.domain.events.referral_intake import InstructionGiven
from referral.domain.events.referral_intake import RecordDisowned
from referral.domain.events.referral_intake import ReferralSubmitted
from referral.domain.events.referral_intake import ReferralWithdrawn
from referral.domain.events.referral_intake import ResponseSubmitted
from referral.domain.events.referral_intake import SectionDisclosed
from referral.domain.events.referral_intake import SectionWritten
from referral.domain.events.referral_intake import TraitsChanged
from referral.domain.events.referral_intake import Via
from referral.domain.events.referral_intake import Word
from referral.domain.events.referral_keys import CaseKey
from referral.domain.events.referral_notification import KnockAnswered
from referral.domain.events.referral_notification import KnockDelivered
from referral.domain.events.referral_notification import KnockDisowned
from referral.domain.events.referral_notification import KnockFailed
from referral.domain.events.referral_notification import KnockSent
from referral.domain.events.referral_notification import RosterChanged
from referral.domain.events.referral_notification import RungFailed
from referral.domain.events.referral_notification import RungReached
from referral.domain.events.referral_policy import PolicyActivated
from referral.domain.events.referral_quarantine import Quarantined
from referral.domain.events.referral_routing import CaseChanged
from referral.domain.events.referral_routing import CaseClosed
from referral.domain.events.referral_routing import CaseLinked
from referral.domain.events.referral_routing import CaseOpened
from referral.domain.events.referral_routing import CaseRaised
from referral.domain.events.referral_routing import ChangeKind
from referral.domain.events.referral_routing import ChangeProposed
from referral.domain.events.referral_routing import DeadlinePassed
from referral.domain.events.referral_routing import Decided
from referral.domain.events.referral_routing import DecisionRecorded
from referral.domain.events.referral_routing import How
from referral.domain.events.referral_routing import InputIgnored
from referral.domain.events.referral_routing import NeedsPerson
from referral.domain.events.referral_routing import OfferAccepted
from referral.domain.events.referral_routing import OfferAcknowledged
from referral.domain.events.referral_routing import OfferArrived
from referral.domain.events.referral_routing import OfferClosed
from referral.domain.events.referral_routing import OfferEscalated
from referral.domain.events.referral_routing import OfferHeld
from referral.domain.events.referral_routing import OfferKind
from referral.domain.events.referral_routing import OfferOpened
from referral.domain.events.referral_routing import OfferReopened
from referral.domain.events.referral_routing import OfferUnheard
from referral.domain.events.referral_routing import PersonNotNeeded
from referral.domain.events.referral_routing import Reach
from referral.domain.events.referral_routing import ReferralAttached
from referral.domain.events.referral_routing import StepDone
from referral.domain.events.referral_routing import StepKind
from referral.domain.events.referral_routing import StepOpened
from referral.domain.events.referral_routing import TrackChanged
from referral.domain.events.referral_routing import TrackState
from referral.domain.events.referral_routing import UndoAllowed
from referral.domain.events.shared import CauseKind
from referral.domain.events.shared import Claim
from referral.domain.events.shared import Consent
from referral.domain.events.shared import ConsentState
from referral.domain.events.shared import Counted
from referral.domain.events.shared import EnteredTime
from referral.domain.events.shared import EntryKind
from referral.domain.events.shared import Facts
from referral.domain.events.shared import Head
from referral.domain.events.shared import Leaf
from referral.domain.events.shared import Meta
from referral.domain.events.shared import Passed
from referral.domain.events.shared import PolicySignature
from referral.domain.events.shared import RosterRow
from referral.domain.events.shared import Scheme
from referral.domain.events.shared import Signed
from referral.domain.events.shared import Traits
from referral.domain.events.shared import Why

EVENTS = {
    AccountChanged.TYPE: AccountChanged,
    ActorExcluded.TYPE: ActorExcluded,
    AnswerWithdrawn.TYPE: AnswerWithdrawn,
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
    KnockAnswered.TYPE: KnockAnswered,
    KnockDelivered.TYPE: KnockDelivered,
    KnockDisowned.TYPE: KnockDisowned,
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
    OfferReopened.TYPE: OfferReopened,
    OfferUnheard.TYPE: OfferUnheard,
    PersonNotNeeded.TYPE: PersonNotNeeded,
    PolicyActivated.TYPE: PolicyActivated,
    Quarantined.TYPE: Quarantined,
    RecordDisowned.TYPE: RecordDisowned,
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
    UndoAllowed.TYPE: UndoAllowed,
}

__all__ = [
    "AccountChanged",
    "ActorExcluded",
    "ActorKind",
    "AnswerWithdrawn",
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
    "EnteredTime",
    "EntryKind",
    "Facts",
    "FigureReleased",
    "Head",
    "How",
    "InputIgnored",
    "Instruction",
    "InstructionGiven",
    "KnockAnswered",
    "KnockDelivered",
    "KnockDisowned",
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
    "OfferReopened",
    "OfferUnheard",
    "Passed",
    "PersonNotNeeded",
    "PolicyActivated",
    "PolicySignature",
    "Quarantined",
    "Reach",
    "RecordDisowned",
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
    "UndoAllowed",
    "Unit",
    "Via",
    "Why",
    "Word",
]
