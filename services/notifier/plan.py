"""What to knock, when: from what is known of an offer (or a desk's task) and who is on duty to the knocks that must go out. Pure.

When somebody has been woken often enough. Apart, because the claim and the grouping both ask it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from msgspec import Struct

from referral.domain.events import (
    How,
    NeedsPerson,
    OfferAccepted,
    OfferAcknowledged,
    OfferArrived,
    OfferClosed,
    OfferEscalated,
    OfferHeld,
    OfferKind,
    OfferOpened,
    OfferUnheard,
    PersonNotNeeded,
    Reach,
    SectionDisclosed,
)
from referral.domain.rules.offers import CARRIED_OVER
from services.notifier.duty import Duty, Person, Roster, able, at_desk, next_change, on_duty

REPEATS = 2
"""Knocks of an unanswered offer at one rung after the first (P): one for who did not hear, one for who forgot."""
REPEAT_GAP = 2 * 60 * 1_000_000
"""At least this long between two knocks of one rung (µs): somebody who is on the way to the screen is not knocked again (P)."""
STAFF = "staff:"


class State(StrEnum):
    """OPEN: somebody must look. ANSWERED: somebody has. CLOSED: nobody needs to any more."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Asked:
    """An offer, or a task of a desk, as far as knocking goes.

    once: one knock, no answer awaited. rounds: knocks so far by rung. next_at: when the next is due, None when none is.
    due: until when an answer is awaited. failed: the last rung that was said to have failed.
    handover: when somebody may come on duty who was not told yet, None when nobody does before the limit.
    away: it was said that our channels are away, and nobody of the agency has been told.
    """

    id: str
    case_id: str
    task: bool
    agency: str
    ladder: tuple[str, ...]
    rung: int
    drill: bool
    once: bool = False
    system: bool = False
    skip: tuple[str, ...] = ()
    state: State = State.OPEN
    rounds: tuple[int, ...] = ()
    next_at: int | None = None
    due: int | None = None
    failed: int = -1
    away: bool = False
    handover: int | None = None

    @property
    def look_at(self) -> int | None:
        """The one alarm: the next knock, or the next handover."""
        return min((at for at in (self.next_at, self.handover) if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Knock:
    """One message to one person by one channel. (asked, rung, again, person, channel) names it: it is sent once."""

    asked: str
    case_id: str
    task: bool
    rung: int
    again: int
    person: str
    channel: str
    drill: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows. failed: why this rung has nobody (a word of knock-reason). mute: people on duty without any address."""

    asked: Asked
    knocks: tuple[Knock, ...] = ()
    failed: str | None = None
    mute: tuple[Person, ...] = field(default=())


def subject(event: Struct) -> str | None:
    """The offer or task that an event is about; None if none."""
    return getattr(event, "offer_id", None) or getattr(event, "task_id", None)


def follow(asked: Asked | None, event: Struct, *, case_id: str, at: int, drill: bool) -> Asked | None:
    """What is known after an event about this offer or task; at: when it was taken in. Unknown things stay unknown."""
    match event:
        case OfferOpened(reach=Reach.PHONE):
            return None  # a desk telephones: its task is what is knocked for
        case OfferOpened():
            return _opened(event, case_id, at, drill)
        case NeedsPerson():
            return _needed(asked, event, case_id, at, drill)
    if asked is None or asked.state is State.CLOSED:
        return asked
    match event:
        case OfferEscalated():
            return replace(asked, rung=event.rung, due=event.due, state=State.OPEN, next_at=at, failed=-1, handover=None)
        case OfferUnheard():
            return replace(asked, away=event.away)
        case OfferAcknowledged() | OfferAccepted() | OfferArrived() | OfferHeld():
            return replace(asked, state=State.ANSWERED, next_at=None, handover=None)
        case SectionDisclosed():
            news = asked.state is State.OPEN and asked.due is None and asked.failed == asked.rung
            return replace(asked, state=State.ANSWERED, next_at=None, handover=None) if news else asked
        case OfferClosed(how=How.COMPLETED) if asked.once:
            return asked  # a notice is complete when it is put: that does not make the knock needless
        case OfferClosed() | PersonNotNeeded():
            return replace(asked, state=State.CLOSED, next_at=None, handover=None)
    return asked


def written(asked: Asked, at: int) -> Asked:
    """Another agency has written what this one may read: who has answered is knocked once more, until it has read; who has not answered
    is knocked anyway. No limit runs, and nothing follows where nobody is on duty."""
    if asked.task or asked.state is not State.ANSWERED:
        return asked
    return replace(asked, state=State.OPEN, next_at=at, due=None, failed=asked.rung)


def exclude(asked: Asked, accounts: tuple[str, ...]) -> Asked:
    """Staff who were excluded from the case are not knocked from now on."""
    return replace(asked, skip=tuple(sorted({*asked.skip, *accounts})))


def excluded_staff(actors: tuple[str, ...]) -> tuple[str, ...]:
    """The accounts among excluded actors (`kind:id`); a bare id is an account."""
    return tuple(a.removeprefix(STAFF) for a in actors if a.startswith(STAFF) or ":" not in a)


def plan(asked: Asked, roster: Roster, now: int, told: frozenset[str] = frozenset()) -> Plan:
    """The knocks that are due now: a round when its time has come; in between, whoever has come on duty since.

    told: people who were, or are still to be, knocked at this rung. Nothing for what is answered, closed, or not yet due.
    """
    if asked.state is State.OPEN and asked.next_at is not None and asked.next_at <= now:
        return _round(asked, roster, now)
    if asked.state is State.OPEN and asked.handover is not None and asked.handover <= now:
        return _relief(asked, roster, now, told)
    return Plan(asked)


def wanted(asked: Asked, rung: int, person: str, roster: Roster, now: int) -> bool:
    """Whether a knock that was planned for a person may still leave: the person is on duty for the question, and it stands at that rung."""
    return asked.rung == rung and any(p.account == person for p in _duty(asked, roster, now).people)


def _round(asked: Asked, roster: Roster, now: int) -> Plan:
    """Everybody on duty. The same question never twice in one round."""
    if asked.system and not any(p.agency == asked.agency for p in roster.people):
        return Plan(replace(asked, next_at=None))  # the agency's own system looks; the limit stands guard
    duty = _duty(asked, roster, now)
    again = _done(asked) - 1 if asked.task else _done(asked)
    knocks, mute = _knocks(asked, again, duty.people)
    if not knocks:
        return _fails(asked, duty, mute)
    after = asked if asked.task else replace(asked, rounds=_bump(asked.rounds, asked.rung))
    after = replace(after, next_at=_repeat(asked, again, now))
    return Plan(replace(after, handover=_handover(after, roster, now)), knocks, None, mute)


def _relief(asked: Asked, roster: Roster, now: int, told: frozenset[str]) -> Plan:
    """Whoever is on duty now and was not told joins the last round; who was told is not woken again.

    The rung fails when nobody is left who was told and may answer: a shift that ended takes nobody's answer away, an absence does.
    """
    if _done(asked) == 0:  # this rung was never knocked: it has failed, or has no people
        return Plan(replace(asked, handover=None))
    duty = _duty(asked, roster, now)
    knocks, mute = _knocks(asked, _done(asked) - 1, tuple(p for p in duty.people if p.account not in told))
    after = replace(asked, handover=_handover(asked, roster, now))
    if knocks or told & able(roster, asked.agency, now) - set(asked.skip):
        return Plan(after, knocks, None, mute)
    return _fails(after, duty, mute)


def _knocks(asked: Asked, again: int, people: tuple[Person, ...]) -> tuple[tuple[Knock, ...], tuple[Person, ...]]:
    """By every channel of these people; and those of them without any."""
    knocks = (
        Knock(asked.id, asked.case_id, asked.task, asked.rung, again, person.account, channel, asked.drill)
        for person in people
        for channel in person.channels
    )
    return tuple(knocks), tuple(p for p in people if not p.channels)


def _fails(asked: Asked, duty: Duty, mute: tuple[Person, ...]) -> Plan:
    """Nobody can be knocked at this rung: said once of an offer, each time of a task."""
    reason = duty.why.value if duty.why else "all-channels-failed"
    said = asked.failed == asked.rung and not asked.task
    return Plan(replace(asked, next_at=None, failed=asked.rung, handover=None), (), None if said else reason, mute)


def _handover(asked: Asked, roster: Roster, now: int) -> int | None:
    """A notice is told to whoever is on duty when it comes, and to nobody who comes on later."""
    if asked.once:
        return None
    change = next_change(roster, asked.agency, None if asked.task else _name(asked), now)
    return change if change is not None and (asked.due is None or change < asked.due) else None


def waits_long(asked: Asked, now: int) -> bool:
    """Whether a repeat is due of an offer whose limit runs: by now somebody must have been told, or the fault is ours."""
    again = not (asked.task or asked.once or asked.away) and asked.state is State.OPEN and _done(asked) > 0
    return again and asked.due is not None and asked.next_at is not None and asked.next_at <= now


def _opened(event: OfferOpened, case_id: str, at: int, drill: bool) -> Asked:
    """Asked now; who has the seat already, under a procedure that gave way to another, is not woken for it."""
    carried = event.why.rule == CARRIED_OVER
    return Asked(
        id=event.offer_id,
        case_id=case_id,
        task=False,
        agency=event.agency,
        ladder=event.ladder,
        rung=event.rung,
        drill=drill,
        once=event.kind is OfferKind.NOTIFY,
        system=event.reach is Reach.SYSTEM,
        skip=excluded_staff(event.skip),
        state=State.ANSWERED if carried else State.OPEN,
        next_at=None if carried else at,
        due=event.due,
    )


def _needed(asked: Asked | None, event: NeedsPerson, case_id: str, at: int, drill: bool) -> Asked:
    known = asked or Asked(event.task_id, case_id, True, event.desk, (), event.rung, drill)
    rounds = _bump(known.rounds, event.rung)  # counted by what routing says, which repeats it, not by what was sent
    return replace(known, agency=event.desk, rung=event.rung, rounds=rounds, state=State.OPEN, next_at=at, due=event.due, handover=None)


def _duty(asked: Asked, roster: Roster, now: int) -> Duty:
    """A task climbs by naming another desk; an offer by the ladder of its agency."""
    skip = frozenset(asked.skip)
    if asked.task:
        return at_desk(roster, asked.agency, now, skip)
    return on_duty(roster, asked.agency, _name(asked), now, skip)


def _name(asked: Asked) -> str:
    """The rung's name; empty above the ladder."""
    return asked.ladder[asked.rung] if 0 <= asked.rung < len(asked.ladder) else ""


def _done(asked: Asked) -> int:
    """Rounds of this rung so far; of a task those that routing has asked for, the present one included."""
    return asked.rounds[asked.rung] if asked.rung < len(asked.rounds) else 0


def _bump(rounds: tuple[int, ...], rung: int) -> tuple[int, ...]:
    padded = (*rounds, *(0,) * (rung + 1 - len(rounds)))
    return (*padded[:rung], padded[rung] + 1, *padded[rung + 1 :])


def _repeat(asked: Asked, again: int, now: int) -> int | None:
    """Repeats lie evenly between now and the limit: at a third and two thirds of the time to acknowledge, whatever its length."""
    if asked.task or asked.once or asked.due is None or again >= REPEATS:
        return None
    at = now + max(REPEAT_GAP, (asked.due - now) // (REPEATS + 1 - again))
    return at if at < asked.due else None


MANY = 5
"""Messages to one person by one channel within WINDOW_S that leave one by one (P): more wake nobody any better."""
WINDOW_S = 600
"""Seconds that a message counts (P)."""
GATHER_S = 60
"""Seconds between two messages to somebody who had MANY (P): each carries all that waits. Far below the shortest limit to acknowledge."""
