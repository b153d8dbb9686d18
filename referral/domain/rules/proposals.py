"""Hold back a change that would end a duty to the person, until a second party confirms it at a desk."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from referral.domain.case import Case, Proposal, open_offers
from referral.domain.contradictions import contradictions
from referral.domain.entered_times import beside
from referral.domain.events import ChangeKind, ChangeProposed, Consent, NeedsPerson, Traits, TraitsChanged
from referral.domain.policy.questions import SEVERAL, with_answers
from referral.domain.rules.context import DecisionContext

ABOUT = "confirm-change"
"""A desk task: confirm or refuse a change that one party has recorded."""
DIFFERS = "traits-differ"
"""A desk task: a sender says something else than the case does."""


def is_desk(d: DecisionContext, agency: str) -> bool:
    """Return True when this agency answers for the case: a desk of its chain, or one with an open task, and not excluded."""
    known = d.policy.agencies.get(agency)
    if known is None or not known.desk or f"agency:{agency}" in d.case.excluded:
        return False
    return agency in d.chain or any(task.desk == agency for task in d.case.tasks)


def is_kept_away(d: DecisionContext, agency: str) -> bool:
    """Return True when the case excludes this agency. Only one that did nothing but refer the case sends anything then (decision 0080)."""
    return f"agency:{agency}" in d.case.excluded


def said_at_rest(d: DecisionContext) -> None:
    """Handle what an excluded sender says of a case that it sees at rest: it changes nothing by itself, and the desk reads it."""
    if not is_live(d):
        return d.ignore("EXCLUDED") if not d.events else None
    return d.needs_person(DIFFERS)


def is_live(d: DecisionContext) -> bool:
    """Return True when the case is open, so that a change could end something."""
    return d.case.opened and not d.case.closed


def wait(
    d: DecisionContext,
    kind: ChangeKind,
    agency: str,
    by: str | None,
    *,
    traits: Traits | None = None,
    consent: Consent | None = None,
    actor: str = "",
    rung: int = 0,
) -> None:
    """Propose a change to the desk. A newer proposal of the same party in the same matter replaces the older one."""
    for known in d.case.proposals:
        if (known.kind, known.agency, known.actor) == (kind.value, agency, actor):
            if (known.traits, known.consent) == (traits, consent):
                return d.ignore("REPEATED") if not d.events else None
            settle(d, known, "overtaken")
    task_id = d.new_id("task")
    d.emit(
        ChangeProposed(why=d.why("proposed"), task_id=task_id, kind=kind, agency=agency, by=by, traits=traits, consent=consent, actor=actor)
    )
    d.emit(
        NeedsPerson(
            why=d.why(ABOUT), task_id=task_id, desk=d.desk(rung), about=ABOUT, step="", seat=-1, rung=rung, due=d.due(d.policy.repeat)
        )
    )
    return None


def settle(d: DecisionContext, proposal: Proposal, how: str) -> None:
    """End a proposal by settling its task."""
    for task in d.case.tasks:
        if task.task_id == proposal.task_id:
            d.settle(task, how)


def seconded(d: DecisionContext, kind: ChangeKind, agency: str, says: Callable[[Proposal], bool]) -> Proposal | None:
    """Return the proposal of another party that this agency has just recorded too. The agency must hold an open offer, or be a desk of the
    case."""
    if f"agency:{agency}" in d.case.excluded:
        return None
    if not (is_desk(d, agency) or any(offer.agency == agency for offer in open_offers(d.case))):
        return None
    return next((p for p in d.case.proposals if p.kind == kind.value and p.agency != agency and says(p)), None)


def recorded(case: Case, said: TraitsChanged) -> Traits:
    """Return the traits that hold if this change is applied: those that the sender names beside the current ones, so that two changes made
    at the same time do not undo each other; all of the sender's where it names none. Flags and languages that a sender names are added.

    Also all of them where the mixture contradicts itself (intake has checked the sender's for contradictions), and where the case has no
    traits yet because its first record was lost. A time that the sender does not name stays as it is known.
    """
    if not said.only or not case.opened:
        return beside(said.traits, case.traits)
    names = [name for name in said.traits.__struct_fields__ if name in said.only and name != "times"]
    mixed = with_answers(case.traits, {name: _codes(getattr(said.traits, name)) for name in names})
    mixed = replace(mixed, times=said.traits.times) if "times" in said.only else mixed
    return beside(said.traits if contradictions(mixed) else mixed, case.traits)


def _codes(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def merged(case: Case, proposal: Proposal) -> Traits:
    """Return the current traits with the changes of the proposal: other changes made meanwhile stay."""
    return _with(case.traits, proposal)


def _with(traits: Traits, proposal: Proposal) -> Traits:
    """Return these traits with the changes of the proposal."""
    return beside(replace(traits, **{name: _changed(traits, proposal, name) for name in _changes(proposal)}), traits)


def _changed(traits: Traits, proposal: Proposal, name: str) -> str | tuple[str, ...]:
    """Return one trait with the change of the proposal: of several codes, those that it adds and takes away, beside all others."""
    wanted: str | tuple[str, ...] = getattr(proposal.traits, name)
    if name not in SEVERAL:
        return wanted
    known, base = getattr(traits, name), getattr(proposal.base, name)
    return tuple(dict.fromkeys((*(code for code in known if code in wanted or code not in base), *(c for c in wanted if c not in base))))


def _answered(traits: Traits, proposal: Proposal, name: str) -> bool:
    """Return True when the traits in force have answered the change of one trait: another code, or all that it adds and takes away."""
    now = getattr(traits, name)
    return bool(now == _changed(traits, proposal, name) if name in SEVERAL else now != getattr(proposal.base, name))


def overtake(d: DecisionContext, traits: Traits) -> None:
    """Settle every proposal that the traits now in force have answered, and every one that would contradict them."""
    for proposal in d.case.proposals:
        names = _changes(proposal)
        if not names:
            continue
        if any(_answered(traits, proposal, name) for name in names) or contradictions(_with(traits, proposal)):
            settle(d, proposal, "overtaken")


def _changes(proposal: Proposal) -> frozenset[str]:
    """Return the names of the traits that the proposal changes."""
    if proposal.traits is None or proposal.base is None:
        return frozenset()
    names = proposal.traits.__struct_fields__
    return frozenset(name for name in names if getattr(proposal.traits, name) != getattr(proposal.base, name))
