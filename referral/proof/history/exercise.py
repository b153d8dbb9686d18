"""Report an exercise from the events of its case: who was asked, who answered when, what was late, what was read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from referral.domain import events as e
from referral.domain.rules.take_back import TAKE_BACK
from referral.errors import Malformed, NewerVersion, Rejected
from referral.proof.entry import SEQUENCED, Entry
from referral.proof.history.case import Read, unseal


class Answer(Struct, frozen=True, kw_only=True):
    """An agency's answer to a request, or that it took one back. at: µs UTC. by: account; empty if a system answered, or if the reader is
    of another agency.

    reason: coded, of a decline, hold or return. ignored: the reason why the answer changed nothing; empty if it took effect.
    """

    word: str
    at: int
    by: str = ""
    reason: str = ""
    ignored: str = ""


class Limit(Struct, frozen=True, kw_only=True):
    """A deadline of the procedure that ran for a request: it began at `since`, and ends at `due`.

    met: when the agency did what was due; 0 while it has not. missed: the deadline passed first. µs UTC.
    """

    what: str
    since: int
    due: int
    met: int = 0
    missed: bool = False


class Reading(Struct, frozen=True, kw_only=True):
    """One section of the case file that an agency opened. at, by: as in `Answer`."""

    section: str
    at: int
    by: str = ""


class Knocks(Struct, frozen=True, kw_only=True):
    """Messages to the people on duty: how many left, arrived, failed, and were answered from the handset.

    loud: those that left by a channel that wakes somebody.
    """

    sent: int = 0
    loud: int = 0
    arrived: int = 0
    failed: int = 0
    answered: int = 0


class Asked(Struct, frozen=True, kw_only=True):
    """One request to one agency.

    at, ended: µs UTC; ended 0 while it is open. level: how many levels above the first one had to be alerted.
    pathway: procedure of the step. answers: all, in their order; those that changed nothing too. limits: the deadlines, in their order.
    late: the deadlines that passed. excused: it ended because our messages did not arrive or the desk did not call: the agency knew nothing
    """

    agency: str
    step: str
    role: str
    at: int
    pathway: str = ""
    ended: int = 0
    how: str = ""
    level: int = 0
    excused: bool = False
    answers: tuple[Answer, ...] = ()
    limits: tuple[Limit, ...] = ()
    late: tuple[str, ...] = ()
    read: tuple[Reading, ...] = ()
    knocks: Knocks = Knocks()

    @property
    def first(self) -> int:
        """Return the microseconds until the first answer; -1 without one."""
        return self.answers[0].at - self.at if self.answers else -1


class Task(Struct, frozen=True, kw_only=True):
    """A question to a desk. settled: µs UTC; 0 while it is open. higher: how often it was put to the office above."""

    desk: str
    about: str
    at: int
    settled: int = 0
    higher: int = 0


class Report(Struct, frozen=True, kw_only=True):
    """The report of one exercise. It holds no fact about a person, so it may be kept as a training record. raised: cases that it raised."""

    case_id: str
    began: int
    ended: int
    asked: tuple[Asked, ...]
    tasks: tuple[Task, ...]
    raised: tuple[str, ...]


LOUD = frozenset({"sms", "voice"})
"""Channels that wake somebody."""
BY_AGENCY = frozenset({e.How.COMPLETED, e.How.DECLINED_BY_AGENCY, e.How.DECLINED_BY_PERSON, e.How.RETURNED})
"""Endings that are an answer of the agency itself: they meet the deadline that ran."""
UNTOLD = frozenset({"not-called", "not-told"})
"""Reasons of an ending that are ours or a desk's fault, never the agency's."""


def report(entries: Sequence[Entry], key: bytes) -> Report:
    """Return the report of one case. entries: all of the case. Rejected: there is no such case, or a real child's."""
    reads = sorted(_reads(entries, key), key=lambda read: (read.meta.recorded_at, read.entry.idx))
    opened = next((read for read in reads if isinstance(read.body, e.CaseOpened)), None)
    if opened is None:
        raise Rejected("no-such-case", "case", "the log has no case of this id, or it does not open")
    if not opened.meta.drill:
        raise Rejected("no-exercise", "case", "this case is about a real child: who answered when is reported of exercises alone")
    asked: dict[str, Asked] = {}
    tasks: dict[str, Task] = {}
    tracks = {read.body.track_id: read.body.pathway for read in reads if isinstance(read.body, e.TrackChanged)}
    ignored = {read.meta.cause_id: read.body.reason for read in reads if isinstance(read.body, e.InputIgnored)}
    for read in reads:
        _tell(asked, tasks, read, tracks, ignored)
    closed = next((read.meta.recorded_at for read in reads if isinstance(read.body, e.CaseClosed)), 0)
    raised = tuple(read.body.new_case_id for read in reads if isinstance(read.body, e.CaseRaised))
    return Report(
        case_id=entries[0].case_id,
        began=opened.meta.recorded_at,
        ended=closed,
        asked=tuple(asked.values()),
        tasks=tuple(tasks.values()),
        raised=raised,
    )


def for_agency(whole: Report, agency: str) -> Report:
    """Return the report as the head of this agency may see it: with accounts of that agency and of no other."""
    return structs.replace(whole, asked=tuple(one if one.agency == agency else _nameless(one) for one in whole.asked))


