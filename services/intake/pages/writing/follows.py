"""Say what follows from a change of a case, before it is sent: from the procedure alone, never from what other agencies were asked. Pure.

So the page tells nobody anything that they may not know: the procedures are public.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from referral.domain.events import ConsentState, StepKind
from referral.domain.policy.procedure import Pathway, Step, met

ENDED = (ConsentState.WITHDRAWN, ConsentState.REFUSED)


@dataclass(frozen=True, slots=True)
class Follow:
    """One effect. key: of words.yaml. steps: ids of the steps that it names. sections: those that it names. code: of a decision, procedure
    or age."""

    key: str
    steps: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    code: str = ""


def consent(pathway: Pathway, state: ConsentState, scope: Sequence[str] = ()) -> tuple[Follow, ...]:
    """Return what follows from a consent in this procedure. scope: the sections that it is limited to; empty: all that a step shows."""
    rule = pathway.consent
    if not rule.needed or (state in ENDED and rule.on_withdrawal == "continue"):
        return (Follow("follows.consent.law"),)
    if state not in ENDED:
        given = Follow("follows.consent.given", steps=_ids(step for step in pathway.asking if not step.without_consent))
        return (given, Follow("follows.consent.scope", sections=tuple(scope))) if scope else (given,)
    stops = tuple(step for step in pathway.asking if rule.on_withdrawal == "stop" or not step.without_consent)
    goes_on = tuple(step for step in pathway.asking if step not in stops)
    effects = [Follow("follows.consent.stops", steps=_ids(stops)), Follow("follows.consent.reads", steps=_ids(filter(_shows, stops)))]
    if goes_on:
        effects.append(Follow("follows.consent.anonymous", steps=_ids(goes_on)))
    return (*effects, Follow("follows.consent.you"), Follow("follows.second"))


def keep_away(pathway: Pathway, kind: str, actor: str, own: str) -> tuple[Follow, ...]:
    """Return what follows from an exclusion. kind: AGENCY, STAFF or RELATION. own: the reader's agency."""
    if kind == "RELATION":
        forbidden = [(step.id, code) for step in pathway.steps for code, who in step.forbid.items() if who == f"relation:{actor}"]
        return (
            *(Follow("follows.away.forbids", steps=(step,), code=code) for step, code in forbidden),
            Follow("follows.away.relation"),
        )
    if kind == "STAFF":
        return (Follow("follows.away.staff"), Follow("follows.away.staff.agency"))
    mine = (Follow("follows.away.own"),) if actor == own else ()
    duties = _ids(step for step in pathway.steps if any(rule.statutory for rule in step.seats))
    return (
        *mine,
        Follow("follows.away.reads"),
        Follow("follows.away.next", steps=_ids(step for step in pathway.asking if step.kind is not StepKind.NOTIFY)),
        *((Follow("follows.away.duty", steps=duties),) if duties else ()),
        Follow("follows.away.silent"),
    )


def age(pathway: Pathway, settled: str) -> tuple[Follow, ...]:
    """Return what follows in this procedure when the age is settled as child, uncertain or adult."""
    return (Follow("follows.age", code=settled), *_changes(pathway, f"age={settled}"), Follow("follows.second"))


def place() -> tuple[Follow, ...]:
    """Return what follows when the person is in another municipality: an open question goes to whoever is near, a seat that is taken stays
    taken."""
    return (Follow("follows.place.asked"), Follow("follows.place.taken"), Follow("follows.place.desk"), Follow("follows.second"))


def known(pathway: Pathway, marks: Iterable[str]) -> tuple[Follow, ...]:
    """Return what follows in this procedure from what was said, as `flags=injured`: steps that may begin or are not done, and other
    procedures."""
    said = frozenset(marks)
    opens = _ids(step for step in pathway.asking if said & (step.at_once | frozenset().union(*step.when)))
    stops = _ids(step for step in pathway.asking if said & step.unless)
    return (
        *((Follow("follows.known.opens", steps=opens),) if opens else ()),
        *((Follow("follows.known.unless", steps=stops),) if stops else ()),
        *(dict.fromkeys(follow for mark in sorted(said) for follow in _changes(pathway, mark))),
        Follow("follows.known.kept"),
    )


def _changes(pathway: Pathway, mark: str) -> tuple[Follow, ...]:
    """Return the other procedures that this one mark alone begins, and whether this one goes on."""
    begun = [change for change in pathway.changes if met(change.when, frozenset({mark}))]
    return tuple(
        Follow("follows.instead" if change.switch_to else "follows.beside", code=change.switch_to or change.also_open) for change in begun
    )


def _shows(step: Step) -> bool:
    return any(rule.shows for rule in step.seats)


def _ids(steps: Iterable[Step]) -> tuple[str, ...]:
    return tuple(step.id for step in steps)
