"""Plan knocks: from the state of an offer (or a desk's task) and the people on duty, compute the messages to send. Pure."""

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
    OfferReopened,
    OfferUnheard,
    PersonNotNeeded,
    Reach,
    SectionDisclosed,
)
from referral.domain.rules.answers import BY_HANDSET
from referral.domain.rules.context import UNCONFIRMED
from referral.domain.rules.offers import CARRIED_OVER
from referral.domain.rules.unverified import UNVERIFIED
from services.notifier.duty import Duty, Loudness, Person, Roster, Why, able, at_desk, next_change, on_duty
from services.notifier.steps import loudness, steps

REPEATS = 2
"""Knocks of an unanswered offer at one rung after the first (P): one for who did not hear, one for who forgot."""
REPEAT_GAP = 2 * 60 * 1_000_000
"""µs, least time between two knocks of one rung: somebody who is on the way to the screen is not knocked again (P)."""
LAST_CALL = 10 * 60 * 1_000_000
"""µs before the limit of an offer that somebody has acknowledged or accepted: the last reminder (P)."""
STAFF = "staff:"


class State(StrEnum):
    """State of a question. OPEN: somebody must look. ANSWERED: somebody has answered. CLOSED: no answer is needed any more."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Question:
    """An offer or a desk's task, as far as knocking needs it.

    once: one knock, no answer awaited. system: the agency's own system reads the offer. skip: accounts that must not be knocked.
    rounds: knocks so far, by rung. next_at: time of the next knock; None if none is due. due: limit for an answer.
    failed: the last rung for which RungFailed was emitted.
    handover: when somebody new may come on duty; None if nobody does before the limit.
    away: RungFailed with reason AWAY was emitted, and no message was sent to anybody of the agency.
    taken: somebody has acknowledged or accepted; a knock now only reminds.
    cannot: accounts that have answered "I cannot": to an offer at this rung, to a desk's task in this round.
    crowd: nobody has confirmed the referral; many of its kind at one desk or one agency are one knock (`crowd`).
    holder: account of whoever has taken it last; None for a system. track: of an offer, the procedure's.
    stopped: that procedure is paused, and nobody is notified for it (`stopping`).
    arrived, reached: rung at which a message arrived, and for which RungReached was emitted; -1: none since the offer last climbed.
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
    taken: bool = False
    cannot: tuple[str, ...] = ()
    crowd: bool = False
    holder: str | None = None
    track: str | None = None
    stopped: bool = False
    arrived: int = -1
    reached: int = -1

    @property
    def unconfirmed(self) -> bool:
        """Return whether it asks somebody to look before anybody has confirmed the referral."""
        return self.crowd and not self.task

    @property
    def look_at(self) -> int | None:
        """Time of its one alarm: the next knock or the next handover."""
        return None if self.stopped else min((at for at in (self.next_at, self.handover) if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Knock:
    """One message to one person by one channel. (asked, rung, again, person, channel) identifies it: it is sent once. at: its time."""

    asked: str
    case_id: str
    task: bool
    rung: int
    again: int
    person: str
    channel: str
    drill: bool
    at: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The result of planning one question.

    asked: its new state. failed: why this rung has nobody (a word of knock-reason). mute: people on duty without any address.
    """

    asked: Question
    knocks: tuple[Knock, ...] = ()
    failed: str | None = None
    mute: tuple[Person, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Told:
    """The knocks of the present rung so far.

    people: with one that was sent, waits, or failed by our fault. lost: (person, channel) of those that reached nobody.
    """

    people: frozenset[str] = frozenset()
    lost: frozenset[tuple[str, ...]] = frozenset()


NOBODY = Told()


def subject(event: Struct) -> str | None:
    """Return the id of the offer or task that an event is about; None if there is none.

    A desk's telephone task names the offer that it is for, and is a question of its own.
    """
    return getattr(event, "task_id", None) or getattr(event, "offer_id", None)


def reopens(event: Struct) -> bool:
    """Return whether an event opens an offer again that had ended: its agency accepts late, or takes back that its part is done."""
    return isinstance(event, OfferReopened) or (isinstance(event, OfferAccepted) and event.late)


def follow(asked: Question | None, event: Struct, *, case_id: str, at: int, drill: bool) -> Question | None:
    """Return the state of an offer or task after an event; unknown ones stay None. at: µs at which the event was taken in."""
    match event:
        case OfferOpened(reach=Reach.PHONE):
            return None  # a desk telephones the agency: the desk's task is knocked for instead
        case OfferOpened():
            return _opened(event, case_id, at, drill)
        case NeedsPerson():
            return _needed(asked, event, case_id, at, drill)
    if asked is None or (asked.state is State.CLOSED and not reopens(event)):
        return asked
    match event:
        case OfferEscalated():
            anew = replace(asked, rung=event.rung, due=event.due, state=State.OPEN, next_at=at, failed=-1, handover=None)
            return replace(anew, taken=False, cannot=(), arrived=-1, reached=-1)
        case OfferUnheard():
            return replace(asked, away=event.away, reached=asked.reached if event.away else event.rung)
        case OfferAcknowledged() | OfferAccepted() | OfferArrived() | OfferHeld() | OfferReopened():
            weak = isinstance(event, OfferAcknowledged) and event.why.rule == BY_HANDSET
            after = replace(asked, state=State.ANSWERED, due=event.due, taken=True, handover=None, holder=event.by)
            return replace(after, next_at=_reminder(event.due, at, weak))
        case SectionDisclosed() if asked.taken:
            return replace(asked, state=State.ANSWERED, next_at=_last_call(asked, at), handover=None)
        case SectionDisclosed():
            news = asked.state is State.OPEN and asked.due is None and asked.failed == asked.rung
            return replace(asked, state=State.ANSWERED, next_at=None, handover=None) if news else asked
        case OfferClosed(how=How.COMPLETED) if asked.once:
            return asked  # a notice completes when it is opened, and still needs its knock
        case OfferClosed() | PersonNotNeeded():
            return replace(asked, state=State.CLOSED, next_at=None, handover=None)
    return asked


def written(asked: Question, at: int) -> Question:
    """Reopen an answered offer after another agency wrote a section that its agency may read: knock once more, until it has read.

    An unanswered offer is knocked anyway. A limit that runs goes on, with its reminders; no rung fails if nobody is on duty.
    """
    if asked.task or asked.state is not State.ANSWERED:
        return asked
    return replace(asked, state=State.OPEN, next_at=at, failed=asked.rung)


def answer(asked: Question, person: str, looks: bool, at: int) -> Question:
    """Return the question after an answer from a handset. "I look" ends the knocking; after "I cannot" others are looked for at once.

    Routing decides what an answer of the first kind means for the offer, and its event follows. Who is excluded from the case answers for
    nobody.
    """
    if asked.state is not State.OPEN or asked.taken or person in asked.skip:
        return asked
    if looks:
        return replace(asked, state=State.ANSWERED, next_at=None, handover=None)
    return replace(asked, cannot=tuple(sorted({*asked.cannot, person})), handover=at)


def _reminder(due: int | None, at: int, weak: bool) -> int | None:
    """Return when to remind of what somebody has taken: at half of the time that is left, at a third after an answer from a handset."""
    return None if due is None else at + max(REPEAT_GAP, (due - at) // (3 if weak else 2)) if due - at > REPEAT_GAP else None


def _last_call(asked: Question, at: int) -> int | None:
    """Return the time of the last reminder; None if it has passed."""
    last = None if asked.due is None else asked.due - LAST_CALL
    return last if last is not None and last > at else None


def exclude(asked: Question, accounts: tuple[str, ...]) -> Question:
    """Add staff who were excluded from the case: they are not knocked from now on."""
    return replace(asked, skip=tuple(sorted({*asked.skip, *accounts})))


def excluded_staff(actors: tuple[str, ...]) -> tuple[str, ...]:
    """Return the accounts among excluded actors (`kind:id`); a bare id is an account."""
    return tuple(a.removeprefix(STAFF) for a in actors if a.startswith(STAFF) or ":" not in a)


def plan(asked: Question, roster: Roster, now: int, told: Told = NOBODY) -> Plan:
    """Return the knocks that are due now: a round at its time; between rounds, the people who have come on duty since.

    told: the people of this rung so far. Nothing is due for a question that is answered, closed, or early.
    """
    if asked.stopped:
        return Plan(asked)
    if asked.next_at is not None and asked.next_at <= now and asked.state is not State.CLOSED:
        return _round(replace(asked, state=State.OPEN), roster, now)
    if asked.state is State.OPEN and asked.handover is not None and asked.handover <= now:
        return _relief(asked, roster, now, told)
    return Plan(asked)


def wanted(asked: Question, rung: int, person: str, roster: Roster, now: int) -> bool:
    """Return whether a planned knock may still be sent: its person is on duty for the question, and the question is at that rung."""
    return asked.rung == rung and any(p.account == person for p in _duty(asked, roster, now).people)


def unheard(asked: Question, roster: Roster, now: int, loud: frozenset[str]) -> bool:
    """Return whether an urgent question waits at a rung where no loud channel reaches anybody on duty now: a hole that has begun.

    loud: channels that wake somebody. What can wait for the day is no hole, and nobody is needed where a system reads the offer.
    """
    if asked.state is not State.OPEN or asked.taken or asked.stopped or loudness(asked.due, now, asked.once) is not Loudness.URGENT:
        return False
    if asked.system and not any(person.agency == asked.agency for person in roster.people):
        return False
    return not any(loud.intersection(person.channels) for person in _duty(asked, roster, now).people)


def _round(asked: Question, roster: Roster, now: int) -> Plan:
    """Knock everybody on duty. The same question never twice in one round."""
    if asked.system and not any(p.agency == asked.agency for p in roster.people):
        return Plan(replace(asked, next_at=None))  # the agency's own system polls; else the limit expires
    duty = _duty(asked, roster, now)
    number = again(asked)
    knocks, mute = _knocks(asked, number, duty.people, now)
    if not knocks:
        return Plan(_reminded(asked, roster, now)) if asked.taken else _fails(asked, duty, mute, roster, now)
    after = asked if asked.task else replace(asked, rounds=_bump(asked.rounds, asked.rung))
    after = replace(after, next_at=_repeat(asked, number, now))
    return Plan(replace(after, handover=_handover(after, roster, now)), knocks, None, mute)


def _relief(asked: Question, roster: Roster, now: int, told: Told) -> Plan:
    """Knock the people on duty who were not knocked in the last round; wake nobody twice.

    The rung fails when no knocked person is left who may answer: the end of a shift takes nobody's answer away, an absence does.
    """
    if _done(asked) == 0:  # this rung was never knocked
        failed = asked.failed == asked.rung and not asked.task  # routing has kept it: whoever comes on duty is told
        return _round(asked, roster, now) if failed else Plan(replace(asked, handover=None))
    duty = _duty(asked, roster, now)
    knocks, mute = _knocks(asked, _done(asked) - 1, tuple(p for p in duty.people if p.account not in told.people), now)
    knocks = tuple(k for k in knocks if (k.person, k.channel) not in told.lost)
    after = replace(asked, handover=_handover(asked, roster, now))
    if knocks or told.people & able(roster, asked.agency, now) - {*asked.skip, *asked.cannot}:
        return Plan(after, knocks, None, mute)
    return Plan(after) if asked.taken else _fails(after, duty, mute, roster, now)


def _reminded(asked: Question, roster: Roster, now: int) -> Question:
    """Return what somebody has taken, after a reminder that reached nobody: the last one is left, or whoever comes on duty before it."""
    return replace(asked, next_at=_last_call(asked, now), handover=_handover(asked, roster, now))


def _knocks(asked: Question, again: int, people: tuple[Person, ...], now: int) -> tuple[tuple[Knock, ...], tuple[Person, ...]]:
    """Return the knocks of each person, one per channel, and the people without any channel."""
    knocks = (
        Knock(asked.id, asked.case_id, asked.task, asked.rung, again, person.account, channel, asked.drill, at)
        for person in people
        for channel, at in steps(person.channels, person.rules, asked.due, now, asked.once)
    )
    return tuple(knocks), tuple(p for p in people if not p.channels)


def _fails(asked: Question, duty: Duty, mute: tuple[Person, ...], roster: Roster, now: int) -> Plan:
    """Mark the rung as failed: nobody can be knocked. Reported once for an offer, each time for a task."""
    reason = duty.why.value if duty.why else "all-channels-failed"
    reported = asked.failed == asked.rung and not asked.task
    later = None if asked.task else _handover(asked, roster, now)
    return Plan(replace(asked, next_at=None, failed=asked.rung, handover=later), (), None if reported else reason, mute)


def _handover(asked: Question, roster: Roster, now: int) -> int | None:
    """Return the next handover before the limit. A notice has none: only the people on duty at its arrival are knocked."""
    if asked.once:
        return None
    change = next_change(roster, asked.agency, None if asked.task else _name(asked), now)
    return change if change is not None and (asked.due is None or change < asked.due) else None


def again(asked: Question) -> int:
    """Return the number of the round that is due, from 0."""
    return _done(asked) - 1 if asked.task else _done(asked)


def waits_long(asked: Question, now: int) -> bool:
    """Return whether an offer with a running limit is due for a repeat: by now somebody must have been reached, or the fault is ours."""
    again = not (asked.task or asked.once or asked.away or asked.taken or asked.stopped) and asked.state is State.OPEN and _done(asked) > 0
    return again and asked.due is not None and asked.next_at is not None and asked.next_at <= now


def _opened(event: OfferOpened, case_id: str, at: int, drill: bool) -> Question:
    """Return a new question, due now. An agency that keeps its seat under a procedure that replaced another is not knocked for it."""
    carried = event.why.rule == CARRIED_OVER
    return Question(
        id=event.offer_id,
        case_id=case_id,
        task=False,
        agency=event.agency,
        ladder=event.ladder,
        rung=event.rung,
        drill=drill,
        track=event.track_id,
        once=event.kind is OfferKind.NOTIFY,
        system=event.reach is Reach.SYSTEM,
        skip=excluded_staff(event.skip),
        state=State.ANSWERED if carried else State.OPEN,
        next_at=None if carried else at,
        due=event.due,
        crowd=event.why.rule == UNVERIFIED,
    )


def _needed(asked: Question | None, event: NeedsPerson, case_id: str, at: int, drill: bool) -> Question:
    crowd = event.about == UNCONFIRMED or event.why.rule == UNVERIFIED
    known = asked or Question(event.task_id, case_id, True, event.desk, (), event.rung, drill, crowd=crowd)
    rounds = _bump(known.rounds, event.rung)  # count routing's repeats of the task, not our messages
    anew = replace(known, agency=event.desk, rung=event.rung, rounds=rounds, state=State.OPEN, next_at=at, due=event.due, handover=None)
    return replace(anew, cannot=())  # routing repeats a task hours later, at the top for ever: whoever could not may be able to by then


def _duty(asked: Question, roster: Roster, now: int) -> Duty:
    """Return the people on duty. A task escalates by naming another desk, an offer by the ladder of its agency."""
    skip = frozenset(asked.skip)
    duty = at_desk(roster, asked.agency, now, skip) if asked.task else on_duty(roster, asked.agency, _name(asked), now, skip)
    able_to = tuple(p for p in duty.people if p.account not in asked.cannot)
    if duty.people and not able_to:
        return Duty((), Why.CANNOT)
    return Duty(able_to, duty.why)


def _name(asked: Question) -> str:
    """Return the rung's name; empty above the ladder."""
    return asked.ladder[asked.rung] if 0 <= asked.rung < len(asked.ladder) else ""


def _done(asked: Question) -> int:
    """Return the rounds of this rung so far; for a task those that routing has asked for, including the present one."""
    return asked.rounds[asked.rung] if asked.rung < len(asked.rounds) else 0


def _bump(rounds: tuple[int, ...], rung: int) -> tuple[int, ...]:
    padded = (*rounds, *(0,) * (rung + 1 - len(rounds)))
    return (*padded[:rung], padded[rung] + 1, *padded[rung + 1 :])


def _repeat(asked: Question, again: int, now: int) -> int | None:
    """Return the time of the next repeat; None after the last.

    Repeats divide the time to the limit evenly: at a third and two thirds of the time to acknowledge, whatever its length.
    """
    if asked.taken:
        return _last_call(asked, now)
    if asked.task or asked.once or asked.due is None or again >= REPEATS:
        return None
    at = now + max(REPEAT_GAP, (asked.due - now) // (REPEATS + 1 - again))
    return at if at < asked.due else None
