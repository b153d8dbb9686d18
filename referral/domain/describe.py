"""Describe one event in one short line, for the stories under tests/stories and for the counterexamples of `policy check`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from referral.domain import events as e
from referral.domain.case import Case, seats
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US


def describe(case: Case, event: Any, now: int) -> str:
    """Return one event as a line of text. case: after all events of the same decision; now: of that decision, µs UTC."""
    return " ".join(" ".join(_parts(case, event, now)).split())


def span(micros: int) -> str:
    """Return a length of time in its largest unit that is exact enough: exact, or more than two of it."""
    for size, unit in ((DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "min")):
        if micros % size == 0 or micros > 2 * size:
            return f"{micros // size} {unit}"
    return f"{micros} µs"


def _parts(case: Case, event: Any, now: int) -> Iterator[str]:
    until = getattr(event, "due", None)
    limit = f"until {getattr(event, 'due_what', '') or 'then'} +{span(until - now)}" if until else ""
    passed = ", ".join(f"{p.service} {p.reason}" for p in event.why.passed)
    match event:
        case e.OfferOpened():
            yield f"offer {_seat(event)} to {event.service} as {event.role} {limit}"
        case e.OfferEscalated():
            yield f"climb {_who(case, event)} to rung {event.rung} ({event.reason or event.why.rule}) {limit}"
        case e.OfferUnheard():
            yield f"{'nobody told' if event.away else 'told after all'} {_who(case, event)}"
        case e.OfferAcknowledged():
            yield f"acknowledged {_who(case, event)} {limit}"
        case e.OfferAccepted():
            yield f"accepted {_who(case, event)}{' late' if event.late else ''} {limit}"
        case e.OfferArrived():
            yield f"arrived {_who(case, event)} {limit}"
        case e.OfferHeld():
            yield f"held {_who(case, event)} {event.reason} {limit or 'until another accepts'}"
        case e.OfferClosed():
            yield f"closed {_who(case, event)} {event.how.value} {event.reason}"
        case e.UndoAllowed():
            yield f"may take back {_who(case, event)} until +{span(event.until - now)}"
        case e.OfferReopened():
            yield f"reopened {_who(case, event)} {limit}"
        case e.StepOpened():
            yield f"open {event.step}{f' round {event.round}' if event.round else ''}"
        case e.StepDone():
            yield f"done {event.step}{f' round {event.round}' if event.round else ''} {event.outcome}"
        case e.DecisionRecorded():
            points = f" where the form points to {event.pointed}" if event.pointed else ""
            yield f"decided {_seat(event) if event.seat >= 0 else event.step} {event.code} {event.how.value}{points}"
        case e.NeedsPerson():
            where = f" for {_seat(event)}" if event.step else ""
            yield f"desk {event.desk} rung {event.rung} {event.about}{where} {limit}"
        case e.PersonNotNeeded():
            yield f"desk settled {event.how}"
        case e.DeadlinePassed():
            yield f"missed {event.what} {_who(case, event)}"
        case e.InputIgnored():
            yield f"ignored {event.reason}"
        case e.TrackChanged():
            yield f"track {event.pathway} {event.state.value} {event.outcome}"
        case e.CaseOpened():
            yield f"case opened{' (drill)' if event.drill else ''}"
        case e.CaseChanged():
            yield f"case changed {event.why.rule} {','.join(event.excluded)}"
            if event.lifted:
                yield f"lifted {', '.join(event.lifted)}"
        case e.ChangeProposed():
            yield f"proposed {event.kind.value.lower()} {event.actor} by {event.agency}"
        case e.CaseLinked():
            yield f"linked {event.how}"
        case e.CaseRaised():
            away = ", ".join(actor.partition(":")[2] for actor in event.excluded)
            yield f"raised {event.pathway}{f' away from {away}' if away else ''}"
        case e.CaseClosed():
            yield f"case closed {event.outcome}"
        case _:
            yield type(event).__name__
    if passed:
        yield f"(passed over {passed})"


def _seat(event: Any) -> str:
    """Return the step of the event, with the number of the seat unless it is the first."""
    return f"{event.step}.{event.seat}" if event.seat > 0 else event.step


def _who(case: Case, event: Any) -> str:
    """Return the step, seat number and service of the offer that the event names; `?` when the case has no such offer."""
    for (_, _, number), _, run, at in seats(case):
        for offer in (*at.past, *at.kept, *filter(None, (at.offer, at.next))):
            if offer.offer_id == event.offer_id:
                return f"{run.step}{f'.{number}' if number else ''} {offer.service}"
    return "?"
