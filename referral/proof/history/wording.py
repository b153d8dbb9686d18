"""Write one event as a sentence, with its reason, for a tired reader. Agencies, steps, rungs and codes appear under their own words.

The names behind ids (an offer's agency, step and seat; a task's desk) come from the case's own events.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from referral.domain import events as e
from referral.domain.events import NeedsPerson, OfferOpened, StepOpened
from referral.proof.entry import Kind
from referral.proof.history.reasons import CLOSED, IGNORED, PASSED, rule

SHORT = 8
"""Hex digits of an id in a text: one case has a few dozen ids. --json prints the whole id."""


class OfferName(Struct, frozen=True, kw_only=True):
    """One offer. seat: in words; the step alone where it has one seat. ladder: the agency's rungs by name."""

    agency: str
    seat: str
    ladder: tuple[str, ...]


class Names(Struct, frozen=True, kw_only=True):
    """The names behind the ids of one case. offers, tasks: by id. A task is the event that opened it, with desk and question."""

    offers: dict[str, OfferName]
    tasks: dict[str, NeedsPerson]

    def offer(self, offer_id: str | None) -> OfferName:
        """Return the offer of an id. An offer that the log does not explain is named by its short id."""
        return self.offers.get(offer_id or "") or OfferName(agency=f"offer {short(offer_id)}", seat="", ladder=())

    def rung(self, offer_id: str | None, number: int) -> str:
        """Return the name of a rung, such as duty-officer."""
        ladder = self.offer(offer_id).ladder
        return ladder[number] if 0 <= number < len(ladder) else f"rung {number}"


def names(bodies: Iterable[Struct]) -> Names:
    """Collect the names that the events of one case define."""
    known = Names(offers={}, tasks={})
    seats: dict[tuple[str, str, int], int] = {}
    for body in bodies:
        if isinstance(body, StepOpened):
            seats[body.track_id, body.step, body.round] = len(body.seats)
        elif isinstance(body, OfferOpened):
            joint = seats.get((body.track_id, body.step, body.round), 1) > 1
            seat = f"{body.step}, {body.role}" if joint else body.step
            again = f" (round {body.round + 1})" if body.round else ""
            known.offers[body.offer_id] = OfferName(agency=body.agency, seat=seat + again, ladder=body.ladder)
        elif isinstance(body, NeedsPerson):
            known.tasks.setdefault(body.task_id, body)
    return known


def short(id_: str | None) -> str:
    """Return the first hex digits of an id."""
    return (id_ or "?")[:SHORT]


class Wording(Struct, frozen=True, kw_only=True):
    """The wording of one event. who: agency, account or service. why: in words. passed: candidates not asked, each with its reason.

    due, due_what: µs UTC and name of the limit that starts here; 0 where none does.
    """

    what: str
    who: str = ""
    why: str = ""
    passed: tuple[str, ...] = ()
    due: int = 0
    due_what: str = ""


def say(body: Struct, names: Names) -> Wording:
    """Return the wording of an event. An event type without a wording of its own is displayed as its name and short fields.

    "signed" states only that the agency's system attached a signature; `verify` checks it.
    """
    why: e.Why | None = getattr(body, "why", None)
    passed = tuple(f"{p.service.partition('.')[0]}: {PASSED.get(p.reason, p.reason)}" for p in why.passed) if why else ()
    what = WORDINGS[type(body)](body, names) if type(body) in WORDINGS else _plain(body)
    what += ", signed" if getattr(body, "signed", None) is not None else ""
    limit = getattr(body, "due_what", "")
    return Wording(
        what=what,
        who=_who(body),
        why=rule(why.rule) if why else "",
        passed=passed,
        due=(getattr(body, "due", None) or 0) if limit else 0,
        due_what=limit,
    )


def _who(body: Any) -> str:
    agency, person = getattr(body, "agency", ""), getattr(body, "by", None)
    who = f"{agency} ({short(person)})" if person and agency else agency or (short(person) if person else "")
    recorder = getattr(body, "recorded_by", None)
    return f"{who}, written down by {short(recorder)}" if recorder else who


def _plain(body: Any) -> str:
    """Return the name of the event in words, followed by its codes."""
    name = "".join(f" {c.lower()}" if c.isupper() else c for c in type(body).__name__).strip()
    skipped = {"head", "why", "by", "recorded_by"}
    fields = [f"{f}={getattr(body, f)}" for f in body.__struct_fields__ if f not in skipped and isinstance(getattr(body, f), str | int)]
    return " ".join([name, *(t for t in fields if not t.endswith("="))])


def _of(body: Any, names: Names) -> str:
    """Return an offer as its agency and, in brackets, the seat."""
    offer = names.offer(body.offer_id)
    return f"{offer.agency} ({offer.seat})" if offer.seat else offer.agency


