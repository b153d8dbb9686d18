"""Write one event as a sentence, with its reason, for a tired reader, in the language of `words`. Codes appear as they were logged, or
behind the names that the reader's page has for them.

The names behind ids (an offer's agency, step and seat; a task's desk) come from the case's own events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from msgspec import Struct

from referral.domain import events as e
from referral.domain.events import NeedsPerson, OfferOpened, StepOpened
from referral.domain.local_time import local
from referral.proof.history import reasons
from referral.proof.history.words import Name, Texts, as_logged, coded, named, small

SHORT = 8
"""Hex digits of an id in a text: one case has a few dozen ids. --json prints the whole id."""


class OfferName(Struct, frozen=True, kw_only=True):
    """One offer. seat: in words; the step alone where it has one seat. ladder: the agency's rungs by name."""

    agency: str
    seat: str
    ladder: tuple[str, ...]


class Names(Struct, frozen=True, kw_only=True):
    """The names behind the ids of one case, in one language.

    say: texts of that language. offers, tasks: by id. A task is the event that opened it, with desk and question. name: of codes.
    """

    say: Texts
    offers: dict[str, OfferName]
    tasks: dict[str, NeedsPerson]
    name: Name = as_logged

    def of(self, kind: str, code: str) -> str:
        """Return a code for a sentence: its name, if it has one, and the code."""
        return named(self.name, kind, code)

    def actor(self, actor: str) -> str:
        """Return an actor (kind:id) for a sentence."""
        kind, _, id_ = actor.partition(":")
        return self.of(kind, id_) if kind in ("agency", "relation") and self.name(kind, id_) != id_ else actor

    def offer(self, offer_id: str | None) -> OfferName:
        """Return the offer of an id. An offer that the log does not explain is named by its short id."""
        return self.offers.get(offer_id or "") or OfferName(agency=self.say("part.offer", offer=short(offer_id)), seat="", ladder=())

    def rung(self, offer_id: str | None, number: int) -> str:
        """Return the name of a rung, such as duty-officer."""
        ladder = self.offer(offer_id).ladder
        return self.of("rung", ladder[number]) if 0 <= number < len(ladder) else self.say("part.rung", rung=number)


def names(bodies: Iterable[Struct], say: Texts, name: Name = as_logged) -> Names:
    """Collect the names that the events of one case define. name: of the codes in them."""
    known = Names(say=say, offers={}, tasks={}, name=name)
    seats: dict[tuple[str, str, int], int] = {}
    for body in bodies:
        if isinstance(body, StepOpened):
            seats[body.track_id, body.step, body.round] = len(body.seats)
        elif isinstance(body, OfferOpened):
            joint = seats.get((body.track_id, body.step, body.round), 1) > 1
            seat = known.of("step", body.step)
            seat = f"{seat}, {known.of('role', body.role)}" if joint else seat
            seat = say("part.round", seat=seat, round=body.round + 1) if body.round else seat
            known.offers[body.offer_id] = OfferName(agency=known.of("agency", body.agency), seat=seat, ladder=body.ladder)
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
    """Return the wording of an event. An event type without a wording of its own is displayed as its name and short fields."""
    why: e.Why | None = getattr(body, "why", None)
    asked = [(names.of("agency", p.service.partition(".")[0]), p.reason) for p in why.passed] if why else []
    passed = tuple(f"{agency}: {reasons.passed(names.say, reason)}" for agency, reason in asked)
    what = WORDINGS[type(body)](body, names) if type(body) in WORDINGS else _plain(body)
    limit = getattr(body, "due_what", "")
    return Wording(
        what=what,
        who=_who(body, names),
        why=reasons.rule(names.say, why.rule) if why else "",
        passed=passed,
        due=(getattr(body, "due", None) or 0) if limit else 0,
        due_what=limit,
    )


def _who(body: Any, names: Names) -> str:
    agency, person = names.of("agency", getattr(body, "agency", "")), getattr(body, "by", None)
    who = f"{agency} ({short(person)})" if person and agency else agency or (short(person) if person else "")
    recorder = getattr(body, "recorded_by", None)
    return names.say("part.recorded", who=who, recorder=short(recorder)) if recorder else who


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


