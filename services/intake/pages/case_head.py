"""Say which case a card or page is about: its number, procedure, age band and municipality, and where it stands. Pure.

None of it tells who the child is. It is part of an offer, as the municipality is; what can tell who the child is stands in the case file,
behind a button that records the reading (docs/decisions/0031).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from referral.domain.case_number import case_number
from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.runtime.i18n import Name, Words
from services.intake.contacts import HELD
from services.intake.model import Asking, Spot

AHEAD, ASKED, TAKEN, DONE, TOLD = "ahead", "asked", "taken", "done", "told"
"""States of a step, as its offers show them."""
_WAITS = ("OFFERED", "ACKNOWLEDGED")


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the procedure. state: AHEAD, ASKED, TAKEN, DONE or TOLD; word: the same in the reader's language. ours: we are asked."""

    step: str
    state: str
    word: str
    ours: bool


@dataclass(frozen=True, slots=True)
class CaseHead:
    """The head of a card or page. line: procedure, age band, municipality. stages: the steps in the procedure's order, or none."""

    number: str
    line: str
    drill: bool
    stages: tuple[Stage, ...] = ()
    summary: str = ""


def head(
    case_id: str, spot: Spot, pathway: str, say: Words, name: Name, *, ended: bool = False, stages: tuple[Stage, ...] = ()
) -> CaseHead:
    """Return the head of a case. ended: the reader's part is over, and the age band is not shown any more, nor the municipality, which is
    where the child is now."""
    parts = (
        name("pathway", pathway) if pathway else "",
        say("case.age", band=name("age-band", spot.age_band)) if spot.age_band and not ended else "",
        name("municipality", spot.found_in) if spot.found_in and not ended else "",
    )
    return CaseHead(
        number=case_number(case_id),
        line=" · ".join(part for part in parts if part),
        drill=spot.drill,
        stages=stages,
        summary=_summary(stages, say),
    )


def stages(steps: Sequence[str], offers: Iterable[Asking], agency: str, say: Words, name: Name) -> tuple[Stage, ...]:
    """Return where a case stands in one procedure. steps: of the procedure, in order. offers: of its track, of all agencies."""
    by_step: dict[str, list[Asking]] = {}
    for offer in offers:
        by_step.setdefault(offer.step, []).append(offer)
    found = ((step, state(by_step.get(step, ())), any(one.agency == agency for one in by_step.get(step, ()))) for step in steps)
    return tuple(Stage(name("step", step), at, say(f"stage.{at}"), ours) for step, at, ours in found)


def state(offers: Collection[Asking]) -> str:
    """Return the state of a step. One of several seats that still waits makes it ASKED: that is what people ask about."""
    if not offers:
        return AHEAD
    if all(offer.kind == "NOTIFY" for offer in offers):
        return TOLD
    live = [offer.state for offer in offers if offer.open]
    if any(at in _WAITS for at in live):
        return ASKED
    if any(at in HELD for at in live):
        return TAKEN
    return DONE if any(offer.state == "COMPLETED" for offer in offers) else AHEAD


def steps(policy: Policy, pathway: str) -> tuple[str, ...]:
    """Return the steps of a procedure in order; none for one that the policy in force does not have. Feeds are no steps of a case."""
    procedure = next((found for found in policy.current if found.id == pathway), None)
    return () if procedure is None else tuple(step.id for step in procedure.steps if step.kind is not StepKind.FEED)


def _summary(stages: Iterable[Stage], say: Words) -> str:
    """Return how many steps are done and under way, in words."""
    counts: Mapping[str, int] = {at: sum(stage.state == at for stage in stages) for at in (DONE, TAKEN, ASKED)}
    said = [say(f"stage.count.{at}", count=number) for at, number in counts.items() if number]
    return ", ".join(said)
