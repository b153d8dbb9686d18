"""What is wrong with a policy, found on a way that nobody should come to: in words for the person who wrote the procedure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from referral.domain.case import Case, Run
from referral.domain.events import StepKind
from referral.domain.marks import marks
from referral.domain.policy import Policy
from referral.domain.procedure import Pathway, Step
from referral.domain.reach_classes import USUAL
from referral.domain.reach_task import Task
from referral.domain.reach_walk import Way
from referral.domain.standing import case_marks, latest

EXPECTED = ("consent-missing", "confirm-default")
"""What a desk is asked by design, although nobody fails."""
LEFT = ("switched", "consent-withdrawn")
"""How a procedure ends that is not for this person after all."""


class Finding(Struct, frozen=True):
    """kind: nobody, stands, limit, unserved, endless, forbidden, desk. about: what further tells it from others.

    do: what may help. who: an example of a child.
    """

    kind: str
    pathway: str
    step: str
    about: str
    said: str
    do: str = ""
    who: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from others."""
        return self.kind, self.pathway, self.step, self.about


def findings(policy: Policy, task: Task, way: Way) -> Iterator[Finding]:
    """What one way shows."""
    pathway = next(one for one in policy.current if one.id == task.pathway)
    case = way.last.case if way.last is not None else None
    child = described(task)
    for wrong in dict.fromkeys(way.wrong):
        yield Finding("forbidden", task.pathway, "", wrong, wrong, who=child)
    if way.end == "endless":
        said = f"the case goes round in a circle and never ends: {', '.join(_circling(case))} again and again"
        yield Finding("endless", task.pathway, "", "", said, "let a decision or until: end the repetition", child)
    elif way.first < 0 and way.desk < 0 and not way.merged and way.end not in LEFT:
        said = "the case ends, and nobody has accepted it and no desk has seen it"
        yield Finding("unserved", task.pathway, "", "", said, "a step that somebody accepts must stand in close_when", child)
    if way.failing or case is None:
        return
    for step, what in dict.fromkeys(way.late):
        said = f"everybody answers in time, and yet the limit {what} of {step or 'a step'} passes"
        yield Finding("limit", task.pathway, step, what, said, "give it more time, or begin it later", child)
    for about, step, seat in way.tasks:
        if about == "no-candidate" and step in way.closed:
            continue  # a note
        if about == "no-candidate":
            yield _nobody(policy, pathway, step, seat, way, child)
        elif about == "standing-still":
            yield from _stands(policy, pathway, case, way, child)
        elif about.startswith("too-many"):
            said = f"the case grows without end ({about}): {', '.join(_circling(case))} again and again"
            yield Finding("endless", task.pathway, "", about, said, "let a decision or until: end the repetition", child)
        elif about not in EXPECTED:
            said = f"a desk is asked ({about}) although everybody answers in time"
            yield Finding("desk", task.pathway, step, about, said, who=child)


def described(task: Task) -> str:
    """An example of the children of a class: what is not as usual with it."""
    traits = task.traits
    said = [traits.age if traits.age_band == "unknown" else f"{traits.age} of {traits.age_band}", traits.sex]
    for name in ("urgency", "origin", "asylum", "home"):
        if getattr(traits, name) != getattr(USUAL, name):
            said.append(f"{name} {getattr(traits, name)}")
    said += [*traits.flags, *(word for word in traits.languages if word not in USUAL.languages)]
    if task.consent is not None:
        said.append(f"consent {task.consent.state.value.lower().replace('_', '-')}")
    return ", ".join(said)


def _nobody(policy: Policy, pathway: Pathway, id: str, seat: int, way: Way, child: str) -> Finding:
    step = pathway.step(id)
    if step is None:
        return Finding("nobody", pathway.id, id, "", "nobody can be asked", who=child)
    rule = step.seats[max(seat, 0)]
    roles = list(rule.roles)
    if step.placement is not None:
        roles = list(dict.fromkeys([*step.placement.until_known, *(r for known in step.placement.roles.values() for r in known)]))
    roles += [role for role in rule.last_resort if role not in roles]
    what = "no bed can be found" if step.kind is StepKind.PLACE else "nobody can be asked"
    code = "".join(f" after {code} in {of}" for of, code in way.given.codes.items())
    where = ", ".join(rule.areas)
    skilled = f" and {', '.join(sorted(rule.skills))}" if rule.skills else ""
    wanted = f"the role {' or '.join(roles)}{skilled}"
    said = f"{what}{code}, although nobody fails: no agency with {wanted} is there for {where} and for this child"
    do = "add an agency or a place to the directory, a wider area, another role or a last_resort"
    return Finding("nobody", pathway.id, id, str(seat), said, do, child)


def _stands(policy: Policy, pathway: Pathway, case: Case, way: Way, child: str) -> Iterator[Finding]:
    """Nothing moves any more, and no limit runs: a seat that waits for its holder, or a step whose time never comes."""
    codes = "".join(f"after {code} in {of}, " for of, code in way.given.codes.items())
    track = next((one for one in case.tracks if one.pathway == pathway.id), None)
    if track is None:
        return
    standing = marks(case, track, pathway, policy) | case_marks(case, case.at)
    found = False
    for step in pathway.asking:
        run = latest(track, step.id)
        if run is not None and not run.outcome:
            found = True
            yield _waits(pathway, step, run, codes, child)
    if found:
        return
    for mark in sorted(pathway.close_when - standing):
        step = pathway.by_id[mark.removesuffix(".done")]
        if step.is_wanted(standing) and latest(track, step.id) is None:
            missing = sorted(step.after - standing) or ["what never comes"]
            said = f"{codes}nothing leads on: {step.id} is still to be done, and waits for {', '.join(missing)}"
            do = "say what follows (after, when), or do not ask for it in close_when under these circumstances"
            yield Finding("stands", pathway.id, step.id, codes, said, do, child)


def _waits(pathway: Pathway, step: Step, run: Run, codes: str, child: str) -> Finding:
    for rule, seat in zip(step.seats, run.seats, strict=True):
        if seat.offer is None and not seat.code and rule.holder is not None:
            verb = "decide" if step.kind is StepKind.DECIDE else "do"
            said = f"{codes}nobody can {verb} this: it is for whoever holds {rule.holder[0]}, and nobody does"
            return Finding("stands", pathway.id, step.id, "holder", said, "name somebody who has accepted by then", child)
    said = f"{codes}nothing leads on: everybody has answered, and {step.id} is still not done"
    return Finding("stands", pathway.id, step.id, codes, said, "give it a limit, or say what ends it", child)


def _circling(case: Case | None) -> list[str]:
    if case is None:
        return []
    counts: dict[str, int] = {}
    for track in case.tracks:
        for run in track.runs:
            counts[run.step] = counts.get(run.step, 0) + 1
    return [step for step, count in sorted(counts.items(), key=lambda item: -item[1])[:3]]
