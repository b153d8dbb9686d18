"""Handle a batch of the notifier: fold events into open questions, and plan the due knocks in the same transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeGuard

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.channels import Word
from referral.domain.events import (
    CaseChanged,
    CaseErased,
    CaseOpened,
    KnockAnswered,
    KnockDelivered,
    KnockDisowned,
    KnockFailed,
    KnockSent,
    RungFailed,
    RungReached,
    SectionWritten,
    TrackChanged,
    TrackState,
)
from referral.domain.inputs import Due, Input, RecordLost
from referral.runtime.service import Batch, Outcome
from services.notifier import crowd, roster, store, wakeup
from services.notifier.hush import Hush
from services.notifier.plan import (
    NOBODY,
    Plan,
    Question,
    State,
    again,
    answer,
    exclude,
    excluded_staff,
    follow,
    plan,
    reopens,
    subject,
    waits_long,
    written,
)
from services.notifier.recall import recall

FRESH = 10 * 1_000_000
"""µs. A decision older than this is not knocked for while it is read, because its answer may follow later in the topic: the case's alarm
plans it once everything is read. So neither an outage's backlog nor a rebuild from the log sends unwanted messages. Normally a decision
is read within 50 ms; a pause of the process or a move of partitions takes seconds."""
NO_CHANNEL = "none"
RECEIPTS = ("sms",)
"""Channels that report later whether a message has arrived (docs/channels.md)."""
AWAY = "channels-away"
"""Reason of a RungFailed by our own fault: no message was sent to anybody of the agency. It causes no escalation."""


@dataclass(slots=True)
class Board:
    """Working state of one batch.

    asked: offers and tasks by id. touched: ids that the batch changed, and by which input. look: ids to plan, and because of which input.
    barred: case id → accounts excluded before. bar, barring: accounts excluded by this batch, and by which input. erased: case ids.
    """

    asked: dict[str, Question]
    barred: dict[str, tuple[str, ...]]
    touched: dict[str, Input] = field(default_factory=dict)
    look: dict[str, Input] = field(default_factory=dict)
    bar: dict[str, tuple[str, ...]] = field(default_factory=dict)
    barring: dict[str, Input] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)

    def of(self, case_id: str) -> list[Question]:
        """Return all offers and tasks of one case."""
        return [a for a in self.asked.values() if a.case_id == case_id]


@dataclass(frozen=True, slots=True)
class Notifier:
    """The handler of the notifier. hush: when exercises wake nobody; None in a stack for drills alone."""

    hush: Hush | None = None

    fallback: ClassVar[None] = None
    """No open question may be lost, so that the loop retries an input for ever."""

    async def handle(self, tx: AsyncConnection, batch: Batch) -> Outcome:
        """Handle one batch: fold, plan, write. Emit the sender's queued events, RungFailed, and KnockFailed where nobody can be knocked."""
        outcome = Outcome()
        await roster.share(tx)
        await store.reopen(tx, {id_ for i in batch.inputs if reopens(i.body) and (id_ := subject(i.body)) is not None})
        cases = sorted({i.case_id for i in batch.inputs})
        board = Board(await store.load(tx, cases), await store.barred(tx, cases))
        for record in batch.inputs:
            if isinstance(record.body, RecordLost):
                disown(outcome, record, record.body, batch)
            elif record.source.topic != "queue":
                fold(board, record, batch.now)
            elif record.case_id in batch.keys:
                outcome.emit(record, record.body)
                heard(outcome, board, record, batch.now)
        await silence(tx, board, batch.now)
        late = {a.id for i in board.look if waits_long(a := board.asked[i], batch.now)}
        plans = await look(tx, board, batch, self.hush)
        for planned in plans:
            complain(outcome, board.look[planned.asked.id], planned, batch.now)
        for id_ in await store.untold(tx, [planned.asked.id for planned in plans if planned.failed is None and planned.asked.id in late]):
            board.asked[id_] = asked = replace(board.asked[id_], away=True)
            outcome.emit(board.look[id_], RungFailed(offer_id=id_, rung=asked.rung, reason=AWAY, at=batch.now))
        for id_ in sorted(late):
            if is_reached(board.asked[id_]):
                reached(outcome, board, id_, board.look[id_], batch.now)
        for overtaken in await write(tx, board, plans, batch.now):
            outcome.emit(board.touched[overtaken.offer_id or overtaken.task_id or ""], overtaken)
        for case_id in {r.case_id for r in board.touched.values()} | {r.case_id for r in batch.inputs if isinstance(r.body, Due)}:
            outcome.wake(case_id, min((at for a in board.of(case_id) if (at := a.look_at) is not None), default=None))
        for case_id in board.erased:
            outcome.wake(case_id, None)
        return outcome


