"""Closed words of the authority table: who acts, how they stand to a case, the state of a case, what is done, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """The capacity in which somebody acts. One request has one: a page of a desk is asked as `desk`, the page of an offer as `staff`."""

    SYSTEM = "system"
    STAFF = "staff"
    HEAD = "head"
    COORDINATOR = "coordinator"
    DESK = "desk"
    OVERSIGHT = "oversight"
    AUDITOR = "auditor"
    COMMITTEE = "committee"
    OPERATOR = "operator"
    SERVICE = "service"
    STRANGER = "stranger"


class Relation(StrEnum):
    """Ways in which an agency, or a person of it, stands to a case. It may stand in several ways at once; AWAY come before all others.

    EXCLUDED_SENDER: the case keeps it away, and it did nothing but refer it: it sees the case at rest, and what it sends changes nothing
    by itself. It stands in no other way.
    """

    SENDER = "sender"
    WITHDRAWN = "withdrawn"
    HOLDER = "holder"
    TELEPHONED = "telephoned"
    DECLINED = "declined"
    HELD = "held"
    DESK_NOW = "desk-now"
    DESK_TASK = "desk-task"
    DESK_BEFORE = "desk-before"
    EXCLUDED = "excluded"
    EXCLUDED_UNASKED = "excluded-unasked"
    EXCLUDED_PERSON = "excluded-person"
    EXCLUDED_SENDER = "excluded-sender"
    NONE = "none"


class State(StrEnum):
    """The state of a case. Consent is none: it decides for each section of the case file (`disclosure_rules`)."""

    OPEN = "open"
    CLOSED = "closed"
    SEALED = "sealed"
    ASKED = "asked"
    ERASING = "erasing"
    ERASED = "erased"


class About(StrEnum):
    """The thing that an act names. A refusal says that there is no such thing. NOTHING: the act is about no case."""

    NOTHING = "nothing"
    CASE = "case"
    OFFER = "offer"
    TASK = "task"
    REFERRAL = "referral"


class Need(StrEnum):
    """Needs and consequences of an allowed act."""

    RECORD = "record"
    NOTICE = "notice"
    SECOND_PARTY = "second-party"
    SECOND_PERSON = "second-person"


AWAY = frozenset((Relation.EXCLUDED, Relation.EXCLUDED_UNASKED, Relation.EXCLUDED_PERSON))
"""Relations of whom a case keeps away: where one holds, no other counts."""
PEOPLE = frozenset((Kind.STAFF, Kind.HEAD, Kind.COORDINATOR, Kind.DESK, Kind.OVERSIGHT))
"""Capacities of one person of an agency, whom a case may keep away alone."""
PARTIES = PEOPLE | {Kind.SYSTEM}
"""Capacities that may stand to a case in any way. All others stand to none: nobody but an agency takes part in a case."""
STATUS: Mapping[str, int] = {"unknown": 404, "not-yours": 403, "ended": 403, "person-needed": 403, "sign-in": 401}
"""Word of a refusal → HTTP status. `sign-in` leads a browser to the page for signing in (303). A conflict (409) is no refusal of the table:
the right is there, the case is not ready."""


def relations(kind: Kind) -> tuple[Relation, ...]:
    """Return the relations in which this kind can stand to a case."""
    if kind not in PARTIES:
        return (Relation.NONE,)
    return tuple(one for one in Relation if one is not Relation.EXCLUDED_PERSON or kind in PEOPLE)


class Act(StrEnum):
    """Acts of all kinds. Each has rows in policy/authority.yaml, and each route of a door is one (`referral.runtime.authority`)."""

    # of a case, by agencies' systems and people
    REFER = "refer"
    ATTACH_REFERRAL = "attach-referral"
    SEE_REFERRAL = "see-referral"
    PROVE_RECEIPT = "prove-receipt"
    WITHDRAW_REFERRAL = "withdraw-referral"
    SEE_CASE = "see-case"
    READ_FILE = "read-file"
    READ_VERSIONS = "read-versions"
    LIST_SECTIONS = "list-sections"
    WRITE_SECTION = "write-section"
    DISCARD_DRAFT = "discard-draft"
    RECORD_CONSENT = "record-consent"
    RECORD_TRAITS = "record-traits"
    EXCLUDE = "exclude"
    SEE_OFFER = "see-offer"
    ANSWER = "answer"
    TAKE_BACK = "take-back"
    # of a case, at its desk
    SEE_CALL = "see-call"
    READ_CALL = "read-call"
    ANSWER_CALL = "answer-call"
    TAKE_BACK_CALL = "take-back-call"
    SEE_TASK = "see-task"
    INSTRUCT = "instruct"
    SEE_REPORT = "see-report"
    OPEN_REPORT = "open-report"
    ANSWER_REPORT = "answer-report"
    LIFT_EXCLUSION = "lift-exclusion"
    SEE_ERASURE = "see-erasure"
    ASK_ERASURE = "ask-erasure"
    APPROVE_ERASURE = "approve-erasure"
    REFUSE_ERASURE = "refuse-erasure"
    HOLD = "hold"
    LIFT_HOLD = "lift-hold"
    # of no one case, by agencies
    SEE_SUBMISSION = "see-submission"
    LIST_OFFERS = "list-offers"
    LIST_CODES = "list-codes"
    SEE_INBOX = "see-inbox"
    SEE_PROGRESS = "see-progress"
    LIST_REPORTS = "list-reports"
    REFUSE_REPORTS = "refuse-reports"
    LIST_ERASURES = "list-erasures"
    ASK_ERASURE_REFUSED = "ask-erasure-refused"
    APPROVE_ERASURE_REFUSED = "approve-erasure-refused"
    SEE_EXERCISES = "see-exercises"
    START_EXERCISE = "start-exercise"
    END_EXERCISE = "end-exercise"
    AGREE_NIGHTS = "agree-nights"
    SEE_AGENCY = "see-agency"
    MANAGE_ROTA = "manage-rota"
    MANAGE_PEOPLE = "manage-people"
    RECORD_ABSENCE = "record-absence"
    MANAGE_OWN_ACCOUNT = "manage-own-account"
    # of everybody
    READ_OPEN_PAGES = "read-open-pages"
    SIGN_IN = "sign-in"
    ACKNOWLEDGE_SEEN = "acknowledge-seen"
    ACCEPT_INVITATION = "accept-invitation"
    READ_CALENDAR = "read-calendar"
    REFER_PUBLICLY = "refer-publicly"
    READ_RECEIPT = "read-receipt"
    ANSWER_MESSAGE = "answer-message"
    # of the log and the figures
    READ_HASHES = "read-hashes"
    READ_ENTRIES = "read-entries"
    READ_PROOF = "read-proof"
    READ_LOG = "read-log"
    READ_FIGURES = "read-figures"
    # of services and operators
    ASK_EXERCISE_LOG = "ask-exercise-log"
    ASK_WHO_WAS_TOLD = "ask-who-was-told"
    CHANGE_ROSTER = "change-roster"
    CALL_BACK = "call-back"
    BEAT = "beat"
    ALERT = "alert"
    FOLLOW_ROUTING = "follow-routing"
    HIDE_ERASED = "hide-erased"
    OPERATE = "operate"
    RECOVER = "recover"
    ADMINISTER_PEOPLE = "administer-people"
    ADMINISTER_AGENCIES = "administer-agencies"
    ADMINISTER_READERS = "administer-readers"
    CHANGE_POLICY = "change-policy"
    CHECK_LOG = "check-log"
    COMPUTE_OFFLINE = "compute-offline"