UNTOLD = ("not-called", "not-told")
"""Reasons of an ending that are the system's or a desk's fault, never the agency's."""


def _answers(b: Any, names: Names) -> str:
    code = f" {names.of('decision', b.code)}" if b.code else ""
    reason = f": {small(names.say, 'reason', b.reason)}" if b.reason else ""
    via = names.say(f"via.{b.via}") if names.say.has(f"via.{b.via}") else ""
    seat = names.offer(b.offer_id).seat or names.say("part.offer", offer=short(b.offer_id))
    return f"{_who(b, names)} {small(names.say, 'answer', b.word)}{code}{reason} ({seat}){via}"


def _instructs(b: Any, names: Names) -> str:
    parts = (names.of("order", b.word), names.of("step", b.step), names.of("target", b.target), short(b.other) * bool(b.other))
    what = " ".join(filter(None, parts))
    return names.say("event.instructs", who=_who(b, names), what=what)


def _traits(b: Any, names: Names) -> str:
    traits = b.traits
    if b.only:
        what = ", ".join(f"{names.of('trait', name)} {_trait(getattr(traits, name), name, names)}" for name in b.only)
        return names.say("event.traits.only", who=_who(b, names), what=what)
    return names.say("event.traits", who=_who(b, names), place=names.of("municipality", traits.found_in), **_basics(traits, names))


def _trait(value: object, trait: str, names: Names) -> str:
    if trait == "times" and isinstance(value, tuple):
        return ", ".join(f"{names.of('time', one.code)} {_at(one.at)}" for one in value)
    kind = TRAITS.get(trait, trait.replace("_", "-"))
    if isinstance(value, str):
        return names.of(kind, value)
    if names.name is as_logged or not isinstance(value, Iterable):
        return str(value)
    return ", ".join(names.of(kind, str(one)) for one in value)


def _at(at: int) -> str:
    """Return an entered time as it is read in Prishtinë, to the minute."""
    return local(at).strftime("%d.%m.%Y %H:%M")


TRAITS = {"found_in": "municipality", "home": "municipality", "languages": "language", "flags": "flag"}
"""Trait → its list of codes, where the list has another name."""


def _basics(traits: e.Traits, names: Names) -> dict[str, str]:
    return {kind: names.of(kind, getattr(traits, kind)) for kind in ("concern", "age", "urgency")}


def _refers(b: Any, names: Names) -> str:
    agency, door = names.of("agency", b.agency), names.of("door", b.door.value)
    return names.say("event.refers", agency=agency, door=door, **_basics(b.traits, names))


def _writes(b: Any, names: Names) -> str:
    key = "event.writes" if b.version > 0 else "event.writes.aside"
    return names.say(key, who=_who(b, names), section=names.of("section", b.section), version=b.version)


def _erased(b: Any, names: Names) -> str:
    if not (b.requested_by and b.approved_by):
        return names.say("event.erased")
    return names.say("event.erased.two", one=short(b.requested_by), two=short(b.approved_by), basis=names.of("erasure-basis", b.basis))


def _track(b: Any, names: Names) -> str:
    does = coded(names.say, "track", b.state) + (f": {names.of('outcome', b.outcome)}" if b.outcome else "")
    return names.say("event.track", pathway=names.of("pathway", b.pathway), does=does, digest=b.digest[:16])


def _step(b: Any, names: Names) -> str:
    seats = ", ".join(names.of("role", seat) for seat in b.seats)
    return names.say("event.step.again" if b.round else "event.step", step=names.of("step", b.step), round=b.round + 1, seats=seats)


def _opened(b: Any, names: Names) -> str:
    agency, seat = names.of("agency", b.agency), names.offer(b.offer_id).seat
    if b.kind is e.OfferKind.NOTIFY:
        return names.say("event.told", agency=agency, seat=seat)
    return names.say("event.asked", agency=agency, seat=seat, rung=names.rung(b.offer_id, b.rung))


def _escalated(b: Any, names: Names) -> str:
    offer = names.offer(b.offer_id)
    return names.say("event.escalated", agency=offer.agency, rung=names.rung(b.offer_id, b.rung), seat=offer.seat)