def disown(outcome: Outcome, record: Input, lost: RecordLost, batch: Batch) -> None:
    """Tell routing of a record on our own topic that somebody else wrote, so that it asks the case's desk."""
    if record.source.topic == KnockDisowned.TOPIC and record.case_id in batch.keys:
        outcome.emit(record, KnockDisowned(sequence=lost.seq, offset=record.source.offset))


def fold(board: Board, record: Input, now: int) -> None:
    """Apply one input to the board. Only a fresh input, or the case's alarm, selects a question for planning in this batch."""
    match record.body:
        case Due():
            board.look |= {a.id: record for a in board.of(record.case_id)}
            board.touched |= {a.id: record for a in board.of(record.case_id)}
        case CaseErased():
            board.erased.add(record.case_id)
        case SectionWritten():
            for offer_id in record.body.offers:
                if offer_id in board.asked:
                    touch(board, written(board.asked[offer_id], now), record)
                    if now - record.at <= FRESH:
                        board.look[offer_id] = record
        case CaseChanged() | CaseOpened():
            if accounts := excluded_staff(record.body.excluded):
                board.bar[record.case_id], board.barring[record.case_id] = accounts, record
                for asked in board.of(record.case_id):
                    touch(board, excluded := exclude(asked, accounts), record)
                    if (told := leave(excluded, accounts, now)) is not excluded:
                        touch(board, told, record)
                        if now - record.at <= FRESH:
                            board.look[asked.id] = record
        case TrackChanged():
            for asked in board.of(record.case_id):
                if (on := stop(asked, record.body, now)) is not asked:
                    touch(board, on, record)
                    if now - record.at <= FRESH:
                        board.look[asked.id] = record
        case event if (id_ := subject(event)) is not None:
            known = board.asked.get(id_)
            after = follow(known, event, case_id=record.case_id, at=now, drill=record.drill)
            if after is not None:
                barred = (*board.barred.get(record.case_id, ()), *board.bar.get(record.case_id, ()))
                touch(board, exclude(after, barred), record)
                if now - record.at <= FRESH:
                    board.look[id_] = record


def leave(asked: Question, accounts: Collection[str], at: int) -> Question:
    """Return the question after these accounts were excluded from its case: who is on duty is knocked once more if one of them had taken
    it, because nobody else knows of it.

    What was taken stays taken, with its limit. After an acknowledgement alone routing asks anew by itself.
    """
    if not asked.taken or asked.holder not in accounts:
        return asked
    return replace(written(asked, at), holder=None)


def stop(asked: Question, event: TrackChanged, at: int) -> Question:
    """Return the question after its procedure was stopped, or waits for another one, or goes on: nobody is notified meanwhile.

    A desk's task is not stopped: whoever has stopped a procedure is reminded of it. Answers count. An unanswered offer is knocked for as
    soon as the procedure goes on; a rung that has nobody is reported again, because routing takes no such report while the procedure
    stands. at: µs at which the event was taken in.
    """
    if asked.task or asked.track != event.track_id:
        return asked
    if event.state is TrackState.PAUSED:
        return replace(asked, stopped=True)
    if event.state is not TrackState.RESUMED or not asked.stopped:
        return asked
    again = asked.state is State.OPEN and not asked.taken and not asked.once
    return replace(asked, stopped=False, next_at=at if again else asked.next_at, failed=-1 if again else asked.failed)


def heard(outcome: Outcome, board: Board, record: Input, now: int) -> None:
    """Apply what the sender, a provider or a person reports. Emit RungReached for a message that arrives after our channels were away, or
    when the agency has been silent for long."""
    body = record.body
    if isinstance(body, KnockAnswered) and body.person and (known := board.asked.get(body.offer_id or body.task_id or "")) is not None:
        touch(board, answer(known, body.person, body.word == Word.LOOKS, now), record)
        board.look[known.id] = record
    if arrives(body) and (asked := board.asked.get(body.offer_id or "")) is not None and body.rung == asked.rung:
        touch(board, replace(asked, arrived=asked.rung), record)
        if asked.away or is_reached(board.asked[asked.id]):
            reached(outcome, board, asked.id, record, now)


def arrives(body: Struct) -> TypeGuard[KnockSent | KnockDelivered]:
    """Return whether a message has arrived, as far as its channel can know: an SMS when its receipt says so; an e-mail when the relay has
    taken it; a call when a key was pressed, for no other call is reported as sent."""
    return isinstance(body, KnockDelivered) or (isinstance(body, KnockSent) and body.channel not in RECEIPTS)


