"""What the doors keep, as values: an offer, a desk's task, a referral, where a case is, and what became of what was sent. Pure."""

from __future__ import annotations

from msgspec import Struct

REUSED = "key-reused"
"""The code of a refusal whose key stands for something else that was taken."""


class Offer(Struct, frozen=True, kw_only=True):
    """A seat that was put to an agency. state: OFFERED, ACKNOWLEDGED, ACCEPTED, ON_HOLD, or how it ended. Times: µs UTC."""

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

    def __repr__(self) -> str:
        return f"Offer({self.offer_id} {self.state})"


class Answer(Struct, frozen=True, kw_only=True):
    """An answer to an offer. at: µs UTC. became: None until routing has decided, empty: it took effect, else why it changed nothing.
    login: of the account that gave it; empty for an agency's system."""

    word: str
    at: int
    became: str | None
    login: str

    def __repr__(self) -> str:
        return f"Answer({self.word} {self.became})"


class Task(Struct, frozen=True, kw_only=True):
    """What a desk must look at. rung: how far above the first desk it has climbed. Times: µs UTC."""

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


class Link(Struct, frozen=True, kw_only=True):
    """Another case that a case belongs with. how: sibling, same-person, raised."""

    case_id: str
    how: str


class Situation(Struct, frozen=True, kw_only=True):
    """How the case of a task stands. asked, taken: whether an offer of its step and seat is open, and is taken. default: the code that
    silence took. proposed: what one party has said, in codes, and proposer: which. others: (case, opened at) that the case could be
    linked with."""

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
    """One request, as its sender may see it. became: RECEIVED, OPENED, ATTACHED or IGNORED."""

    referral_id: str
    case_id: str
    agency: str
    event_id: str
    received_at: int
    became: str
    withdrawn_at: int | None


class Spot(Struct, frozen=True, kw_only=True):
    """Where a case is. found_in: municipality, empty where not known. drill: an exercise."""

    found_in: str = ""
    drill: bool = False


class Receipt(Struct, frozen=True, kw_only=True):
    """What was taken. kind: referral, response … id: of it. event_id: the event that will say it. received_at: µs UTC."""

    kind: str
    id: str
    case_id: str
    event_id: str
    received_at: int


class Refusal(Struct, frozen=True, kw_only=True):
    """Why something that came in through ingress.<agency> was not taken."""

    code: str
    place: str
    hint: str
    at: int