def _closed(b: Any, names: Names) -> str:
    how = small(names.say, "ends", "UNTOLD" if b.reason in UNTOLD else b.how)
    return names.say("event.closed", of=_of(b, names), how=how) + _reason(b, names)


def _decided(b: Any, names: Names) -> str:
    how = names.say(f"decided.{b.how}") if names.say.has(f"decided.{b.how}") else ""
    step, code = names.of("step", b.step), names.of("decision", b.code)
    said = names.say("event.decided.one" if b.seat >= 0 else "event.decided", step=step, code=code, how=how)
    return f"{said}; {names.say('decided.pointed', level=names.of('decision', b.pointed))}" if getattr(b, "pointed", None) else said


def _deadline(b: Any, names: Names) -> str:
    over = names.say(f"deadline.{b.what}") if names.say.has(f"deadline.{b.what}") else names.say("deadline", what=names.of("limit", b.what))
    return f"{_of(b, names)}: {over}" if b.offer_id else over


def _needs(b: Any, names: Names) -> str:
    about = names.of("about", b.about) + (f" ({names.of('step', b.step)})" if b.step else "")
    return names.say("event.needs.higher" if b.rung else "event.needs", desk=names.of("agency", b.desk), about=about)


def _settled(b: Any, names: Names) -> str:
    task = names.tasks.get(b.task_id)
    if task is None:
        return names.say("event.settled.unknown", task=short(b.task_id))
    return names.say("event.settled", desk=names.of("agency", task.desk), about=names.of("about", task.about))


def _knock(b: Any, names: Names) -> str:
    if b.offer_id is None and b.task_id in names.tasks:
        return names.of("agency", names.tasks[b.task_id].desk)
    return f"{names.offer(b.offer_id).agency}, {names.rung(b.offer_id, b.rung)}"


def _by(b: Any, names: Names) -> dict[str, str]:
    return {"channel": names.of("channel", b.channel), "to": _knock(b, names)}


def _roster(b: Any, _: Names) -> str:
    """List the changed rows, in English: a roster belongs to no case. The duty at a given time follows only from all rows together."""
    rows = (
        f"{row.part} {row.number} {'ends' if row.ended else 'begins'}{f' at {row.agency}' if row.agency else ''}"
        f"{f', account {short(row.account)}' if row.account else ''}{''.join(f', {rung}' for rung in row.rungs)}"
        for row in b.rows
    )
    thrown = (f"{b.thrown_away} waiting knocks are thrown away",) if b.thrown_away else ()
    return f"{_changer(b)} changes the roster: {'; '.join((*rows, *thrown))}"


ACCOUNT = {
    "added": "adds account {}",
    "invited": "invites account {}",
    "head": "makes account {} a head",
    "no-head": "makes account {} no head any more",
    "off": "switches account {} off",
    "on": "switches account {} on",
}
"""Change of an account → its words, in English like the roster's."""


def _account(b: Any, _: Names) -> str:
    known, account = ACCOUNT.get(b.change), short(b.account)
    what = known.format(account) if known else f"{b.change}: account {account}"  # a word of the event is no template
    return f"{_changer(b)} {what} at {b.agency}"


def _changer(b: Any) -> str:
    who = "account" if UUID(b.changed_by).version == 4 else "operator"  # an operator's is a digest, version 5
    return f"{who} {short(b.changed_by)}"


