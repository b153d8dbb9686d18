"""Report the faults of a policy that the model check finds, in words for the author of the procedure.

`findings`: a way that no case should take. `notes`: a weak point, where one failure or a night leaves only a desk; the case has an owner,
and the author should still know. `whole`: faults that only the whole policy shows: steps that no way reaches, procedures that compete,
limits that overlap the next round.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from referral.analysis.reachability.classes import USUAL
from referral.analysis.reachability.explore import Tally
from referral.analysis.reachability.tasks import Task
from referral.analysis.reachability.walk import Way
from referral.analysis.reachability.world import START
from referral.domain.case import Case, Run
from referral.domain.durations import DAY_US, MINUTE_US
from referral.domain.events import OfferOpened, StepKind
from referral.domain.policy import Policy
from referral.domain.policy.limits import due
from referral.domain.policy.procedure import Marks, Pathway, Step
from referral.domain.rules.conditions import case_marks, latest, track_marks

EXPECTED = ("consent-missing", "confirm-default", "time-missing")
"""Desk tasks that a procedure opens by design, although no agency fails."""
LEFT = ("switched", "consent-withdrawn")
"""Outcomes of a procedure that turned out not to be for this person."""


class Finding(Struct, frozen=True):
    """One fault or weak point of a policy.

    kind: nobody, stands, limit, unserved, endless, forbidden, desk, dead, dead-code, rivals; of notes: alone, closed, ladder.
    about: separates it from others of its kind.
    said: the text for the author of the procedure.
    do: what may help.
    who: an example of a child.
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
        """The fields that identify a finding."""
        return self.kind, self.pathway, self.step, self.about


def findings(policy: Policy, task: Task, way: Way) -> Iterator[Finding]:
    """Yield the faults that one way shows."""
    pathway = next(one for one in policy.every if one.id == task.pathway)
    case = way.last.case if way.last is not None else None
    child = described(task)
    for wrong in dict.fromkeys(way.wrong):
        yield Finding("forbidden", task.pathway, "", wrong, wrong, who=child)
    if way.end == "endless":
        said = f"the case goes round in a circle and never ends: {', '.join(_circling(case))} again and again"
        yield Finding("endless", task.pathway, "", "", said, "let a decision or until: end the repetition", child)
    elif way.first < 0 and way.desk < 0 and not way.merged and way.end not in LEFT:
        said = "the case ends, and nobody has accepted it and no desk has seen it"
        yield Finding("unserved", task.pathway, "", "", said, "add a step that an agency accepts to close_when", child)
    if way.failing or case is None:
        return
    over = {step.id for step in pathway.steps if any(limit.since for limit in step.limits.values())}
    for step, what in dict.fromkeys(way.late):
        if step in over:
            continue  # it may have passed before anybody told us
        said = f"everybody answers in time, and yet the limit {what} of {step or 'a step'} passes"
        yield Finding("limit", task.pathway, step, what, said, "give it more time, or begin it later", child)
    for about, step, seat in way.tasks:
        if about == "no-candidate" and step in way.closed:
            continue  # reported by `notes`
        if about == "no-candidate":
            yield _nobody(policy, pathway, step, seat, way, child)
        elif about == "standing-still":
            yield from _stands(policy, pathway, case, way, child)
        elif about.startswith("too-many"):
            said = f"the case grows without end ({about}): {', '.join(_circling(case))} again and again"
            yield Finding("endless", task.pathway, "", about, said, "let a decision or until: end the repetition", child)
        elif about not in EXPECTED and not (about == "decide-missed" and step in over):
            said = f"a desk is asked ({about}) although everybody answers in time"
            yield Finding("desk", task.pathway, step, about, said, who=child)


