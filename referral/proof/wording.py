"""What one event says, in a line: what happened, who did it, why. Codes only, as the event holds them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from referral.domain import events as e
from referral.proof.entry import Kind


class Said(Struct, frozen=True, kw_only=True):
    """what: in words. who: agency, account or service. why: rule and reason. passed: candidates not asked, each with its reason."""

    what: str
    who: str = ""
    why: str = ""
    passed: tuple[str, ...] = ()


def say(body: Struct) -> Said:
    """The line of an event. An event without a wording of its own is told by its name and its short fields."""
    what = WORDINGS.get(type(body), _plain)(body)
    why: e.Why | None = getattr(body, "why", None)
    reasons = [why.rule] if why else []
    reasons += [getattr(body, name) for name in ("reason",) if getattr(body, name, "")]
    passed = tuple(f"{p.service}: {p.reason}" for p in why.passed) if why else ()
    return Said(what=what, who=_who(body), why=" · ".join(reasons), passed=passed)


def _who(body: Any) -> str:
    agency, person = getattr(body, "agency", ""), getattr(body, "by", None)
    told = f"{agency} ({person})" if person and agency else agency or person or ""
    recorder = getattr(body, "recorded_by", None)
    return f"{told}, written down by {recorder}" if recorder else told


def _plain(body: Any) -> str:
    """The name of the event in words, and what it says in codes."""
    name = "".join(f" {c.lower()}" if c.isupper() else c for c in type(body).__name__).strip()
    skipped = {"head", "why", "reason", "agency", "by", "recorded_by"}
    told = [f"{f}={getattr(body, f)}" for f in body.__struct_fields__ if f not in skipped and isinstance(getattr(body, f), str | int)]
    return " ".join([name, *(t for t in told if not t.endswith("="))])


def _seat(body: Any) -> str:
    return f"{body.step}" + (f" round {body.round}" if body.round else "") + (f" seat {body.seat}" if body.seat > 0 else "")


WORDINGS: dict[type, Any] = {
    e.ReferralSubmitted: lambda b: f"referral {b.referral_id} for {b.traits.concern}, {b.traits.age}, {b.traits.urgency}, by {b.door}",
    e.ResponseSubmitted: lambda b: f"answers {b.word}{f' {b.code}' if b.code else ''} to offer {b.offer_id}, by {b.via}",
    e.InstructionGiven: lambda b: f"instructs {b.word} {b.target or b.other or ''}".strip(),
    e.ConsentChanged: lambda b: f"consent is {b.consent.state}",
    e.TraitsChanged: lambda b: f"traits: {b.traits.concern}, {b.traits.age}, {b.traits.urgency}, in {b.traits.found_in}",
    e.ActorExcluded: lambda b: f"excludes {b.kind.lower()} {b.actor}",
    e.ReferralWithdrawn: lambda b: f"withdraws referral {b.referral_id}",
    e.SectionDisclosed: lambda b: f"reads section {b.section}, allowed by {b.basis}",
    e.CaseErased: lambda _: "the case is erased: its key and rows are destroyed",
    e.CaseOpened: lambda b: f"case opened with referral {b.referral_id}{' (drill)' if b.drill else ''}",
    e.TrackChanged: lambda b: f"track {b.pathway} {b.state.lower()}{f': {b.outcome}' if b.outcome else ''} (procedure {b.digest[:16]})",
    e.StepOpened: lambda b: f"step {b.step} opened, seats {', '.join(b.seats)}",
    e.StepDone: lambda b: f"step {b.step} done: {b.outcome}",
    e.OfferOpened: lambda b: f"offers {_seat(b)} to {b.service}, rung {b.ladder[b.rung] if b.rung < len(b.ladder) else b.rung}",
    e.OfferEscalated: lambda b: f"offer {b.offer_id} climbs to rung {b.rung}",
    e.OfferAcknowledged: lambda b: f"offer {b.offer_id} acknowledged",
    e.OfferAccepted: lambda b: f"offer {b.offer_id} accepted",
    e.OfferArrived: lambda b: f"offer {b.offer_id}: the person arrived",
    e.OfferHeld: lambda b: f"offer {b.offer_id} on hold",
    e.OfferClosed: lambda b: f"offer {b.offer_id} closed: {b.how}",
    e.DecisionRecorded: lambda b: f"decision of {b.step}: {b.code} ({b.how.lower()})",
    e.DeadlinePassed: lambda b: f"limit {b.what} passed" + (f" for offer {b.offer_id}" if b.offer_id else ""),
    e.NeedsPerson: lambda b: f"a person is needed: {b.about}{f' for {b.step}' if b.step else ''}, at {b.desk}, rung {b.rung}",
    e.PersonNotNeeded: lambda b: f"the desk's task {b.task_id} is settled: {b.how}",
    e.InputIgnored: lambda b: "changed nothing",
    e.KnockSent: lambda b: f"knock by {b.channel} at rung {b.rung}, reference {b.reference}",
    e.KnockFailed: lambda b: f"knock by {b.channel} at rung {b.rung} failed after {b.attempts} attempts",
    e.RungFailed: lambda b: f"rung {b.rung} of offer {b.offer_id} has nobody",
    e.CaseClosed: lambda b: f"case closed: {b.outcome}",
}

MARKS: dict[Kind, str] = {
    Kind.FORK: "a second record with this sequence: a fork, never applied",
    Kind.FOREIGN: "a record in the wrong place, never applied",
    Kind.GAP: "a sequence is missing here",
    Kind.UNREADABLE: "a record that is none of ours",
}