WORDINGS: dict[type, Callable[[Any, Names], str]] = {
    e.ReferralSubmitted: _refers,
    e.ResponseSubmitted: _answers,
    e.AnswerWithdrawn: lambda b, n: n.say("event.takes-back", who=_who(b, n), of=_of(b, n)),
    e.InstructionGiven: _instructs,
    e.ConsentChanged: lambda b, n: n.say("event.consent", who=_who(b, n), state=n.of("consent", b.consent.state)),
    e.TraitsChanged: _traits,
    e.ActorExcluded: lambda b, n: n.say(
        "event.excludes", who=_who(b, n), kind=small(n.say, "kind", b.kind), actor=n.of(b.kind.lower(), b.actor)
    ),
    e.ReferralWithdrawn: lambda b, n: n.say("event.withdraws", agency=n.of("agency", b.agency), reason=n.of("withdrawal-reason", b.reason)),
    e.SectionWritten: _writes,
    e.SectionDisclosed: lambda b, n: n.say(
        "event.reads", who=_who(b, n), section=n.of("section", b.section), basis=coded(n.say, "read", b.basis)
    ),
    e.CaseErased: _erased,
    e.CaseOpened: lambda b, n: n.say("event.opened.drill" if b.drill else "event.opened"),
    e.ReferralAttached: lambda b, n: n.say("event.attached", agency=n.of("agency", b.agency)),
    e.CaseChanged: lambda b, n: n.say("event.lifted", names=", ".join(map(n.actor, b.lifted))) if b.lifted else n.say("event.changed"),
    e.ChangeProposed: lambda b, n: n.say(
        "event.proposed", who=_who(b, n), what=f"{small(n.say, 'kind', b.kind)} {n.actor(b.actor)}".strip()
    ),
    e.TrackChanged: _track,
    e.StepOpened: _step,
    e.StepDone: lambda b, n: n.say("event.step.done", step=n.of("step", b.step), outcome=n.of("outcome", b.outcome)),
    e.OfferOpened: _opened,
    e.OfferEscalated: _escalated,
    e.OfferUnheard: lambda b, n: n.say("event.unheard" if b.away else "event.heard", of=_of(b, n)),
    e.OfferAcknowledged: lambda b, n: n.say("event.acknowledged", of=_of(b, n)),
    e.OfferAccepted: lambda b, n: n.say("event.accepted.late" if b.late else "event.accepted", of=_of(b, n)),
    e.OfferArrived: lambda b, n: n.say("event.arrived", of=_of(b, n)),
    e.OfferHeld: lambda b, n: n.say("event.held", of=_of(b, n), reason=small(n.say, "reason", b.reason)),
    e.OfferClosed: _closed,
    e.UndoAllowed: lambda b, n: n.say("event.undo", of=_of(b, n)),
    e.OfferReopened: lambda b, n: n.say("event.reopened", of=_of(b, n)),
    e.DecisionRecorded: _decided,
    e.DeadlinePassed: _deadline,
    e.NeedsPerson: _needs,
    e.PersonNotNeeded: _settled,
    e.InputIgnored: lambda b, n: n.say("event.ignored", reason=reasons.ignored(n.say, b.reason)),
    e.CaseLinked: lambda b, n: n.say("event.linked", other=short(b.other), how=n.of("link", b.how)),
    e.CaseRaised: lambda b, n: n.say(
        "event.raised", other=short(b.new_case_id), pathway=n.of("pathway", b.pathway), about=n.of("about", b.about)
    ),
    e.KnockSent: lambda b, n: n.say("event.knock", reference=short(b.reference), **_by(b, n)),
    e.KnockFailed: lambda b, n: n.say("event.knock.failed", reason=n.of("knock", b.reason), attempts=b.attempts, **_by(b, n)),
    e.KnockDelivered: lambda b, n: n.say("event.knock.delivered", reference=short(b.reference), **_by(b, n)),
    e.KnockAnswered: lambda b, n: n.say(
        "event.knock.answered", does=coded(n.say, "answer", b.word), reference=short(b.reference), **_by(b, n)
    ),
    e.RungFailed: lambda b, n: n.say("event.unreached", to=_knock(b, n), reason=n.of("knock", b.reason)),
    e.RosterChanged: _roster,
    e.AccountChanged: _account,
    e.RecordDisowned: lambda b, n: n.say("event.disowned", sequence=b.sequence),
    e.KnockDisowned: lambda b, n: n.say("event.disowned", sequence=b.sequence),
    e.RungReached: lambda b, n: n.say("event.reached", to=_knock(b, n)),
    e.CaseClosed: lambda b, n: n.say("event.case.closed", outcome=n.of("outcome", b.outcome)),
}


def _reason(body: Any, names: Names) -> str:
    """Return the coded reason of an ending, where it adds to the ending itself."""
    if not body.reason or body.reason == body.how:
        return ""
    closed = names.say.has(f"closed.{body.reason}")
    return f" ({small(names.say, 'closed' if closed else 'reason', body.reason)})"