def described(task: Task) -> str:
    """Describe the example child of a task: age, sex, and every trait that is not as usual."""
    traits = task.traits
    said = [traits.age if traits.age_band == "unknown" else f"{traits.age} of {traits.age_band}", traits.sex]
    for name in ("urgency", "origin", "asylum", "home"):
        if getattr(traits, name) != getattr(USUAL, name):
            said.append(f"{name} {getattr(traits, name)}")
    said += [f"{one.code} {(START - one.at) // MINUTE_US} min ago" for one in traits.times]
    said += [*traits.flags, *(word for word in traits.languages if word not in USUAL.languages)]
    if task.consent is not None:
        said.append(f"consent {task.consent.state.value.lower().replace('_', '-')}")
    return ", ".join(said)


def _nobody(policy: Policy, pathway: Pathway, id: str, seat: int, way: Way, child: str) -> Finding:
    """Return the finding that no agency can be asked for a seat although none fails."""
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
    """Yield findings about a case that no longer moves while no limit runs: a seat that waits for its holder, or a step that never becomes
    ready."""
    codes = "".join(f"after {code} in {of}, " for of, code in way.given.codes.items())
    track = next((one for one in case.tracks if one.pathway == pathway.id), None)
    if track is None:
        return
    marks = track_marks(case, track, pathway, policy) | case_marks(case, case.at)
    found = False
    for step in pathway.asking:
        run = latest(track, step.id)
        if run is not None and not run.outcome:
            found = True
            yield _waits(pathway, step, run, codes, child)
    if found:
        return
    for mark in sorted(pathway.close_when - marks):
        step = pathway.by_id[mark.removesuffix(".done")]
        if step.is_wanted(marks) and latest(track, step.id) is None:
            missing = sorted(step.after - marks) or ["a mark that is never set"]
            said = f"{codes}nothing leads on: {step.id} is still to be done, and waits for {', '.join(missing)}"
            do = "say what follows (after, when), or do not ask for it in close_when under these circumstances"
            yield Finding("stands", pathway.id, step.id, codes, said, do, child)


def _waits(pathway: Pathway, step: Step, run: Run, codes: str, child: str) -> Finding:
    """Return the finding that a step is never done."""
    for rule, seat in zip(step.seats, run.seats, strict=True):
        if seat.offer is None and not seat.code and rule.holder is not None:
            verb = "decide" if step.kind is StepKind.DECIDE else "do"
            said = f"{codes}nobody can {verb} this: it is for whoever holds {rule.holder[0]}, and nobody does"
            return Finding("stands", pathway.id, step.id, "holder", said, "name somebody who has accepted by then", child)
    said = f"{codes}nothing leads on: everybody has answered, and {step.id} is still not done"
    return Finding("stands", pathway.id, step.id, codes, said, "give it a limit, or say what ends it", child)


def _circling(case: Case | None) -> list[str]:
    """Return the three steps with the most rounds."""
    if case is None:
        return []
    counts: dict[str, int] = {}
    for track in case.tracks:
        for run in track.runs:
            counts[run.step] = counts.get(run.step, 0) + 1
    return [step for step, count in sorted(counts.items(), key=lambda item: -item[1])[:3]]


def notes(policy: Policy, task: Task, way: Way) -> Iterator[Finding]:
    """Yield the weak points that one way shows."""
    if len(way.failing) == 1 and not way.given.excluded:
        pathway = next(one for one in policy.every if one.id == task.pathway)
        for about, id, seat in way.tasks:
            step = pathway.step(id)
            if about == "no-candidate" and step is not None and step.seats[max(seat, 0)].holder is None:
                yield Finding("alone", task.pathway, id, "", "only one agency can be asked; when it fails, a desk has to find another")
    for closed in sorted(way.closed) if not way.failing else ():
        yield Finding("closed", task.pathway, closed, "", "when offices are closed nobody can be asked; a desk is, until one opens")
    if not way.failing and way.last is not None:
        yield from _ladders(policy, task, way)