ANSWERS = {
    "ACKNOWLEDGE": "has seen it",
    "ACCEPT": "accepts",
    "ARRIVE": "says: arrived",
    "COMPLETE": "says: completed",
    "DECLINE": "declines",
    "HOLD": "puts it on hold",
    "RETURN": "gives it back",
    "DECIDE": "decides",
}
ENDS = {
    "COMPLETED": "is done with it",
    "DECLINED_BY_AGENCY": "is out: it declined",
    "DECLINED_BY_PERSON": "is out: the person declined",
    "EXPIRED": "is out: no answer in time",
    "UNTOLD": "is out: it was not told in time",
    "CANCELLED": "is no longer needed",
    "RETURNED": "gave it back",
    "RELEASED": "is released by a desk",
    "OVERTAKEN": "is overtaken: it was done outside the system",
    "ENTERED_IN_ERROR": "was asked in error",
}
UNTOLD = ("not-called", "not-told")
"""Reasons of an ending that are the system's or a desk's fault, never the agency's."""
DECIDED = {
    "PERSON": "",
    "AGREED": ", as all agreed",
    "DISAGREED": ", as they disagreed",
    "SILENCE": ", as nobody decided in time",
    "DESK": ", by a desk",
}

READS = {"offer": "its offer shows it", "own-referral": "it sent it", "desk": "as the desk", "break-glass": "break glass"}
TRACKS = {"OPENED": "begins", "ENDED": "ends", "PAUSED": "is stopped", "RESUMED": "goes on", "SWITCHED": "gives way to another"}


def _answers(b: Any, names: Names) -> str:
    code = f" {b.code}" if b.code else ""
    reason = f": {_words(b.reason)}" if b.reason else ""
    via = {"PHONE": ", by telephone", "WEB": ", in the inbox"}.get(b.via, "")
    seat = names.offer(b.offer_id).seat or f"offer {short(b.offer_id)}"
    return f"{_who(b)} {ANSWERS.get(b.word, b.word.lower())}{code}{reason} ({seat}){via}"


def _opened(b: Any, names: Names) -> str:
    seat = names.offer(b.offer_id).seat
    if b.kind is e.OfferKind.NOTIFY:
        return f"{b.agency} is told ({seat})"
    return f"{b.agency} is asked ({seat}), first its {names.rung(b.offer_id, b.rung)}"


def _knock(b: Any, names: Names) -> str:
    if b.offer_id is None and b.task_id in names.tasks:
        return names.tasks[b.task_id].desk
    return f"{names.offer(b.offer_id).agency}, {names.rung(b.offer_id, b.rung)}"


def _settled(b: Any, names: Names) -> str:
    task = names.tasks.get(b.task_id)
    return f"{task.desk} need not look any more ({task.about})" if task else f"the desk's task {short(b.task_id)} is settled"


def _roster(b: Any, _: Names) -> str:
    """List the changed rows. The duty at a given time follows only from all rows together."""
    rows = (
        f"{row.part} {row.number} {'ends' if row.ended else 'begins'}{f' at {row.agency}' if row.agency else ''}"
        f"{f', account {short(row.account)}' if row.account else ''}{''.join(f', {rung}' for rung in row.rungs)}"
        for row in b.rows
    )
    thrown = (f"{b.thrown_away} waiting knocks are thrown away",) if b.thrown_away else ()
    return f"operator {short(b.changed_by)} changes the roster: {'; '.join((*rows, *thrown))}"