def _nameless(one: Asked) -> Asked:
    answers = tuple(structs.replace(answer, by="") for answer in one.answers)
    return structs.replace(one, answers=answers, read=tuple(structs.replace(reading, by="") for reading in one.read))


def _reads(entries: Iterable[Entry], key: bytes) -> Iterable[Read]:
    """Yield what opens; a torn record is `audit verify`'s business."""
    for entry in entries:
        if entry.kind in SEQUENCED:
            try:
                yield unseal(entry, key)
            except (Malformed, NewerVersion):
                continue


def _tell(asked: dict[str, Asked], tasks: dict[str, Task], read: Read, tracks: Mapping[str, str], ignored: Mapping[str, str]) -> None:
    """Fold one event. tracks: track id → procedure. ignored: id of an answer's event → the reason why it changed nothing."""
    body, at = read.body, read.meta.recorded_at
    match body:
        case e.OfferOpened():
            one = Asked(agency=body.agency, step=body.step, role=body.role, at=at, pathway=tracks.get(body.track_id, ""))
            asked[body.offer_id] = _due(one, body.due_what, body.due, at)
        case e.ResponseSubmitted() if body.offer_id in asked:
            known = asked[body.offer_id]
            why = ignored.get(read.meta.event_id, "")
            said = Answer(word=str(body.word), at=at, by=body.by or "", reason=body.reason, ignored=why)
            asked[body.offer_id] = structs.replace(known, answers=(*known.answers, said))
        case e.AnswerWithdrawn() if body.offer_id in asked:
            known = asked[body.offer_id]
            said = Answer(word=TAKE_BACK, at=at, by=body.by or "", ignored=ignored.get(read.meta.event_id, ""))
            asked[body.offer_id] = structs.replace(known, answers=(*known.answers, said))
        case e.NeedsPerson():
            task = tasks.get(body.task_id)
            higher = task.higher + 1 if task else 0
            tasks[body.task_id] = structs.replace(task, higher=higher) if task else Task(desk=body.desk, about=body.about, at=at)
        case e.PersonNotNeeded() if body.task_id in tasks:
            tasks[body.task_id] = structs.replace(tasks[body.task_id], settled=at)
        case _ if (offer_id := getattr(body, "offer_id", None)) in asked:
            asked[str(offer_id)] = _more(asked[str(offer_id)], body, at)
        case _:
            pass


def _more(one: Asked, body: Struct, at: int) -> Asked:
    """Return the request after one more event about it."""
    knocks = one.knocks
    match body:
        case e.OfferAcknowledged() | e.OfferAccepted() | e.OfferArrived():
            return _answered(one, body.due_what, body.due, at)
        case e.OfferHeld():
            return _answered(one, "hold", body.due, at)
        case e.SectionDisclosed():
            return structs.replace(one, read=(*one.read, Reading(section=body.section, at=body.at, by=body.by or "")))
        case e.DeadlinePassed():
            return _missed(structs.replace(one, late=(*one.late, body.what)), body.what)
        case e.OfferEscalated():
            return structs.replace(one, level=body.rung)
        case e.OfferClosed():
            ended = _met(one, at) if body.how in BY_AGENCY else one
            return structs.replace(ended, ended=at, how=str(body.how), excused=body.reason in UNTOLD)
        case e.OfferReopened():
            return structs.replace(_runs_again(one, body.due_what), ended=0, how="")
        case e.KnockSent():
            loud = knocks.loud + (body.channel in LOUD)
            return structs.replace(one, knocks=structs.replace(knocks, sent=knocks.sent + 1, loud=loud))
        case e.KnockDelivered():
            return structs.replace(one, knocks=structs.replace(knocks, arrived=knocks.arrived + 1))
        case e.KnockFailed():
            return structs.replace(one, knocks=structs.replace(knocks, failed=knocks.failed + 1))
        case e.KnockAnswered():
            return structs.replace(one, knocks=structs.replace(knocks, answered=knocks.answered + 1))
        case _:
            return one


def _due(one: Asked, what: str, due: int | None, at: int) -> Asked:
    """Return the request with the deadline that begins now; as it is where none runs."""
    return one if due is None else structs.replace(one, limits=(*one.limits, Limit(what=what, since=at, due=due)))


def _answered(one: Asked, what: str, due: int | None, at: int) -> Asked:
    """Return the request after an answer: the deadline that ran is met, and the next one begins; but one of the same word runs on."""
    last = one.limits[-1] if one.limits else None
    if last is not None and last.what == what and not last.met and due is not None:
        return structs.replace(one, limits=(*one.limits[:-1], structs.replace(last, due=due)))
    return _due(_met(one, at), what, due, at)


def _met(one: Asked, at: int) -> Asked:
    """Return the request after the agency did what was due. A deadline that passed before stays missed."""
    if not one.limits or one.limits[-1].met:
        return one
    return structs.replace(one, limits=(*one.limits[:-1], structs.replace(one.limits[-1], met=at)))


def _runs_again(one: Asked, what: str) -> Asked:
    """Return the request with the deadline that ran before the answer that was taken back; as it is where none ran."""
    if not one.limits or one.limits[-1].what != what:
        return one
    return structs.replace(one, limits=(*one.limits[:-1], structs.replace(one.limits[-1], met=0)))


def _missed(one: Asked, what: str) -> Asked:
    limits = tuple(structs.replace(limit, missed=True) if limit.what == what and not limit.met else limit for limit in one.limits)
    return structs.replace(one, limits=limits)