def _ladders(policy: Policy, task: Task, way: Way) -> Iterator[Finding]:
    """Yield the agencies that have none of the rungs that a step names: all of their own are knocked instead."""
    pathway = next(one for one in policy.every if one.id == task.pathway)
    last = way.last
    while last is not None:
        for event in last.events:
            if isinstance(event, OfferOpened) and (step := pathway.step(event.step)) is not None:
                named = step.seats[event.seat].ladder if event.seat < len(step.seats) else ()
                if named and not set(named) & set(event.ladder):
                    own = ", ".join(event.ladder)
                    said = f"an agency has none of the rungs {', '.join(named)}; its own rungs are knocked: {own}; such as {event.agency}"
                    yield Finding("ladder", task.pathway, event.step, own, said)
        last = last.earlier


def whole(policy: Policy, tally: Tally) -> Iterator[Finding]:
    """Yield the faults of the whole policy. tally: of every kind of case of every pathway that it contains."""
    yield from rivals(policy)
    for pathway in policy.every:
        if pathway.id not in tally.opened:
            continue
        for step in pathway.asking:
            if step.id not in tally.opened[pathway.id]:
                said = f"nothing ever reaches this step: {_waits_for(pathway, step.id)}"
                yield Finding("dead", pathway.id, step.id, "", said, "change what it waits for, or take it out")
            yield from _overlapping(policy, pathway, step)
            if step.kind is StepKind.DECIDE and step.id in tally.opened[pathway.id]:
                for code in step.codes:
                    if (step.id, code) not in tally.decided[pathway.id]:
                        said = f"{code} can never be decided"
                        yield Finding("dead-code", pathway.id, step.id, code, said, "take the code out, or say who may decide it")


def rivals(policy: Policy) -> Iterator[Finding]:
    """Yield pairs of procedures that begin for the same person while neither defines what happens to the other."""
    for number, one in enumerate(policy.current):
        for other in policy.current[number + 1 :]:
            both = shared(one, other)
            if both is None or other.id in one.leads_to or one.id in other.leads_to:
                continue
            said = f"it begins together with {other.id} for the same person ({', '.join(both)}), and neither says which comes first"
            do = f"tell them apart in applies, or say in changes how one leads to {other.id} (switch_to, or also_open with pause)"
            yield Finding("rivals", one.id, "", other.id, said, do)


def shared(one: Pathway, other: Pathway) -> tuple[str, ...] | None:
    """Return an example of circumstances to which both procedures apply; None where there is none."""
    found: list[str] = []
    groups: dict[str, list[Marks]] = {}
    for group in (*one.applies, *other.applies):
        for name in {mark.partition("=")[0] for mark in group}:
            groups.setdefault(name, []).append(frozenset(mark for mark in group if mark.startswith(f"{name}=")))
    for name, sets in groups.items():
        if name in ("flags", "languages"):
            found += [min(marks) for marks in sets]
            continue
        both = frozenset.intersection(*map(frozenset, sets))
        if not both:
            return None
        found.append(min(both))
    return tuple(dict.fromkeys(found))


def _overlapping(policy: Policy, pathway: Pathway, step: Step) -> Iterator[Finding]:
    """Yield a finding where a round may last longer than the interval to the next one, whose limit then cannot be kept."""
    last = next((step.limits[what] for what in ("complete", "decide", "arrive", "present", "accept") if what in step.limits), None)
    if last is None or not step.repeats:
        return
    every = [after.micros - before.micros for before, after in zip(step.at, step.at[1:], strict=False)]
    every += [step.then_every.micros] if step.then_every is not None else []
    if every and min(every) < due(START, last, policy.calendar) - START:
        days = min(every) // DAY_US
        said = f"a round may take {last} and the next one begins {days} days after it: a round done in time overlaps the next"
        yield Finding("limit", pathway.id, step.id, "rounds", said, "give a round less time, or let more time pass between rounds")


def _waits_for(pathway: Pathway, id: str) -> str:
    """Describe the conditions of a step."""
    step = pathway.by_id[id]
    said = [f"after {', '.join(sorted(step.after))}"] if step.after else []
    said += [f"when {' or '.join(sorted(group))}" for group in step.when]
    said += [f"unless {' or '.join(sorted(step.unless))}"] if step.unless else []
    return "; ".join(said) or "it has no condition, and the case always ends before"