WORDINGS: dict[type, Any] = {
    e.ReferralSubmitted: lambda b, _: f"{b.agency} refers: {b.traits.concern}, {b.traits.age}, {b.traits.urgency}, by {b.door.value}",
    e.ResponseSubmitted: _answers,
    e.InstructionGiven: lambda b, _: " ".join(
        filter(None, (_who(b), "instructs", b.word, b.step, b.target, short(b.other) * bool(b.other)))
    ),
    e.ConsentChanged: lambda b, _: f"{_who(b)} records consent: {b.consent.state}",
    e.TraitsChanged: lambda b, _: f"{_who(b)} records: {b.traits.concern}, {b.traits.age}, {b.traits.urgency}, in {b.traits.found_in}",
    e.ActorExcluded: lambda b, _: f"{_who(b)} excludes {b.kind.lower()} {b.actor}",
    e.ReferralWithdrawn: lambda b, _: f"{b.agency} takes the referral back ({b.reason})",
    e.SectionWritten: lambda b, _: (
        f"{_who(b)} writes section {b.section}, " + (f"version {b.version}" if b.version > 0 else "put aside: others wrote it before")
    ),
    e.SectionDisclosed: lambda b, _: f"{_who(b)} reads section {b.section} ({READS.get(b.basis, b.basis)})",
    e.CaseErased: lambda b, _: (
        f"{short(b.requested_by)} and {short(b.approved_by)} have the case erased ({b.basis}): key and rows are destroyed after this"
        if b.requested_by and b.approved_by
        else "the case is erased: its key and rows are destroyed"
    ),
    e.CaseOpened: lambda b, _: f"a case is opened{' (drill)' if b.drill else ''}",
    e.ReferralAttached: lambda b, _: f"the referral of {b.agency} joins this case",
    e.CaseChanged: lambda b, _: f"keeps away no longer: {', '.join(b.lifted)}" if b.lifted else "what is known of the case has changed",
    e.ChangeProposed: lambda b, _: (
        f"{_who(b)} says what would end a duty or a protection ({f'{b.kind.lower()} {b.actor}'.strip()}): a second party is asked"
    ),
    e.TrackChanged: lambda b, _: (
        f"procedure {b.pathway} {TRACKS.get(b.state, b.state)}{f': {b.outcome}' if b.outcome else ''} (text {b.digest[:16]})"
    ),
    e.StepOpened: lambda b, _: f"step {b.step} begins{f', round {b.round + 1}' if b.round else ''}: {', '.join(b.seats)}",
    e.StepDone: lambda b, _: f"step {b.step} is over: {b.outcome}",
    e.OfferOpened: _opened,
    e.OfferEscalated: lambda b, n: f"{n.offer(b.offer_id).agency}: now its {n.rung(b.offer_id, b.rung)} ({n.offer(b.offer_id).seat})",
    e.OfferUnheard: lambda b, n: f"{_of(b, n)}: {'nobody there has been told' if b.away else 'somebody there has been told now'}",
    e.OfferAcknowledged: lambda b, n: f"{_of(b, n)} has seen it",
    e.OfferAccepted: lambda b, n: f"{_of(b, n)} has the case{', late' if b.late else ''}",
    e.OfferArrived: lambda b, n: f"{_of(b, n)} has begun: arrived",
    e.OfferHeld: lambda b, n: f"{_of(b, n)} is on hold: {_words(b.reason)}",
    e.OfferClosed: lambda b, n: f"{_of(b, n)} {ENDS['UNTOLD'] if b.reason in UNTOLD else ENDS.get(b.how, b.how)}{_reason(b)}",
    e.DecisionRecorded: lambda b, _: f"{b.step} is decided{' by one' if b.seat >= 0 else ''}: {b.code}{DECIDED.get(b.how, '')}",
    e.DeadlinePassed: lambda b, n: f"{_of(b, n)}: the time to {b.what} is over" if b.offer_id else f"the time to {b.what} is over",
    e.NeedsPerson: lambda b, _: f"{b.desk} must look: {b.about}{f' ({b.step})' if b.step else ''}{', higher up' if b.rung else ''}",
    e.PersonNotNeeded: _settled,
    e.InputIgnored: lambda b, _: f"changed nothing: {IGNORED.get(b.reason, b.reason)}",
    e.CaseLinked: lambda b, _: f"linked with case {short(b.other)} ({b.how})",
    e.CaseRaised: lambda b, _: f"raises a case of its own, {short(b.new_case_id)}: {b.pathway} ({b.about})",
    e.KnockSent: lambda b, n: f"knock by {b.channel}: {_knock(b, n)}, reference {short(b.reference)}",
    e.KnockFailed: lambda b, n: f"knock by {b.channel} failed: {_knock(b, n)}, {b.reason}, tried {b.attempts} times",
    e.KnockDelivered: lambda b, n: f"the message has arrived by {b.channel}: {_knock(b, n)}, reference {short(b.reference)}",
    e.KnockAnswered: lambda b, n: f"answered by {b.channel}, {ANSWERS.get(b.word, b.word)}: {_knock(b, n)}, reference {short(b.reference)}",
    e.RungFailed: lambda b, n: f"nobody could be reached: {_knock(b, n)}, {b.reason}",
    e.RosterChanged: _roster,
    e.RungReached: lambda b, n: f"somebody could be reached after all: {_knock(b, n)}",
    e.CaseClosed: lambda b, _: f"the case is closed: {b.outcome}",
}

MARKS: dict[Kind, str] = {
    Kind.FORK: "a second record with this sequence: a fork",
    Kind.FOREIGN: "a record in the wrong place, never applied",
    Kind.GAP: "a sequence is missing here",
    Kind.UNREADABLE: "a record that is none of ours",
}


def _reason(body: Any) -> str:
    """Return the coded reason of an ending, where it adds to the ending itself."""
    return f" ({CLOSED.get(body.reason) or _words(body.reason)})" if body.reason and body.reason != body.how else ""


def _words(code: str) -> str:
    """Return a code that an agency gave, such as NO_CAPACITY, as words."""
    return code.replace("_", " ").replace("-", " ").lower()
