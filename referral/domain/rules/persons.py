"""Keep seats independent: some decisions need two persons, and some seats may not be taken by who has answered for another seat.

A person is an account. A system is nobody, and whoever records a word by telephone counts as the one who said it: so nobody agrees with
themselves. The second seat of a step that needs two persons is asked when the first has decided.
"""

from __future__ import annotations

from collections.abc import Iterator

from referral.domain.case import Run, Seat, Track, offers_of
from referral.domain.events import Decided, DecisionRecorded, How, InstructionGiven, ResponseSubmitted, Word
from referral.domain.policy.procedure import SeatRule, Step
from referral.domain.rules.context import DecisionContext

TAKES = frozenset({Word.ACCEPT, Word.ARRIVE, Word.COMPLETE, Word.DECIDE})
"""Words by which an agency acts on a seat. Reading it, or declining it, needs no other person."""
HELD = ("ACCEPTED", "ARRIVED", "COMPLETED")
"""States of an offer whose agency has taken the seat, whatever became of it."""
KEEP = "keep-place"
"""`on_disagreement` where no code holds."""
DIFFER = "persons-differ"
"""A desk task: two persons have decided otherwise, and nothing follows from either until a third word agrees with one of them."""
REASON = "reason"
"""The record that a level below what a form points to always needs."""
ALONE = "NEEDS_ACCOUNT"
SAME = "SAME_PERSON"


def waits_for_first(step: Step, run: Run, seat: int) -> bool:
    """Return True while the second person is not asked yet, because the first has not decided."""
    if not step.two_persons or seat == 0:
        return False
    return not run.seats[0].code or decides_alone(step, run)


def decides_alone(step: Step, run: Run) -> bool:
    """Return True when the first seat of a step has decided what its form points to, or more, and nobody else needs to."""
    first = run.seats[0]
    return step.second_below and step.table is not None and bool(first.code) and not step.table.is_below(first.code, first.pointed)


def barred(track: Track, run: Run, rule: SeatRule) -> tuple[str, ...]:
    """Return the accounts that may not answer for this seat: they answered for a seat that must be another person's."""
    found = (by for other, number in rule.apart for seat in _seats(track, run, other, number) for by in seat.persons)
    return tuple(dict.fromkeys(found))


def _seats(track: Track, run: Run, step: str, number: int) -> Iterator[Seat]:
    """Yield the seat of this number in every round of a step; of the step itself in the present round alone."""
    for one in track.runs:
        if one.step == step and number < len(one.seats) and (step != run.step or one.round == run.round):
            yield one.seats[number]


def is_same_agency(track: Track, run: Run, rule: SeatRule, agency: str) -> bool:
    """Return True when the agency holds or held a seat that must be another agency's."""
    for other, number in rule.not_same_as:
        for seat in _seats(track, run, other, number):
            held = (*seat.past, *offers_of(seat), *filter(None, (seat.offer,)))
            if any(offer.agency == agency and offer.state in HELD for offer in held):
                return True
    return False


def person(body: ResponseSubmitted) -> str | None:
    """Return the account that counts as the person of an answer; None for a system."""
    return body.by or body.recorded_by


def refusal(track: Track, run: Run, step: Step, rule: SeatRule, body: ResponseSubmitted) -> str:
    """Return the reason why this person may not answer for this seat; empty when they may."""
    if body.word not in TAKES or not (rule.apart or (step.two_persons and not step.second_below)):
        return ""
    by = person(body)
    if by is None:
        return ALONE
    return SAME if by in barred(track, run, rule) else ""


def alone_below(run: Run, step: Step, seat: int, body: ResponseSubmitted) -> str:
    """Return the reason why a level below what the form of the step pointed to may not be decided; empty when it may.

    All seats must decide it (the reader of the policy refuses another step with a form), so it is enough that each lighter word has a
    reason and is an account's that has not spoken for another seat.
    """
    if step.table is None or not step.table.is_below(body.code, body.pointed):
        return ""
    if REASON not in body.recorded:
        return "NEEDS_RECORD"
    by = person(body)
    if by is None:
        return ALONE
    return SAME if any(by in other.persons for number, other in enumerate(run.seats) if number != seat and other.code) else ""


def is_gravest(step: Step, code: str) -> bool:
    """Return True for the gravest level of the form of a step, which one person may decide alone."""
    return step.table is not None and code == step.table.levels[-1]


def desk_below(run: Run, step: Step, body: InstructionGiven) -> bool:
    """Return True when a desk, which is one person, would settle a step with a form alone by another level than the gravest."""
    if step.table is None or body.target not in step.table.levels[:-1]:
        return False
    return not any(seat.code == body.target and (body.by is None or body.by not in seat.persons) for seat in run.seats)


def desk_word(d: DecisionContext, track: Track, step: Step, run: Run, body: InstructionGiven) -> None:
    """Handle SETTLE of a decision that two persons make: the desk's word is one of two, never both.

    It is the word of the first seat that has none. Where both have decided otherwise, it decides if it agrees with one of them.
    """
    said = [seat for seat in run.seats if seat.code]
    if run.outcome:
        return d.ignore("REPEATED" if run.outcome == body.target else "NOT_NOW")
    if body.by is None:
        return d.ignore(ALONE)
    if any(body.by in seat.persons for seat in said):
        return d.ignore(SAME)
    empty = next((number for number, seat in enumerate(run.seats) if not seat.code), None)
    if empty is None and body.target not in {seat.code for seat in said}:
        return d.ignore("NEITHER_SAID")
    for left in () if empty is None else tuple(offers_of(run.seats[empty])):
        d.close(left, How.RELEASED, "DESK", "instruction", track)
    d.emit(
        DecisionRecorded(
            why=d.why("instruction", track),
            track_id=track.track_id,
            step=run.step,
            round=run.round,
            seat=-1 if empty is None else empty,
            code=body.target,
            how=Decided.DESK,
            by=body.by,
        )
    )
    for task in d.case.tasks:
        if (task.about, task.track_id, task.step) == (DIFFER, track.track_id, step.id):
            d.settle(task, "decided")
    return None
