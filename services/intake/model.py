"""Row values of intake: an offer, a desk's task, a referral, the location of a case, and the receipt or refusal of what was sent. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

LATER = "later"
"""Word of a receipt: only the beginning of the file was stored."""
REUSED = "key-reused"
"""Code of a refusal: the idempotency key was accepted before with another body."""


class Offer(Struct, frozen=True, kw_only=True):
    """A seat that was offered to an agency.

    state: OFFERED, ACKNOWLEDGED, ACCEPTED, ON_HOLD, or the way in which it ended.
    pathway: procedure of its track; empty while routing has not said it.
    undo_until: until when routing lets the agency take back that its part is done; None: it does not, or the case has gone on since.
    drill: its case is an exercise.
    Times: µs UTC.
    """

    offer_id: str
    case_id: str
    agency: str
    track_id: str
    step: str
    round: int
    seat: int
    kind: str
    role: str
    service: str
    reach: str
    urgency: str
    ladder: tuple[str, ...]
    rung: int
    shows: tuple[str, ...]
    words: tuple[str, ...]
    reasons: tuple[str, ...]
    codes: tuple[str, ...]
    needs: tuple[str, ...]
    skip: tuple[str, ...]
    state: str
    arrived: bool
    due: int | None
    due_what: str
    opened_at: int
    changed_at: int
    closed_at: int | None
    reason: str
    declined_by: str | None
    pathway: str = ""
    undo_until: int | None = None
    drill: bool = False

    def __repr__(self) -> str:
        return f"Offer({self.offer_id} {self.state})"


@dataclass(frozen=True, slots=True)
class Asking:
    """An offer, as far as the line of steps shows it. open: it has not ended."""

    step: str
    kind: str
    state: str
    open: bool
    agency: str


@dataclass(frozen=True, slots=True)
class Since:
    """Steps and tasks of a case that began after a moment. steps: (step, state of the offer), by time. desk: a desk has a new task."""

    steps: tuple[tuple[str, str], ...] = ()
    desk: bool = False

    def __bool__(self) -> bool:
        return bool(self.steps) or self.desk


class Answer(Struct, frozen=True, kw_only=True):
    """An answer to an offer.

    at: µs UTC.
    became: None until routing has decided; empty when the answer took effect; else the reason why it changed nothing.
    login: of the account that answered; empty for an agency's system, and for a person of another agency than the reader's.
    agency: of that person; empty for all others.
    spoke_to: with whom the desk spoke at an agency on the telephone; empty for every other reader.
    """

    word: str
    at: int
    became: str | None
    login: str
    agency: str = ""
    spoke_to: str = ""

    def __repr__(self) -> str:
        return f"Answer({self.word} {self.became})"


class Task(Struct, frozen=True, kw_only=True):
    """A task of a desk.

    rung: number of levels that it has escalated above the first desk.
    pathway: procedure of its track; empty for a task about the whole case.
    Times: µs UTC.
    """

    task_id: str
    desk: str
    case_id: str
    about: str
    track_id: str | None
    step: str
    seat: int
    rung: int
    due: int | None
    opened_at: int
    closed_at: int | None
    pathway: str = ""


class Link(Struct, frozen=True, kw_only=True):
    """A link to another case. how: sibling, same-person, raised."""

    case_id: str
    how: str


class Situation(Struct, frozen=True, kw_only=True):
    """The state of the case of a desk's task.

    asked: an offer of the task's step and seat is open.
    taken: that offer is accepted or on hold.
    default: code that routing recorded when nobody answered.
    proposed: the change that one party proposed, in codes; proposer: that party.
    others: (case id, opened at) of the cases with which this case could be linked.
    """

    closed: bool = False
    pathway: str = ""
    asked: bool = False
    taken: bool = False
    default: str = ""
    proposed: str = ""
    proposer: str = ""
    links: tuple[Link, ...] = ()
    others: tuple[tuple[str, int], ...] = ()


class Referral(Struct, frozen=True, kw_only=True):
    """A referral, as its sender may see it. became: RECEIVED, OPENED, ATTACHED or IGNORED."""

    referral_id: str
    case_id: str
    agency: str
    event_id: str
    received_at: int
    became: str
    withdrawn_at: int | None


class Spot(Struct, frozen=True, kw_only=True):
    """The facts of a case that every card about it shows. found_in: municipality; empty where unknown. drill: an exercise.

    age_band: code; shown to whoever is asked now, and not afterwards.
    desk: agency of its desk.
    closed_at: when the case was closed, µs UTC; None: it is open. outcome: how, as routing says; empty where it is not known.
    then_at: the moment, µs UTC, as of which the reader sees the case; None: as it is (decision 0071).
    """

    found_in: str = ""
    drill: bool = False
    age_band: str = ""
    desk: str = ""
    closed_at: int | None = None
    outcome: str = ""
    then_at: int | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """The receipt of something accepted.

    kind: referral, response …
    id: of that thing.
    event_id: id of the event that intake emits for it.
    received_at: µs UTC.
    later: only the beginning of its file was stored: its sender delivers the file later.
    """

    kind: str
    id: str
    case_id: str
    event_id: str
    received_at: int
    later: bool = False


class Refusal(Struct, frozen=True, kw_only=True):
    """The refusal of a record of `ingress.<agency>`."""

    code: str
    place: str
    hint: str
    at: int