def is_reached(asked: Question) -> bool:
    """Return whether routing must be told now that a message has arrived at the present rung: the agency has let a third of its limit pass,
    or no repeat will come. Most agencies answer before, and nobody need know.

    An agency whose own system reads the offer is not told by messages.
    """
    waits = asked.state is State.OPEN and not asked.taken and not asked.system and asked.due is not None
    return waits and asked.arrived == asked.rung != asked.reached and (again(asked) > 1 or asked.next_at is None)


def reached(outcome: Outcome, board: Board, id_: str, record: Input, now: int) -> None:
    """Emit RungReached: routing counts no silence before it as the agency's."""
    asked = board.asked[id_]
    touch(board, replace(asked, away=False, reached=asked.rung), record)
    outcome.emit(record, RungReached(offer_id=id_, rung=asked.rung, at=now))


def touch(board: Board, asked: Question, record: Input) -> None:
    """Store the new state of a question and the input that caused it."""
    board.asked[asked.id] = asked
    board.touched[asked.id] = record


async def silence(tx: AsyncConnection, board: Board, now: int) -> None:
    """Drop waiting messages to people who were just excluded. Plan their questions at once, so that others are knocked.

    These are the open ones, and those that such a person alone has ended by "I look".
    """
    for case_id, accounts in board.bar.items():
        new = sorted(set(accounts) - set(board.barred.get(case_id, ())))
        for id_ in await store.silence(tx, case_id, new, now) if new else ():
            if (asked := board.asked.get(id_)) is not None and asked.state is not State.CLOSED:
                board.asked[id_] = replace(asked, state=State.OPEN, next_at=now)
                board.look[id_] = board.touched.setdefault(id_, board.barring[case_id])


async def look(tx: AsyncConnection, board: Board, batch: Batch, hush: Hush | None) -> list[Plan]:
    """Return the plans of this batch: one for each selected open question, after all inputs; none for erased cases."""
    open_ = [a for i in board.look if (a := board.asked[i]).state is not State.CLOSED and a.case_id in batch.keys]
    if not open_:
        return []
    past = await store.answers(tx, [a.id for a in open_])
    open_ = [recall(a, past.get(a.id, ())) for a in open_]
    staff = await roster.load(tx, {a.agency for a in open_})
    told = await store.told(tx, [a.id for a in open_ if a.handover is not None and a.handover <= batch.now])
    lately = await crowd.load(tx, open_, batch.now)
    plans = [lately.hold(plan(a, staff, batch.now, told.get(a.id, NOBODY)), batch.now) for a in open_]
    plans = [hush.hold(planned, staff.nights) for planned in plans] if hush else plans
    board.asked |= {planned.asked.id: planned.asked for planned in plans}
    return plans


def complain(outcome: Outcome, cause: Input, planned: Plan, now: int) -> None:
    """Emit the reasons why somebody cannot be knocked: people without an address, and a rung without people."""
    asked = planned.asked
    for person in planned.mute:
        outcome.emit(cause, nobody(asked, person.account, "no-address", now))
    if planned.failed is not None and asked.task:
        outcome.emit(cause, nobody(asked, None, planned.failed, now))
    elif planned.failed is not None:
        outcome.emit(cause, RungFailed(offer_id=asked.id, rung=asked.rung, reason=planned.failed, at=now))


def nobody(asked: Question, person: str | None, reason: str, now: int) -> KnockFailed:
    """Return the event for a knock that could not be planned. person: None if there is nobody."""
    offer, task = (None, asked.id) if asked.task else (asked.id, None)
    return KnockFailed(
        offer_id=offer, task_id=task, rung=asked.rung, person=person, channel=NO_CHANNEL, again=0, at=now, reason=reason, attempts=0
    )


async def write(tx: AsyncConnection, board: Board, plans: list[Plan], now: int) -> list[KnockFailed]:
    """Write the rows of the batch; the commit wakes the sender.

    Return events for deliveries that had failed attempts and are no longer wanted.
    """
    for case_id, accounts in board.bar.items():
        await store.bar(tx, case_id, accounts)
    touched = [board.asked[i] for i in board.touched]
    await store.save(tx, touched)
    knocks = [k for planned in plans for k in planned.knocks]
    await store.add(tx, knocks)
    overtaken = await store.drop(tx, touched, now)
    if board.erased:
        await store.forget(tx, board.erased)
    if knocks:
        wakeup.ring(tx)
    return overtaken
